//! A request that cannot be done as it is.

use std::{borrow::Cow, fmt};

use coffer_document::{DocumentError, code};
use coffer_proto::internal::v1::CommandError;

/// What the request fails at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// At itself: it is wrong whatever the data.
    Request,
    /// At the data as it is now.
    State,
    /// At something that is not there.
    NotFound,
    /// At something that is there already.
    Exists,
}

/// Why a request cannot be done, with MongoDB's error code.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it fails at.
    pub kind: RefusalKind,
    /// MongoDB's number.
    pub code: i32,
    /// MongoDB's name of the number.
    pub code_name: Cow<'static, str>,
    /// For the caller alone: it may name what they sent.
    pub message: String,
}

impl Refusal {
    /// An argument outside of documents that makes no sense.
    pub fn argument(message: impl Into<String>) -> Self {
        DocumentError::bad_value(message).into()
    }

    /// No such database or collection.
    pub fn namespace_not_found(message: impl Into<String>) -> Self {
        let DocumentError { code, code_name, message } = DocumentError::namespace_not_found(message);
        Self { kind: RefusalKind::NotFound, code, code_name: code_name.into(), message }
    }

    /// What applying a command gave. The request itself was checked before, so it failed at the data.
    pub fn from_command(error: CommandError) -> Self {
        let CommandError { code, code_name, message } = error;
        let kind = match code {
            code::NAMESPACE_NOT_FOUND => RefusalKind::NotFound,
            code::NAMESPACE_EXISTS | code::DUPLICATE_KEY => RefusalKind::Exists,
            _ => RefusalKind::State,
        };
        Self { kind, code, code_name: code_name.into(), message }
    }

    /// The same with `what` before the message.
    #[must_use]
    pub fn within(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl From<DocumentError> for Refusal {
    fn from(error: DocumentError) -> Self {
        let DocumentError { code, code_name, message } = error;
        Self { kind: RefusalKind::Request, code, code_name: code_name.into(), message }
    }
}

/// Without the message, which may name fields.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("kind", &self.kind)
            .field("code", &self.code)
            .field("code_name", &self.code_name)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
