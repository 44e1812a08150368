//! Steps 15 to 17: Raft is set up, its services can answer, and it runs; a new replica set is started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use coffer_keyring::Keyring;
use coffer_storage::raft::Raft;
use coffer_storage::{Engine, LogStore, StateMachine};
use openraft::{BasicNode, Config, SnapshotPolicy};

use super::BootError;
use crate::config::{ClusterSection, RaftSection};
use crate::member::{Member, Serving};
use crate::raft::Network;

/// openraft's options, none left to its defaults that were chosen for a cluster in one process.
fn options(cluster: &ClusterSection, raft: &RaftSection) -> Result<Config, BootError> {
    let config = Config {
        cluster_name: cluster.id.clone(),
        heartbeat_interval: raft.heartbeat_interval.as_millis(),
        election_timeout_min: raft.election_timeout_min.as_millis(),
        election_timeout_max: raft.election_timeout_max.as_millis(),
        install_snapshot_timeout: raft.snapshot_timeout.as_millis(),
        // The checkpointer decides, by bytes, when a snapshot is taken and the log purged; never openraft, by entries.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        // A member that was away does not disturb a leader that works.
        enable_pre_vote: Some(true),
        // A leader that lost its unsynced tail in a crash would resume in its own term and give the same log ids to other
        // entries: silent divergence. It has to be elected again.
        enable_leader_restore: Some(false),
        // A leader that reaches no majority stops its heartbeats, so that a member that does reach one is elected.
        quorum_loss_probe_interval: Some(2 * raft.election_timeout_max.as_millis()),
        ..Config::default()
    };
    config.validate().map_err(|error| BootError::Raft(error.to_string()))
}

/// Sets Raft up; it does not run yet.
pub(crate) async fn build(
    member: &Arc<Member>,
    cluster: &ClusterSection,
    section: &RaftSection,
    log: LogStore,
    engine: Arc<Engine>,
) -> Result<Raft, BootError> {
    let options = Arc::new(options(cluster, section)?);
    let network = Network::new(member.clone());
    let id = member.identity().member_id.0;
    Raft::build(id, options, network, log, StateMachine::new(engine))
        .await
        .map_err(|error| BootError::Raft(error.to_string()))
}

/// The services can answer, then Raft runs: a vote that is asked for finds somebody.
pub(crate) fn run(member: &Member, raft: &Raft, engine: Arc<Engine>, log: LogStore, keyring: Keyring) {
    raft.run();
    member.serve(Serving { raft: raft.clone(), engine, log, keyring, since: Instant::now() });
}

/// Starts the replica set from the configured members.
pub(crate) async fn start_set(raft: &Raft, cluster: &ClusterSection) -> Result<(), BootError> {
    let members: BTreeMap<u64, BasicNode> =
        cluster.members.iter().map(|member| (member.id, BasicNode::new(&member.address))).collect();
    let ids: Vec<u64> = members.keys().copied().collect();
    match raft.initialize(members).await {
        Ok(()) => {
            tracing::info!(members = ?ids, "the replica set is started");
            Ok(())
        }
        // A leader was quicker than this call: the set exists, which is all that was wanted.
        Err(openraft::error::RaftError::APIError(error)) => {
            tracing::info!(%error, "the replica set exists already");
            Ok(())
        }
        Err(openraft::error::RaftError::Fatal(error)) => Err(BootError::Raft(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_safe() {
        let options = options(&ClusterSection::default(), &RaftSection::default()).unwrap();
        assert_eq!(options.enable_leader_restore, Some(false));
        assert_eq!(options.enable_pre_vote, Some(true));
        assert_eq!(options.snapshot_policy, SnapshotPolicy::Never);
        assert_eq!((options.heartbeat_interval, options.election_timeout_min), (200, 1000));
    }
}
