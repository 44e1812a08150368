//! The replica set itself.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coffer_keyring::{
    ClusterId, Keyring, KeystoreParams, MemberId, SealedKeystore,
    kms::{
        KeyArn, Region,
        local::{LocalKms, LocalKmsAdmin},
    },
};
use coffer_proto::{
    v1::{admin_client::AdminClient, documents_client::DocumentsClient, key_admin_client::KeyAdminClient},
    wire::MAX_CLIENT_MESSAGE_BYTES,
};
use coffer_storage::{
    Checkpointer, CheckpointerHandle, Engine, LogStore, StateMachine, StorageOptions, raft::Raft,
};
use openraft::{BasicNode, Config, SnapshotPolicy, async_runtime::watch::WatchReceiver};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::transport::Channel;

use super::until;
use crate::{
    config::{self, EncryptionSection, Provider},
    key::KeyAccess,
    key_settings, key_work,
    member::{Limits, Member, MemberIdentity, MemberState, Serving},
    raft::Network,
    server,
};

/// A member that serves.
pub struct TestMember {
    pub id: u64,
    pub address: String,
    pub member: Arc<Member>,
    checkpointer: CheckpointerHandle,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// A replica set.
pub struct ReplicaSet {
    pub cluster: ClusterId,
    pub members: Vec<TestMember>,
    folder: TempDir,
    /// The customer's key that members are started with.
    pub cmk: KeyArn,
    limits: Limits,
    max_log_bytes: u64,
    /// Whether its members follow settings of the customer's key.
    keyed: bool,
    /// Whether its leader has the members work on their keys.
    works: bool,
}

/// Limits that no test reaches that is not about them.
pub fn limits() -> Limits {
    Limits {
        max_concurrent_writes: 64,
        max_queued_writes: 64,
        max_concurrent_reads: 16,
        max_queued_reads: 64,
        max_open_cursors: 16,
        default_deadline: Duration::from_secs(20),
        max_deadline: Duration::from_secs(60),
    }
}

impl ReplicaSet {
    /// Three members that have elected a leader.
    pub async fn start() -> Self {
        Self::start_with(3, limits(), 1 << 30).await
    }

    /// Three members that follow settings of the customer's key: a multi-Region one with a replica in eu-west-1.
    pub async fn start_keyed() -> Self {
        let mut set = Self::new(limits(), 1 << 30, true);
        set.kms_admin().replicate(&set.cmk, &Region::parse("eu-west-1").unwrap()).unwrap();
        set.keyed = true;
        set.elect(3).await;
        set
    }

    /// As [`ReplicaSet::start_keyed`], of members that work on their keys as their leader orders.
    pub async fn start_working() -> Self {
        let mut set = Self::new(limits(), 1 << 30, true);
        (set.keyed, set.works) = (true, true);
        set.elect(3).await;
        set
    }

    /// `count` members with these limits, whose logs are bounded by `max_log_bytes`.
    pub async fn start_with(count: u64, limits: Limits, max_log_bytes: u64) -> Self {
        let mut set = Self::new(limits, max_log_bytes, false);
        set.elect(count).await;
        set
    }

    fn new(limits: Limits, max_log_bytes: u64, multi_region: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let cmk = LocalKmsAdmin::new(&folder.path().join("kms")).create(&region(), multi_region).unwrap();
        let cluster = ClusterId::generate();
        Self { cluster, members: Vec::new(), folder, cmk, limits, max_log_bytes, keyed: false, works: false }
    }

    async fn elect(&mut self, count: u64) {
        for id in 1..=count {
            self.add_process(id).await;
        }
        let members: BTreeMap<u64, BasicNode> =
            self.members.iter().map(|member| (member.id, BasicNode::new(&member.address))).collect();
        self.members[0].raft().initialize(members).await.unwrap();
        self.leader().await;
    }

    /// The administrator of the customer's keys.
    pub fn kms_admin(&self) -> LocalKmsAdmin {
        LocalKmsAdmin::new(&self.folder.path().join("kms"))
    }

    /// The customer's key.
    pub fn cmk(&self) -> &KeyArn {
        &self.cmk
    }

    /// The configuration of encryption on each member.
    fn encryption(&self) -> EncryptionSection {
        EncryptionSection {
            provider: Provider::Local,
            cmk_arn: self.cmk.to_string(),
            local_dir: self.folder.path().join("kms"),
            ..EncryptionSection::default()
        }
    }

    /// Starts a member that belongs to no replica set yet.
    pub async fn add_process(&mut self, id: u64) -> &TestMember {
        let path = self.keystore(id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let params = KeystoreParams {
            cluster: self.cluster.clone(),
            member: MemberId(id),
            cmk: self.cmk.clone(),
            region: region(),
        };
        let keyring = Keyring::create(&path, params, &self.kms()).await.unwrap();
        self.start_process(id, "127.0.0.1:0", keyring).await
    }

    /// Stops a member; answers what it needs to be started again.
    pub async fn stop_process(&mut self, id: u64) -> String {
        let position = self.members.iter().position(|member| member.id == id).unwrap();
        let member = self.members.remove(position);
        let address = member.address.clone();
        member.stop().await;
        address
    }

    /// Starts a member again that was stopped, at the same address.
    pub async fn restart_process(&mut self, id: u64, address: &str) -> &TestMember {
        let sealed = SealedKeystore::open(&self.keystore(id), &self.cluster, MemberId(id)).unwrap().unwrap();
        sealed.vouch(std::slice::from_ref(&self.cmk)).unwrap();
        let keyring = sealed.unseal(&self.kms(), self.cmk.region()).await.unwrap();
        self.start_process(id, address, keyring).await
    }

    async fn start_process(&mut self, id: u64, address: &str, keyring: Keyring) -> &TestMember {
        let folder = self.folder.path().join(id.to_string());
        let cluster = self.cluster.clone();
        let encryption = self.keyed.then(|| self.encryption());
        let member = TestMember::start(
            id,
            address,
            cluster,
            &folder,
            keyring,
            self.limits,
            self.max_log_bytes,
            encryption,
        )
        .await;
        if self.works {
            member.coordinate();
        }
        self.members.push(member);
        self.members.last().unwrap()
    }

    fn kms(&self) -> LocalKms {
        LocalKms::open(&self.folder.path().join("kms")).unwrap()
    }

    pub fn keystore(&self, id: u64) -> PathBuf {
        self.folder.path().join(id.to_string()).join("keyring").join("keystore.json")
    }

    /// The member that leads, by its own word, and has applied the first entry of its term.
    pub async fn leader(&self) -> &TestMember {
        until("a leader", || async { self.leads().is_some() }).await;
        self.leads().unwrap_or_else(|| panic!("leadership is lost again"))
    }

    fn leads(&self) -> Option<&TestMember> {
        self.members.iter().find(|member| {
            let metrics = member.raft().metrics().borrow_watched().clone();
            metrics.state.is_leader()
                && metrics.current_leader == Some(member.id)
                && metrics.last_quorum_acked.is_some()
                && metrics.last_applied.is_some_and(|id| *id.leader_id == metrics.current_term)
        })
    }

    /// A member that does not lead and knows who does.
    pub async fn follower(&self) -> &TestMember {
        let leader = self.leader().await.id;
        let follower = self.members.iter().find(|member| member.id != leader).unwrap();
        until("a follower that knows the leader", || async {
            follower.raft().metrics().borrow_watched().current_leader == Some(leader)
        })
        .await;
        follower
    }

    pub fn member(&self, id: u64) -> &TestMember {
        self.members.iter().find(|member| member.id == id).unwrap()
    }

    /// Waits until every member has applied `index`.
    pub async fn applied_everywhere(&self, index: u64) {
        for member in &self.members {
            let mut applied = member.serving().engine.applied_index();
            tokio::time::timeout(super::PATIENCE, applied.wait_for(|applied| *applied >= index))
                .await
                .unwrap_or_else(|_| panic!("member {} has not applied {index}", member.id))
                .unwrap();
        }
    }

    /// Stops all members.
    pub async fn stop(self) {
        for member in self.members {
            member.stop().await;
        }
    }
}

impl TestMember {
    #[allow(clippy::too_many_arguments)] // one place calls it
    async fn start(
        id: u64,
        address: &str,
        cluster: ClusterId,
        folder: &Path,
        keyring: Keyring,
        limits: Limits,
        max_log_bytes: u64,
        encryption: Option<EncryptionSection>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let identity =
            MemberIdentity { cluster_id: cluster, member_id: MemberId(id), address: address.clone() };
        let key = match &encryption {
            Some(encryption) => KeyAccess::new(encryption, MemberId(id)).unwrap(),
            None => KeyAccess::off(),
        };
        let member = Member::new(identity, limits, key);
        let mut options = StorageOptions::new(folder);
        options.max_log_bytes = max_log_bytes;
        let log = LogStore::open(&options, &keyring).unwrap();
        member.set_log(log.clone());
        member.set_incarnation(keyring.next_incarnation().unwrap().0);
        let engine = Engine::recover(&options, &keyring, &log).unwrap();
        let network = Network::new(member.clone());
        let machine = StateMachine::new(engine.clone());
        let raft = Raft::build(id, Arc::new(config()), network, log.clone(), machine).await.unwrap();
        let server = server::spawn(member.clone(), listener, 1000).unwrap();
        raft.run();
        let checkpointer = Checkpointer::spawn(engine.clone(), log.clone(), raft.clone());
        member.serve(Serving { raft, engine, log, keyring, since: std::time::Instant::now() });
        if let Some(encryption) = encryption {
            let seed = config::Config { encryption, ..config::Config::default() }.key_settings();
            tokio::spawn(key_settings::follow(member.clone(), seed));
        }
        Self { id, address, member, checkpointer, server }
    }

    fn coordinate(&self) {
        let member = self.member.clone();
        let work = tokio::spawn(async move { key_work::coordinate(&member).await });
        // It ends with the member, as in the daemon.
        let stop = self.member.draining().clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            work.abort();
        });
    }

    pub fn serving(&self) -> Arc<Serving> {
        self.member.serving().unwrap()
    }

    pub fn raft(&self) -> Raft {
        self.serving().raft.clone()
    }

    /// The last index of its log.
    pub fn last_index(&self) -> u64 {
        self.raft().metrics().borrow_watched().last_log_index.unwrap_or(0)
    }

    /// The term that it is in.
    pub fn term(&self) -> u64 {
        self.raft().metrics().borrow_watched().current_term
    }

    pub fn documents(&self) -> DocumentsClient<Channel> {
        DocumentsClient::new(self.channel())
            .max_decoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
    }

    pub fn admin(&self) -> AdminClient<Channel> {
        AdminClient::new(self.channel())
    }

    pub fn key_admin(&self) -> KeyAdminClient<Channel> {
        KeyAdminClient::new(self.channel())
    }

    fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    /// Nobody reaches this member any more.
    pub async fn cut_off(&self) {
        self.server.abort();
        self.member.drain();
    }

    async fn stop(self) {
        let serving = self.serving();
        self.member.enter(MemberState::Stopping, "the test is over");
        self.member.drain();
        serving.raft.shutdown().await.unwrap();
        self.checkpointer.stop().await;
        serving.engine.close();
        serving.log.close().unwrap();
        // Its port is free when it has ended.
        self.server.abort();
        drop(self.server.await);
    }
}

fn region() -> Region {
    Region::parse("eu-central-1").unwrap()
}

/// As the daemon has it, with timings for loopback under load.
fn config() -> Config {
    Config {
        heartbeat_interval: 100,
        election_timeout_min: 700,
        election_timeout_max: 1400,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        ..Config::default()
    }
    .validate()
    .unwrap()
}
