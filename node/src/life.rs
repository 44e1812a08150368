//! The life of a member, from its ports to its exit.
//!
//! Invariants:
//! - Whatever ends it comes back here as a value: nothing else in the daemon ends the process, a panic aside.
//! - The first failure of the log, of a database or of Raft ends the member: there are no half-alive ones.
//! - A stop has a deadline for each of its steps; the process ends when they are over, whatever still hangs.
//! - The customer's key is watched from the moment that it gave the member its keys, in whatever state the member is.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::alerts::AlertKind;
use crate::attend::attend;
use crate::boot::{self, BootError, DataDir, IdentityFile, Opened, Ports, Running};
use crate::config::Config;
use crate::exit::Exit;
use crate::help::hint;
use crate::key::{self, KeyAccess, Unsealing};
use crate::member::{Limits, Member, MemberIdentity, MemberState};
use crate::services::{HandOverError, denied_members, hand_over};
use crate::signals::Signals;
use crate::{audit, compare, key_settings, key_work, metrics, server};

type Server = JoinHandle<Result<(), tonic::transport::Error>>;

/// How long a member whose access was revoked looks for a successor. One that is there takes over within milliseconds; but mostly
/// the others see what this one saw, and are gone or about to go, and darkness is not to wait for them.
const REVOKED_HANDOVER: Duration = Duration::from_secs(1);

/// How long calls may go on when storage has failed: long enough that they are answered with an error.
const FAILED_DRAIN: Duration = Duration::from_millis(200);

/// How long the last lines of the audit log may take.
const AUDIT_CLOSE: Duration = Duration::from_millis(500);

/// How a life ended.
pub(crate) struct Ended {
    /// Why.
    pub(crate) exit: Exit,
    /// By when the process ends, whatever still reads or writes.
    pub(crate) by: Instant,
    /// Whether the program is started again in the place of this process.
    pub(crate) restart: bool,
}

impl Ended {
    /// Nothing was closed yet.
    fn now(exit: Exit, config: &Config) -> Self {
        Self { exit, by: Instant::now() + config.stop.close_timeout.0, restart: false }
    }
}

/// Lives; returns why the process ends.
pub(crate) async fn life(config: &Config) -> Ended {
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be caught");
            return Ended::now(Exit::Internal, config);
        }
    };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let life = live(config, stopped);
    tokio::pin!(life);
    tokio::select! {
        ended = &mut life => return ended,
        signal = signals.next() => tracing::info!(signal, "stopping; a second signal ends the process at once"),
    }
    stop.send_replace(true);
    tokio::select! {
        // Asked to stop, it does not start again, whatever it was about to do.
        ended = life => Ended { restart: false, ..ended },
        signal = signals.next() => {
            tracing::warn!(signal, "ending at once");
            Ended { exit: Exit::Killed, by: Instant::now(), restart: false }
        }
    }
}

type Stop = tokio::sync::watch::Receiver<bool>;

async fn live(config: &Config, mut stop: Stop) -> Ended {
    match start(config, &mut stop).await {
        Ok(ended) => ended,
        Err(error) => {
            tracing::error!(%error, help = hint(error.help_code()), "this member does not start");
            Ended::now(error.exit(), config)
        }
    }
}

/// Steps 4 to 7, then the rest of the boot while calls are answered.
async fn start(config: &Config, stop: &mut Stop) -> Result<Ended, BootError> {
    // Step 4.
    let ports = Ports::bind(config).await?;
    // Step 5.
    let data_dir = DataDir::open(&config.storage.data_dir)?;
    // Step 6.
    let identity = MemberIdentity {
        cluster_id: config
            .cluster
            .cluster_id()
            .ok_or_else(|| BootError::Internal("the configuration was not checked".to_owned()))?,
        member_id: config.cluster.member_id(),
        address: config.advertised_address().to_owned(),
    };
    let file = IdentityFile::new(data_dir.path());
    let known = file.check(&identity.cluster_id, identity.member_id)? || data_dir.log_dir().exists();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        cluster = %identity.cluster_id,
        member = %identity.member_id,
        address = config.listen_address(),
        data_dir = %data_dir.path().display(),
        "cofferd"
    );
    // Step 7.
    let key = KeyAccess::new(&config.encryption, identity.member_id)?;
    key.open_files(&config.storage.keyring_dir(), config.health.key_store());
    let member = Member::new(identity, Limits::from(&config.limits), key);
    member
        .set_configured(config.cluster.members.iter().map(|peer| (peer.id, peer.address.clone())).collect());
    if let (Some(listener), Some(handle)) = (ports.metrics, metrics::start()) {
        tokio::spawn(metrics::serve(member.clone(), listener, handle));
    }
    let server = server::spawn(member.clone(), ports.grpc, config.listen.max_connections)
        .map_err(BootError::Internal)?;
    // Before the keystore is touched, so that nothing that becomes of a key is missing.
    audit::begin(&member, data_dir.audit_dir()).await;
    // Steps 8 and 9.
    let opened = tokio::select! {
        opened = boot::open_keyring(&member, config, known) => opened,
        () = stopped(stop) => return Ok(stop_early(&member, Early::Asked, server, config).await),
    };
    let Opened { keyring, unsealing, ordered } = match opened {
        Ok(opened) => opened,
        Err(error) => return Ok(stop_early(&member, Early::Failed(error), server, config).await),
    };
    audit::listen(&member, &keyring).await;
    if !keyring.report().memory_locked {
        let text = "the system did not let the keys be locked into memory: they may reach the swap space";
        member.alerts().raise(AlertKind::MemoryNotLocked, "", text);
    }
    let mut watched = pin!(watched(&member, unsealing, config));
    // Steps 10 to 17.
    let booted = tokio::select! {
        booted = boot::bring_up(&member, config, &data_dir, &file, known, keyring, ordered) => booted,
        reason = &mut watched => {
            return Ok(stop_early(&member, Early::Revoked(reason), server, config).await);
        }
        () = stopped(stop) => return Ok(stop_early(&member, Early::Asked, server, config).await),
    };
    Ok(match booted {
        Ok(running) => serve(config, &member, running, watched, server, stop).await,
        Err(error) => stop_early(&member, Early::Failed(error), server, config).await,
    })
}

/// Ends when access to the customer's key was revoked, with the reason.
async fn watched(member: &Arc<Member>, unsealed: Option<Unsealing>, config: &Config) -> String {
    match unsealed {
        Some(unsealed) => tokio::select! {
            reason = key::watch(member.clone(), unsealed, config.health.policy()) => reason,
            () = member.key_work().is_off() => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn stopped(stop: &mut Stop) {
    // The sender lives as long as this future.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Why a member that serves stops.
enum End {
    Asked,
    /// Work on keys is done by the next start.
    Restart,
    Revoked(String),
    Failed(String),
}

async fn serve(
    config: &Config,
    member: &Arc<Member>,
    running: Running,
    watched: Pin<&mut impl Future<Output = String>>,
    mut server: Server,
    stop: &mut Stop,
) -> Ended {
    let Running { raft, engine, log, checkpointer } = running;
    audit::serve(member);
    tokio::spawn(key_settings::follow(member.clone(), config.key_settings()));
    let end = tokio::select! {
        never = attend(member, &raft, &config.cluster) => match never {},
        never = key_work::coordinate(member) => match never {},
        never = compare::compare(member, config.storage.compare_interval.0) => match never {},
        () = stopped(stop) => End::Asked,
        () = member.key_work().restart_asked() => End::Restart,
        reason = watched => End::Revoked(reason),
        reason = log_failed(log.failed()) => End::Failed(format!("the Raft log: {reason}")),
        reason = raft_failed(&raft) => End::Failed(format!("Raft: {reason}")),
        ended = &mut server => End::Failed(format!("the server ended: {ended:?}")),
    };
    let exit = match &end {
        End::Asked | End::Restart => Exit::Stopped,
        End::Revoked(reason) => {
            tracing::error!(%reason, help = hint(Exit::Revoked.help_code()), "this member shuts down");
            Exit::Revoked
        }
        End::Failed(reason) => {
            tracing::error!(%reason, help = hint(Exit::Storage.help_code()), "this member shuts down");
            Exit::Storage
        }
    };
    let restart = matches!(end, End::Restart);
    let reason = match end {
        End::Failed(reason) => {
            // Nothing is handed over, flushed or waited for: what the disk has is what the next start begins with.
            member.enter(MemberState::Stopping, reason);
            member.drain();
            drain(server, Instant::now() + FAILED_DRAIN).await;
            member.audit().close(AUDIT_CLOSE).await;
            return Ended::now(exit, config);
        }
        End::Asked => "it was asked to stop".to_owned(),
        End::Restart => "it restarts itself to rebuild its data".to_owned(),
        End::Revoked(reason) => reason,
    };
    // Leadership first, while this member still answers its peers. That takes from the time to drain: calls run on
    // meanwhile, and the minute from a revocation to darkness has no time for both.
    let drained = Instant::now() + config.stop.drain_timeout.0;
    let mut handover = config.stop.handover_timeout.min(config.stop.drain_timeout).0;
    if exit == Exit::Revoked {
        handover = handover.min(REVOKED_HANDOVER);
    }
    match hand_over(&raft, None, &denied_members(&engine), handover).await {
        Ok(leader) => tracing::info!(leader, "leadership is handed over"),
        Err(HandOverError::NotLeader(_)) => {}
        Err(error) => tracing::warn!(%error, "this member stops without handing leadership over"),
    }
    member.enter(MemberState::Stopping, reason);
    member.drain();
    drain(server, drained).await;
    // For what closes here and for what the runtime then waits for.
    let closed = Instant::now() + config.stop.close_timeout.0;
    let close = async {
        checkpointer.stop().await;
        if let Err(error) = raft.shutdown().await {
            tracing::warn!(%error, "Raft did not end in order");
        }
        drop(raft);
        let closed = tokio::task::spawn_blocking(move || {
            engine.close();
            log.close()
        });
        match closed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the log did not close in order"),
            Err(error) => tracing::warn!(%error, "closing"),
        }
    };
    if timeout_at(closed, close).await.is_err() {
        tracing::warn!("storage did not close in time; nothing is lost by that: the log has everything");
    }
    member.audit().close(closed.saturating_duration_since(Instant::now()).max(AUDIT_CLOSE)).await;
    Ended { exit, by: closed, restart }
}

/// Why a member that does not serve yet stops.
enum Early {
    Asked,
    Revoked(String),
    Failed(BootError),
}

/// A member that does not serve has nothing to hand over and nothing to close.
async fn stop_early(member: &Member, why: Early, server: Server, config: &Config) -> Ended {
    let (exit, reason) = match why {
        Early::Asked => (Exit::Stopped, "it was asked to stop".to_owned()),
        Early::Revoked(reason) => {
            tracing::error!(%reason, help = hint(Exit::Revoked.help_code()), "this member shuts down");
            (Exit::Revoked, reason)
        }
        Early::Failed(error) => {
            // Said before the calls that run are waited for.
            tracing::error!(%error, help = hint(error.help_code()), "this member does not start");
            (error.exit(), error.to_string())
        }
    };
    member.enter(MemberState::Stopping, reason);
    member.drain();
    drain(server, Instant::now() + config.stop.drain_timeout.0).await;
    member.audit().close(AUDIT_CLOSE).await;
    Ended::now(exit, config)
}

async fn drain(mut server: Server, until: Instant) {
    if timeout_at(until, &mut server).await.is_err() {
        tracing::info!("calls that still run are cut off");
        server.abort();
    }
}

async fn log_failed(mut failed: tokio::sync::watch::Receiver<Option<String>>) -> String {
    let reason = match failed.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone(),
        Err(_) => None,
    };
    reason.unwrap_or_else(|| "its writer is gone".to_owned())
}

async fn raft_failed(raft: &coffer_storage::raft::Raft) -> String {
    let mut metrics = raft.metrics();
    loop {
        if let Err(error) = &metrics.borrow_watched().running_state {
            return error.to_string();
        }
        if metrics.changed().await.is_err() {
            return "its task is gone".to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use coffer_keyring::ClusterId;
    use coffer_keyring::kms::Region;
    use coffer_keyring::kms::local::LocalKmsAdmin;
    use tokio::time::timeout;

    use super::*;
    use crate::config::{MemberAddress, Provider, Span};

    /// A member whose peers never answer, so that it never serves.
    fn lonely(dir: &std::path::Path, cmk: String) -> Config {
        let mut config = Config::default();
        config.cluster.id = ClusterId::generate().to_string();
        config.cluster.member_id = 1;
        config.cluster.members =
            (1..=3).map(|id| MemberAddress { id, address: format!("127.0.0.1:{id}") }).collect();
        config.listen.address = "127.0.0.1:0".to_owned();
        config.storage.data_dir = dir.join("data");
        config.encryption.provider = Provider::Local;
        config.encryption.cmk_arn = cmk;
        config.encryption.local_dir = dir.join("kms");
        config.health.interval = Span::millis(50);
        config.health.confirm = Span::millis(20);
        config.check().unwrap();
        config
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_revocation_ends_a_member_that_waits_for_its_peers() {
        let dir = tempfile::tempdir().unwrap();
        let admin = LocalKmsAdmin::new(&dir.path().join("kms"));
        let cmk = admin.create(&Region::parse("eu-central-1").unwrap(), false).unwrap();
        let config = lonely(dir.path(), cmk.to_string());
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let life = tokio::spawn(async move { live(&config, stopped).await });
        let log = dir.path().join("data/raft/CURRENT");
        timeout(Duration::from_secs(60), async {
            // The log is opened after the unsealing; then the peers are asked.
            while !log.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        assert!(!life.is_finished(), "it waits for its peers");
        admin.disable(&cmk).unwrap();
        let ended = timeout(Duration::from_secs(60), life).await.unwrap().unwrap();
        assert_eq!(ended.exit, Exit::Revoked);
    }
}
