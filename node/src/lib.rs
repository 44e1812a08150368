//! `cofferd`: the daemon of one member of a replica set.
//!
//! Rooms: [`config`] reads what the operator wrote; [`boot`] takes a member from its arguments to serving, step by
//! step; [`member`] is what the services see of it; `raft` carries Raft between members; `services` answers clients;
//! [`server`] puts them on one port; [`health`] watches the customer's key; [`shutdown`] stops the member in order.
//!
//! Invariant: nothing of a document, no name of a database, collection or field, and no key reaches a log, a metric or a
//! panic message.

pub mod args;
pub mod config;
pub mod init_config;
pub mod member;
pub mod metrics;
