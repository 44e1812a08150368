//! The Rust driver of Coffer.
//!
//! Invariants:
//! - A write takes effect at most once, however often the driver sends it: every try of one write carries the
//!   same retry token, and a session has one write under way at a time.
//! - A call ends within its deadline. Where a write may have taken effect and nobody could say so in time, the
//!   error is [`Error::OutcomeUnknown`] and no other.
//! - A cursor reads one snapshot or fails: once a batch has arrived it is never silently started again.
//! - No error text carries the content of a document that the caller did not send.
//!
//! ```no_run
//! use bson::doc;
//! use coffer_client::{Client, ClientOptions, FindOptions};
//! use futures::TryStreamExt;
//!
//! # async fn example() -> Result<(), coffer_client::Error> {
//! let client = Client::connect(ClientOptions::new(["127.0.0.1:27101", "127.0.0.1:27102"]))?;
//! let languages = client.database("iso").collection("languages");
//! languages.insert_one(doc! { "_id": "deu", "name": "German" }).await?;
//! let mut found = languages.find(&doc! { "name": "German" }, FindOptions::default()).await?;
//! while let Some(document) = found.try_next().await? {
//!     println!("{document}");
//! }
//! # Ok(())
//! # }
//! ```

mod admin;
mod backoff;
mod batch;
mod call;
mod channels;
mod client;
mod collection;
mod cursor;
mod database;
mod delete;
mod documents;
mod error;
mod find;
mod insert;
mod key_admin;
mod member_call;
mod operation;
mod options;
mod session;
mod topology;
mod trail;
mod update;
mod verdict;

pub use admin::{Admin, MemberReport};
pub use batch::{MAX_BATCH_BYTES, MAX_BATCH_DOCUMENTS, MAX_DOCUMENT_BYTES};
pub use client::Client;
pub use collection::{Collection, CollectionDropped};
pub use cursor::Cursor;
pub use database::{CollectionSummary, Database, DatabaseDropped, DatabaseSummary};
pub use delete::DeleteResult;
pub use error::{EndpointFailure, Error, ErrorKind, Result};
pub use find::{Count, CountOptions, FindOptions, ReadConcern};
pub use insert::{InsertManyOptions, InsertManyResult, InsertOneResult, WriteError};
pub use key_admin::KeyAdmin;
pub use options::ClientOptions;
pub use update::{UpdateOptions, UpdateResult};

/// The messages of the admin service, as the members send them.
pub mod status {
    pub use coffer_proto::v1::{
        CollectionHash, DestroyedKey, EncryptionStatus, KeyInfo, KeysResponse, Member, MemberProgress,
        MemberState, RaftRole, RegionStatus, StateHashResponse, StatusResponse,
    };
}

/// The messages of the service for keys, as the members send them.
pub mod keys {
    pub use coffer_proto::v1::kms_change_request::Change;
    pub use coffer_proto::v1::{
        Alert, AlertPolicy, AlertSeverity, AlertsResponse, KeyTask, KeyWorkResponse, KmsChangeRequest,
        KmsChangeResponse, KmsFinding, KmsOverrideInfo, KmsOverrideResponse, KmsSettings, KmsShowResponse,
        MaintenanceWindow, MemberFindings, MemberKeys, RotationPolicy, SetCmk, SetPolicy, SetRegions,
        SetRole, VerifyAuditResponse,
    };
}
