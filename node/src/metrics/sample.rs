//! The gauges, read from the member when somebody asks for them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use coffer_storage::raft::LogId;
use metrics::gauge;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};

use crate::alerts::AlertKind;
use crate::member::{Member, MemberState, RegionStatus, Serving, since, until};
use crate::verdict_name::VERDICTS;

/// Every gauge and what it says.
pub(super) const GAUGES: [(&str, &str); 28] = [
    ("coffer_build_info", "1; the version is a label"),
    ("coffer_uptime_seconds", "Seconds since the process started"),
    ("coffer_member_state", "1 for the state that the member is in, 0 for the others"),
    ("coffer_incarnation", "How often this member was started"),
    ("coffer_warnings", "Warnings that a person should read"),
    ("coffer_alerts", "Alerts that are open on this member, by kind and severity"),
    ("coffer_encryption_enabled", "1 where files are sealed"),
    ("coffer_kms_verdict", "1 for the last verdict on the customer's key, 0 for the others"),
    ("coffer_kms_last_probe_age_seconds", "Seconds since the customer's key was tried"),
    ("coffer_kms_denied_in_a_row", "Denials one after the other"),
    ("coffer_kms_verdict_age_seconds", "For how long the last verdict has been this one"),
    ("coffer_kms_next_probe_seconds", "Seconds until the customer's key is tried again"),
    ("coffer_kms_failed_over", "Whether another Region than home is in use"),
    (
        "coffer_kms_region_verdict",
        "1 for the last verdict in a Region, 0 for the others; labels region and verdict",
    ),
    ("coffer_kms_region_active", "1 for the Region in use, 0 for the others; label region"),
    ("coffer_kms_settings_version", "Version of the customer's settings in force here"),
    ("coffer_raft_role", "1 for the role that the member has, 0 for the others"),
    ("coffer_raft_term", "The current term"),
    ("coffer_raft_leader_id", "The leader's member id, 0 where it is not known"),
    ("coffer_raft_last_log_index", "Index of the last log entry"),
    ("coffer_raft_flushed_index", "Index of the last log entry on stable storage"),
    ("coffer_raft_committed_index", "Index of the last committed log entry"),
    ("coffer_raft_applied_index", "Index of the last applied log entry"),
    ("coffer_raft_purged_index", "Index of the last purged log entry"),
    ("coffer_raft_log_bytes", "Bytes of the log"),
    ("coffer_checkpoint_index", "Everything through this index is in database files"),
    ("coffer_raft_quorum_age_seconds", "On a leader: seconds since a majority answered"),
    ("coffer_raft_peer_lag_entries", "On a leader: entries that a member lacks; label member"),
];

const ROLES: [(&str, ServerState); 4] = [
    ("leader", ServerState::Leader),
    ("follower", ServerState::Follower),
    ("candidate", ServerState::Candidate),
    ("learner", ServerState::Learner),
];

/// Numbers on the page are floating point; an index past 2^53 would lose its last digits, which takes centuries.
#[allow(clippy::cast_precision_loss)]
fn number(value: u64) -> f64 {
    value as f64
}

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

fn index(id: Option<&LogId>) -> f64 {
    number(id.map_or(0, |id| id.index))
}

/// Sets every gauge to what `member` is now.
pub(super) fn take(member: &Arc<Member>) {
    gauge!("coffer_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("coffer_uptime_seconds").set(member.uptime().as_secs_f64());
    let state = member.state();
    for each in MemberState::ALL {
        gauge!("coffer_member_state", "state" => each.name()).set(flag(each == state));
    }
    gauge!("coffer_incarnation").set(number(member.incarnation()));
    gauge!("coffer_warnings").set(number(member.warnings().len() as u64));
    take_alerts(member);
    take_kms(member);
    if let Some(log) = member.log() {
        gauge!("coffer_raft_last_log_index").set(index(log.last_log_id().as_ref()));
        gauge!("coffer_raft_flushed_index").set(index(log.flushed().as_ref()));
        gauge!("coffer_raft_committed_index").set(index(log.committed().as_ref()));
        gauge!("coffer_raft_purged_index").set(index(log.purged().as_ref()));
        gauge!("coffer_raft_log_bytes").set(number(log.bytes()));
    }
    if let Ok(serving) = member.serving() {
        take_raft(&serving);
    }
}

fn take_alerts(member: &Member) {
    let open = member.alerts().open();
    for kind in AlertKind::ALL {
        let severity = if kind.is_critical() { "critical" } else { "warning" };
        let count = open.iter().filter(|alert| alert.kind == kind.name()).count();
        gauge!("coffer_alerts", "kind" => kind.name(), "severity" => severity).set(number(count as u64));
    }
}

fn take_kms(member: &Member) {
    let kms = member.kms_status();
    gauge!("coffer_encryption_enabled").set(flag(kms.enabled));
    for verdict in VERDICTS {
        gauge!("coffer_kms_verdict", "verdict" => verdict).set(flag(verdict == kms.verdict));
    }
    gauge!("coffer_kms_last_probe_age_seconds").set(number(kms.last_probe_age_ms()) / 1000.0);
    gauge!("coffer_kms_denied_in_a_row").set(f64::from(kms.denied_in_a_row));
    gauge!("coffer_kms_verdict_age_seconds").set(number(since(kms.verdict_since)) / 1000.0);
    gauge!("coffer_kms_next_probe_seconds").set(number(until(kms.next_probe)) / 1000.0);
    gauge!("coffer_kms_failed_over").set(flag(kms.failed_over));
    gauge!("coffer_kms_settings_version").set(number(member.key().settings().version));
    forget_regions(&kms.regions);
    // Regions are few and their names the owner's, so they may be labels.
    for known in &kms.regions {
        for verdict in VERDICTS {
            let labels = [("region", known.region.clone()), ("verdict", verdict.to_owned())];
            gauge!("coffer_kms_region_verdict", &labels).set(flag(verdict == known.verdict));
        }
        gauge!("coffer_kms_region_active", "region" => known.region.clone()).set(flag(known.active));
    }
}

/// A Region that is not asked any more says nothing: its series stay on the page, and must not stay as they were.
fn forget_regions(known: &[RegionStatus]) {
    static SHOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let now: BTreeSet<_> = known.iter().map(|known| known.region.clone()).collect();
    for region in shown.difference(&now) {
        for verdict in VERDICTS {
            let labels = [("region", region.clone()), ("verdict", verdict.to_owned())];
            gauge!("coffer_kms_region_verdict", &labels).set(0.0);
        }
        gauge!("coffer_kms_region_active", "region" => region.clone()).set(0.0);
    }
    *shown = now;
}

fn take_raft(serving: &Serving) {
    // The guard of the watch holds a lock that Raft needs: the value is cloned and the guard let go.
    let raft = serving.raft.metrics().borrow_watched().clone();
    for (name, role) in ROLES {
        gauge!("coffer_raft_role", "role" => name).set(flag(raft.state == role));
    }
    gauge!("coffer_raft_term").set(number(raft.current_term));
    gauge!("coffer_raft_leader_id").set(number(raft.current_leader.unwrap_or(0)));
    gauge!("coffer_raft_applied_index").set(index(serving.engine.applied().as_ref()));
    gauge!("coffer_checkpoint_index").set(number(serving.engine.checkpoint_index()));
    let age = raft.last_quorum_acked.map(|at| at.elapsed().as_secs_f64());
    gauge!("coffer_raft_quorum_age_seconds").set(age.unwrap_or(0.0));
    let last = raft.last_log_index.unwrap_or(0);
    // Members are few and their ids fixed, so they may be labels.
    for (peer, matched) in raft.replication.into_iter().flatten() {
        let lag = last.saturating_sub(matched.map_or(0, |id| id.index));
        gauge!("coffer_raft_peer_lag_entries", "member" => peer.to_string()).set(number(lag));
    }
}
