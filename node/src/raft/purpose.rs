//! What a connection to a peer is for.

/// What a connection to a peer is for. Heartbeats and snapshots have connections of their own: a heartbeat must not wait
/// behind megabytes of entries, nor entries behind a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Entries, votes and the transfer of leadership.
    Log,
    /// Heartbeats.
    Heartbeat,
    /// Snapshots.
    Snapshot,
}
