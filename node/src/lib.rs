//! `cofferd`: the daemon of one member of a replica set.
//!
//! Rooms: [`config`] reads what the operator wrote; `boot` takes a member from its arguments to serving, step by step, and
//! `life` from there to its exit; [`member`] is what the services see of it; [`key`] is the
//! customer's key as it is used here; [`alerts`] is what a person should know, [`audit`] what became of the keys;
//! [`raft`] carries Raft between members; [`services`] answers clients; `server` puts them on one port; `key_watch` watches
//! the customer's key; [`key_settings`] is what its owner set about it.
//!
//! Invariant: nothing of a document, no name of a database, collection or field, and no key reaches a log, a metric or a
//! panic message.

pub mod alerts;
pub mod args;
mod attend;
pub mod audit;
mod boot;
mod compare;
pub mod config;
pub mod exit;
mod fail_stop;
mod health_service;
mod help;
mod incoming;
pub mod init_config;
pub mod key;
pub mod key_settings;
mod key_work;
mod life;
mod logging;
pub mod member;
pub mod members;
pub mod metrics;
mod process_limits;
mod program;
pub mod raft;
mod restart;
mod server;
pub mod services;
mod signals;
mod system_records;
mod test_pause;
mod verdict_name;

pub use program::program;
