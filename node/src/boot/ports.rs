//! Step 4: the ports, bound before any serious work, so that a second member on the same address is noticed at once.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::BootError;
use crate::config::{Config, resolve};

/// The sockets of a member.
pub(crate) struct Ports {
    /// Clients and peers.
    pub(crate) grpc: TcpListener,
    /// Metrics, where they are served.
    pub(crate) metrics: Option<TcpListener>,
}

impl Ports {
    /// Binds them.
    pub(crate) async fn bind(config: &Config) -> Result<Self, BootError> {
        let grpc = bind("listen.address", config.listen_address()).await?;
        let metrics = match config.metrics.address.as_str() {
            "" => None,
            address => Some(bind("metrics.address", address).await?),
        };
        Ok(Self { grpc, metrics })
    }
}

async fn bind(option: &'static str, address: &str) -> Result<TcpListener, BootError> {
    let refuse = |why: String| BootError::Bind { option, address: address.to_owned(), why };
    let owned = address.to_owned();
    let resolved = tokio::task::spawn_blocking(move || resolve(&owned)).await;
    let addresses: Vec<SocketAddr> = resolved.map_err(|error| refuse(error.to_string()))?.map_err(refuse)?;
    TcpListener::bind(addresses.as_slice()).await.map_err(|error| refuse(error.to_string()))
}
