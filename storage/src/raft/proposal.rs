//! What a client write proposes to the Raft log.

use std::fmt;

use bytes::Bytes;
use coffer_proto::internal::v1::Command;
use prost::Message;

/// An encoded [`Command`]. It is encoded once, by the leader, and travels and rests as these bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Proposal(Bytes);

impl Proposal {
    /// Encodes `command`.
    pub fn new(command: &Command) -> Self {
        Self(command.encode_to_vec().into())
    }

    /// Takes bytes that a log entry carried.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The encoded command.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Decodes the command.
    ///
    /// # Errors
    /// The bytes are not a command.
    pub fn decode(&self) -> Result<Command, prost::DecodeError> {
        Command::decode(self.0.clone())
    }
}

/// Only the size: commands hold documents, and openraft prints entries.
impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.0.len())
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
