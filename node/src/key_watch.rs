//! Watches the customer's key from the moment that it gave the member its keys.
//!
//! Invariants:
//! - Only a denial, confirmed by two more without access between them, stops a member. An outage never does.
//! - The pauses are jittered, and jitter only shortens them: a revocation is never noticed late because of it.
//! - A pause is counted from the start of a probe, so that a service that answers slowly does not stretch it.
//!
//! The longest time from a revocation to darkness, with the default options, is a minute. The key is revoked just after a
//! probe found it working:
//!
//! ```text
//! 30 s  health.interval: the next probe starts, and is denied
//! 15 s  health.confirm: two more probes start, 7.5 s apart
//!  5 s  PROBE_LIMIT: the last of them answers
//!  5 s  stop.drain_timeout: leadership is handed over (2 s of it at most), calls that run go on
//!  5 s  stop.close_timeout: storage closes, the process ends
//! ```

use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::health::{Decision, HealthPolicy, HealthState, ProbeOutcome, Verdict, probe};
use tokio::time::{Instant, sleep_until};

use crate::boot::WatchedKey;
use crate::config::HealthSection;
use crate::member::{Concern, Member};
use crate::metrics::probed;
use crate::verdict_name::verdict_name;

/// By how much a pause is shortened at most: a tenth is enough that members do not ask all at once.
const JITTER: f64 = 0.1;

/// Watches the key; ends when access to it was revoked, with the reason.
pub(crate) async fn watch(member: Arc<Member>, key: WatchedKey, health: HealthSection) -> String {
    let policy = HealthPolicy::default();
    let mut state = HealthState::new(policy);
    // What gave the keys was as good as a probe.
    let mut started = key.asked;
    loop {
        sleep_until(started + pause(&health, &policy, &state, jitter())).await;
        started = Instant::now();
        let outcome = probe(key.kms.as_ref(), &key.wrap, &key.region).await;
        let decision = state.on_verdict(&key.region, outcome.verdict);
        let pending = state.pending_denials(&key.region);
        member.key().note(&key.region, state.has_pending_denial());
        record(&member, &outcome, pending);
        report(&outcome, pending, policy.confirmations);
        match decision {
            Decision::ShutDown => return reason(&outcome),
            Decision::Degraded => member.concern(Concern::Key, Some(concern(&outcome))),
            Decision::Continue => member.concern(Concern::Key, None),
        }
    }
}

/// From the start of a probe to the start of the next. `jitter` is from 0 to [`JITTER`].
fn pause(health: &HealthSection, policy: &HealthPolicy, state: &HealthState, jitter: f64) -> Duration {
    if state.has_pending_denial() {
        // The first denial is confirmed by the others, spread evenly.
        return health.confirm.0 / policy.confirmations.saturating_sub(1).max(1);
    }
    health.interval.0.mul_f64(1.0 - jitter)
}

/// By which part a pause is shortened this time.
fn jitter() -> f64 {
    // Without randomness there is no jitter, which only means that members may ask at once.
    JITTER * f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX)
}

fn record(member: &Member, outcome: &ProbeOutcome, pending: u32) {
    let verdict = verdict_name(outcome.verdict);
    probed(verdict);
    member.set_kms_status(|status| {
        status.verdict = verdict;
        status.region = outcome.region.to_string();
        status.last_error_code = outcome.error.as_ref().map(|error| error.code.clone()).unwrap_or_default();
        status.last_probe = Some(Instant::now().into_std());
        status.denied_in_a_row = pending;
    });
}

fn report(outcome: &ProbeOutcome, pending: u32, confirmations: u32) {
    let region = &outcome.region;
    let verdict = verdict_name(outcome.verdict);
    match outcome.verdict {
        Verdict::Accessible => tracing::debug!(%region, verdict, "the customer's key works"),
        Verdict::NoVerdict => tracing::info!(%region, verdict, error = %text(outcome), "the customer's key"),
        Verdict::Unreachable => {
            tracing::warn!(%region, verdict, error = %text(outcome), "the customer's key; this member goes on serving");
        }
        Verdict::Misconfigured => {
            tracing::error!(%region, verdict, error = %text(outcome), "the customer's key; this member goes on serving");
        }
        Verdict::Denied => {
            tracing::error!(%region, verdict, pending, confirmations, error = %text(outcome), "the customer's key");
        }
    }
    if let Some(error) = &outcome.describe_error
        && outcome.verdict == Verdict::Accessible
    {
        tracing::warn!(%region, %error, "the customer's key works, but its state cannot be read");
    }
}

fn text(outcome: &ProbeOutcome) -> String {
    match (&outcome.error, &outcome.key_state) {
        (Some(error), _) => error.to_string(),
        (None, Some(state)) => format!("the key is {state:?}"),
        (None, None) => "no error was given".to_owned(),
    }
}

/// What is wrong, without what differs from probe to probe.
fn concern(outcome: &ProbeOutcome) -> String {
    let what = match outcome.verdict {
        Verdict::Denied => "is denied, to be confirmed",
        Verdict::Misconfigured => "cannot be used as it is configured",
        Verdict::Unreachable => "cannot be reached",
        Verdict::NoVerdict | Verdict::Accessible => "works again, but a denial was not cleared",
    };
    let code = outcome.error.as_ref().map(|error| format!(" ({})", error.code)).unwrap_or_default();
    format!("the customer's key in {} {what}{code}", outcome.region)
}

fn reason(outcome: &ProbeOutcome) -> String {
    format!("access to the customer's key is revoked in {}: {}", outcome.region, text(outcome))
}

#[cfg(test)]
mod tests {
    use coffer_keyring::health::PROBE_LIMIT;
    use coffer_keyring::kms::Region;

    use super::*;
    use crate::config::StopSection;

    #[test]
    fn jitter_only_shortens() {
        let health = HealthSection::default();
        let policy = HealthPolicy::default();
        let state = HealthState::new(policy);
        for _ in 0..1000 {
            let next = pause(&health, &policy, &state, jitter());
            assert!(next <= health.interval.0 && next >= health.interval.0.mul_f64(0.9), "{next:?}");
        }
    }

    /// When the key is revoked just after the probe that started at 0, every probe takes `lasts` and no pause is shortened:
    /// when the member decides to stop.
    fn decided(lasts: Duration) -> Duration {
        let health = HealthSection::default();
        let policy = HealthPolicy::default();
        let region = Region::parse("eu-central-1").unwrap();
        let mut state = HealthState::new(policy);
        let (mut started, mut answered) = (Duration::ZERO, lasts);
        loop {
            // As `sleep_until` does: at once where the moment is over.
            started = answered.max(started + pause(&health, &policy, &state, 0.0));
            answered = started + lasts;
            if state.on_verdict(&region, Verdict::Denied) == Decision::ShutDown {
                return answered;
            }
        }
    }

    #[test]
    fn a_minute_from_a_revocation_to_darkness() {
        assert_eq!(decided(Duration::ZERO), Duration::from_secs(45));
        assert_eq!(decided(PROBE_LIMIT), Duration::from_secs(50));
        let stop = StopSection::default();
        assert!(stop.handover_timeout <= stop.drain_timeout, "it is part of it");
        let longest = decided(PROBE_LIMIT) + stop.drain_timeout.0 + stop.close_timeout.0;
        assert_eq!(longest, Duration::from_secs(60));
    }
}
