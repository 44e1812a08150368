//! Keys and nothing else: the key management service that Coffer's keys hang from, the keystore of
//! a member, and the keys in memory.
//!
//! ```text
//! CMK (in KMS)                        [`kms`]
//!  └─ node master key v1, v2…         [`SealedKeystore::unseal`], [`Keyring::create`]
//!      ├─ raft key v1, v2…            [`Keyring::current`] of [`KeyOwner::Raft`]
//!      ├─ database key v1, v2…        [`Keyring::current`] of [`KeyOwner::Database`]
//!      └─ audit key                   [`Keyring::audit_key`]
//! ```
//!
//! Invariants:
//! - A key reaches a disk only wrapped; in memory it is locked and wiped when it is dropped.
//! - No error, log line or Debug text of this crate holds a key.
//! - Only this crate knows AWS.
//!
//! What this does not protect: the memory of a process that serves holds its keys.

pub mod audit;
mod cluster_id;
mod data_key;
mod form_order;
pub mod health;
mod ids;
mod key_owner;
mod keyring;
mod keyring_report;
pub mod keystore;
mod keystore_params;
pub mod kms;
pub mod secret;
mod staged_key;
mod timestamp;
pub mod verdict;
mod wrap_info;

pub use self::cluster_id::{ClusterId, ClusterIdError};
pub use self::data_key::DataKey;
pub use self::form_order::FormOrder;
pub use self::ids::{DatabaseId, Generation, Incarnation, KeyVersion, MemberId, RaftGeneration};
pub use self::key_owner::KeyOwner;
pub use self::keyring::{FormChange, Keyring, MasterRotation};
pub use self::keyring_report::{
    DataKeyReport, DatabaseKeysReport, KeyringReport, MasterKeyReport, TombstoneReport,
};
pub use self::keystore::{FileError, KeystoreError, SealedKeystore, UnsealError};
pub use self::keystore_params::KeystoreParams;
pub use self::staged_key::StagedKey;
pub use self::timestamp::{Timestamp, TimestampError};
pub use self::wrap_info::WrapInfo;
