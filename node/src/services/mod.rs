//! What clients and operators call: [`DocumentsService`] and [`AdminService`].
//!
//! Invariants:
//! - A write is checked in full before anything is proposed: what is wrong with a request costs no log entry. Whatever is
//!   not decided by the request (time, generated `_id`s) is decided here, once, by the leader.
//! - An answer never says that nothing was done unless that is certain; whatever is uncertain is OUTCOME_UNKNOWN.
//! - Everything ends: calls by a deadline, queues by their places, cursors by the patience for a client that does not
//!   read.
//! - There is one map from errors to gRPC statuses, in [`status`], and `docs/errors.md` lists what comes out of it.
//! - What a caller sent may be named in the answer to that caller, and nowhere else.

mod admin;
mod blocking;
mod command;
mod context;
mod deadline;
mod documents;
mod error;
mod gate;
mod insert_batch;
mod key_admin;
mod linearize;
mod object_id;
mod read;
mod refusal;
mod request_metrics;
mod retry_token;
pub mod status;
#[cfg(test)]
mod tests;
mod write;

pub use admin::AdminService;
pub(crate) use admin::{HandOverError, denied_members, hand_over, hash_message};
pub(crate) use command::{now_ms, propose_system};
pub use context::Context;
pub(crate) use deadline::Deadline;
pub use documents::DocumentsService;
pub use error::{LeaderHint, ServiceError, Uncertainty};
pub use key_admin::KeyAdminService;
pub(crate) use linearize::linearize;
pub use refusal::{Refusal, RefusalKind};
pub(crate) use write::refuse_unless_leader;

use std::sync::Arc;

use coffer_proto::{
    v1::{admin_server::AdminServer, documents_server::DocumentsServer, key_admin_server::KeyAdminServer},
    wire::MAX_CLIENT_MESSAGE_BYTES,
};

use crate::member::Member;

/// The service that answers applications, with its limits.
pub fn documents(member: Arc<Member>) -> DocumentsServer<DocumentsService> {
    DocumentsServer::new(DocumentsService::new(Context::new(member)))
        .max_decoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
}

/// The service that answers operators.
pub fn admin(member: Arc<Member>) -> AdminServer<AdminService> {
    AdminServer::new(AdminService::new(member))
}

/// The service that answers those who look after keys.
pub fn key_admin(member: Arc<Member>) -> KeyAdminServer<KeyAdminService> {
    KeyAdminServer::new(KeyAdminService::new(member))
}
