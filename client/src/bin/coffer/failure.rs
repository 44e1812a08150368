//! Why a command failed, and the exit status that says so.

use std::io;

use coffer_client::{EndpointFailure, Error, ErrorKind};
use coffer_keyring::kms::local::LocalKmsError;

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
        let hint = match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Self::Driver(error) => match error.kind() {
                ErrorKind::Unreachable => {
                    "\ncheck that the members run (`coffer status`) and that --endpoint or COFFER_ENDPOINTS names \
                     them; --timeout gives them more time"
                }
                ErrorKind::OutcomeUnknown => {
                    "\nread what is there before sending the write again: it may have taken effect"
                }
                ErrorKind::Refused | ErrorKind::Usage | ErrorKind::Sealed | ErrorKind::Fault => "",
            },
            _ => "",
        };
        Some(format!("{}{hint}", self.text()))
    }

    /// What happened, with a line for each member that was asked.
    fn text(&self) -> String {
        match self {
            Self::Driver(Error::Sealed { endpoints }) => format!(
                "every member that answers is sealed: they wait for the customer's key in KMS{}",
                lines(endpoints)
            ),
            Self::Driver(Error::Unreachable { after, endpoints }) => {
                format!(
                    "no member could serve the call within {:.1} s{}",
                    after.as_secs_f64(),
                    lines(endpoints)
                )
            }
            other => other.to_string(),
        }
    }
}

fn lines(endpoints: &[EndpointFailure]) -> String {
    let mut lines: Vec<String> = endpoints.iter().map(|failure| format!("\n  {failure}")).collect();
    lines.sort_unstable();
    lines.concat()
}
