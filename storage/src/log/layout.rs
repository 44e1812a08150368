//! Keys and values of the log instance.
//!
//! ```text
//! 'l' index (8, BE)     total (8, BE) | LogEntry      total: bytes of all entries ever written up to and with this one
//! 'k' generation (8)    CheckpointRecord
//! 'p' member (8, BE)    PeerRecord
//! "mc"                  StoredLogId: committed
//! "mp"                  StoredLogId: purged; "mt": its total (8, BE)
//! "mm"                  RecordStoredMembership: the last that was applied
//! "ms"                  StoredLogId: drops of databases through this index are shredded; its term means nothing
//! "mv"                  StoredVote
//! ```
//!
//! The running total makes the size of any range of the log the difference of two reads.

/// Builds keys.
pub struct LogKey;

impl LogKey {
    /// The vote.
    pub const VOTE: &'static [u8] = b"mv";
    /// The committed log id.
    pub const COMMITTED: &'static [u8] = b"mc";
    /// The purged log id.
    pub const PURGED: &'static [u8] = b"mp";
    /// The running total at the purged log id.
    pub const PURGED_TOTAL: &'static [u8] = b"mt";
    /// The index through which drops of databases are shredded.
    pub const SHREDDED: &'static [u8] = b"ms";
    /// The last membership that was applied.
    pub const MEMBERSHIP: &'static [u8] = b"mm";
    /// The first key after all entries.
    pub const ENTRIES_END: &'static [u8] = b"m";
    /// Prefix of the peer records.
    pub const PEERS: &'static [u8] = b"p";
    /// Prefix of the checkpoint records.
    pub const CHECKPOINTS: &'static [u8] = b"k";

    /// An entry.
    pub fn entry(index: u64) -> [u8; 9] {
        Self::numbered(b'l', index)
    }

    /// The index in an entry's key.
    pub fn index_of(key: &[u8]) -> Option<u64> {
        let (prefix, index) = key.split_first()?;
        (*prefix == b'l').then_some(())?;
        Some(u64::from_be_bytes(index.try_into().ok()?))
    }

    /// The checkpoint of a generation.
    pub fn checkpoint(generation: u64) -> [u8; 9] {
        Self::numbered(b'k', generation)
    }

    /// What is remembered of a peer.
    pub fn peer(member: u64) -> [u8; 9] {
        Self::numbered(b'p', member)
    }

    fn numbered(prefix: u8, number: u64) -> [u8; 9] {
        let mut key = [prefix; 9];
        key[1..].copy_from_slice(&number.to_be_bytes());
        key
    }
}

/// Splits the value of an entry into its running total and the encoded entry.
pub fn split_entry(value: &[u8]) -> Option<(u64, &[u8])> {
    let (total, entry) = value.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*total), entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_sort_by_index_and_end_before_the_rest() {
        assert!(LogKey::entry(255) < LogKey::entry(256));
        assert!(LogKey::entry(u64::MAX).as_slice() < LogKey::ENTRIES_END);
        assert_eq!(LogKey::index_of(&LogKey::entry(77)), Some(77));
        assert_eq!(LogKey::index_of(LogKey::VOTE), None);
    }
}
