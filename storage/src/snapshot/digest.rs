//! The hash of a database in a snapshot: SHA-256 over column family (4, BE), key length (4, BE), key, value length
//! (4, BE), value of every entry, in key order.

use coffer_proto::internal::v1::SnapshotDatabase;
use sha2::{Digest, Sha256};

/// Counts and hashes the entries of one database.
pub struct DatabaseDigest {
    database: u64,
    entries: u64,
    hasher: Sha256,
}

impl DatabaseDigest {
    /// Begins with a database.
    pub fn new(database: u64) -> Self {
        Self { database, entries: 0, hasher: Sha256::new() }
    }

    /// The database.
    pub fn database(&self) -> u64 {
        self.database
    }

    /// Takes an entry in.
    pub fn add(&mut self, column_family: u32, key: &[u8], value: &[u8]) {
        self.entries += 1;
        self.hasher.update(column_family.to_be_bytes());
        for part in [key, value] {
            // Keys and values are far below 4 GiB.
            self.hasher.update((part.len() as u32).to_be_bytes());
            self.hasher.update(part);
        }
    }

    /// The line of the trailer.
    pub fn finish(self) -> SnapshotDatabase {
        SnapshotDatabase {
            database_id: self.database,
            entries: self.entries,
            hash: self.hasher.finalize().to_vec().into(),
        }
    }
}
