//! When a Region is asked again.

use std::time::Duration;

use super::Policy;
use super::region_state::RegionState;

/// Regions that stand by are asked this many times less often: nothing depends on them now, and a customer who has lost one
/// should hear of it within minutes.
const STANDBY: u32 = 4;

/// How many intervals a pause grows to under throttling. Beyond that the account's trouble would hide a revocation for long.
const MOST_BACK_OFF: u32 = 4;

/// The moment at which the Region of `state` is to be asked; `None` while it is being asked. `counts`: the member depends on
/// it.
pub(super) fn due(policy: &Policy, state: &RegionState, counts: bool) -> Option<Duration> {
    if state.in_flight {
        return None;
    }
    let Some(asked) = state.asked.filter(|_| !state.urgent) else { return Some(Duration::ZERO) };
    Some(asked + pause(policy, state, counts))
}

fn pause(policy: &Policy, state: &RegionState, counts: bool) -> Duration {
    let unconfirmed = state.denied > 0 && state.denied < policy.confirmations;
    let plain = if state.pending || unconfirmed {
        // The first denial and the last are a whole `confirm` apart: this is not shortened.
        policy.spacing()
    } else if counts {
        policy.interval.mul_f64(1.0 - state.jitter.clamp(0.0, 1.0))
    } else {
        policy.interval * STANDBY
    };
    if state.no_verdicts == 0 {
        return plain;
    }
    let factor = 2u32.saturating_pow(state.no_verdicts.min(16));
    // A denial that awaits its confirmation is not put off beyond an interval.
    let most = if state.pending { policy.interval } else { policy.interval * MOST_BACK_OFF };
    plain.saturating_mul(factor).min(most.max(plain))
}
