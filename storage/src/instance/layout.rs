//! Keys inside a database's instance. One column family holds everything, so that one memtable is flushed as a whole and
//! a crash never parts a document from the catalog that counts it.
//!
//! ```text
//! 'a'                                   AppliedRecord: the last entry that changed this instance
//! 'c' name                              CollectionRecord
//! 'd' collection id (4, BE) key         a document; key is the encoded _id
//! 'm'                                   RecordStoredMembership        (admin database only)
//! 'n'                                   next collection id (4, BE)
//! 'p' session (16) part (4, BE)         CommandResult of a part after the first
//! 'r' session (16)                      RetryRecord
//! 's' minute (8, BE) session (16)       empty: sessions by the minute of their last write, so that old ones are forgotten
//! 'D' name                              DatabaseRecord                (admin database only)
//! 'S' kind (4, BE) id                   SystemRecord                  (admin database only)
//! ```

/// Number of a collection within its database; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionId(pub u32);

/// Builds keys.
pub struct Key;

impl Key {
    /// The last entry that changed the instance.
    pub const APPLIED: &'static [u8] = b"a";
    /// The membership.
    pub const MEMBERSHIP: &'static [u8] = b"m";
    /// The next collection id.
    pub const NEXT_COLLECTION: &'static [u8] = b"n";
    /// Prefix of all collection records.
    pub const COLLECTIONS: &'static [u8] = b"c";
    /// Prefix of all database records.
    pub const DATABASES: &'static [u8] = b"D";
    /// Prefix of the sessions by time.
    pub const SESSIONS_BY_TIME: &'static [u8] = b"s";

    /// Prefix of all system records.
    pub const SYSTEM_RECORDS: &'static [u8] = b"S";

    /// A collection's record.
    pub fn collection(name: &str) -> Vec<u8> {
        [Self::COLLECTIONS, name.as_bytes()].concat()
    }

    /// A database's record.
    pub fn database(name: &str) -> Vec<u8> {
        [Self::DATABASES, name.as_bytes()].concat()
    }

    /// A system record; the prefix of all of a kind where `id` is empty.
    pub fn system(kind: u32, id: &str) -> Vec<u8> {
        [Self::SYSTEM_RECORDS, &kind.to_be_bytes(), id.as_bytes()].concat()
    }

    /// Prefix of a collection's documents.
    pub fn documents(collection: CollectionId) -> Vec<u8> {
        let mut key = Vec::with_capacity(5);
        key.push(b'd');
        key.extend_from_slice(&collection.0.to_be_bytes());
        key
    }

    /// A document.
    pub fn document(collection: CollectionId, id: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(5 + id.len());
        key.push(b'd');
        key.extend_from_slice(&collection.0.to_be_bytes());
        key.extend_from_slice(id);
        key
    }

    /// The encoded `_id` in a document's key.
    pub fn id_of(key: &[u8]) -> &[u8] {
        key.get(5..).unwrap_or_default()
    }

    /// A session's retry record.
    pub fn session(session: &[u8]) -> Vec<u8> {
        [b"r".as_slice(), session].concat()
    }

    /// The result of a later part of a session's last write.
    pub fn part(session: &[u8], part: u32) -> Vec<u8> {
        [b"p".as_slice(), session, &part.to_be_bytes()].concat()
    }

    /// A session in the order of time.
    pub fn session_by_time(minute: i64, session: &[u8]) -> Vec<u8> {
        [Self::SESSIONS_BY_TIME, &(minute.max(0) as u64).to_be_bytes(), session].concat()
    }

    /// The first key after all that start with `prefix`.
    pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
        let mut end = prefix.to_vec();
        while let Some(last) = end.last_mut() {
            if *last < 0xff {
                *last += 1;
                return end;
            }
            end.pop();
        }
        // Only a prefix of nothing but 0xff comes here, and no prefix of ours is one.
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_lies_after_all_its_keys() {
        assert_eq!(Key::after_prefix(b"d\0\0\0\x01"), b"d\0\0\0\x02");
        assert_eq!(Key::after_prefix(b"d\0\0\0\xff"), b"d\0\0\x01");
        assert_eq!(Key::after_prefix(b"c"), b"d");
    }

    #[test]
    fn sessions_sort_by_time() {
        assert!(Key::session_by_time(9, &[0xff; 16]) < Key::session_by_time(10, &[0; 16]));
    }
}
