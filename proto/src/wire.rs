//! Names and limits that both ends of a connection have to agree on.

/// Largest gRPC message that a client may send or receive: a batch of 48 MB with its frame, and room to spare.
pub const MAX_CLIENT_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Largest message between members. An entry holds at most one document beyond [`ENTRY_TARGET_BYTES`], and a
/// document has at most 16 MiB; an append carries whole entries.
pub const MAX_PEER_MESSAGE_BYTES: usize = 40 * 1024 * 1024;

/// The size at which a batch of documents is split into several log entries.
pub const ENTRY_TARGET_BYTES: usize = 2 * 1024 * 1024;

/// How many bytes of entries one append carries at most, a single larger entry aside.
pub const APPEND_TARGET_BYTES: u64 = 4 * 1024 * 1024;

/// How many bytes one message of a snapshot carries at most, a single larger record aside.
pub const SNAPSHOT_CHUNK_BYTES: usize = 1024 * 1024;

/// Metadata key of the cluster id in a call between members.
pub const CLUSTER_ID_METADATA: &str = "coffer-cluster-id";

/// Metadata key of the calling member's id.
pub const FROM_METADATA: &str = "coffer-from";

/// Metadata key of the called member's id.
pub const TO_METADATA: &str = "coffer-to";

/// `domain` of the `google.rpc.ErrorInfo` in every error.
pub const ERROR_DOMAIN: &str = "coffer";

/// Reasons in `google.rpc.ErrorInfo`: what a driver decides by.
pub mod reason {
    /// The member has no keys: it waits for the customer's key. UNAVAILABLE.
    pub const SEALED: &str = "SEALED";
    /// The member is starting or stopping. UNAVAILABLE.
    pub const NOT_SERVING: &str = "NOT_SERVING";
    /// Another member leads; `leader` and `leader_id` say which, where known. UNAVAILABLE, nothing was done.
    pub const NOT_LEADER: &str = "NOT_LEADER";
    /// A queue is full. RESOURCE_EXHAUSTED, nothing was done.
    pub const OVERLOADED: &str = "OVERLOADED";
    /// The outcome is unknown: the write may or may not take effect. UNAVAILABLE or DEADLINE_EXCEEDED.
    pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";
    /// The read could not be confirmed in time. UNAVAILABLE.
    pub const READ_NOT_CONFIRMED: &str = "READ_NOT_CONFIRMED";
    /// The request is wrong; `code` and `code_name` say how. INVALID_ARGUMENT and others.
    pub const REFUSED: &str = "REFUSED";
    /// A retry token is older than the session's last write. FAILED_PRECONDITION.
    pub const STALE_RETRY_TOKEN: &str = "STALE_RETRY_TOKEN";
    /// A membership change is not possible now; the message says why. FAILED_PRECONDITION.
    pub const MEMBERSHIP: &str = "MEMBERSHIP";
    /// A fault of the member itself; its log says which. INTERNAL.
    pub const INTERNAL: &str = "INTERNAL";
}

/// Metadata keys inside `google.rpc.ErrorInfo`.
pub mod error_metadata {
    /// MongoDB's numeric error code.
    pub const CODE: &str = "code";
    /// MongoDB's name of the code.
    pub const CODE_NAME: &str = "code_name";
    /// Address of the leader.
    pub const LEADER: &str = "leader";
    /// Member id of the leader.
    pub const LEADER_ID: &str = "leader_id";
    /// How long to wait before the next try, milliseconds.
    pub const RETRY_AFTER_MS: &str = "retry_after_ms";
    /// Code of the help page that explains the error, such as CK0034.
    pub const HELP_CODE: &str = "help_code";
}
