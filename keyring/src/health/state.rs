//! From outcomes to decisions: pure, no clock.
//!
//! Invariants:
//! - [`Decision::ShutDown`] is final.
//! - Denials of one Region count together; only [`Verdict::Accessible`] in that Region clears them.

use std::collections::BTreeMap;

use super::Verdict;
use crate::kms::Region;

/// How a denial is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// How many denials of one Region, with no access between them, are a revocation.
    pub confirmations: u32,
}

impl Default for HealthPolicy {
    /// Three: one can be a policy that is just being edited, two a replica of KMS that lags.
    fn default() -> Self {
        Self { confirmations: 3 }
    }
}

/// What a running member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Serve.
    Continue,
    /// Serve, and raise an alert.
    Degraded,
    /// The revocation is confirmed: shut down.
    ShutDown,
}

/// What a running member knows of its access to the key.
#[derive(Clone, Debug)]
pub struct HealthState {
    policy: HealthPolicy,
    pending: BTreeMap<Region, u32>,
    last: Decision,
}

impl HealthState {
    /// A member that has just unsealed its keystore, so had access.
    pub fn new(policy: HealthPolicy) -> Self {
        Self { policy, pending: BTreeMap::new(), last: Decision::Continue }
    }

    /// Takes a verdict in and decides.
    pub fn on_verdict(&mut self, region: &Region, verdict: Verdict) -> Decision {
        if self.last == Decision::ShutDown {
            return self.last;
        }
        match verdict {
            Verdict::Accessible => {
                self.pending.remove(region);
                self.last = if self.pending.is_empty() { Decision::Continue } else { Decision::Degraded };
            }
            // Neither counts nor resets anything.
            Verdict::NoVerdict => {}
            Verdict::Unreachable | Verdict::Misconfigured => self.last = Decision::Degraded,
            Verdict::Denied => {
                let count = self.pending.entry(region.clone()).or_default();
                *count = count.saturating_add(1);
                let confirmed = *count >= self.policy.confirmations;
                self.last = if confirmed { Decision::ShutDown } else { Decision::Degraded };
            }
        }
        self.last
    }

    /// How many denials of a Region await confirmation.
    pub fn pending_denials(&self, region: &Region) -> u32 {
        self.pending.get(region).copied().unwrap_or(0)
    }

    /// Whether any Region's denial awaits confirmation: it blocks a failover, a change of Region
    /// and a change of CMK.
    pub fn has_pending_denial(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The last decision.
    pub fn decision(&self) -> Decision {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(verdicts: &[Verdict]) -> Decision {
        let mut state = HealthState::new(HealthPolicy::default());
        let region = Region::parse("eu-central-1").unwrap();
        verdicts.iter().fold(Decision::Continue, |_, verdict| state.on_verdict(&region, *verdict))
    }

    #[test]
    fn three_denials_in_a_row_stop() {
        use Verdict::{Accessible, Denied};
        assert_eq!(run(&[Denied, Denied]), Decision::Degraded);
        assert_eq!(run(&[Denied, Denied, Denied]), Decision::ShutDown);
        assert_eq!(run(&[Denied, Denied, Accessible, Denied, Denied]), Decision::Degraded);
        assert_eq!(run(&[Denied, Denied, Accessible]), Decision::Continue);
        assert_eq!(run(&[Denied, Denied, Denied, Accessible]), Decision::ShutDown);
    }

    #[test]
    fn nothing_else_ever_stops() {
        for verdict in [Verdict::Unreachable, Verdict::Misconfigured] {
            assert_eq!(run(&[verdict; 10_000]), Decision::Degraded, "{verdict:?}");
        }
        assert_eq!(run(&[Verdict::NoVerdict; 10_000]), Decision::Continue);
    }

    #[test]
    fn cutting_the_network_does_not_clear_a_denial() {
        use Verdict::{Denied, Misconfigured, NoVerdict, Unreachable};
        let between = [Unreachable, NoVerdict, Misconfigured];
        for verdict in between {
            assert_eq!(run(&[Denied, verdict, Denied, verdict, verdict, Denied]), Decision::ShutDown);
            assert_eq!(run(&[Denied, verdict]), Decision::Degraded);
        }
    }

    #[test]
    fn no_verdict_resets_nothing() {
        assert_eq!(run(&[Verdict::Unreachable, Verdict::NoVerdict]), Decision::Degraded);
        assert_eq!(run(&[Verdict::Accessible, Verdict::NoVerdict]), Decision::Continue);
    }

    #[test]
    fn access_elsewhere_does_not_clear_a_denial() {
        let mut state = HealthState::new(HealthPolicy::default());
        let home = Region::parse("eu-central-1").unwrap();
        let away = Region::parse("eu-west-1").unwrap();
        state.on_verdict(&home, Verdict::Denied);
        assert_eq!(state.on_verdict(&away, Verdict::Accessible), Decision::Degraded);
        assert!(state.has_pending_denial());
        assert_eq!((state.pending_denials(&home), state.pending_denials(&away)), (1, 0));
        assert_eq!(state.on_verdict(&home, Verdict::Accessible), Decision::Continue);
        assert!(!state.has_pending_denial());
    }
}
