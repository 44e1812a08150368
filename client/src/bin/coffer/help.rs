//! Help codes in messages: each names the page that explains what happened.

/// What stands after a message: `(CK0034; see ``coffer explain CK0034``)`; empty where there is no code.
pub fn pointer(code: &str) -> String {
    match code {
        "" => String::new(),
        code => format!("({code}; see `coffer explain {code}`)"),
    }
}
