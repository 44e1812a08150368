//! The help codes: one for each failure that an operator may meet, with its page.
//!
//! Invariants:
//! - [`HelpCode`] is the one table: a code is never given to another failure, and never goes away.
//! - Every code has a page in `docs/help/`, compiled in, so that `coffer explain` needs no network.
//!
//! The pages lie outside of this crate, where they are read: it is built from the repository only (`publish = false`).

mod code;

pub use self::code::HelpCode;

/// The code that `text` names, in whatever case: `CK0013`, `ck0013`.
pub fn find(text: &str) -> Option<HelpCode> {
    let text = text.trim();
    HelpCode::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
}

/// The page of the code that `text` names, in Markdown.
pub fn page(text: &str) -> Option<&'static str> {
    find(text).map(HelpCode::page)
}

/// The sections of a page, in their order; the last one only where AWS has a say.
pub const SECTIONS: [&str; 5] =
    ["What happened", "What Coffer does", "What to do", "How to see that it is over", "What AWS says"];

#[cfg(test)]
mod tests;
