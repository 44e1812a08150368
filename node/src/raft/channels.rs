//! Connections to peers, made when they are first used and kept.

use std::{collections::BTreeMap, time::Duration};

use tonic::transport::{Channel, Endpoint};

use super::purpose::Purpose;

/// How long a connection may take to be made. A peer of the same replica set is a few milliseconds away; a dead host
/// answers nothing at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a connection is pinged: together with [`PING_TIMEOUT`] the time after which a peer that vanished without a
/// word (power, network) is noticed.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How long the answer to a ping may take before the connection is given up.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// Flow-control window of a stream: room for one append of its target size, so that a stream is not slowed to one
/// window for each round trip.
const STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// The connections to all peers: one for each purpose and peer, at most three times as many as members were ever known.
#[derive(Default)]
pub struct Channels(BTreeMap<(u64, Purpose), (String, Result<Channel, String>)>);

impl Channels {
    /// The connection to `target` at `address`. It is not made yet: the first call makes it. An address that cannot be
    /// one is told as text, because openraft has no way to hear of it here.
    pub fn get(&mut self, target: u64, address: &str, purpose: Purpose) -> Result<Channel, String> {
        let known = self.0.get(&(target, purpose)).filter(|(known, _)| known == address);
        if let Some((_, channel)) = known {
            return channel.clone();
        }
        let channel = lazy_channel(address);
        self.0.insert((target, purpose), (address.to_owned(), channel.clone()));
        channel
    }
}

/// A connection to `address` (`host:port`) that the first call makes.
///
/// # Errors
/// The address cannot be one.
pub fn lazy_channel(address: &str) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| format!("`{address}` is not an address of the form host:port: {error}"))?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES)
        .connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_one_is_told_and_does_not_stay() {
        let mut channels = Channels::default();
        assert!(channels.get(2, "not an address", Purpose::Log).is_err());
        assert!(channels.get(2, "127.0.0.1:9", Purpose::Log).is_ok());
        assert!(channels.get(2, "127.0.0.1:9", Purpose::Heartbeat).is_ok());
        assert_eq!(channels.0.len(), 2);
    }
}
