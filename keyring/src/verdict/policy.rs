//! The numbers of a member's owner.

use std::time::Duration;

use crate::health::PROBE_LIMIT;

/// What a custom or external key store means that answers Unavailable: its owner may have disconnected it to take access away,
/// or it may be out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyStoreRule {
    /// Nobody said: a key in such a store is refused.
    #[default]
    Refuse,
    /// An outage.
    Unreachable,
    /// A revocation.
    Denied,
}

/// How a member watches the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// Over how long a first denial is confirmed.
    pub confirm: Duration,
    /// How many denials of one Region, with no access between them, are a revocation.
    pub confirmations: u32,
    /// For how long the wanted Region has to give access before a member returns to it.
    pub failback_after: Duration,
    /// For how long home may be silent; `None`: for ever.
    pub max_unreachable: Option<Duration>,
    /// What an unavailable key store means.
    pub key_store: KeyStoreRule,
    /// The first pause of a sealed member.
    pub retry_min: Duration,
    /// Its longest.
    pub retry_max: Duration,
}

impl Default for Policy {
    /// Three denials: one can be a policy that is just being edited, two a replica of KMS that lags. The rest as
    /// `config/cofferd.toml` has it.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            confirm: Duration::from_secs(15),
            confirmations: 3,
            failback_after: Duration::from_secs(600),
            max_unreachable: None,
            key_store: KeyStoreRule::Refuse,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
        }
    }
}

impl Policy {
    /// From the start of one probe to the next while a denial awaits its confirmation: the first denial and the last are
    /// [`Policy::confirm`] apart.
    pub fn spacing(&self) -> Duration {
        self.confirm / self.confirmations.saturating_sub(1).max(1)
    }

    /// The longest time from a revocation, just after a probe, to the decision to stop.
    pub fn longest_to_decision(&self) -> Duration {
        self.interval + self.confirm + PROBE_LIMIT
    }
}
