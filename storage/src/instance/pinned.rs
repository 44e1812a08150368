//! A RocksDB snapshot that owns the instance it belongs to, so that it can be kept and sent between threads.
#![allow(unsafe_code)]

use std::sync::Arc;

use rocksdb::{DB, DBRawIterator, ReadOptions, Snapshot};

/// A view of an instance that later writes do not change.
///
/// # Invariant
/// `snapshot` borrows the database that `db` keeps alive; fields are dropped in this order.
pub struct Pinned {
    snapshot: Snapshot<'static>,
    db: Arc<DB>,
}

impl Pinned {
    /// Pins the present state.
    pub fn new(db: Arc<DB>) -> Self {
        let snapshot = db.snapshot();
        // SAFETY: the snapshot refers to the `DB` behind the `Arc`, whose address is stable and which `self.db` keeps
        // alive until after the snapshot is dropped. The extended lifetime never leaves this type: every borrow that
        // is handed out is bound to `&self`.
        let snapshot = unsafe { std::mem::transmute::<Snapshot<'_>, Snapshot<'static>>(snapshot) };
        Self { snapshot, db }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// RocksDB's.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, rocksdb::Error> {
        self.snapshot.get(key)
    }

    /// Iterates over the view within `lower..upper`, where given.
    pub fn iterate(&self, lower: Option<Vec<u8>>, upper: Option<Vec<u8>>, scan: bool) -> DBRawIterator<'_> {
        let mut options = ReadOptions::default();
        if let Some(lower) = lower {
            options.set_iterate_lower_bound(lower);
        }
        if let Some(upper) = upper {
            options.set_iterate_upper_bound(upper);
        }
        if scan {
            // A whole collection must not push what is often read out of the cache.
            options.fill_cache(false);
            options.set_readahead_size(256 << 10);
        }
        self.snapshot.raw_iterator_opt(options)
    }

    /// The database underneath.
    pub fn db(&self) -> &Arc<DB> {
        &self.db
    }
}
