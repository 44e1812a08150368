//! From arguments to serving, in numbered steps:
//!
//! | step | what | where |
//! | --- | --- | --- |
//! | 1, 2 | arguments, configuration | `program` |
//! | 3 | logs, what a panic does, what the system allows | `program` |
//! | 4 | ports bound | [`Ports`] |
//! | 5 | data directory made and locked | [`DataDir`] |
//! | 6 | identity checked | [`IdentityFile`] |
//! | 7 | calls answered: status, health, the peers' question | `server` |
//! | 8, 9 | keystore read and vouched for, the customer's key proven, master key unwrapped or made | [`Unseal`] |
//! | | encryption turned on or off for all data, where that was ordered | `form` |
//! | 10 | the key watched from here on; identity written, once | [`IdentityFile`] |
//! | 11 | log opened: from here on peers are answered | `LogStore` |
//! | 12 | peers asked what they remember of this member | [`Peers`] |
//! | 13 | incarnation increased | `Keyring` |
//! | 14 | databases recovered | `Engine` |
//! | 15, 16 | Raft set up, services wired, Raft run | `raft` |
//! | 17 | a new replica set started | `raft` |
//!
//! Invariants:
//! - A step that fails leaves nothing that the next start cannot go on from.
//! - No keys are in memory without a watch of the customer's key: a revocation ends a boot as it ends a member that serves.
//! - Before step 11 no data is readable; before step 16 this member votes for nobody and acknowledges nothing.

mod data_dir;
mod error;
mod form;
mod identity_file;
mod peers;
mod ports;
mod raft;
mod recall_rule;
mod unseal;
mod vouch;

use std::sync::Arc;

use coffer_keyring::keystore::is_encrypted;
use coffer_keyring::{Keyring, KeystoreError};
use coffer_storage::raft::Raft;
use coffer_storage::{Checkpointer, CheckpointerHandle, Engine, LogStore, StorageOptions};

pub(crate) use data_dir::DataDir;
pub use error::BootError;
pub(crate) use identity_file::IdentityFile;
pub(crate) use ports::Ports;
pub use recall_rule::WentBack;

use crate::config::{Config, Provider};
use crate::key::Unsealing;
use crate::key_work::may_turn_off;
use crate::member::{Concern, Member, MemberState, has_cluster};
use form::Ordered;
use peers::Peers;
use unseal::{Unseal, Unsealed, adopt_cached};

/// A member that runs.
pub(crate) struct Running {
    pub(crate) raft: Raft,
    pub(crate) engine: Arc<Engine>,
    pub(crate) log: LogStore,
    pub(crate) checkpointer: CheckpointerHandle,
}

/// Steps 10 to 17, with the keys of steps 8 and 9. Runs until the member serves, however long its peers are silent;
/// dropping the future abandons the boot.
pub(crate) async fn bring_up(
    member: &Arc<Member>,
    config: &Config,
    data_dir: &DataDir,
    identity: &IdentityFile,
    known: bool,
    keyring: Keyring,
    ordered: Option<Ordered>,
) -> Result<Running, BootError> {
    let ids = member.identity();
    let options = storage_options(config, data_dir);
    let keyring = match ordered {
        Some(ordered) => form::carry_out(member, &config.health.policy(), &options, keyring, ordered).await?,
        None => keyring,
    };
    // Step 10: only now, so that a directory is nobody's until a key for it was proven.
    if !known {
        identity.write(&ids.cluster_id, ids.member_id)?;
    }
    member.enter(MemberState::Recovering, "it opens its log");
    // Step 11.
    // Every start opens the log before it is counted, so a member that was counted has one. Opened without its files, the
    // log would be a new one, which forgot every vote.
    let log_dir = options.raft_dir(keyring.raft_generation());
    // RocksDB makes a new one where `CURRENT` is missing.
    if keyring.incarnation().0 > 0 && !log_dir.join("CURRENT").exists() {
        return Err(BootError::LogGone { path: log_dir });
    }
    let log = {
        let (options, keyring) = (options.clone(), keyring.clone());
        blocking(move || LogStore::open(&options, &keyring)).await??
    };
    member.set_log(log.clone());
    check_address(member, &log);
    // Step 12.
    let started = has_cluster(&log);
    let mut peers = Peers::new(
        member.clone(),
        &log,
        &config.cluster,
        keyring.incarnation().0,
        config.raft.recall_timeout.0,
    );
    peers.ask_majority().await?;
    let starts_set = !started && is_first(config) && peers.ask_to_start_set().await?;
    // Step 13: after the question, because the answers are compared with what was; before Raft, because a vote carries it.
    let incarnation = {
        let keyring = keyring.clone();
        blocking(move || keyring.next_incarnation()).await??
    };
    member.set_incarnation(incarnation.0);
    // Step 14.
    member.enter(MemberState::Recovering, "it replays its log into its databases");
    let engine = {
        let (keyring, log) = (keyring.clone(), log.clone());
        blocking(move || Engine::recover(&options, &keyring, &log)).await??
    };
    // Steps 15 and 16.
    let raft = raft::build(member, &config.cluster, &config.raft, log.clone(), engine.clone()).await?;
    raft::run(member, &raft, engine.clone(), log.clone(), keyring);
    let checkpointer = Checkpointer::spawn(engine.clone(), log.clone(), raft.clone());
    // Step 17.
    if starts_set {
        raft::start_set(&raft, &config.cluster).await?;
    }
    Ok(Running { raft, engine, log, checkpointer })
}

/// What a member with encryption off says at its start and in its status.
const OFF: &str = "encryption is off: everything that this member writes is readable on its disk";

/// What a member under a local key says in its status.
const LOCAL: &str = "the customer's key is a file (encryption.provider = \"local\"): this protects nothing";

/// A member that moved is not found by the others until the replica set knows its new address.
fn check_address(member: &Member, log: &LogStore) {
    let identity = member.identity();
    let stored = log.known_membership();
    let known = stored.as_ref().and_then(|stored| stored.membership().get_node(&identity.member_id.0));
    if let Some(node) = known.filter(|node| node.addr != identity.address) {
        member.concern(
            Concern::Address,
            Some(format!(
                "the replica set reaches this member at {}, and it is configured to be at {}",
                node.addr, identity.address
            )),
        );
    }
}

/// The member that starts the replica set: the configured one with the lowest id.
fn is_first(config: &Config) -> bool {
    config.cluster.members.iter().map(|member| member.id).min() == Some(config.cluster.member_id)
}

/// The keys of a member, after steps 8 and 9.
pub(crate) struct Opened {
    pub(crate) keyring: Keyring,
    /// Where and when the customer's key was asked: from then on it is watched. `None` with encryption off.
    pub(crate) unsealing: Option<Unsealing>,
    /// A change of form that this start carries out.
    pub(crate) ordered: Option<Ordered>,
}

/// Steps 8 and 9. Runs until the customer's key is given, however long the member is sealed.
///
/// What form a member's data have is told by its keystore; the configuration decides at the first start, and whether a
/// keystore in the clear is accepted: whoever can write the disk could put one there.
pub(crate) async fn open_keyring(
    member: &Arc<Member>,
    config: &Config,
    known: bool,
) -> Result<Opened, BootError> {
    let path = config.storage.keystore();
    let stored = {
        let path = path.clone();
        blocking(move || is_encrypted(&path)).await??
    };
    if stored == Some(false) && !may_turn_off(&config.encryption) {
        return Err(KeystoreError::EncryptionIsOff { path }.into());
    }
    let policy = config.health.policy();
    let (keyring, unsealing) = if stored.unwrap_or(config.encryption.enabled) {
        if config.encryption.provider == Provider::Local {
            member.warn(LOCAL);
        }
        let unseal = Unseal { member: member.clone(), policy, keystore: path };
        let Unsealed { keyring, unsealing } = unseal.until_unsealed(known).await?;
        (keyring, Some(unsealing))
    } else {
        (open_plain(member, config, known).await?, None)
    };
    show_form(member, &keyring);
    Ok(match form::prepare(member, &policy, &keyring).await? {
        Some((ordered, sealing)) => {
            Opened { keyring, unsealing: unsealing.or(sealing), ordered: Some(ordered) }
        }
        None => Opened { keyring, unsealing, ordered: None },
    })
}

/// Has the status say which form the data have.
fn show_form(member: &Member, keyring: &Keyring) {
    let provider = member.key().config().provider.name();
    let wrap = keyring.wrap_info();
    member.set_kms_status(|status| {
        status.enabled = wrap.is_some();
        status.provider = if wrap.is_some() { provider } else { "none" };
        status.cmk_arn = wrap.as_ref().map(|wrap| wrap.cmk.to_string()).unwrap_or_default();
        if wrap.is_none() {
            status.region.clear();
            status.home_region.clear();
        }
    });
}

async fn open_plain(member: &Arc<Member>, config: &Config, known: bool) -> Result<Keyring, BootError> {
    tracing::warn!("{OFF}");
    member.warn(OFF);
    let path = config.storage.keystore();
    let (cluster, id) = (member.identity().cluster_id.clone(), member.identity().member_id);
    let keyring = blocking(move || match Keyring::open_plain(&path, &cluster, id)? {
        Some(keyring) => Ok(keyring),
        None if known => Err(BootError::KeystoreGone { path }),
        None => Ok(Keyring::create_plain(&path, cluster, id)?),
    })
    .await??;
    adopt_cached(member, keyring.settings().as_deref());
    Ok(keyring)
}

fn storage_options(config: &Config, data_dir: &DataDir) -> StorageOptions {
    let storage = &config.storage;
    let mut options = StorageOptions::new(data_dir.path());
    options.block_cache_bytes = storage.block_cache.as_usize();
    options.write_buffer_bytes = storage.write_buffers.as_usize();
    options.max_log_bytes = storage.max_log_size.0;
    options.max_replay_bytes = storage.max_replay_size.0;
    options.background_threads = storage.background_threads;
    options
}

/// Runs what blocks on a disk on a thread of its own.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, BootError> {
    tokio::task::spawn_blocking(call).await.map_err(|error| BootError::Internal(error.to_string()))
}
