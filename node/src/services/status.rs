//! The one map from errors to gRPC statuses.
//!
//! Every status carries a `google.rpc.ErrorInfo`: domain, reason, and what a program needs to go on. A reason is added
//! here, in `coffer_proto::wire::reason` and in `docs/errors.md`, or nowhere.

use std::{collections::HashMap, time::Duration};

use coffer_proto::help::HelpCode;
use coffer_proto::wire::{ERROR_DOMAIN, error_metadata, reason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{
    error::{LeaderHint, ServiceError, Uncertainty},
    refusal::{Refusal, RefusalKind},
};
use crate::member::MemberState;

/// When to ask again where no leader is known: about as long as an election takes.
const RETRY_AFTER_ELECTION: Duration = Duration::from_millis(200);

/// When to ask a member again that is not serving.
const RETRY_AFTER_BOOT: Duration = Duration::from_secs(1);

impl From<ServiceError> for Status {
    fn from(error: ServiceError) -> Self {
        let message = error.to_string();
        let mut metadata = HashMap::new();
        let (code, reason) = match &error {
            ServiceError::NotServing(not_serving) => {
                retry_after(&mut metadata, RETRY_AFTER_BOOT);
                if not_serving.state == MemberState::Sealed {
                    metadata.insert(error_metadata::HELP_CODE.to_owned(), HelpCode::Sealed.to_string());
                }
                (Code::Unavailable, state_reason(not_serving.state))
            }
            ServiceError::NotLeader(hint) => {
                leader(&mut metadata, hint);
                if hint.id.is_none() {
                    retry_after(&mut metadata, RETRY_AFTER_ELECTION);
                }
                (Code::Unavailable, reason::NOT_LEADER)
            }
            ServiceError::Overloaded { retry_after: after, .. } => {
                retry_after(&mut metadata, *after);
                (Code::ResourceExhausted, reason::OVERLOADED)
            }
            ServiceError::OutcomeUnknown(Uncertainty::Deadline) => {
                (Code::DeadlineExceeded, reason::OUTCOME_UNKNOWN)
            }
            ServiceError::OutcomeUnknown(Uncertainty::Interrupted(hint)) => {
                leader(&mut metadata, hint);
                (Code::Unavailable, reason::OUTCOME_UNKNOWN)
            }
            ServiceError::ReadNotConfirmed(_) => {
                retry_after(&mut metadata, RETRY_AFTER_ELECTION);
                (Code::Unavailable, reason::READ_NOT_CONFIRMED)
            }
            ServiceError::Deadline(_) => (Code::DeadlineExceeded, reason::READ_NOT_CONFIRMED),
            ServiceError::Refused(refusal) => {
                metadata.insert(error_metadata::CODE.to_owned(), refusal.code.to_string());
                metadata.insert(error_metadata::CODE_NAME.to_owned(), refusal.code_name.to_string());
                (refusal_code(refusal), reason::REFUSED)
            }
            ServiceError::StaleRetryToken => (Code::FailedPrecondition, reason::STALE_RETRY_TOKEN),
            ServiceError::Membership(_) => (Code::FailedPrecondition, reason::MEMBERSHIP),
            ServiceError::Internal => {
                metadata.insert(error_metadata::HELP_CODE.to_owned(), HelpCode::InternalError.to_string());
                (Code::Internal, reason::INTERNAL)
            }
        };
        Self::with_error_details(code, message, ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata))
    }
}

fn state_reason(state: MemberState) -> &'static str {
    match state {
        MemberState::Sealed => reason::SEALED,
        MemberState::Starting | MemberState::Recovering | MemberState::Serving | MemberState::Stopping => {
            reason::NOT_SERVING
        }
    }
}

fn refusal_code(refusal: &Refusal) -> Code {
    match refusal.kind {
        RefusalKind::Request => Code::InvalidArgument,
        RefusalKind::State => Code::FailedPrecondition,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::Exists => Code::AlreadyExists,
    }
}

fn leader(metadata: &mut HashMap<String, String>, hint: &LeaderHint) {
    if let Some(id) = hint.id {
        metadata.insert(error_metadata::LEADER_ID.to_owned(), id.to_string());
    }
    if let Some(address) = &hint.address {
        metadata.insert(error_metadata::LEADER.to_owned(), address.clone());
    }
}

fn retry_after(metadata: &mut HashMap<String, String>, after: Duration) {
    metadata.insert(error_metadata::RETRY_AFTER_MS.to_owned(), after.as_millis().to_string());
}

#[cfg(test)]
mod tests {
    use coffer_document::DocumentError;
    use coffer_proto::internal::v1::CommandError;
    use tonic_types::ErrorInfo;

    use super::*;
    use crate::member::NotServing;

    fn info(error: ServiceError) -> (Code, String, ErrorInfo) {
        let status = Status::from(error);
        let details = status.get_details_error_info().expect("every status has an ErrorInfo");
        assert_eq!(details.domain, ERROR_DOMAIN);
        (status.code(), details.reason.clone(), details)
    }

    fn hint() -> LeaderHint {
        LeaderHint { id: Some(2), address: Some("127.0.0.1:27102".to_owned()) }
    }

    #[test]
    fn every_error_has_its_code_and_reason() {
        let retry_after = Duration::from_millis(50);
        let refused = |code| {
            let error = CommandError { code, code_name: "X".to_owned(), message: "m".to_owned() };
            ServiceError::from(Refusal::from_command(error))
        };
        let not_serving = |state| ServiceError::from(NotServing { state, reason: "r".to_owned() });
        let expected = [
            (not_serving(MemberState::Sealed), Code::Unavailable, reason::SEALED),
            (not_serving(MemberState::Stopping), Code::Unavailable, reason::NOT_SERVING),
            (ServiceError::NotLeader(hint()), Code::Unavailable, reason::NOT_LEADER),
            (
                ServiceError::Overloaded { queue: "writes", retry_after },
                Code::ResourceExhausted,
                reason::OVERLOADED,
            ),
            (
                ServiceError::OutcomeUnknown(Uncertainty::Deadline),
                Code::DeadlineExceeded,
                reason::OUTCOME_UNKNOWN,
            ),
            (
                ServiceError::OutcomeUnknown(Uncertainty::Interrupted(hint())),
                Code::Unavailable,
                reason::OUTCOME_UNKNOWN,
            ),
            (ServiceError::ReadNotConfirmed("w"), Code::Unavailable, reason::READ_NOT_CONFIRMED),
            (ServiceError::Deadline("w"), Code::DeadlineExceeded, reason::READ_NOT_CONFIRMED),
            (DocumentError::bad_value("b").into(), Code::InvalidArgument, reason::REFUSED),
            (refused(26), Code::NotFound, reason::REFUSED),
            (refused(48), Code::AlreadyExists, reason::REFUSED),
            (refused(11000), Code::AlreadyExists, reason::REFUSED),
            (refused(66), Code::FailedPrecondition, reason::REFUSED),
            (ServiceError::StaleRetryToken, Code::FailedPrecondition, reason::STALE_RETRY_TOKEN),
            (ServiceError::Membership("m".to_owned()), Code::FailedPrecondition, reason::MEMBERSHIP),
            (ServiceError::Internal, Code::Internal, reason::INTERNAL),
        ];
        for (error, code, reason) in expected {
            let text = format!("{error:?}");
            let (found_code, found_reason, _) = info(error);
            assert_eq!((found_code, found_reason.as_str()), (code, reason), "{text}");
            assert!(documented(code, reason), "docs/errors.md lacks {reason} with {code:?}");
        }
    }

    /// Reason and code of one example of each kind, as in the table of the page.
    fn documented(code: Code, reason: &str) -> bool {
        let code = format!("{code:?}").chars().fold(String::new(), |text, letter| {
            let gap = if letter.is_uppercase() && !text.is_empty() { "_" } else { "" };
            text + gap + &letter.to_uppercase().to_string()
        });
        let page = include_str!("../../../docs/errors.md");
        page.lines().any(|line| line.starts_with(&format!("| `{reason}` | ")) && line.contains(&code))
    }

    #[test]
    fn the_leader_and_mongodbs_code_are_told() {
        let (_, _, details) = info(ServiceError::NotLeader(hint()));
        assert_eq!(details.metadata[error_metadata::LEADER], "127.0.0.1:27102");
        assert_eq!(details.metadata[error_metadata::LEADER_ID], "2");
        assert!(!details.metadata.contains_key(error_metadata::RETRY_AFTER_MS));
        let (_, _, details) = info(ServiceError::NotLeader(LeaderHint::default()));
        assert_eq!(details.metadata[error_metadata::RETRY_AFTER_MS], "200");
        let (_, _, details) = info(DocumentError::failed_to_parse("p").into());
        assert_eq!(details.metadata[error_metadata::CODE], "9");
        assert_eq!(details.metadata[error_metadata::CODE_NAME], "FailedToParse");
        assert!(!details.metadata.contains_key(error_metadata::HELP_CODE), "it is the caller's fault");
        let sealed = NotServing { state: MemberState::Sealed, reason: "r".to_owned() };
        let (_, _, details) = info(sealed.into());
        assert_eq!(details.metadata[error_metadata::HELP_CODE], "CK0030");
    }
}
