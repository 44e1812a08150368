//! Watches the customer's key while the member serves.
//!
//! Invariants:
//! - Only a denial, confirmed by two more without access between them, stops a member. An outage never does.
//! - The pauses are jittered, and jitter only shortens them: a revocation is never noticed late because of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coffer_keyring::health::{Decision, HealthPolicy, HealthState, ProbeOutcome, Verdict, probe};

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
    // The first denial is confirmed by the others, spread evenly.
    let confirm = health.confirm.0 / (policy.confirmations - 1).max(1);
    let mut state = HealthState::new(policy);
    let mut pause = jittered(health.interval.0);
    loop {
        tokio::time::sleep(pause).await;
        let outcome = probe(key.kms.as_ref(), &key.wrap, &key.region).await;
        let decision = state.on_verdict(&key.region, outcome.verdict);
        let pending = state.pending_denials(&key.region);
        record(&member, &outcome, pending);
        report(&outcome, pending, policy.confirmations);
        match decision {
            Decision::ShutDown => return reason(&outcome),
            Decision::Degraded => member.concern(Concern::Key, Some(concern(&outcome))),
            Decision::Continue => member.concern(Concern::Key, None),
        }
        pause = if state.has_pending_denial() { confirm } else { jittered(health.interval.0) };
    }
}

fn record(member: &Member, outcome: &ProbeOutcome, pending: u32) {
    let verdict = verdict_name(outcome.verdict);
    probed(verdict);
    member.set_kms_status(|status| {
        status.verdict = verdict;
        status.region = outcome.region.to_string();
        status.last_error_code = outcome.error.as_ref().map(|error| error.code.clone()).unwrap_or_default();
        status.last_probe = Some(Instant::now());
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

/// `pause`, shortened by up to [`JITTER`].
fn jittered(pause: Duration) -> Duration {
    // Without randomness there is no jitter, which only means that members may ask at once.
    let part = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
    pause.mul_f64(1.0 - JITTER * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_only_shortens() {
        let pause = Duration::from_secs(30);
        for _ in 0..1000 {
            let next = jittered(pause);
            assert!(next <= pause && next >= pause.mul_f64(0.9), "{next:?}");
        }
    }
}
