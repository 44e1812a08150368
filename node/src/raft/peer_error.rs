//! What a failed call to a peer is to openraft.

use std::time::Duration;

use coffer_storage::raft::TypeConfig;
use openraft::errors::{NetworkError, RPCError, StreamingError, Unreachable};
use tonic::{Code, Status};

/// Why a call to a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Its address cannot be one.
    #[error("{0}")]
    Address(String),
    /// The call failed, or the peer refused it.
    #[error("{}: {}", .0.code(), .0.message())]
    Status(#[from] Box<Status>),
    /// Nothing came in time.
    #[error("no {what} within {limit:?}")]
    Silent {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// It answered with something that it cannot have meant.
    #[error("the answer is not one: {0}")]
    Nonsense(String),
    /// It is so far behind that it keeps the log from being purged.
    #[error("it is sent entries that have to be purged: it gets a snapshot instead")]
    TooFarBehind,
    /// The stream ended before everything was answered.
    #[error("the stream ended with {unanswered} requests unanswered")]
    Ended {
        /// Requests without an answer.
        unanswered: usize,
    },
}

impl From<Status> for PeerError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl PeerError {
    /// Whether another try at once is pointless: the peer is away, or it refuses and will go on to.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Address(_) | Self::Silent { .. } | Self::TooFarBehind => true,
            Self::Nonsense(_) | Self::Ended { .. } => false,
            Self::Status(status) => match status.code() {
                Code::Unavailable
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::FailedPrecondition
                | Code::InvalidArgument
                | Code::OutOfRange
                | Code::NotFound
                | Code::AlreadyExists
                | Code::Unimplemented
                | Code::ResourceExhausted
                | Code::DataLoss => true,
                Code::Ok
                | Code::Cancelled
                | Code::Unknown
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::Internal => false,
            },
        }
    }
}

/// openraft backs off from what is unreachable and tries again at once after the rest.
impl From<PeerError> for RPCError<TypeConfig> {
    fn from(error: PeerError) -> Self {
        if error.is_lasting() {
            Self::Unreachable(Unreachable::from_string(error))
        } else {
            Self::Network(NetworkError::from_string(error))
        }
    }
}

impl From<PeerError> for StreamingError<TypeConfig> {
    fn from(error: PeerError) -> Self {
        RPCError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openraft_backs_off_from_what_lasts() {
        let lasting = PeerError::from(Status::unavailable("sealed"));
        assert!(matches!(RPCError::from(lasting), RPCError::Unreachable(_)));
        let passing = PeerError::from(Status::cancelled("reset"));
        assert!(matches!(RPCError::from(passing), RPCError::Network(_)));
        let silent = PeerError::Silent { what: "answer", limit: Duration::from_secs(5) };
        assert!(matches!(RPCError::from(silent), RPCError::Unreachable(_)));
    }
}
