//! Three members with real openraft and real storage over simulated disks, in one process, without a network.
//!
//! Power can be cut under one of them: what it had not synced is gone, in any order of pages.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use coffer_proto::internal::v1::{Command, CommandResult};
use openraft::{
    BasicNode, Config, OptionalSend, SnapshotPolicy,
    async_runtime::WatchReceiver,
    errors::{ClientWriteError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable},
    network::{RPCOption, RaftNetworkFactory, RaftNetworkV2},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
        TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};

use tokio::{sync::watch, task::JoinHandle};

use super::{TestNode, conformance::carry_over, node::keyring};
use crate::{
    SnapshotSource, StateMachine, StorageOptions,
    engine::Engine,
    raft::{Proposal, Raft, Snapshot, TypeConfig, Vote},
    rotation::KeyUpkeep,
    sealed_fs::sim::SimDisk,
};

type Peers = Arc<Mutex<BTreeMap<u64, (Raft, Arc<Engine>)>>>;

/// Long enough for two busy cores, short enough for many elections in one test.
const ELECTION_MS: u64 = 400;

/// A running member.
pub struct Running {
    pub node: TestNode,
    pub raft: Raft,
}

/// The members, and what each finds on its disk.
pub struct ReplicaSet {
    dir: tempfile::TempDir,
    pub members: BTreeMap<u64, Running>,
    disks: BTreeMap<u64, SimDisk>,
    peers: Peers,
    upkeep: BTreeMap<u64, (watch::Sender<bool>, JoinHandle<()>)>,
}

impl ReplicaSet {
    /// Starts three members.
    pub async fn start() -> Self {
        let mut set = Self {
            dir: tempfile::tempdir().unwrap(),
            members: BTreeMap::new(),
            disks: (1..=3).map(|id| (id, SimDisk::new(1 << 30))).collect(),
            peers: Peers::default(),
            upkeep: BTreeMap::new(),
        };
        for id in 1..=3 {
            set.open(id).await;
        }
        let nodes: BTreeMap<u64, BasicNode> = (1..=3).map(|id| (id, BasicNode::new(id))).collect();
        set.members[&1].raft.initialize(nodes).await.unwrap();
        set
    }

    async fn open(&mut self, id: u64) {
        let mut options = StorageOptions::new(self.dir.path().join(format!("member-{id}")));
        options.disk = Arc::new(self.disks[&id].clone());
        let node = TestNode::try_open_with(options, keyring(self.dir.path(), id))
            .unwrap_or_else(|error| panic!("member {id} does not open: {error}"));
        let config = Config {
            heartbeat_interval: ELECTION_MS / 4,
            election_timeout_min: ELECTION_MS,
            election_timeout_max: 2 * ELECTION_MS,
            install_snapshot_timeout: 10_000,
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: u64::MAX,
            enable_pre_vote: Some(true),
            enable_leader_restore: Some(false),
            ..Config::default()
        };
        let config = Arc::new(config.validate().unwrap());
        let network = Factory { from: id, peers: self.peers.clone() };
        let machine = StateMachine::new(node.engine.clone());
        let raft = Raft::new(id, config, network, node.log.clone(), machine).await.unwrap();
        self.peers.lock().unwrap().insert(id, (raft.clone(), node.engine.clone()));
        self.members.insert(id, Running { node, raft });
    }

    /// Has the members that are not looked after yet look after their keys.
    pub fn look_after_keys(&mut self, patience: Duration) {
        for (id, Running { node, raft }) in &self.members {
            self.upkeep.entry(*id).or_insert_with(|| {
                let (stop, stopped) = watch::channel(false);
                let (engine, log) = (node.engine.clone(), node.log.clone());
                (stop, KeyUpkeep::spawn_with(engine, log, raft.clone(), stopped, patience))
            });
        }
    }

    async fn end_upkeep(&mut self, id: u64) {
        if let Some((stop, task)) = self.upkeep.remove(&id) {
            drop(stop);
            task.await.unwrap();
        }
    }

    /// Cuts the power under a member after `operations` more operations of its disk.
    pub fn cut_power_after(&self, id: u64, operations: u64) {
        let disk = &self.disks[&id];
        disk.cut_power_at(disk.mutations() + operations);
    }

    /// Holds up the syncs of a member's log: what is appended there is not on stable storage.
    pub fn hold_log_syncs(&self, id: u64) {
        self.disks[&id].hold_syncs("/raft/");
    }

    /// Takes the power now, and starts the member again on what is found.
    pub async fn restart_after_power_loss(&mut self, id: u64, seed: u64) {
        self.peers.lock().unwrap().remove(&id);
        self.end_upkeep(id).await;
        let found = self.disks[&id].power_loss(seed);
        let Running { node, raft } = self.members.remove(&id).unwrap();
        // A member whose disk has failed may end with that error; ended it is.
        drop(raft.shutdown().await);
        drop(raft);
        node.crash();
        self.disks.insert(id, found);
        self.open(id).await;
    }

    /// The member that leads, if there is one. One whose disk has failed has ended, as its process would have.
    pub fn leader(&self) -> Option<u64> {
        self.members.values().find_map(|member| {
            let metrics = member.raft.metrics().borrow_watched().clone();
            if member.node.log.failed().borrow().is_some() || metrics.running_state.is_err() {
                self.peers.lock().unwrap().remove(&metrics.id);
                return None;
            }
            metrics.current_leader.filter(|leader| *leader == metrics.id)
        })
    }

    /// Writes, through whichever member leads, until it is acknowledged.
    pub async fn write(&self, command: &Command) -> CommandResult {
        let patience = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            assert!(tokio::time::Instant::now() < patience, "no write is acknowledged");
            if let Some(leader) = self.leader() {
                let write = self.members[&leader].raft.client_write(Proposal::new(command));
                match tokio::time::timeout(Duration::from_secs(3), write).await {
                    Ok(Ok(response)) => return response.response().0.clone(),
                    Ok(Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error)))) => {
                        panic!("no membership is changed: {error}")
                    }
                    // Unknown: the same retry id is sent again.
                    Ok(Err(_)) | Err(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until all members have applied the same.
    pub async fn converge(&self) {
        let patience = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let applied: Vec<_> = self.members.values().map(|member| member.node.engine.applied()).collect();
            let last: Vec<_> = self.members.values().map(|member| member.node.log.last_log_id()).collect();
            if applied.iter().chain(&last).all(|id| *id == applied[0]) {
                return;
            }
            assert!(
                tokio::time::Instant::now() < patience,
                "the members do not converge: {applied:?}, {last:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends all members.
    pub async fn stop(mut self) {
        for id in 1..=3 {
            self.end_upkeep(id).await;
        }
        for member in std::mem::take(&mut self.members).into_values() {
            member.raft.shutdown().await.unwrap();
            member.node.crash();
        }
    }
}

/// A test that fails must not wait for syncs that it held up.
impl Drop for ReplicaSet {
    fn drop(&mut self) {
        for disk in self.disks.values() {
            disk.release_syncs();
        }
    }
}

/// Hands calls over to the members of the same process.
struct Factory {
    from: u64,
    peers: Peers,
}

impl RaftNetworkFactory<TypeConfig> for Factory {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Link {
        Link { from: self.from, to: target, peers: self.peers.clone() }
    }
}

/// From one member to another.
struct Link {
    from: u64,
    to: u64,
    peers: Peers,
}

impl Link {
    /// Both ends must be alive: a member without power sends nothing either.
    fn peer(&self) -> Result<(Raft, Arc<Engine>), Unreachable<TypeConfig>> {
        let peers = self.peers.lock().unwrap();
        let alive = peers.contains_key(&self.from).then(|| peers.get(&self.to).cloned()).flatten();
        alive.ok_or_else(|| Unreachable::from_string("no power"))
    }
}

fn ended(error: impl ToString) -> Unreachable<TypeConfig> {
    Unreachable::from_string(error)
}

impl RaftNetworkV2<TypeConfig> for Link {
    type SnapshotData = SnapshotSource;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.peer()?.0.append_entries(rpc).await.map_err(ended)?)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.peer()?.0.vote(rpc).await.map_err(ended)?)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.peer()?.0.pre_vote(rpc).await.map_err(ended)?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let (raft, engine) = self.peer()?;
        let received = tokio::task::block_in_place(|| carry_over(&snapshot.snapshot, &engine));
        Ok(raft.install_full_snapshot(vote, received).await.map_err(ended)?)
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.peer()?.0.handle_transfer_leader(req).await.map_err(ended)?)
    }
}
