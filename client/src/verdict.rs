//! What one failed try means: the only place that reads gRPC statuses.
//!
//! Invariant: [`Verdict::may_have_happened`] is false only where it is known that the try changed nothing.

use std::error::Error as _;
use std::time::Duration;

use coffer_proto::wire::{ERROR_DOMAIN, error_metadata, reason};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{EndpointFailure, Error};

/// What to make of a failed try.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Another member leads. Nothing was done.
    NotLeader { leader: Option<String>, leader_id: Option<u64> },
    /// The member waits for its key. Nothing was done.
    Sealed,
    /// The member starts or stops. Nothing was done.
    NotServing,
    /// The member's queue is full. Nothing was done.
    Busy,
    /// No connection came about. Nothing was done.
    NotSent,
    /// The read was not confirmed.
    NotConfirmed,
    /// No answer, or one that says that the outcome is unknown.
    Lost,
    /// The member failed in itself.
    Fault,
    /// A definite answer: trying again changes nothing.
    Final(Error),
}

impl Verdict {
    /// Whether the try may have changed something.
    pub(crate) fn may_have_happened(&self) -> bool {
        match self {
            Self::Lost | Self::Fault => true,
            Self::NotLeader { .. }
            | Self::Sealed
            | Self::NotServing
            | Self::Busy
            | Self::NotSent
            | Self::NotConfirmed
            | Self::Final(_) => false,
        }
    }
}

/// A failed try.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    /// What happened, for a person.
    pub(crate) reason: String,
    /// How long the member asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into(), retry_after: None }
    }

    /// The failure as one of `endpoint`.
    pub(crate) fn of(self, endpoint: &str) -> EndpointFailure {
        let connected = !matches!(self.verdict, Verdict::NotSent);
        EndpointFailure { endpoint: endpoint.to_owned(), reason: self.reason, connected }
    }
}

/// Reads the status that `endpoint` answered, or that the connection to it ended with.
pub(crate) fn classify(status: &Status) -> Failure {
    let info = status.get_details_error_info().filter(|info| info.domain == ERROR_DOMAIN);
    let Some(info) = info else { return without_details(status) };
    let get = |key: &str| info.metadata.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let verdict = match info.reason.as_str() {
        reason::NOT_LEADER => Verdict::NotLeader {
            leader: get(error_metadata::LEADER).map(str::to_owned),
            leader_id: get(error_metadata::LEADER_ID).and_then(|id| id.parse().ok()).filter(|id| *id != 0),
        },
        reason::SEALED => Verdict::Sealed,
        reason::NOT_SERVING => Verdict::NotServing,
        reason::OVERLOADED => Verdict::Busy,
        reason::OUTCOME_UNKNOWN => Verdict::Lost,
        reason::READ_NOT_CONFIRMED => Verdict::NotConfirmed,
        reason::INTERNAL => Verdict::Fault,
        other => Verdict::Final(Error::Refused {
            code: get(error_metadata::CODE).and_then(|code| code.parse().ok()).unwrap_or_default(),
            code_name: get(error_metadata::CODE_NAME).unwrap_or(other).to_owned(),
            message: status.message().to_owned(),
            help_code: get(error_metadata::HELP_CODE).map(str::to_owned),
        }),
    };
    let said = status.message();
    let mut reason =
        if said.is_empty() { info.reason.to_lowercase().replace('_', " ") } else { said.to_owned() };
    if let Some(code) = get(error_metadata::HELP_CODE)
        && !reason.contains(code)
    {
        reason.push_str(&format!(" ({code})"));
    }
    Failure {
        retry_after: get(error_metadata::RETRY_AFTER_MS)
            .and_then(|ms| ms.parse().ok())
            .map(Duration::from_millis),
        ..Failure::new(verdict, reason)
    }
}

/// A status that no member of this version wrote: made by the connection, or by something in between.
fn without_details(status: &Status) -> Failure {
    if let Some(cause) = connect_failure(status) {
        return Failure::new(Verdict::NotSent, format!("cannot connect: {cause}"));
    }
    let message = match status.message() {
        "" => status.code().description(),
        said => said,
    };
    let refused = || {
        Verdict::Final(Error::Refused {
            code: 0,
            code_name: format!("{:?}", status.code()),
            message: message.to_owned(),
            help_code: None,
        })
    };
    let verdict = match status.code() {
        // Both ends of a broken connection, and a busy one that may have let the request through before.
        Code::Ok
        | Code::Unavailable
        | Code::Unknown
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::ResourceExhausted => Verdict::Lost,
        Code::DataLoss => Verdict::Fault,
        Code::Unimplemented => Verdict::Final(Error::BadAnswer(format!(
            "the member does not know this call ({message}): is it a Coffer of this version?"
        ))),
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unauthenticated => refused(),
    };
    let reason = match status.code() {
        Code::Cancelled | Code::DeadlineExceeded => format!("no answer in time ({message})"),
        _ => message.to_owned(),
    };
    Failure::new(verdict, reason)
}

/// The cause, if the status says that no connection came about.
fn connect_failure(status: &Status) -> Option<String> {
    let mut connect = false;
    let mut cause = None;
    let mut source = status.source();
    while let Some(error) = source {
        connect |= error.is::<tonic::ConnectError>();
        cause = Some(error.to_string());
        source = error.source();
    }
    connect.then(|| cause.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn status(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
        let metadata: HashMap<_, _> =
            metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata);
        Status::with_error_details(code, "said", details)
    }

    #[test]
    fn not_leader_says_where_to_go() {
        let answer = status(Code::Unavailable, "NOT_LEADER", &[("leader", "b:2"), ("leader_id", "2")]);
        let Verdict::NotLeader { leader, leader_id } = classify(&answer).verdict else { panic!() };
        assert_eq!((leader.as_deref(), leader_id), (Some("b:2"), Some(2)));
        let answer = status(Code::Unavailable, "NOT_LEADER", &[("leader", ""), ("leader_id", "0")]);
        let Verdict::NotLeader { leader, leader_id } = classify(&answer).verdict else { panic!() };
        assert_eq!((leader, leader_id), (None, None));
    }

    #[test]
    fn a_refusal_carries_its_number_and_name() {
        let answer =
            status(Code::InvalidArgument, "REFUSED", &[("code", "9"), ("code_name", "FailedToParse")]);
        let Verdict::Final(Error::Refused { code, code_name, message, .. }) = classify(&answer).verdict
        else {
            panic!()
        };
        assert_eq!((code, code_name.as_str(), message.as_str()), (9, "FailedToParse", "said"));
        let answer = status(Code::FailedPrecondition, "MEMBERSHIP", &[]);
        let Verdict::Final(Error::Refused { code_name, .. }) = classify(&answer).verdict else { panic!() };
        assert_eq!(code_name, "MEMBERSHIP");
    }

    #[test]
    fn the_help_page_of_an_error_comes_along() {
        let answer = status(Code::FailedPrecondition, "REFUSED", &[("help_code", "CK0034")]);
        let Verdict::Final(error) = classify(&answer).verdict else { panic!() };
        assert_eq!(error.help_code(), Some("CK0034"));
        let answer = status(Code::Unavailable, "SEALED", &[("help_code", "CK0001")]);
        assert_eq!(classify(&answer).reason, "said (CK0001)");
        let answer = status(Code::Unavailable, "SEALED", &[("help_code", "")]);
        assert_eq!(classify(&answer).reason, "said");
    }

    #[test]
    fn a_busy_member_says_for_how_long() {
        let answer = status(Code::ResourceExhausted, "OVERLOADED", &[("retry_after_ms", "250")]);
        let failure = classify(&answer);
        assert!(matches!(failure.verdict, Verdict::Busy));
        assert_eq!(failure.retry_after, Some(Duration::from_millis(250)));
    }

    #[test]
    fn only_what_surely_did_nothing_counts_as_not_done() {
        for (reason, happened) in [
            ("SEALED", false),
            ("NOT_SERVING", false),
            ("NOT_LEADER", false),
            ("OVERLOADED", false),
            ("READ_NOT_CONFIRMED", false),
            ("OUTCOME_UNKNOWN", true),
            ("INTERNAL", true),
        ] {
            let failure = classify(&status(Code::Unavailable, reason, &[]));
            assert_eq!(failure.verdict.may_have_happened(), happened, "{reason}");
        }
        for code in
            [Code::Unavailable, Code::Unknown, Code::Internal, Code::Cancelled, Code::DeadlineExceeded]
        {
            assert!(classify(&Status::new(code, "cut")).verdict.may_have_happened(), "{code:?}");
        }
    }

    #[test]
    fn details_of_another_domain_are_not_ours() {
        let details = ErrorDetails::with_error_info("NOT_LEADER", "elsewhere", HashMap::new());
        let answer = Status::with_error_details(Code::Unavailable, "x", details);
        assert!(matches!(classify(&answer).verdict, Verdict::Lost));
    }
}
