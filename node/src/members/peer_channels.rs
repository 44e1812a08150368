//! Connections to peers for calls about keys.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tonic::transport::Channel;

use crate::raft::lazy_channel;

/// One connection for each peer, made by its first call. Raft's connections are others: a call about keys may take
/// seconds, and no heartbeat may wait for it.
#[derive(Default)]
pub struct PeerChannels(Mutex<BTreeMap<u64, (String, Channel)>>);

impl PeerChannels {
    /// The connection to `peer` at `address` (`host:port`).
    ///
    /// # Errors
    /// The address cannot be one.
    pub fn get(&self, peer: u64, address: &str) -> Result<Channel, String> {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, channel)) = channels.get(&peer).filter(|(known, _)| known == address) {
            return Ok(channel.clone());
        }
        let channel = lazy_channel(address)?;
        channels.insert(peer, (address.to_owned(), channel.clone()));
        Ok(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_moved_gets_another_connection() {
        let channels = PeerChannels::default();
        channels.get(2, "127.0.0.1:9").unwrap();
        channels.get(2, "127.0.0.1:10").unwrap();
        assert_eq!(channels.0.lock().unwrap()[&2].0, "127.0.0.1:10");
        assert!(channels.get(3, "not an address").is_err());
    }
}
