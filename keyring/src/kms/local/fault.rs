//! The ways in which a Region of the local KMS can fail.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::provider::refuse;
use crate::kms::KmsError;

/// How long a call into the dark takes: as long as the AWS provider gives one by default.
const BLACK_HOLE: Duration = Duration::from_millis(3500);

/// What each call to a Region meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalFault {
    /// The connection is refused.
    Outage,
    /// Nothing is answered; the call ends with its time.
    BlackHole,
    /// It is answered that there are too many calls.
    Throttled,
    /// The service fails by itself.
    Error,
    /// Access is denied, by a policy.
    Denied,
    /// It is answered after so many milliseconds.
    Slow(u64),
}

impl LocalFault {
    /// Lets the call meet the fault: it waits, fails, or both.
    pub(super) async fn meet(self) -> Result<(), KmsError> {
        match self {
            Self::Outage => Err(KmsError::from_code("DispatchFailure", "the Region is out")),
            Self::BlackHole => {
                tokio::time::sleep(BLACK_HOLE).await;
                Err(KmsError::from_code("TimeoutError", "the Region does not answer"))
            }
            Self::Throttled => Err(refuse("ThrottlingException", 400, None, "too many calls")),
            Self::Error => Err(refuse("KMSInternalException", 500, None, "the Region fails")),
            Self::Denied => Err(refuse("AccessDeniedException", 400, None, "no policy allows this")),
            Self::Slow(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(())
            }
        }
    }
}
