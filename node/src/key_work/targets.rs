//! What every member has to have done to its keys: the system record `targets`.
//!
//! Work is not queued. Each request takes the next *round*, and the record says which round each kind of work has to have
//! reached; a member's own keystore says which it has. So a request that comes while an earlier one is under way replaces
//! it, a member that was away does the last one only, and a new leader knows all that there is to know.
//!
//! Invariants:
//! - A round is given out once: `last_round` only grows.
//! - A customer key stays among the old ones until no member depends on it.
//! - The record is bounded, whatever is asked for: see the limits.

use coffer_keyring::kms::KeyArn;
use coffer_proto::internal::v1::{DatabaseRound, KeyTargetsRecord, MemberRound};
use coffer_storage::raft::wire::{self, FORMAT, WireError};
use prost::Message;

/// Databases whose keys are rotated at once: with some 30 bytes each, half of what a system record may hold.
const MAX_DATABASES: usize = 1000;

/// Members with a round of their own: more than a replica set has.
const MAX_MEMBERS: usize = 100;

/// Replaced customer keys that a member may still depend on.
const MAX_OLD_CMKS: usize = 16;

/// What every member has to have done to its keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyTargets(KeyTargetsRecord);

/// A request that cannot be taken on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetsError {
    /// Too much is under way.
    #[error(
        "the keys of {MAX_DATABASES} databases are being rotated already: wait until some are done (`coffer keys progress`)"
    )]
    Databases,
    /// As above, of members.
    #[error(
        "{MAX_MEMBERS} members have rotations of their own: rotate the master keys of all members instead"
    )]
    Members,
    /// As above, of customer keys.
    #[error(
        "members still depend on {MAX_OLD_CMKS} customer keys that were replaced: wait until they have finished with \
         some (`coffer keys progress`)"
    )]
    OldCmks,
}

impl Default for KeyTargets {
    fn default() -> Self {
        Self(KeyTargetsRecord { format: FORMAT, ..KeyTargetsRecord::default() })
    }
}

impl KeyTargets {
    /// Reads the record.
    ///
    /// # Errors
    /// The bytes are no such record, or one of a later version.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, WireError> {
        Ok(Self(wire::decode("the record of key targets", value, |record: &KeyTargetsRecord| record.format)?))
    }

    /// The bytes to store.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// The record.
    pub(crate) fn record(&self) -> &KeyTargetsRecord {
        &self.0
    }

    /// The round that the master key of `member` has to have reached.
    pub(crate) fn master_round(&self, member: u64) -> u64 {
        let own = self.0.members.iter().find(|own| own.member_id == member);
        own.map_or(0, |own| own.round).max(self.0.master_round)
    }

    /// New master keys: for every member, or for one. Answers the round.
    ///
    /// # Errors
    /// Too many members have rounds of their own.
    pub(crate) fn request_master_round(
        &mut self,
        member: Option<u64>,
        now_ms: i64,
    ) -> Result<u64, TargetsError> {
        match member {
            None => Ok(self.request_all_masters(now_ms)),
            Some(member) => self.request_one_master(member, now_ms),
        }
    }

    /// New master keys for every member. Answers the round.
    pub(crate) fn request_all_masters(&mut self, now_ms: i64) -> u64 {
        // The round of all is later than any of a single member.
        self.0.members.clear();
        self.0.master_round = self.next_round();
        self.0.master_requested_ms = now_ms;
        self.0.master_round
    }

    fn request_one_master(&mut self, member: u64, now_ms: i64) -> Result<u64, TargetsError> {
        let known = self.0.members.iter().position(|own| own.member_id == member);
        if known.is_none() && self.0.members.len() >= MAX_MEMBERS {
            return Err(TargetsError::Members);
        }
        let round = self.next_round();
        let own = MemberRound { member_id: member, round, requested_ms: now_ms };
        match known {
            Some(position) => self.0.members[position] = own,
            None => self.0.members.push(own),
        }
        Ok(round)
    }

    /// New master keys under a new customer key, for every member. `old` is the key that it replaces. Answers the round.
    ///
    /// # Errors
    /// Members depend on too many old keys.
    pub(crate) fn request_cmk_round(
        &mut self,
        old: &KeyArn,
        new: &KeyArn,
        now_ms: i64,
    ) -> Result<u64, TargetsError> {
        let mut olds = self.0.old_cmk_arns.clone();
        // The way back: what is current again is not old any more.
        olds.retain(|arn| !names(arn, new));
        if !old.is_same_key(new) && !olds.iter().any(|arn| names(arn, old)) {
            olds.push(old.to_string());
        }
        if olds.len() > MAX_OLD_CMKS {
            return Err(TargetsError::OldCmks);
        }
        self.0.old_cmk_arns = olds;
        self.0.cmk_requested_ms = now_ms;
        Ok(self.request_all_masters(now_ms))
    }

    /// A new key for a database, on every member. Answers the round.
    ///
    /// # Errors
    /// The keys of too many databases are being rotated.
    pub(crate) fn request_database_round(
        &mut self,
        database_id: u64,
        now_ms: i64,
    ) -> Result<u64, TargetsError> {
        let known = self.0.databases.iter().position(|database| database.database_id == database_id);
        if known.is_none() && self.0.databases.len() >= MAX_DATABASES {
            return Err(TargetsError::Databases);
        }
        let round = self.next_round();
        let database = DatabaseRound { database_id, round, requested_ms: now_ms };
        match known {
            Some(position) => self.0.databases[position] = database,
            None => self.0.databases.push(database),
        }
        Ok(round)
    }

    /// Everything sealed or in the clear, on every member. Answers the round: the present one where that is asked for
    /// already.
    pub(crate) fn request_encryption(&mut self, enabled: bool, now_ms: i64) -> u64 {
        if self.0.encryption_round == 0 || self.0.encryption_enabled != enabled {
            self.0.encryption_round = self.next_round();
            self.0.encryption_enabled = enabled;
            self.0.encryption_requested_ms = now_ms;
        }
        self.0.encryption_round
    }

    /// Scheduled rotations begin not before `until_ms`; 0 takes a deferral back.
    pub(crate) fn defer(&mut self, until_ms: i64) {
        self.0.deferred_until_ms = until_ms;
    }

    /// Notes customer keys that members depend on and that are not the settings' one, as far as there is room. Whether one
    /// is new.
    pub(crate) fn note_old_cmks(&mut self, arns: &[String]) -> bool {
        let before = self.0.old_cmk_arns.len();
        for arn in arns {
            if self.0.old_cmk_arns.len() < MAX_OLD_CMKS && !self.0.old_cmk_arns.contains(arn) {
                self.0.old_cmk_arns.push(arn.clone());
            }
        }
        self.0.old_cmk_arns.len() > before
    }

    /// Forgets replaced customer keys on which nobody depends, by their ARNs.
    pub(crate) fn forget_old_cmks(&mut self, arns: &[String]) {
        self.0.old_cmk_arns.retain(|arn| !arns.contains(arn));
    }

    /// Forgets databases whose rotation every member has finished, or that are dropped. `done` holds the round that was
    /// finished: one that was asked for meanwhile stays.
    pub(crate) fn forget_databases(&mut self, done: &[(u64, u64)]) {
        self.0.databases.retain(|database| !done.contains(&(database.database_id, database.round)));
    }

    /// Forgets the rounds of single members, where they are done or the member is gone; as
    /// [`KeyTargets::forget_databases`].
    pub(crate) fn forget_members(&mut self, done: &[(u64, u64)]) {
        self.0.members.retain(|own| !done.contains(&(own.member_id, own.round)));
    }

    /// It is the turn of `member`, to which `restarts` says whether it restarts itself.
    pub(crate) fn give_turn(&mut self, member: u64, restarts: bool) {
        self.0.turn_member = member;
        self.0.turn_restarts = restarts;
    }

    fn next_round(&mut self) -> u64 {
        // At a million rounds a second it would last half a million years.
        self.0.last_round += 1;
        self.0.last_round
    }
}

/// Whether an ARN of the record names `key`, in whatever Region.
fn names(arn: &str, key: &KeyArn) -> bool {
    KeyArn::parse(arn).is_ok_and(|arn| arn.is_same_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmk(number: usize) -> KeyArn {
        KeyArn::parse(&format!("arn:aws:kms:eu-central-1:111122223333:key/mrk-{number:032x}")).unwrap()
    }

    #[test]
    fn a_request_takes_the_next_round_and_replaces_the_earlier_one() {
        let mut targets = KeyTargets::default();
        assert_eq!(targets.request_master_round(None, 10), Ok(1));
        assert_eq!(targets.request_master_round(Some(2), 11), Ok(2));
        assert_eq!((targets.master_round(1), targets.master_round(2)), (1, 2));
        assert_eq!(targets.request_master_round(Some(2), 12), Ok(3));
        assert_eq!(targets.record().members.len(), 1);
        assert_eq!(targets.request_database_round(7, 13), Ok(4));
        assert_eq!(targets.request_database_round(7, 14), Ok(5));
        assert_eq!(targets.record().databases.len(), 1);
        assert_eq!(targets.request_master_round(None, 15), Ok(6));
        assert!(targets.record().members.is_empty(), "the round of all is the latest");
        assert_eq!((targets.master_round(2), targets.record().master_requested_ms), (6, 15));
        assert_eq!(KeyTargets::decode(&targets.encode()).unwrap(), targets);
    }

    #[test]
    fn a_replaced_customer_key_is_old_until_it_is_forgotten_or_comes_back() {
        let mut targets = KeyTargets::default();
        assert_eq!(targets.request_cmk_round(&cmk(1), &cmk(2), 10), Ok(1));
        assert_eq!(targets.request_cmk_round(&cmk(2), &cmk(3), 11), Ok(2));
        assert_eq!(targets.record().old_cmk_arns, [cmk(1).to_string(), cmk(2).to_string()]);
        assert_eq!((targets.record().master_round, targets.record().cmk_requested_ms), (2, 11));
        assert_eq!(targets.request_cmk_round(&cmk(3), &cmk(1), 12), Ok(3));
        assert_eq!(targets.record().old_cmk_arns, [cmk(2).to_string(), cmk(3).to_string()]);
        targets.forget_old_cmks(&[cmk(2).to_string()]);
        assert_eq!(targets.record().old_cmk_arns, [cmk(3).to_string()]);
    }

    #[test]
    fn encryption_that_is_asked_for_already_keeps_its_round() {
        let mut targets = KeyTargets::default();
        assert_eq!(targets.request_encryption(false, 10), 1);
        assert_eq!(targets.request_encryption(false, 11), 1);
        assert_eq!(targets.request_encryption(true, 12), 2);
        assert_eq!(targets.record().encryption_requested_ms, 12);
    }

    #[test]
    fn only_the_round_that_was_finished_is_forgotten() {
        let mut targets = KeyTargets::default();
        let first = targets.request_database_round(7, 10).unwrap();
        let second = targets.request_database_round(7, 11).unwrap();
        let own = targets.request_master_round(Some(3), 12).unwrap();
        targets.forget_databases(&[(7, first)]);
        assert_eq!(targets.record().databases.len(), 1);
        targets.forget_databases(&[(7, second)]);
        targets.forget_members(&[(3, own)]);
        assert!(targets.record().databases.is_empty() && targets.record().members.is_empty());
    }

    #[test]
    fn the_record_is_bounded_and_refuses_without_a_change() {
        let mut targets = KeyTargets::default();
        for database in 0..MAX_DATABASES as u64 {
            targets.request_database_round(u64::MAX - database, i64::MAX).unwrap();
        }
        for member in 0..MAX_MEMBERS as u64 {
            targets.request_master_round(Some(member), i64::MAX).unwrap();
        }
        let before = targets.clone();
        assert_eq!(targets.request_database_round(1, 1), Err(TargetsError::Databases));
        assert_eq!(targets.request_master_round(Some(1000), 1), Err(TargetsError::Members));
        assert_eq!(targets, before);
        for number in 0..MAX_OLD_CMKS {
            targets.request_cmk_round(&cmk(number), &cmk(number + 1), 1).unwrap();
        }
        let before = targets.clone();
        let one_more = targets.request_cmk_round(&cmk(MAX_OLD_CMKS), &cmk(MAX_OLD_CMKS + 1), 1);
        assert_eq!(one_more, Err(TargetsError::OldCmks));
        assert_eq!(targets, before);
        // Of the 64 KiB that a system record may have.
        assert!(targets.encode().len() < 40 << 10, "{} bytes", targets.encode().len());
    }

    #[test]
    fn bytes_of_a_later_version_are_refused() {
        let later = KeyTargetsRecord { format: FORMAT + 1, ..KeyTargetsRecord::default() };
        assert!(matches!(KeyTargets::decode(&later.encode_to_vec()), Err(WireError::Format { .. })));
    }
}
