//! Tells the peers of denials that are facts of the key.

use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::verdict::DeniedFact;
use coffer_proto::internal::v1 as pb;
use tokio::time::Instant;

use crate::member::Member;
use crate::members::PeerCall;

/// How long a peer may take to hear of it. A member that shuts down has this much and more before it is gone.
const LIMIT: Duration = Duration::from_secs(2);

/// Tells what is new at once, and what is not once in a while: a peer may have been away.
pub(crate) struct Teller {
    member: Arc<Member>,
    every: Duration,
    last: Option<(Instant, Vec<DeniedFact>)>,
}

impl Teller {
    pub(crate) fn new(member: Arc<Member>, every: Duration) -> Self {
        Self { member, every, last: None }
    }

    /// Tells all peers, without waiting for them.
    pub(crate) fn tell(&mut self, facts: &[DeniedFact]) {
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
                tokio::spawn(tell_one(self.member.clone(), peer, message.clone()));
            }
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
