//! The member itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use coffer_keyring::audit::{AuditAction, AuditEvent};
use coffer_proto::help::{HelpCode, find};
use coffer_proto::internal::v1 as pb;
use coffer_storage::{LogStore, raft::wire};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::key_work::KeyWork;
use crate::members::PeerChannels;

use super::concerns::{Concern, Concerns};
use super::{Condition, KmsStatus, Limits, MemberIdentity, MemberState, NotServing, Recall, Serving};
use crate::alerts::Alerts;
use crate::audit::Audit;
use crate::key::KeyAccess;

/// A member: shared by the boot, the services and the health loop.
pub struct Member {
    identity: MemberIdentity,
    limits: Limits,
    started: Instant,
    condition: watch::Sender<Condition>,
    log: OnceLock<LogStore>,
    incarnation: AtomicU64,
    serving: RwLock<Option<Arc<Serving>>>,
    key: Arc<KeyAccess>,
    kms: RwLock<KmsStatus>,
    warnings: RwLock<Vec<String>>,
    concerns: Mutex<Concerns>,
    draining: CancellationToken,
    configured: OnceLock<BTreeMap<u64, String>>,
    peer_channels: PeerChannels,
    alerts: Arc<Alerts>,
    audit: Audit,
    key_work: KeyWork,
}

impl Member {
    /// A member that is Starting.
    pub fn new(identity: MemberIdentity, limits: Limits, key: Arc<KeyAccess>) -> Arc<Self> {
        let reason = "it reads its configuration and opens its directory".to_owned();
        let (condition, _) = watch::channel(Condition { state: MemberState::Starting, reason });
        let alerts = Arc::new(Alerts::new(identity.member_id.0));
        Arc::new(Self {
            audit: Audit::new(alerts.clone()),
            alerts,
            identity,
            limits,
            started: Instant::now(),
            condition,
            log: OnceLock::new(),
            incarnation: AtomicU64::new(0),
            serving: RwLock::new(None),
            kms: RwLock::new(KmsStatus::new(&key)),
            key,
            warnings: RwLock::new(Vec::new()),
            concerns: Mutex::default(),
            draining: CancellationToken::new(),
            configured: OnceLock::new(),
            peer_channels: PeerChannels::default(),
            key_work: KeyWork::default(),
        })
    }

    /// Who it is.
    pub fn identity(&self) -> &MemberIdentity {
        &self.identity
    }

    /// How much it takes on at once.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How long the process runs.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The state and its reason.
    pub fn condition(&self) -> Condition {
        self.condition.borrow().clone()
    }

    /// The state.
    pub fn state(&self) -> MemberState {
        self.condition.borrow().state
    }

    /// The page that explains why the member is in the state that it is in; `None` in health.
    pub fn help_code(&self) -> Option<HelpCode> {
        match self.state() {
            MemberState::Sealed => find(self.kms_status().help_code).or(Some(HelpCode::Sealed)),
            MemberState::Serving => {
                let alerts = self.key.alerts();
                let of_key =
                    alerts.iter().find(|alert| alert.kind.degrades()).and_then(|alert| find(alert.help));
                of_key.or_else(|| self.concerns.lock().unwrap_or_else(PoisonError::into_inner).help())
            }
            MemberState::Starting | MemberState::Recovering | MemberState::Stopping => None,
        }
    }

    /// Follows the state.
    pub fn watch(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// What it serves with.
    ///
    /// # Errors
    /// The member is not in the state Serving.
    pub fn serving(&self) -> Result<Arc<Serving>, NotServing> {
        let serving = self.serving.read().unwrap_or_else(PoisonError::into_inner).clone();
        serving.ok_or_else(|| {
            let Condition { state, reason } = self.condition();
            NotServing { state, reason }
        })
    }

    /// Ends when the member drains: the streams between members end with it, or a stop would wait for them.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// The other members, by id, with the address of each: those of the replica set, learners included, or, before this
    /// member knows it, those of its configuration.
    pub fn peers(&self) -> BTreeMap<u64, String> {
        let mut peers: BTreeMap<u64, String> = match self.log().and_then(LogStore::known_membership) {
            Some(stored) => stored.membership().nodes().map(|(id, node)| (*id, node.addr.clone())).collect(),
            None => self.configured.get().cloned().unwrap_or_default(),
        };
        peers.remove(&self.identity.member_id.0);
        peers
    }

    /// The members that the configuration names.
    pub(crate) fn set_configured(&self, members: BTreeMap<u64, String>) {
        // Set once, at the start; a second time would say the same.
        let _ = self.configured.set(members);
    }

    /// The connections to peers for calls about keys.
    pub(crate) fn peer_channels(&self) -> &PeerChannels {
        &self.peer_channels
    }

    /// What this member has for work on keys.
    pub(crate) fn key_work(&self) -> &KeyWork {
        &self.key_work
    }

    /// The Raft log, from the moment that it is open: before Raft runs, and also in a member that is stopping.
    pub fn log(&self) -> Option<&LogStore> {
        self.log.get()
    }

    /// How often the member was started, this start included; 0 before it is known.
    pub fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Acquire)
    }

    /// What this member says of itself: incarnation and vote. `flushed` is filled in by who knows what was declared under
    /// that vote.
    pub fn stamp(&self) -> pb::PeerStamp {
        let vote = self.log().and_then(LogStore::vote);
        pb::PeerStamp {
            incarnation: self.incarnation(),
            vote: vote.as_ref().map(wire::vote_to_pb),
            flushed: None,
        }
    }

    /// Remembers what `peer` says of itself; nothing before the log is open.
    pub fn note(&self, peer: u64, stamp: &pb::PeerStamp) {
        if let Some(log) = self.log() {
            log.peer_memory().note(peer, stamp);
        }
    }

    /// What this member remembers of `peer`.
    pub fn recall(&self, peer: u64) -> Recall {
        match self.log() {
            Some(log) => match log.peer_memory().recall(peer) {
                Some(stamp) => Recall::Remembered(stamp),
                None => Recall::NeverSeen { has_cluster: has_cluster(log) },
            },
            None => Recall::NotOpen { reason: self.condition().reason },
        }
    }

    /// The customer's key, as it is used here.
    pub fn key(&self) -> &Arc<KeyAccess> {
        &self.key
    }

    /// What is known of the customer's key.
    pub fn kms_status(&self) -> KmsStatus {
        self.kms.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a person should know of.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Where events of the keys are written.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What a person should read.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a warning, once.
    pub(crate) fn warn(&self, warning: impl Into<String>) {
        let warning = warning.into();
        let mut warnings = self.warnings.write().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// Changes what is known of the customer's key.
    pub(crate) fn set_kms_status(&self, change: impl FnOnce(&mut KmsStatus)) {
        change(&mut self.kms.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Goes to a state that has no data to answer from. Nothing follows Stopping.
    pub(crate) fn enter(&self, state: MemberState, reason: impl Into<String>) {
        debug_assert!(state != MemberState::Serving, "a member serves with something");
        let before = self.state();
        let next = Condition { state, reason: reason.into() };
        if self.replace(next.clone()) {
            tracing::info!(state = %next.state, reason = %next.reason, "state");
            match state {
                MemberState::Sealed if before != state => {
                    self.audit.record(AuditEvent::new(AuditAction::Sealed { reason: next.reason }));
                }
                MemberState::Stopping => {
                    self.audit.record(AuditEvent::new(AuditAction::Stopped { reason: next.reason }));
                }
                _ => {}
            }
        }
        if state == MemberState::Stopping {
            drop(self.serving.write().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// Whether the state is another one now.
    fn replace(&self, next: Condition) -> bool {
        self.condition.send_if_modified(|condition| {
            let stopping = condition.state == MemberState::Stopping && next.state != MemberState::Stopping;
            let changed = !stopping && *condition != next;
            if changed {
                *condition = next;
            }
            changed
        })
    }

    /// The log is open: peers can be answered.
    pub(crate) fn set_log(&self, log: LogStore) {
        if self.log.set(log).is_err() {
            unreachable!("the boot opens the log once");
        }
    }

    /// The incarnation of this start.
    pub(crate) fn set_incarnation(&self, incarnation: u64) {
        self.incarnation.store(incarnation, Ordering::Release);
    }

    /// Goes to Serving, unless the member is stopping already.
    pub(crate) fn serve(&self, serving: Serving) {
        let mut place = self.serving.write().unwrap_or_else(PoisonError::into_inner);
        let reason = self.concerns.lock().unwrap_or_else(PoisonError::into_inner).text();
        // The lock is held over both, so that a stop in between finds what it has to take away.
        if self.replace(Condition { state: MemberState::Serving, reason }) {
            *place = Some(Arc::new(serving));
            let Condition { state, reason } = self.condition();
            tracing::info!(%state, %reason, "state");
        }
    }

    /// Notes that something is wrong, or, with `None`, that it is not any more. It is the reason of the state Serving.
    pub(crate) fn concern(&self, concern: Concern, text: Option<String>) {
        let mut concerns = self.concerns.lock().unwrap_or_else(PoisonError::into_inner);
        if !concerns.set(concern, text) {
            return;
        }
        let reason = concerns.text();
        // Under the lock, so that the last change is the one that is shown.
        let shown = self.condition.send_if_modified(|condition| {
            let shown = condition.state == MemberState::Serving && condition.reason != reason;
            if shown {
                condition.reason.clone_from(&reason);
            }
            shown
        });
        if !shown {
            return;
        }
        match reason.as_str() {
            "" => tracing::info!(state = %MemberState::Serving, "in health again"),
            reason => tracing::warn!(state = %MemberState::Serving, reason, "not in health"),
        }
    }

    /// Ends the streams between members.
    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }
}

/// Whether the log is that of a replica set that was started.
pub(crate) fn has_cluster(log: &LogStore) -> bool {
    log.vote().is_some() || log.last_log_id().is_some() || log.known_membership().is_some()
}

#[cfg(test)]
mod tests {
    use coffer_keyring::{ClusterId, MemberId};

    use super::*;
    use crate::config::LimitsSection;

    fn member() -> Arc<Member> {
        let identity = MemberIdentity {
            cluster_id: ClusterId::generate(),
            member_id: MemberId(1),
            address: "127.0.0.1:27101".to_owned(),
        };
        Member::new(identity, Limits::from(&LimitsSection::default()), KeyAccess::off())
    }

    #[test]
    fn a_member_that_does_not_serve_says_why() {
        let member = member();
        assert_eq!(member.serving().err().map(|refusal| refusal.state), Some(MemberState::Starting));
        member.enter(MemberState::Sealed, "no key");
        let refusal = member.serving().err().unwrap();
        assert_eq!(refusal.to_string(), "this member is sealed: no key");
        assert_eq!(member.recall(2), Recall::NotOpen { reason: "no key".to_owned() });
        assert_eq!(member.stamp(), pb::PeerStamp::default());
    }

    #[test]
    fn nothing_follows_stopping() {
        let member = member();
        let mut watched = member.watch();
        member.enter(MemberState::Stopping, "asked");
        member.enter(MemberState::Recovering, "a step that did not know");
        assert_eq!(member.state(), MemberState::Stopping);
        assert!(watched.has_changed().unwrap());
        assert_eq!(watched.borrow_and_update().reason, "asked");
    }

    #[test]
    fn what_is_wrong_is_shown_by_a_member_that_serves_and_warnings_once() {
        let member = member();
        member.enter(MemberState::Sealed, "no key");
        member.concern(Concern::Leader, Some("nobody leads".to_owned()));
        assert_eq!(member.condition().reason, "no key");
        member.warn("look");
        member.warn("look");
        assert_eq!(member.warnings(), ["look"]);
    }
}
