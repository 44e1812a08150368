//! The options without which sealing keeps no promise.

#![allow(unsafe_code)] // options that only the C API has

use librocksdb_sys as ffi;
use rocksdb::{AsRawPtr, DBRecoveryMode, Options};

/// Sets what a sealed instance needs, whatever else its options say:
///
/// * WAL recovery that takes a torn tail for the end and anything else for corruption. RocksDB's
///   default ends silently at the first bad record, which turns tampering into data loss.
/// * WALs tracked in the MANIFEST and verified against each other: an older WAL that was removed,
///   cut or zeroed is noticed.
/// * No mapped and no direct I/O, which would pass the sealed format by; no recycled WAL files,
///   for each file needs its own salt.
/// * No IDENTITY file (the id stands in the MANIFEST), no flush at shutdown: a close must not
///   take longer than the log needs to be read again.
pub fn harden_options(options: &mut Options) {
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_allow_mmap_reads(false);
    options.set_allow_mmap_writes(false);
    options.set_use_direct_reads(false);
    options.set_use_direct_io_for_flush_and_compaction(false);
    options.set_recycle_log_file_num(0);
    // SAFETY: the pointer is that of live options, borrowed exclusively.
    unsafe {
        let raw = options.as_raw_ptr();
        ffi::rocksdb_options_set_track_and_verify_wals(raw, 1);
        ffi::rocksdb_options_set_write_identity_file(raw, 0);
        ffi::rocksdb_options_set_avoid_flush_during_shutdown(raw, 1);
    }
}

/// Lets an instance be opened that has no WAL file at all, for the one open that follows: what
/// [`super::InstanceState::WithoutWal`] calls for.
pub fn allow_missing_wal(options: &mut Options) {
    // SAFETY: as above.
    unsafe { ffi::rocksdb_options_set_track_and_verify_wals(options.as_raw_ptr(), 0) };
}
