//! Step 12: the peers are asked what they remember of this member, before Raft runs.
//!
//! They answer as soon as their logs are open, which needs no leader and no majority, so that a cold start of a whole
//! replica set does not wait for itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coffer_proto::internal::v1::PeerStamp;
use coffer_storage::LogStore;
use coffer_storage::raft::wire;
use futures::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::BootError;
use super::recall_rule::{RecallRule, RecallVerdict, StartSet};
use crate::config::ClusterSection;
use crate::member::{Member, MemberState};
use crate::raft::ask_recall;

/// The shortest time from one round to the next: peers that refuse connections are not asked in a tight loop.
const MIN_ROUND: Duration = Duration::from_millis(200);

/// The peers of a starting member, and how they are asked.
pub(crate) struct Peers {
    member: Arc<Member>,
    addresses: BTreeMap<u64, String>,
    limit: Duration,
    rule: RecallRule,
    next_round: Option<Instant>,
}

impl Peers {
    /// The other voters: those of the membership that the log knows, or, before there is one, the configured members.
    pub(crate) fn new(
        member: Arc<Member>,
        log: &LogStore,
        cluster: &ClusterSection,
        incarnation: u64,
        limit: Duration,
    ) -> Self {
        let own_id = member.identity().member_id.0;
        let mut addresses = voters(log);
        if addresses.is_empty() {
            addresses = cluster.members.iter().map(|member| (member.id, member.address.clone())).collect();
        }
        addresses.remove(&own_id);
        let own = PeerStamp {
            incarnation,
            vote: log.vote().as_ref().map(wire::vote_to_pb),
            flushed: log.last_log_id().as_ref().map(wire::log_id_to_pb),
        };
        let rule = RecallRule::new(own, addresses.keys().copied().collect());
        Self { member, addresses, limit, rule, next_round: None }
    }

    /// Asks until the answers make a majority with this member.
    pub(crate) async fn ask_majority(&mut self) -> Result<(), BootError> {
        while let RecallVerdict::Ask(silent) = self.rule.verdict() {
            self.round(&silent, "it goes on when a majority, itself counted, has said what it remembers")
                .await?;
        }
        Ok(())
    }

    /// Asks until every peer has said that there is no replica set yet, or one that there is. True: this member starts it.
    pub(crate) async fn ask_to_start_set(&mut self) -> Result<bool, BootError> {
        loop {
            match self.rule.may_start_set() {
                StartSet::Now => return Ok(true),
                StartSet::Exists { peer } => {
                    tracing::info!(
                        peer,
                        "the replica set exists already: this member waits to be added to it"
                    );
                    return Ok(false);
                }
                StartSet::Ask(silent) => {
                    self.round(&silent, "a new replica set is started once all its members have answered")
                        .await?;
                }
            }
        }
    }

    async fn round(&mut self, silent: &[u64], why: &str) -> Result<(), BootError> {
        if let Some(next) = self.next_round {
            sleep_until(next).await;
        }
        self.next_round = Some(Instant::now() + MIN_ROUND);
        let names: Vec<_> = silent.iter().map(|peer| self.name(*peer)).collect();
        self.member.enter(MemberState::Recovering, format!("it waits for {}: {why}", names.join(", ")));
        let identity = self.member.identity();
        let limit = self.limit;
        let asked = silent.iter().map(|peer| {
            let address = self.addresses.get(peer).map_or("", String::as_str);
            async move { (*peer, ask_recall(identity, *peer, address, limit).await) }
        });
        for (peer, answer) in join_all(asked).await {
            match answer {
                Ok(answer) => self.rule.heard(peer, &answer)?,
                Err(error) => tracing::debug!(peer, %error, "no answer"),
            }
        }
        Ok(())
    }

    fn name(&self, peer: u64) -> String {
        match self.addresses.get(&peer) {
            Some(address) => format!("member {peer} at {address}"),
            None => format!("member {peer}"),
        }
    }
}

fn voters(log: &LogStore) -> BTreeMap<u64, String> {
    let Some(stored) = log.known_membership() else { return BTreeMap::new() };
    let membership = stored.membership();
    membership
        .voter_ids()
        .filter_map(|id| membership.get_node(&id).map(|node| (id, node.addr.clone())))
        .collect()
}
