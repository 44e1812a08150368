//! What a person should know of the key.

use std::fmt;

use crate::kms::Region;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    /// Access was taken away, and that was confirmed.
    Revoked,
    /// A denial awaits its confirmation.
    DenialPending,
    /// The active Region cannot be reached.
    KmsUnreachable,
    /// The key cannot be used as it is configured.
    KmsMisconfigured,
    /// The service asks for fewer calls, again and again.
    KmsThrottled,
    /// This machine's clock is off.
    Clock,
    /// Another Region than home is used.
    FailedOver,
    /// A Region that stands by could not be used.
    ReplicaUnusable,
    /// An operator chose the Region of this member.
    Override,
    /// Encrypt and Decrypt work, and DescribeKey is refused.
    DescribeDenied,
}

impl AlertKind {
    /// The name, as alerts and metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::DenialPending => "denial_pending",
            Self::KmsUnreachable => "kms_unreachable",
            Self::KmsMisconfigured => "kms_misconfigured",
            Self::KmsThrottled => "kms_throttled",
            Self::Clock => "clock",
            Self::FailedOver => "failed_over",
            Self::ReplicaUnusable => "replica_unusable",
            Self::Override => "override",
            Self::DescribeDenied => "describe_denied",
        }
    }

    /// Whether a person must look now: the member stops, may stop, or cannot start again.
    pub fn is_critical(self) -> bool {
        match self {
            Self::Revoked | Self::DenialPending | Self::KmsMisconfigured | Self::KmsUnreachable => true,
            Self::KmsThrottled
            | Self::Clock
            | Self::FailedOver
            | Self::ReplicaUnusable
            | Self::Override
            | Self::DescribeDenied => false,
        }
    }

    /// Whether a member that serves says so in its own state, and not only as an alert.
    pub fn degrades(self) -> bool {
        match self {
            Self::Revoked
            | Self::DenialPending
            | Self::KmsUnreachable
            | Self::KmsMisconfigured
            | Self::FailedOver => true,
            Self::KmsThrottled
            | Self::Clock
            | Self::ReplicaUnusable
            | Self::Override
            | Self::DescribeDenied => false,
        }
    }
}

/// One thing that is wrong, as long as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alert {
    /// What.
    pub kind: AlertKind,
    /// Where.
    pub region: Region,
    /// The service's code, where it said one.
    pub code: String,
    /// Code of the page that explains it.
    pub help: &'static str,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, code, .. } = self;
        match self.kind {
            AlertKind::Revoked => write!(f, "access to the customer's key is revoked in {region}")?,
            AlertKind::DenialPending => {
                write!(f, "the customer's key in {region} is denied, to be confirmed")?;
            }
            AlertKind::KmsUnreachable => write!(f, "the customer's key in {region} cannot be reached")?,
            AlertKind::KmsMisconfigured => {
                write!(f, "the customer's key in {region} cannot be used as it is configured")?;
            }
            AlertKind::KmsThrottled => write!(f, "KMS in {region} asks for fewer calls")?,
            AlertKind::Clock => write!(f, "this machine's clock is off, as KMS in {region} says")?,
            AlertKind::FailedOver => {
                write!(f, "the customer's key is used in {region} and not in its home Region")?;
            }
            AlertKind::ReplicaUnusable => {
                write!(f, "{region} could not be failed over to: the key cannot be used there")?;
            }
            AlertKind::Override => write!(f, "an operator chose {region} for this member alone")?,
            AlertKind::DescribeDenied => {
                write!(f, "the customer's key in {region} works, but its state cannot be read")?;
            }
        }
        if code.is_empty() { Ok(()) } else { write!(f, " ({code})") }
    }
}
