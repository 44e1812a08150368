//! The AWS provider against an HTTP server of our own that answers as AWS does, or worse.

mod chain;
mod credentials;
mod errors;
mod requests;
mod server;
mod transport;
