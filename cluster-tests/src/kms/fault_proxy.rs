//! A proxy in front of one service of one Region.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::fault::{Fault, Service};
use super::http;

/// A proxy that forwards to the emulator, or fails as it is told to. Its tasks run on the runtime that it was given.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    fault: watch::Sender<Fault>,
    /// Whether the listener is as the fault wants it.
    listening: watch::Receiver<bool>,
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
}

struct Shared {
    service: Service,
    upstream: String,
    fault: watch::Receiver<Fault>,
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl FaultProxy {
    /// Listens on `port` of this machine and forwards to `upstream` (`host:port`).
    pub fn start(runtime: &Handle, service: Service, port: u16, upstream: &str) -> Self {
        let (fault, watched) = watch::channel(Fault::None);
        let (told, listening) = watch::channel(false);
        let counts = Arc::new(Mutex::new(BTreeMap::new()));
        let shared =
            Shared { service, upstream: upstream.to_owned(), fault: watched, counts: Arc::clone(&counts) };
        runtime.spawn(listen(port, Arc::new(shared), told));
        Self { port, fault, listening, counts }
    }

    /// Where members reach it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sets what it does from now on, and returns when that is so.
    ///
    /// # Errors
    /// Where the port cannot be bound again.
    pub async fn set(&self, fault: Fault) -> anyhow::Result<()> {
        self.fault.send_replace(fault);
        let wanted = fault != Fault::Refused;
        let mut listening = self.listening.clone();
        let settled = listening.wait_for(|listening| *listening == wanted);
        tokio::time::timeout(Duration::from_secs(10), settled)
            .await
            .with_context(|| format!("the proxy on port {} did not become {fault:?}", self.port))?
            .context("the proxy ended")?;
        Ok(())
    }

    /// How many requests it saw, forwarded or not.
    pub fn requests(&self) -> u64 {
        lock(&self.counts).values().sum()
    }

    /// How many asked for `operation`.
    pub fn count(&self, operation: &str) -> u64 {
        lock(&self.counts).get(operation).copied().unwrap_or_default()
    }
}

fn lock(counts: &Mutex<BTreeMap<String, u64>>) -> MutexGuard<'_, BTreeMap<String, u64>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the port bound while the fault is not that it is closed. Ends with the proxy.
async fn listen(port: u16, shared: Arc<Shared>, told: watch::Sender<bool>) {
    let mut fault = shared.fault.clone();
    loop {
        if fault.wait_for(|fault| *fault != Fault::Refused).await.is_err() {
            return;
        }
        let Ok(listener) = bind(port) else {
            // A connection of before may still hold it for a moment.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        told.send_replace(true);
        loop {
            tokio::select! {
                closed = fault.wait_for(|fault| *fault == Fault::Refused) => {
                    if closed.is_err() {
                        return;
                    }
                    break;
                }
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        }
        drop(listener);
        told.send_replace(false);
    }
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(1024)
}

/// Serves one connection until it ends, or its fault ends it.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut fault = shared.fault.clone();
    loop {
        let hard = |fault: &Fault| matches!(fault, Fault::Refused | Fault::Reset);
        let request = tokio::select! {
            _ = fault.wait_for(hard) => return reset(&stream),
            request = http::read(&mut stream) => request,
        };
        let Ok(Some(request)) = request else { return };
        *lock(&shared.counts).entry(request.operation()).or_default() += 1;
        let now = *fault.borrow();
        let answer = match now {
            Fault::None => forward(&shared.upstream, &request.bytes).await,
            Fault::Slow(pause) => {
                tokio::time::sleep(pause).await;
                forward(&shared.upstream, &request.bytes).await
            }
            Fault::Error { status, code } => Some(shared.service.error(status, code)),
            Fault::Garbage => Some(b"SSH-2.0-OpenSSH\r\n".to_vec()),
            Fault::BlackHole => {
                // What was asked in the dark is never answered.
                let _ = fault.wait_for(|fault| *fault != Fault::BlackHole).await;
                return;
            }
            Fault::Refused | Fault::Reset => return reset(&stream),
        };
        let Some(answer) = answer else { return };
        if stream.write_all(&answer).await.is_err() || now == Fault::Garbage {
            return;
        }
    }
}

/// Makes the drop of a connection a reset.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn forward(upstream: &str, request: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream).await.ok()?;
    stream.write_all(request).await.ok()?;
    Some(http::read(&mut stream).await.ok()??.bytes)
}
