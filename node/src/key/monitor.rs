//! Watches the customer's key from the moment that it gave the member its keys: the shell around
//! [`coffer_keyring::verdict::Machine`], which decides.
//!
//! Invariants:
//! - What stops a member is decided by the machine and nowhere else.
//! - The pauses are jittered, and jitter only shortens them: a revocation is never noticed late because of it.
//! - A pause is counted from the start of a probe, so that a service that answers slowly does not stretch it.
//! - A denial is on disk before anything follows from it.
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

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::WrapInfo;
use coffer_keyring::health::{ProbeOutcome, probe};
use coffer_keyring::kms::Region;
use coffer_keyring::verdict::{Decision, Event, Machine, Observation, Policy, Stance};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::inbox::Told;
use super::observer::KeyEvent;
use super::tell::Teller;
use super::{KeyAccess, report, show};
use crate::member::{Concern, Member};
use crate::services::now_ms;

/// By how much a pause is shortened at most: a tenth is enough that members do not ask all at once.
const JITTER: f64 = 0.1;

/// The key of a member whose keys are in memory.
pub(crate) struct Unsealing {
    /// The Region that gave them back.
    pub(crate) region: Region,
    /// When it was asked.
    pub(crate) asked: Instant,
}

/// A probe that has ended: what it found, and when it was started.
type Probe = BoxFuture<'static, (ProbeOutcome, Duration)>;

/// Watches the key; ends when access to it is revoked, with the reason.
pub(crate) async fn watch(member: Arc<Member>, unsealed: Unsealing, policy: Policy) -> String {
    match Watch::new(member, unsealed, policy) {
        Some(watch) => watch.run().await,
        // Without a key nothing can be revoked.
        None => std::future::pending().await,
    }
}

struct Watch {
    member: Arc<Member>,
    policy: Policy,
    machine: Machine,
    /// The machine's times are since then.
    origin: Instant,
    probes: FuturesUnordered<Probe>,
    teller: Teller,
    choice: Option<Region>,
}

impl Watch {
    fn new(member: Arc<Member>, unsealed: Unsealing, policy: Policy) -> Option<Self> {
        let key = member.key().watched()?;
        let choice = member.key().choice().map(|choice| choice.region);
        let machine = Machine::new(policy, key, unsealed.region, Duration::ZERO, choice.clone())
            .with_home_silent(member.key().remembered_silence());
        Some(Self {
            teller: Teller::new(member.clone(), policy.interval),
            member,
            policy,
            machine,
            origin: unsealed.asked,
            probes: FuturesUnordered::new(),
            choice,
        })
    }

    async fn run(mut self) -> String {
        let key = self.member.key().clone();
        let mut changes = key.changes();
        let mut events = VecDeque::from([Event::Tick]);
        let mut wake = None;
        loop {
            while let Some(event) = events.pop_front() {
                let decision = self.machine.on(self.origin.elapsed(), event);
                self.carry_out(&decision);
                if let Stance::ShutDown(stop) = &decision.stance {
                    let reason = stop.to_string();
                    key.event(&KeyEvent::Revoked { reason: reason.clone() });
                    self.teller.finish().await;
                    return reason;
                }
                wake = decision.wake;
            }
            tokio::select! {
                Some((outcome, asked)) = self.probes.next() => events.push_back(self.probed(&outcome, asked)),
                Told { by, region, confirmed } = key.inbox().next() => {
                    events.push_back(Event::Told { by, region, confirmed });
                }
                // The sender lives as long as the key that is held here.
                Ok(()) = changes.changed() => events.extend(self.changed(&key)),
                () = sleep(self.origin, wake) => events.push_back(Event::Tick),
            }
        }
    }

    /// Settings first: they may have ended an operator's choice.
    fn changed(&mut self, key: &KeyAccess) -> Vec<Event> {
        let mut events: Vec<_> = key.watched().map(Event::Watch).into_iter().collect();
        let choice = key.choice().map(|choice| choice.region);
        if choice != self.choice {
            self.choice.clone_from(&choice);
            events.push(Event::Choose(choice));
        }
        events
    }

    fn probed(&mut self, outcome: &ProbeOutcome, asked: Duration) -> Event {
        let seen = Observation::new(outcome, self.policy.key_store, asked);
        report::probed(&self.member, outcome, &seen);
        if let Some(replicas) = &outcome.multi_region {
            self.member.key().found_replicas(replicas);
        }
        if let Some(stale) = outcome.stale_wrap {
            self.member.set_kms_status(|status| status.stale_wrap = Some(stale));
        }
        let created = outcome.key_created.map_or(0, |created| created.unix().saturating_mul(1000));
        // New material is as good as a new key; DescribeKey does not say when it came.
        let born = if outcome.stale_wrap == Some(true) { now_ms() } else { created };
        self.member.set_kms_status(|status| status.birth.note(&status.cmk_arn, born));
        Event::Probed { seen, jitter: jitter() }
    }

    fn carry_out(&mut self, decision: &Decision) {
        let key = self.member.key();
        key.remember_denials(&decision.denied);
        match (self.policy.max_unreachable, self.machine.home_is_cut()) {
            (None, _) | (_, Some(false)) => key.remember_silence(None),
            (Some(limit), Some(true)) => {
                // None while home is only throttled: what was noted stays.
                if let Some(at) = self.machine.silent_stop() {
                    let left = at.saturating_sub(self.origin.elapsed());
                    key.remember_silence(Some(limit.saturating_sub(left)));
                }
            }
            (Some(_), None) => {}
        }
        key.use_region(&decision.active);
        report::alerts(&self.member, &decision.alerts);
        let concern = report::concern(decision);
        self.member.concern(Concern::Key, concern);
        show::running(&self.member, &self.machine, self.origin);
        self.teller.tell(&decision.tell);
        let Some(wrap) = key.wrap() else { return };
        for region in &decision.probe {
            self.probes.push(ask(key.clone(), wrap.clone(), region.clone(), self.origin));
        }
    }
}

fn ask(key: Arc<KeyAccess>, wrap: WrapInfo, region: Region, origin: Instant) -> Probe {
    let asked = origin.elapsed();
    Box::pin(async move { (probe(key.kms().as_ref(), &wrap, &region).await, asked) })
}

async fn sleep(origin: Instant, wake: Option<Duration>) {
    match wake {
        Some(wake) => sleep_until(origin + wake).await,
        None => std::future::pending().await,
    }
}

/// By which part a pause is shortened this time.
fn jitter() -> f64 {
    // Without randomness there is no jitter, which only means that members may ask at once.
    JITTER * f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use coffer_keyring::health::{PROBE_LIMIT, Verdict};
    use coffer_keyring::kms::KeyArn;
    use coffer_keyring::verdict::WatchedKey;

    use super::*;
    use crate::config::{HealthSection, StopSection};

    #[test]
    fn jitter_only_shortens() {
        for _ in 0..1000 {
            assert!((0.0..=JITTER).contains(&jitter()));
        }
    }

    /// When the key is revoked just after the probe that started at 0, every probe takes `lasts` and no pause is shortened:
    /// when the member decides to stop.
    fn decided(lasts: Duration) -> Duration {
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let cmk = KeyArn::parse(arn).unwrap();
        let home = cmk.region().clone();
        let key = WatchedKey { cmk, regions: vec![home.clone()], settings_version: 0 };
        let policy = HealthSection::default().policy();
        let mut machine = Machine::new(policy, key, home.clone(), Duration::ZERO, None);
        let mut now = lasts;
        loop {
            let decision = machine.on(now, Event::Tick);
            if decision.probe.is_empty() {
                now = decision.wake.unwrap();
                continue;
            }
            let seen = Observation::bare(&home, Verdict::Denied, now);
            now += lasts;
            let decision = machine.on(now, Event::Probed { seen, jitter: 0.0 });
            if matches!(decision.stance, Stance::ShutDown(_)) {
                return now;
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
