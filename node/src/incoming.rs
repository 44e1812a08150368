//! Connections as they come, no more than so many at once.
//!
//! Invariant: a connection that does not begin to speak HTTP/2 in time is closed, or anybody could hold every place by
//! opening connections and saying nothing. When the member drains that time is over: hyper cannot end a connection in order
//! before it has begun, and a stop would wait for it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long accepting rests after it failed: the usual reason is that files have run out, which passes.
const REST: Duration = Duration::from_millis(100);

/// Length of what every HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE_LEN: usize = 24;

/// A connection that holds its place until it is closed.
pub(crate) struct Connection {
    stream: TcpStream,
    preface: Option<Preface>,
    _place: OwnedSemaphorePermit,
}

/// The first bytes of a connection, while they are awaited.
struct Preface {
    missing: usize,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// A future that has ended must not be asked again.
    is_over: bool,
}

/// Accepts connections; beyond `most` they wait in the system's queue. Each has `limit` to send its first bytes, and only
/// until `draining`.
pub(crate) fn incoming(
    listener: TcpListener,
    most: usize,
    limit: Duration,
    draining: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    stream::unfold((listener, places), move |(listener, places)| {
        let draining = draining.clone();
        async move {
            let place = places.clone().acquire_owned().await.ok()?;
            let stream = loop {
                match listener.accept().await {
                    Ok((stream, _)) => break stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(REST).await;
                    }
                }
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY");
            }
            let draining = draining.cancelled_owned();
            let over = async move {
                tokio::select! {
                    () = sleep(limit) => {}
                    () = draining => {}
                }
            };
            let preface = Some(Preface { missing: PREFACE_LEN, over: Box::pin(over), is_over: false });
            Some((Ok(Connection { stream, preface, _place: place }), (listener, places)))
        }
    })
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(preface) = &mut this.preface else { return Pin::new(&mut this.stream).poll_read(cx, buf) };
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        preface.missing = preface.missing.saturating_sub(buf.filled().len() - before);
        if preface.missing == 0 {
            this.preface = None;
        } else if preface.is_over || preface.over.as_mut().poll(cx).is_ready() {
            preface.is_over = true;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_connection_that_says_too_little_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections =
            Box::pin(incoming(listener, 1, Duration::from_millis(50), CancellationToken::new()));
        for said in [&b""[..], b"PRI * HTTP/2"] {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(said).await.unwrap();
            let mut held = timeout(LONG, connections.next()).await.unwrap().unwrap().unwrap();
            for _ in 0..2 {
                let mut bytes = Vec::new();
                let read = timeout(LONG, held.read_to_end(&mut bytes)).await.unwrap();
                assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut, "after {} bytes", said.len());
            }
        }
    }

    #[tokio::test]
    async fn a_connection_that_began_may_be_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Box::pin(incoming(listener, 1, LONG, CancellationToken::new()));
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut held = connections.next().await.unwrap().unwrap();
        for part in [&b"PRI * HTTP/2"[..], b".0\r\n\r\nSM\r\n\r\n"] {
            client.write_all(part).await.unwrap();
            held.read_exact(&mut vec![0; part.len()]).await.unwrap();
        }
        assert!(held.preface.is_none(), "nothing limits it any more");
    }

    #[tokio::test]
    async fn a_connection_too_many_waits_for_a_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Box::pin(incoming(listener, 1, LONG, CancellationToken::new()));
        let _first = TcpStream::connect(address).await.unwrap();
        let held = connections.next().await.unwrap().unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        assert!(timeout(Duration::from_millis(50), connections.next()).await.is_err());
        drop(held);
        assert!(timeout(Duration::from_secs(10), connections.next()).await.unwrap().unwrap().is_ok());
    }
}
