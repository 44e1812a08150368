//! The keystore: the one file that holds a member's keys, all of them wrapped.
//!
//! ```text
//! keyring/keystore.json, one line of JSON, mode 0600
//! {"format":2,
//!  "body":{"cluster":UUID,"member":N,"incarnation":N,"generation":N,"raft_generation":N,
//!    "master_round":N,"encryption_round":N,"form_order":{"encryption":BOOL,"round":N}|null,
//!    "version_floor":N,"settings":BASE64|null,"audit":KEY|null,
//!    "masters":[{"version":N,"created":DATE,
//!      "wrap":{"cmk":ARN,"region":REGION,"key_material_id":TEXT|null,
//!              "context":{NAME:VALUE,…},"ciphertext":BASE64}}],
//!    "raft":[KEY,…],
//!    "databases":[{"id":N,"log_index":N,"round":N,"keys":[KEY,…]}],
//!    "tombstones":[{"id":N,"log_index":N}]},
//!  "seal":{"kind":"hmac-sha256","master":N,"tag":HEX}}
//! KEY = {"version":N,"created":DATE,"wrapped_by":N,"wrapped":BASE64 of nonce 12, key 32, tag 16}
//! ```
//!
//! With encryption off the lists of keys are empty, there is no audit key, and the seal is a checksum:
//! `{"kind":"sha256","master":null,"tag":HEX}`.
//!
//! A file of format 1 has no `raft_generation`, rounds, `form_order`, `version_floor`, `settings` and `audit`; it is read,
//! and written as format 2 at its first replacement. `docs/keystore.md` says what each field is for.
//!
//! Invariants:
//! - The file is replaced as a whole (temporary, fsync, rename, fsync of the directory): after a
//!   crash it is the old one or the new one. Nothing in it goes backwards but by that switch.
//! - The seal is over the parsed content, written again in one canonical form: what a reader
//!   takes from the file is what was sealed, however the bytes are arranged.
//! - Nothing of the file is trusted before its seal was checked, save what is needed to check it:
//!   the names of the CMK and of the member are compared with those that are expected first.
//! - Lists are ordered by version or id, without doubles; a database is alive or tombstoned.
//! - No name of a database is in it.

mod body;
mod body_v1;
mod disk;
mod edit;
mod envelope;
mod error;
mod file;
mod sealed;
mod stored_form;
mod unseal_error;

pub use self::disk::{Disk, RealDisk};
pub use self::error::{FileError, KeystoreError};
pub use self::sealed::SealedKeystore;
pub(crate) use self::sealed::check_identity;
pub use self::stored_form::is_encrypted;
pub use self::unseal_error::UnsealError;

pub(crate) use self::body::{CmkWrap, DatabaseEntry, KeyEntry, KeystoreBody, MasterEntry, Tombstone};
pub(crate) use self::envelope::{Envelope, encode_plain, encode_sealed};
pub(crate) use self::file::KeystoreFile;

/// The version of the file's format that is written; it and all before it are read.
pub const FORMAT: u32 = 2;

/// Largest keystore read or written, in bytes: some 200,000 databases.
pub const MAX_LEN: u64 = 64 << 20;
