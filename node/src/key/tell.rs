//! Tells the peers of denials that are facts of the key.

use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::verdict::DeniedFact;
use coffer_proto::internal::v1 as pb;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::member::Member;
use crate::members::PeerCall;

/// How long a peer may take to hear of it.
const LIMIT: Duration = Duration::from_secs(2);

/// How long a member that shuts down waits for its peers to hear why: peers that are there answer within milliseconds, and those
/// that are not must not keep it alive.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Tells what is new at once, and what is not once in a while: a peer may have been away.
pub(crate) struct Teller {
    member: Arc<Member>,
    every: Duration,
    last: Option<(Instant, Vec<DeniedFact>)>,
    /// What is on its way.
    telling: JoinSet<()>,
}

impl Teller {
    pub(crate) fn new(member: Arc<Member>, every: Duration) -> Self {
        Self { member, every, last: None, telling: JoinSet::new() }
    }

    /// Tells all peers, without waiting for them.
    pub(crate) fn tell(&mut self, facts: &[DeniedFact]) {
        while self.telling.try_join_next().is_some() {}
        if facts.is_empty() {
            self.last = None;
            return;
        }
        let told = |(at, told): &(Instant, Vec<DeniedFact>)| told == facts && at.elapsed() < self.every;
        if self.last.as_ref().is_some_and(told) {
            return;
        }
        self.last = Some((Instant::now(), facts.to_vec()));
        let Some(key) = self.member.key().watched() else { return };
        for fact in facts {
            let Ok(cmk) = key.cmk.in_region(&fact.region) else { continue };
            let message = pb::DeniedFact {
                member_id: self.member.identity().member_id.0,
                region: fact.region.to_string(),
                cmk_arn: cmk.to_string(),
                key_state: fact.key_state.as_ref().map(|state| format!("{state:?}")).unwrap_or_default(),
                confirmed: fact.confirmed,
            };
            for peer in self.member.peers().into_keys() {
                self.telling.spawn(tell_one(self.member.clone(), peer, message.clone()));
            }
        }
    }

    /// Waits until the peers have heard the last word of a member that shuts down, for [`LAST_WORD`] at most.
    pub(crate) async fn finish(mut self) {
        let told = async { while self.telling.join_next().await.is_some() {} };
        if timeout(LAST_WORD, told).await.is_err() {
            tracing::info!("not all peers were told in time that the customer's key is denied");
        }
    }
}

async fn tell_one(member: Arc<Member>, peer: u64, message: pb::DeniedFact) {
    let told = match PeerCall::new(&member, peer, LIMIT) {
        Ok(mut call) => call.tell_denied(message).await,
        Err(error) => Err(error),
    };
    if let Err(error) = told {
        tracing::info!(peer, %error, "a peer could not be told that the customer's key is denied");
    }
}
