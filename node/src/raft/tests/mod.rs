//! What the client of a peer makes of peers that misbehave.

mod appends;
mod fake_peer;
mod snapshots;
