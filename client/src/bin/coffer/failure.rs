//! Why a command failed, and the exit status that says so.

use std::io;

use coffer_client::{EndpointFailure, Error};
use coffer_keyring::kms::local::LocalKmsError;

use crate::help::pointer;

/// What is said where not one connection came about.
const UNREACHED: &str = "no member could be reached";

/// A command that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command or its input is wrong. Status 2.
    #[error("{0}")]
    Usage(String),
    /// It was looked at and refused. Status 1.
    #[error("{0}")]
    Refused(String),
    /// Nobody who could do it was there. Status 3.
    #[error("{0}")]
    Unreachable(String),
    /// The driver said so.
    #[error(transparent)]
    Driver(#[from] Error),
    /// The local KMS said so.
    #[error(transparent)]
    Kms(#[from] LocalKmsError),
    /// The result could not be written. Status 1.
    #[error("the result could not be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// 1 refused, 2 usage, 3 unreachable or sealed.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            // Who closes the pipe has read enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Refused(_) | Self::Kms(_) | Self::Output(_) => 1,
            Self::Driver(error) => error.kind().exit_status(),
        }
    }

    /// What to tell the person, if anything.
    pub fn message(&self) -> Option<String> {
        let help = match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Self::Driver(error) => help(error),
            _ => "",
        };
        let line = if help.is_empty() { "" } else { "\n" };
        Some(format!("{}{line}{help}", self.text()))
    }

    /// What the driver said, with the page that explains it.
    pub fn text_of(error: &Error) -> String {
        match error {
            Error::Refused { message, help_code: Some(code), .. } => format!("{message} {}", pointer(code)),
            other => other.to_string(),
        }
    }

    /// What happened, with a line for each member that was asked.
    fn text(&self) -> String {
        match self {
            Self::Driver(error @ Error::Refused { .. }) => Self::text_of(error),
            Self::Driver(Error::Sealed { endpoints }) => format!(
                "every member that answers is sealed: they wait for the customer's key in KMS{}",
                lines(endpoints)
            ),
            Self::Driver(Error::Unreachable { after, endpoints }) => {
                let what = if answered(endpoints) { "no member could serve the call" } else { UNREACHED };
                format!("{what}; given up after {:.1} s{}", after.as_secs_f64(), lines(endpoints))
            }
            other => other.to_string(),
        }
    }
}

/// What a person can do about it, if there is anything that the message itself does not say.
fn help(error: &Error) -> &'static str {
    match error {
        Error::Partial { source, .. } => help(source),
        // More time does not help where nobody listens, and the command did not even use all that it had.
        Error::Unreachable { endpoints, .. } if !answered(endpoints) => {
            "these are the endpoints that were tried: check that a cofferd runs at each of them, or name others by \
             --endpoint or COFFER_ENDPOINTS"
        }
        Error::Unreachable { endpoints, .. } if endpoints.iter().any(|failure| !failure.connected) => {
            "check that a cofferd runs at the endpoints that cannot be connected to; --timeout gives the others \
             more time"
        }
        Error::Unreachable { .. } => "`coffer status` shows how they are; --timeout gives them more time",
        Error::Overloaded { .. } => "--timeout gives it more time",
        Error::OutcomeUnknown { .. } => {
            "read what is there before sending the write again: it may have taken effect"
        }
        _ => "",
    }
}

fn answered(endpoints: &[EndpointFailure]) -> bool {
    endpoints.iter().any(|failure| failure.connected)
}

fn lines(endpoints: &[EndpointFailure]) -> String {
    let mut lines: Vec<String> = endpoints.iter().map(|failure| format!("\n  {failure}")).collect();
    lines.sort_unstable();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The message where these endpoints, connected to or not, did not serve.
    fn message(connected: &[bool]) -> String {
        let failure = |(at, connected): (usize, &bool)| EndpointFailure {
            endpoint: format!("host:{at}"),
            reason: if *connected { "is recovering" } else { "cannot connect" }.into(),
            connected: *connected,
        };
        let endpoints = connected.iter().enumerate().map(failure).collect();
        let after = Duration::from_millis(3800);
        Failure::from(Error::Unreachable { after, endpoints }).message().unwrap()
    }

    #[test]
    fn more_time_is_offered_only_where_it_can_help() {
        let text = message(&[false, false]);
        assert!(text.starts_with("no member could be reached; given up after 3.8 s\n"), "{text}");
        assert!(text.contains("\n  host:0: cannot connect\n  host:1: cannot connect\n"), "{text}");
        assert!(text.contains("a cofferd runs") && text.contains("COFFER_ENDPOINTS"), "{text}");
        assert!(!text.contains("--timeout"), "{text}");

        let text = message(&[true, false]);
        assert!(text.starts_with("no member could serve the call; given up after 3.8 s\n"), "{text}");
        assert!(text.contains("a cofferd runs") && text.contains("--timeout"), "{text}");

        let text = message(&[true, true]);
        assert!(!text.contains("a cofferd runs") && text.contains("--timeout"), "{text}");
    }

    #[test]
    fn a_refusal_names_its_page() {
        let refused = Error::Refused {
            code: 0,
            code_name: "REFUSED".into(),
            message: "a denial is pending".into(),
            help_code: Some("CK0034".into()),
        };
        let text = Failure::from(refused).message().unwrap();
        assert_eq!(text, "a denial is pending (CK0034; see `coffer explain CK0034`)");
    }

    #[test]
    fn a_write_that_ended_halfway_has_the_help_of_what_ended_it() {
        let source = Error::OutcomeUnknown { after: Duration::from_secs(1), last: "cut".into() };
        let text = Failure::from(Error::Partial { done: 7, source: Box::new(source) }).message().unwrap();
        assert!(text.starts_with("7 documents") && text.contains("\nread what is there before"), "{text}");
        let broken = Error::CursorBroken { delivered: 7, reason: "cut".into() };
        let text = Failure::from(broken).message().unwrap();
        assert!(text.ends_with("run the query again"), "{text}");
    }
}
