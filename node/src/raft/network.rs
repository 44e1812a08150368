//! What openraft makes its clients with.

use std::sync::Arc;

use coffer_storage::raft::TypeConfig;
use openraft::{BasicNode, RaftNetworkFactory};

use super::{channels::Channels, peer::Peer, purpose::Purpose};
use crate::member::Member;

/// Makes a client for each peer and purpose. It never connects: the client does, when it is used.
pub struct Network {
    member: Arc<Member>,
    channels: Channels,
}

impl Network {
    /// The network as `member` sees it.
    pub fn new(member: Arc<Member>) -> Self {
        Self { member, channels: Channels::default() }
    }

    fn peer(&mut self, target: u64, node: &BasicNode, purpose: Purpose) -> Peer {
        let channel = self.channels.get(target, &node.addr, purpose);
        Peer::new(self.member.clone(), target, channel)
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, node, Purpose::Log)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, node, Purpose::Heartbeat)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, node, Purpose::Snapshot)
    }
}
