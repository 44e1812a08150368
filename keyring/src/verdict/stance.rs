//! What a running member does.

use std::fmt;
use std::time::Duration;

use crate::kms::Region;

/// What a running member does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Serve.
    Serve,
    /// Serve, and say that something is wrong.
    Degraded,
    /// Shut down.
    ShutDown(Stop),
}

/// Why a member shuts down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its own probes were denied, and that was confirmed.
    Denied {
        /// Where.
        region: Region,
        /// The service's code of the last denial.
        code: String,
    },
    /// A peer told of a denial, and this member cannot reach that Region itself.
    Told {
        /// Where.
        region: Region,
        /// The member that told.
        by: u64,
    },
    /// Home was silent for as long as its owner allows.
    Silent {
        /// Home.
        region: Region,
        /// The limit.
        limit: Duration,
    },
}

impl Stop {
    /// The Region that is meant.
    pub fn region(&self) -> &Region {
        match self {
            Self::Denied { region, .. } | Self::Told { region, .. } | Self::Silent { region, .. } => region,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied { region, code } => {
                write!(f, "access to the customer's key is revoked in {region} ({code})")
            }
            Self::Told { region, by } => write!(
                f,
                "access to the customer's key is revoked in {region}, as member {by} found; this member cannot reach it there"
            ),
            Self::Silent { region, limit } => write!(
                f,
                "the home Region {region} of the customer's key did not answer for {} s, which is what \
                 health.max_unreachable allows",
                limit.as_secs_f64()
            ),
        }
    }
}
