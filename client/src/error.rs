//! What can go wrong with a call, and what its caller should make of it.

use std::fmt;
use std::time::Duration;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why one member did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFailure {
    /// The member's address, as the driver knows it.
    pub endpoint: String,
    /// What it said, or what became of the connection.
    pub reason: String,
    /// Whether a connection to it came about. Without one, nobody listens there or the way to it is cut.
    pub connected: bool,
}

impl fmt::Display for EndpointFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.reason)
    }
}

/// A call that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The replica set looked at the request and refused it: nothing was changed by it.
    #[error("{message} ({})", name(.code_name, *.code, .help_code.as_deref()))]
    Refused {
        /// MongoDB's number of the error, 0 where there is none.
        code: i32,
        /// MongoDB's name of the error, or the reason in Coffer's own terms.
        code_name: String,
        /// What was wrong, for a person.
        message: String,
        /// Code of the help page that explains it, such as CK0034, where there is one.
        help_code: Option<String>,
    },
    /// The driver itself found the request wrong, before anything was sent.
    #[error("{0}")]
    Invalid(String),
    /// No member could be reached, or none that leads, for as long as the call was allowed to take. Nothing was
    /// changed by it.
    #[error(
        "no member could {} within {}: {}",
        if answered(.endpoints) { "serve the call" } else { "be reached" }, seconds(.after), list(.endpoints)
    )]
    Unreachable {
        /// How long it was tried.
        after: Duration,
        /// The last failure of each member that was asked.
        endpoints: Vec<EndpointFailure>,
    },
    /// Members answered, but every one of them waits for the customer's key. Nothing was changed by the call.
    #[error(
        "every member that answers is sealed: they wait for the customer's key in KMS; enable it and they serve \
         again by themselves: {}", list(.endpoints)
    )]
    Sealed {
        /// The last failure of each member that was asked.
        endpoints: Vec<EndpointFailure>,
    },
    /// The members refused the call for being busy until its deadline. Nothing was changed by it.
    #[error("the replica set was overloaded for {}: {message}", seconds(.after))]
    Overloaded {
        /// How long it was tried.
        after: Duration,
        /// What the member said last.
        message: String,
    },
    /// The write may have taken effect, or may yet, or not: nobody could say so in time. Read to find out;
    /// sending it again as a new write may do it twice.
    #[error("the outcome of the write is unknown after {}: {last}", seconds(.after))]
    OutcomeUnknown {
        /// How long it was tried.
        after: Duration,
        /// What the last try ended with.
        last: String,
    },
    /// A cursor ended after its first batch, before its last. What it gave so far is of one snapshot and valid.
    #[error("the cursor broke after {delivered} documents: {reason}; run the query again")]
    CursorBroken {
        /// Documents that it had given.
        delivered: u64,
        /// What it ended with.
        reason: String,
    },
    /// A member failed in itself; its log says more.
    #[error("{endpoint} failed: {message}; look into the log of that member")]
    Fault {
        /// The member's address.
        endpoint: String,
        /// What it said.
        message: String,
    },
    /// An answer did not hold what the protocol promises.
    #[error("a member gave an answer that this driver does not understand: {0}")]
    BadAnswer(String),
    /// A write in several batches ended early: what came before is done.
    #[error("{done} documents were inserted before: {source}")]
    Partial {
        /// Documents of the earlier batches that were inserted.
        done: u64,
        /// What ended it.
        source: Box<Error>,
    },
}

/// Coarse kinds of [`Error`], for a caller that decides by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself will not work, however often it is sent.
    Refused,
    /// The caller used the driver wrongly.
    Usage,
    /// The replica set could not be reached, or could not serve.
    Unreachable,
    /// The replica set waits for its key.
    Sealed,
    /// A write may or may not have taken effect.
    OutcomeUnknown,
    /// A member is broken or speaks another protocol.
    Fault,
}

impl ErrorKind {
    /// The exit status of a command that ends with such an error: 1 refused, 2 usage, 3 unreachable or sealed.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Refused | Self::Fault => 1,
            Self::Usage => 2,
            Self::Unreachable | Self::Sealed | Self::OutcomeUnknown => 3,
        }
    }
}

impl Error {
    /// The kind of it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { .. } => ErrorKind::Refused,
            Self::Invalid(_) => ErrorKind::Usage,
            Self::Unreachable { .. } | Self::Overloaded { .. } | Self::CursorBroken { .. } => {
                ErrorKind::Unreachable
            }
            Self::Sealed { .. } => ErrorKind::Sealed,
            Self::OutcomeUnknown { .. } => ErrorKind::OutcomeUnknown,
            Self::Fault { .. } | Self::BadAnswer(_) => ErrorKind::Fault,
            Self::Partial { source, .. } => source.kind(),
        }
    }

    /// MongoDB's error number, where the replica set refused the call with one.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Refused { code, .. } if *code != 0 => Some(*code),
            Self::Partial { source, .. } => source.code(),
            _ => None,
        }
    }

    /// Code of the help page that explains the error, where the replica set refused the call with one.
    pub fn help_code(&self) -> Option<&str> {
        match self {
            Self::Refused { help_code, .. } => help_code.as_deref(),
            Self::Partial { source, .. } => source.help_code(),
            _ => None,
        }
    }
}

fn name(code_name: &str, code: i32, help_code: Option<&str>) -> String {
    if let Some(help_code) = help_code {
        return help_code.to_owned();
    }
    if code == 0 { code_name.to_lowercase().replace('_', " ") } else { format!("{code_name}, code {code}") }
}

fn seconds(duration: &Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn answered(endpoints: &[EndpointFailure]) -> bool {
    endpoints.iter().any(|failure| failure.connected)
}

fn list(endpoints: &[EndpointFailure]) -> String {
    if endpoints.is_empty() {
        return "nobody was asked".to_owned();
    }
    endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_exit_status() {
        let refuse = |code, code_name: &str, help_code: Option<&str>| Error::Refused {
            code,
            code_name: code_name.into(),
            message: "no".into(),
            help_code: help_code.map(str::to_owned),
        };
        let refused = refuse(11000, "DuplicateKey", None);
        assert_eq!((refused.kind().exit_status(), refused.code()), (1, Some(11000)));
        assert_eq!(refused.to_string(), "no (DuplicateKey, code 11000)");
        let refused = refuse(0, "STALE_RETRY_TOKEN", None);
        assert_eq!((refused.to_string().as_str(), refused.code()), ("no (stale retry token)", None));
        let refused = refuse(0, "REFUSED", Some("CK0034"));
        assert_eq!((refused.to_string().as_str(), refused.help_code()), ("no (CK0034)", Some("CK0034")));
        assert_eq!(Error::Invalid("no".into()).kind().exit_status(), 2);
        assert_eq!(Error::Sealed { endpoints: vec![] }.kind().exit_status(), 3);
        let unknown = Error::OutcomeUnknown { after: Duration::from_secs(1), last: "cut".into() };
        assert_eq!(unknown.kind().exit_status(), 3);
        let partial = Error::Partial { done: 7, source: Box::new(unknown) };
        assert_eq!(partial.kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(
            partial.to_string(),
            "7 documents were inserted before: the outcome of the write is unknown after 1.0 s: cut"
        );
    }

    #[test]
    fn an_unreachable_set_names_every_member() {
        let text = |connected: bool| {
            let failure = |endpoint: &str, connected| EndpointFailure {
                endpoint: endpoint.into(),
                reason: "gone".into(),
                connected,
            };
            let endpoints = vec![failure("a:1", false), failure("b:2", connected)];
            Error::Unreachable { after: Duration::from_millis(2500), endpoints }.to_string()
        };
        assert_eq!(text(true), "no member could serve the call within 2.5 s: a:1: gone; b:2: gone");
        assert_eq!(text(false), "no member could be reached within 2.5 s: a:1: gone; b:2: gone");
    }
}
