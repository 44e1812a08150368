//! Brings every file of an open instance under its newest key, while it is read and written.
//!
//! A new file is sealed under the newest key. So it is enough to make RocksDB replace all that it has: tables by a
//! compaction of everything, the rest by [`begin_new_files`].

use std::{collections::BTreeSet, path::PathBuf};

use rocksdb::{BottommostLevelCompaction, CompactOptions, DB, WriteBatch};

use super::{live, opener::MANIFEST_BYTES};
use crate::error::StorageError;

/// A key that no instance ever has. Its deletion puts something into the memtable and the WAL, or RocksDB would not
/// replace them; a compaction drops it without a trace.
const NEVER_WRITTEN: &[u8] = b"w";

/// How far RocksDB lets a MANIFEST grow beyond its content, in percent; its own choice, which is put back.
const MANIFEST_SPACE_AMP_PERCENT: &str = "500";

/// Puts the memtable into a table and begins a new WAL, MANIFEST, CURRENT and OPTIONS; the old ones are removed. `write`
/// writes a batch through the instance's WAL. Blocks for a flush.
///
/// # Errors
/// The disk fails.
pub fn begin_new_files(
    db: &DB,
    name: &str,
    write: impl Fn(WriteBatch) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let failed = |source| StorageError::Engine { instance: name.to_owned(), source };
    let options = |size: &str, percent: &str| {
        let options = [("max_manifest_file_size", size), ("max_manifest_space_amp_pct", percent)];
        live::set_db_options(db, &options)
            .map_err(|error| StorageError::io(format!("change the options of {name}"), error))
    };
    // Each change leaves an OPTIONS file, of which RocksDB keeps the last two. A MANIFEST is replaced at the next write to
    // it once it has outgrown the limit; the second flush is for one that an open has just made.
    options("1", "0")?;
    for _ in 0..2 {
        let mut batch = WriteBatch::default();
        batch.delete(NEVER_WRITTEN);
        write(batch)?;
        db.flush().map_err(failed)?;
    }
    options(&MANIFEST_BYTES.to_string(), MANIFEST_SPACE_AMP_PERCENT)?;
    remove_unused(db).map_err(failed)
}

/// Writes all tables anew and drops what deletions hide, as far as no view needs it. Blocks as long as that takes; other
/// compactions go on. What became of it shows in the files.
pub fn compact(db: &DB) {
    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(false);
    options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
    db.compact_range_opt::<&[u8], &[u8]>(None, None, &options);
}

/// Removes files that nothing needs any more, such as the MANIFEST before the present one.
///
/// # Errors
/// RocksDB's.
pub fn remove_unused(db: &DB) -> Result<(), rocksdb::Error> {
    db.disable_file_deletions()?;
    db.enable_file_deletions()
}

/// What kinds of files are among those that have to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Tables of the present state: a compaction replaces them.
    pub tables: bool,
    /// Tables that only a view of an older state needs: they go with the view.
    pub pinned: bool,
    /// WAL, MANIFEST, CURRENT, OPTIONS: see [`begin_new_files`].
    pub others: bool,
}

impl Leftovers {
    /// Sorts the files `old` of an instance.
    ///
    /// # Errors
    /// RocksDB's.
    pub fn of<'a>(db: &DB, old: impl IntoIterator<Item = &'a PathBuf>) -> Result<Self, rocksdb::Error> {
        let live: BTreeSet<String> =
            db.live_files()?.into_iter().map(|file| file.name.trim_start_matches('/').to_owned()).collect();
        let mut leftovers = Self::default();
        for path in old {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match path.extension().is_some_and(|extension| extension == "sst") {
                true if live.contains(&name) => leftovers.tables = true,
                true => leftovers.pinned = true,
                false => leftovers.others = true,
            }
        }
        Ok(leftovers)
    }
}
