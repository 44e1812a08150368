//! A member's storage without Raft: entries are appended and applied as openraft would do it.

use std::{path::Path, sync::Arc};

use coffer_keyring::{
    ClusterId, Keyring, KeystoreParams, MemberId, SealedKeystore,
    kms::{
        KeyArn, Region,
        local::{LocalKms, LocalKmsAdmin},
    },
};
use coffer_proto::internal::v1::{Command, CommandResult, command::Action};
use openraft::{
    EntryPayload,
    storage::{IOFlushed, RaftLogStorage},
};

use crate::{
    LogStore, StorageError, StorageOptions,
    engine::Engine,
    raft::{Entry, LogId, Proposal, wire},
};

/// One member's storage.
pub struct TestNode {
    pub keyring: Keyring,
    pub log: LogStore,
    pub engine: Arc<Engine>,
    pub term: u64,
}

const CLUSTER: &str = "6a4d2f0e-5b1c-4e7a-9f3d-2c8b7a6e5d4c";

/// A CMK in a directory that behaves like KMS.
pub fn kms(dir: &Path) -> (LocalKms, KeyArn, Region) {
    let kms_dir = dir.join("kms");
    let admin = LocalKmsAdmin::new(&kms_dir);
    let region = Region::parse("eu-central-1").unwrap();
    let arn = match admin.list().ok().and_then(|keys| keys.into_iter().next()) {
        Some(key) => key.arn,
        None => admin.create(&region, false).unwrap(),
    };
    (LocalKms::open(&kms_dir).unwrap(), arn, region)
}

/// Opens or makes the keystore of member `id` in `dir`.
pub fn keyring(dir: &Path, id: u64) -> Keyring {
    let (kms, cmk, region) = kms(dir);
    let (cluster, member) = (ClusterId::parse(CLUSTER).unwrap(), MemberId(id));
    let path = dir.join(format!("member-{id}/keyring/keystore.json"));
    futures::executor::block_on(async {
        match SealedKeystore::open(&path, &cluster, member).unwrap() {
            Some(sealed) => {
                sealed.vouch(std::slice::from_ref(&cmk)).unwrap();
                sealed.unseal(&kms, &region).await.unwrap()
            }
            None => {
                Keyring::create(&path, KeystoreParams { cluster, member, cmk, region }, &kms).await.unwrap()
            }
        }
    })
}

/// Opens or makes the keystore of member `id` in `dir`, without encryption.
pub fn plain_keyring(dir: &Path, id: u64) -> Keyring {
    let (cluster, member) = (ClusterId::parse(CLUSTER).unwrap(), MemberId(id));
    let path = dir.join(format!("member-{id}/keyring/keystore.json"));
    match Keyring::open_plain(&path, &cluster, member).unwrap() {
        Some(keyring) => keyring,
        None => Keyring::create_plain(&path, cluster, member).unwrap(),
    }
}

impl TestNode {
    /// Opens member `id` under `dir`, recovering what is there.
    pub fn open(dir: &Path, id: u64) -> Self {
        Self::try_open(dir, id).unwrap()
    }

    /// As `open`, with the error.
    pub fn try_open(dir: &Path, id: u64) -> Result<Self, StorageError> {
        let options = StorageOptions::new(dir.join(format!("member-{id}")));
        Self::try_open_with(options, keyring(dir, id))
    }

    /// With options and a keyring of the caller's.
    pub fn try_open_with(options: StorageOptions, keyring: Keyring) -> Result<Self, StorageError> {
        let log = LogStore::open(&options, &keyring)?;
        let engine = Engine::recover(&options, &keyring, &log)?;
        Ok(Self { keyring, log, engine, term: 1 })
    }

    /// Appends an entry without applying it, and syncs it.
    pub fn append(&mut self, payload: EntryPayload<Proposal, u64, openraft::BasicNode>) -> Entry {
        let entry = Entry { log_id: self.next_id(), payload };
        self.append_entry(entry.clone());
        self.log.sync().unwrap();
        entry
    }

    /// Appends a given entry, unsynced.
    pub fn append_entry(&mut self, entry: Entry) {
        let callback = IOFlushed::noop();
        futures::executor::block_on(self.log.append([entry], callback)).unwrap();
    }

    /// Proposes a command to a replica set of one.
    pub fn run(&mut self, action: Action) -> CommandResult {
        self.run_command(Command {
            format: wire::FORMAT,
            feature: 1,
            time_ms: 0,
            retry: None,
            action: Some(action),
        })
    }

    /// As `run`, with the whole command.
    pub fn run_command(&mut self, command: Command) -> CommandResult {
        let entry = self.append(EntryPayload::Normal(Proposal::new(&command)));
        self.engine.apply(&entry).unwrap().0
    }

    /// The id that the next entry gets.
    pub fn next_id(&self) -> LogId {
        let index = self.log.last_log_id().map_or(0, |id| id.index + 1);
        wire::log_id_from_pb(&coffer_proto::internal::v1::RecordLogId { term: self.term, index })
    }

    /// Notes that everything so far is committed, as openraft does from time to time.
    pub fn commit(&mut self) {
        let last = self.log.last_log_id();
        futures::executor::block_on(self.log.save_committed(last)).unwrap();
        self.log.sync().unwrap();
    }

    /// Ends as a crash does: nothing is flushed, nothing is synced that was not.
    pub fn crash(self) {
        self.engine.close();
        drop(self.engine);
    }
}
