//! The life of a member, from its ports to its exit.
//!
//! Invariants:
//! - Whatever ends it comes back here as a value: nothing else in the daemon ends the process, a panic aside.
//! - The first failure of the log, of a database or of Raft ends the member: there are no half-alive ones.
//! - A stop has a deadline for each of its steps; the process ends when they are over, whatever still hangs.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::attend::attend;
use crate::boot::{self, BootError, DataDir, IdentityFile, Ports, Running};
use crate::config::{Config, StopSection};
use crate::exit::Exit;
use crate::member::{KmsStatus, Limits, Member, MemberIdentity, MemberState};
use crate::services::{HandOverError, hand_over};
use crate::signals::Signals;
use crate::{key_watch, metrics, server};

type Server = JoinHandle<Result<(), tonic::transport::Error>>;

/// How long calls may go on when storage has failed: long enough that they are answered with an error.
const FAILED_DRAIN: Duration = Duration::from_millis(200);

/// Lives; returns why the process ends.
pub(crate) async fn life(config: Config) -> Exit {
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be caught");
            return Exit::Internal;
        }
    };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let life = live(config, stopped);
    tokio::pin!(life);
    tokio::select! {
        exit = &mut life => return exit,
        signal = signals.next() => tracing::info!(signal, "stopping; a second signal ends the process at once"),
    }
    stop.send_replace(true);
    tokio::select! {
        exit = life => exit,
        signal = signals.next() => {
            tracing::warn!(signal, "ending at once");
            Exit::Killed
        }
    }
}

type Stop = tokio::sync::watch::Receiver<bool>;

async fn live(config: Config, mut stop: Stop) -> Exit {
    match start(&config, &mut stop).await {
        Ok(exit) => exit,
        Err(error) => {
            tracing::error!(%error, "this member does not start");
            error.exit()
        }
    }
}

/// Steps 4 to 7, then the rest of the boot while calls are answered.
async fn start(config: &Config, stop: &mut Stop) -> Result<Exit, BootError> {
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
    let member = Member::new(identity, Limits::from(&config.limits), kms_status(config));
    if let (Some(listener), Some(handle)) = (ports.metrics, metrics::start()) {
        tokio::spawn(metrics::serve(member.clone(), listener, handle));
    }
    let server = server::spawn(member.clone(), ports.grpc, config.listen.max_connections)
        .map_err(BootError::Internal)?;
    let booted = tokio::select! {
        booted = boot::bring_up(&member, config, &data_dir, &file, known) => booted,
        () = stopped(stop) => {
            stop_early(&member, "it was asked to stop", server, &config.stop).await;
            return Ok(Exit::Stopped);
        }
    };
    match booted {
        Ok(running) => Ok(serve(config, &member, running, server, stop).await),
        Err(error) => {
            // Said before the calls that run are waited for.
            tracing::error!(%error, "this member does not start");
            stop_early(&member, &error.to_string(), server, &config.stop).await;
            Ok(error.exit())
        }
    }
}

fn kms_status(config: &Config) -> KmsStatus {
    let encryption = &config.encryption;
    if !encryption.enabled {
        return KmsStatus::disabled();
    }
    KmsStatus {
        enabled: true,
        provider: encryption.provider.name(),
        cmk_arn: encryption.cmk_arn.clone(),
        region: encryption.region_list().first().map(ToString::to_string).unwrap_or_default(),
        ..KmsStatus::disabled()
    }
}

async fn stopped(stop: &mut Stop) {
    // The sender lives as long as this future.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Why a member that serves stops.
enum End {
    Asked,
    Revoked(String),
    Failed(String),
}

async fn serve(
    config: &Config,
    member: &Arc<Member>,
    running: Running,
    mut server: Server,
    stop: &mut Stop,
) -> Exit {
    let Running { raft, engine, log, checkpointer, key } = running;
    let watched = async {
        match key {
            Some(key) => key_watch::watch(member.clone(), key, config.health.clone()).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        never = attend(member, &raft, &config.cluster) => match never {},
        () = stopped(stop) => End::Asked,
        reason = watched => End::Revoked(reason),
        reason = log_failed(log.failed()) => End::Failed(format!("the Raft log: {reason}")),
        reason = raft_failed(&raft) => End::Failed(format!("Raft: {reason}")),
        ended = &mut server => End::Failed(format!("the server ended: {ended:?}")),
    };
    let exit = match &end {
        End::Asked => Exit::Stopped,
        End::Revoked(reason) => {
            tracing::error!(%reason, "this member shuts down");
            Exit::Revoked
        }
        End::Failed(reason) => {
            tracing::error!(%reason, "this member shuts down");
            Exit::Storage
        }
    };
    let reason = match end {
        End::Failed(reason) => {
            // Nothing is handed over, flushed or waited for: what the disk has is what the next start begins with.
            member.enter(MemberState::Stopping, reason);
            member.drain();
            drain(server, FAILED_DRAIN).await;
            return exit;
        }
        End::Asked => "it was asked to stop".to_owned(),
        End::Revoked(reason) => reason,
    };
    // Leadership first, while this member still answers its peers.
    match hand_over(&raft, None, config.stop.handover_timeout.0).await {
        Ok(leader) => tracing::info!(leader, "leadership is handed over"),
        Err(HandOverError::NotLeader(_)) => {}
        Err(error) => tracing::warn!(%error, "this member stops without handing leadership over"),
    }
    member.enter(MemberState::Stopping, reason);
    member.drain();
    drain(server, config.stop.drain_timeout.0).await;
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
    if timeout(config.stop.close_timeout.0, close).await.is_err() {
        tracing::warn!("storage did not close in time; nothing is lost by that: the log has everything");
    }
    exit
}

/// A member that does not serve has nothing to hand over and nothing to close.
async fn stop_early(member: &Member, reason: &str, server: Server, stop: &StopSection) {
    member.enter(MemberState::Stopping, reason);
    member.drain();
    drain(server, stop.drain_timeout.0).await;
}

async fn drain(mut server: Server, limit: Duration) {
    if timeout(limit, &mut server).await.is_err() {
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
