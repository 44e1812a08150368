//! WALs of one instance reach the disk in the order of their making.
//!
//! RocksDB begins a new WAL without syncing the one before. A power loss could then keep unsynced
//! records of the new WAL and lose older ones: a hole, which RocksDB refuses to open (it records in
//! each WAL how its predecessor ended), or, did it not, would show as later writes without earlier
//! ones. So before anything is written to a WAL, those made before it are synced. This costs one
//! sync for each WAL, which holds a memtable's worth of writes.
//!
//! Invariant: when a byte of a WAL is handed to the operating system, all that was appended to
//! older open WALs is on stable storage. (A WAL that is closed is durable or no longer needed.)

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::error::Result;
use super::file_traits::Writable;

/// The WALs of one instance that are open for writing, oldest first.
#[derive(Default)]
pub(super) struct WalOrder {
    open: Mutex<Vec<Weak<OrderedWal>>>,
}

impl WalOrder {
    /// Puts a WAL at the end of the order.
    pub(super) fn admit(self: &Arc<Self>, inner: Box<dyn Writable>) -> Arc<OrderedWal> {
        let wal = Arc::new(OrderedWal {
            inner,
            order: self.clone(),
            dirty: AtomicBool::new(false),
            syncing: Mutex::new(()),
        });
        self.lock().push(Arc::downgrade(&wal));
        wal
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<OrderedWal>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Open WALs older than `wal`.
    fn older(&self, wal: &OrderedWal) -> Vec<Arc<OrderedWal>> {
        let mut open = self.lock();
        if open.len() == 1 {
            return Vec::new();
        }
        open.retain(|weak| weak.strong_count() > 0);
        open.iter()
            .map_while(|weak| {
                let other = weak.upgrade();
                (!std::ptr::eq(weak.as_ptr(), wal)).then_some(other)
            })
            .flatten()
            .collect()
    }
}

/// A WAL that waits for the older ones.
pub(super) struct OrderedWal {
    inner: Box<dyn Writable>,
    order: Arc<WalOrder>,
    /// Something was appended since the last sync began.
    dirty: AtomicBool,
    /// Held while a sync runs, so that who finds nothing dirty knows that it is durable.
    syncing: Mutex<()>,
}

impl OrderedWal {
    fn sync_older(&self) -> Result<()> {
        self.order.older(self).iter().try_for_each(|older| older.sync_if_dirty())
    }

    fn sync_if_dirty(&self) -> Result<()> {
        let _turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.dirty.load(Ordering::Acquire) { self.sync_in_turn() } else { Ok(()) }
    }

    fn sync_in_turn(&self) -> Result<()> {
        self.dirty.store(false, Ordering::Release);
        self.inner.sync().inspect_err(|_| self.dirty.store(true, Ordering::Release))
    }
}

impl Writable for Arc<OrderedWal> {
    fn append(&self, data: &[u8]) -> Result<()> {
        self.sync_older()?;
        self.dirty.store(true, Ordering::Release);
        self.inner.append(data)
    }

    fn flush(&self) -> Result<()> {
        self.sync_older()?;
        self.inner.flush()
    }

    fn sync(&self) -> Result<()> {
        self.sync_older()?;
        let _turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.sync_in_turn()
    }

    fn close(&self) -> Result<()> {
        self.sync_older()?;
        self.inner.close()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }
}
