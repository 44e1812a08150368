//! What a member is, and how it is.

use std::time::Duration;

use coffer_proto::v1::{self, MemberState, RaftRole};
use coffer_storage::raft::{Membership, TypeConfig};
use openraft::{RaftMetrics, ServerState, async_runtime::watch::WatchReceiver};

use crate::alerts::to_public;
use crate::member::{Member, RegionStatus, Serving, since, until};

/// The status; answered in every state of the member.
pub fn status(member: &Member) -> v1::StatusResponse {
    let condition = member.condition();
    let identity = member.identity();
    let mut status = v1::StatusResponse {
        cluster_id: identity.cluster_id.to_string(),
        member_id: identity.member_id.0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: MemberState::from(condition.state).into(),
        state_reason: condition.reason,
        encryption: Some(encryption(member)),
        settings_version: member.key().settings().version,
        uptime_seconds: whole_seconds(member.uptime()),
        incarnation: member.incarnation(),
        warnings: member.warnings(),
        help_code: member.help_code().map(|code| code.to_string()).unwrap_or_default(),
        alerts: member.alerts().open().iter().map(to_public).collect(),
        notices: member.key_work().notices(),
        ..v1::StatusResponse::default()
    };
    if let Some(log) = member.log() {
        status.flushed_index = log.flushed().map_or(0, |id| id.index);
        status.last_log_index = log.last_log_id().map_or(0, |id| id.index);
        status.committed_index = log.committed().map_or(0, |id| id.index);
        status.purged_index = log.purged().map_or(0, |id| id.index);
        status.log_bytes = log.bytes();
        status.term = log.vote().map_or(0, |vote| vote.leader_id.term);
        if let Some(membership) = log.known_membership() {
            status.members = members(membership.membership());
        }
    }
    if let Ok(serving) = member.serving() {
        add_serving(&mut status, &serving);
    }
    status
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs()
}

fn encryption(member: &Member) -> v1::EncryptionStatus {
    let kms = member.kms_status();
    v1::EncryptionStatus {
        enabled: kms.enabled,
        last_probe_age_ms: kms.last_probe_age_ms(),
        verdict_age_ms: since(kms.verdict_since),
        next_probe_ms: until(kms.next_probe),
        shutdown_in_ms: until(kms.stops_at),
        cmk_arn: kms.cmk_arn,
        region: kms.region,
        verdict: kms.verdict.to_owned(),
        last_error_code: kms.last_error_code,
        denied_in_a_row: kms.denied_in_a_row,
        provider: kms.provider.to_owned(),
        home_region: kms.home_region,
        failed_over: kms.failed_over,
        override_region: kms.override_region,
        help_code: kms.help_code.to_owned(),
        regions: kms.regions.into_iter().map(region).collect(),
        private_network: if member.key().config().private_network_active() { "active" } else { "inactive" }
            .to_owned(),
        role_arn: if kms.enabled { member.key().settings().role_arn.clone() } else { String::new() },
    }
}

fn region(known: RegionStatus) -> v1::RegionStatus {
    v1::RegionStatus {
        last_probe_age_ms: since(known.last_probe),
        region: known.region,
        verdict: known.verdict.to_owned(),
        key_state: known.key_state,
        last_error_code: known.last_error_code,
        denied_in_a_row: known.denied_in_a_row,
        home: known.home,
        active: known.active,
    }
}

fn add_serving(status: &mut v1::StatusResponse, serving: &Serving) {
    let metrics = serving.raft.metrics().borrow_watched().clone();
    let membership = metrics.membership_config.membership();
    status.role = role(&metrics).into();
    status.term = metrics.current_term;
    if let Some(leader) = metrics.current_leader {
        status.leader_id = leader;
        status.leader_address =
            membership.get_node(&leader).map(|node| node.addr.clone()).unwrap_or_default();
    }
    status.last_log_index = metrics.last_log_index.unwrap_or(status.last_log_index);
    status.committed_index = metrics.local_committed.map_or(status.committed_index, |id| id.index);
    status.applied_index = serving.engine.applied().map_or(0, |id| id.index);
    status.checkpoint_index = serving.engine.checkpoint_index();
    status.members = members(membership);
    status.progress = metrics
        .replication
        .iter()
        .flatten()
        .map(|(id, matched)| v1::MemberProgress {
            member_id: *id,
            matched_index: matched.map_or(0, |id| id.index),
        })
        .collect();
    status.databases = u64::try_from(serving.engine.database_count()).unwrap_or(u64::MAX);
    status.generation = serving.keyring.generation().0;
}

fn role(metrics: &RaftMetrics<TypeConfig>) -> RaftRole {
    match metrics.state {
        ServerState::Leader => RaftRole::Leader,
        ServerState::Follower => RaftRole::Follower,
        ServerState::Candidate => RaftRole::Candidate,
        ServerState::Learner => RaftRole::Learner,
        ServerState::Shutdown => RaftRole::Unspecified,
    }
}

/// The members of a membership.
pub fn members(membership: &Membership) -> Vec<v1::Member> {
    let voter = |id: &u64| membership.voter_ids().any(|voter| voter == *id);
    membership
        .nodes()
        .map(|(id, node)| v1::Member { id: *id, address: node.addr.clone(), voter: voter(id) })
        .collect()
}
