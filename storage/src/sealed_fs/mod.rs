//! Files of RocksDB, sealed: its FileSystem over AES-256-GCM.
//!
//! RocksDB writes through a thin C++ adapter (`cpp/adapter.cc`) that only forwards; the format, the
//! crypto and all decisions are here. `docs/sealed-files.md` draws the bytes.
//!
//! Invariants
//! * Nothing that RocksDB writes reaches the disk in the clear, its info log included (it goes to
//!   `tracing`, redacted). With no [`KeySource`] files are plain, byte for byte as RocksDB's own.
//! * No byte on disk can be changed, moved, removed or repeated unseen, with these exceptions that
//!   no single file can show: the tail of a live WAL cut at a frame's end, a whole directory put
//!   back to an older copy, and a file put back to an older copy of itself where RocksDB does not
//!   check its size or id. The replicated log above notices those.
//! * A torn tail after a power loss is a clean end, and nothing else is: see `stream_reader`.
//! * After a failed write or sync an open file takes nothing more.
//! * An idle instance costs no thread here, and an open file no buffer until it is used.

mod adapter;
mod block_layout;
mod block_reader;
mod block_writer;
mod cipher;
mod disk;
mod env;
mod error;
mod file_system;
mod file_traits;
mod frame;
mod header;
mod info_log;
mod key;
mod key_source;
mod kind;
mod options;
mod plain_file;
mod preflight;
mod real_disk;
pub mod sim;
mod stream_image;
mod stream_reader;
mod stream_writer;
mod wal_order;
mod window;

pub use disk::{Disk, DiskFile, DiskMeta, OpenMode};
pub use env::sealed_env;
pub use error::{Result, SealedFsError};
pub use key::SealingKey;
pub use key_source::KeySource;
pub use options::{allow_missing_wal, harden_options};
pub use preflight::{
    InstanceState, SealedFile, check_header, check_instance, header_key_versions, sealed_files,
};
pub use real_disk::RealDisk;

/// Leaves out of a message of RocksDB what could be a key: see [`info_log`].
pub(crate) fn redact(message: &str) -> String {
    info_log::redact(message.as_bytes())
}

#[cfg(test)]
mod format_tests;
