//! Step 8: whether the key that a keystore names is the right one.
//!
//! A keystore that was not unwrapped yet can be anybody's: whoever can write the disk could plant one under a key of their own,
//! and this member would seal everything from then on for them. So its key must be the configured one, or
//! - be named by peers, such that with this member's own keystore a majority of the known members names it: the replica set
//!   changed its key, and the configuration file was left as it was;
//! - or be trusted by an operator (`coffer kms trust --cmk`), until the process ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::SealedKeystore;
use coffer_keyring::kms::{KeyArn, help_codes};
use futures::future::join_all;
use tokio::time::sleep;

use crate::member::{Member, MemberState};
use crate::members::PeerCall;

/// How long a peer may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Vouches for keystores.
pub(super) struct Vouch<'a> {
    pub(super) member: &'a Arc<Member>,
    pub(super) pause_min: Duration,
    pub(super) pause_max: Duration,
}

impl Vouch<'_> {
    /// Waits until the keystore's key is vouched for.
    pub(super) async fn until_vouched(&self, sealed: &SealedKeystore) {
        let key = self.member.key();
        let mut changes = key.changes();
        let mut pause = self.pause_min;
        loop {
            let own: Vec<_> = key.config().cmk().into_iter().chain(key.trusted()).collect();
            let Err(refused) = sealed.vouch(&own) else { return };
            let named = self.named_by_peers().await;
            if sealed.vouch(&named).is_ok() {
                tracing::info!(
                    cmk = %sealed.wrap_info().cmk,
                    "the keystore is under another key than the configured one, which the replica set names as its own"
                );
                return;
            }
            let reason = format!(
                "{refused}, and too few members name it as the replica set's; it asks them again. If it is the right key, say \
                 so: `coffer kms trust --cmk {}` [{}]",
                sealed.wrap_info().cmk,
                help_codes::OTHER_KEY
            );
            self.member.enter(MemberState::Sealed, reason);
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(self.pause_max),
                // The sender lives as long as the key that is held here.
                Ok(()) = changes.changed() => {}
            }
        }
    }

    /// The keys that a majority of the known members names, this member's own keystore counted for whichever it is.
    pub(super) async fn named_by_peers(&self) -> Vec<KeyArn> {
        let peers: Vec<u64> = self.member.peers().into_keys().collect();
        let answers = join_all(peers.iter().map(|peer| async move {
            let answer = match PeerCall::new(self.member, *peer, LIMIT) {
                Ok(mut call) => call.name_key().await,
                Err(error) => Err(error),
            };
            answer.inspect_err(|error| tracing::debug!(peer, %error, "no answer")).ok()
        }));
        let named = answers.await.into_iter().flatten().map(|answer| answer.cmk_arns).collect();
        agreed(named, peers.len())
    }
}

/// The keys that enough of `peers` peers name, each of which named those of one entry.
fn agreed(named: Vec<Vec<String>>, peers: usize) -> Vec<KeyArn> {
    let mut voices: BTreeMap<String, (KeyArn, usize)> = BTreeMap::new();
    for arns in named {
        // One member has one voice for a key, however many of its Regions it names.
        let mut keys: Vec<KeyArn> = Vec::new();
        for arn in arns.iter().filter_map(|arn| KeyArn::parse(arn).ok()) {
            if !keys.iter().any(|known| known.is_same_key(&arn)) {
                keys.push(arn);
            }
        }
        for key in keys {
            let name = if key.is_multi_region() { key.id().to_owned() } else { key.to_string() };
            voices.entry(name).or_insert((key, 0)).1 += 1;
        }
    }
    let enough = |voices: usize| voices > 0 && 2 * (voices + 1) > peers + 1;
    voices.into_values().filter(|(_, voices)| enough(*voices)).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MULTI: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";

    fn count(named: &[&[&str]], peers: usize) -> usize {
        let named = named.iter().map(|arns| arns.iter().map(|arn| (*arn).to_owned()).collect()).collect();
        agreed(named, peers).len()
    }

    #[test]
    fn a_majority_of_the_known_members_is_needed_and_never_none() {
        assert_eq!(count(&[], 0), 0, "a member that has no peers cannot vouch for itself");
        assert_eq!(count(&[&[MULTI]], 1), 1);
        assert_eq!(count(&[&[MULTI]], 2), 1, "two of three");
        assert_eq!(count(&[&[MULTI]], 3), 0, "two of four");
        assert_eq!(count(&[&[MULTI], &[MULTI]], 4), 1, "three of five");
        assert_eq!(count(&[&[]], 2), 0);
    }

    #[test]
    fn one_member_has_one_voice_for_a_key() {
        let west = MULTI.replace("eu-central-1", "eu-west-1");
        assert_eq!(count(&[&[MULTI, &west, MULTI]], 3), 0);
        assert_eq!(count(&[&[MULTI], &[&west]], 3), 1, "a multi-Region key is one key");
        assert_eq!(count(&[&["nonsense"]], 1), 0);
    }
}
