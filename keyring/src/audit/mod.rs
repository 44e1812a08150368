//! The audit log of a member: every event of its keys, one line of JSON each, chained and authenticated.
//!
//! ```text
//! audit/audit-00000001.jsonl, audit-00000002.jsonl, …      mode 0600
//! {"seq":N,"time":DATE,"prev":HEX,"who":TEXT,"event":{"what":NAME,…},"outcome":…,"kms":{…},"key":N|null,"mac":HEX|null}
//! ```
//!
//! `docs/audit-log.md` says what each field is.
//!
//! Invariants:
//! - A line that was acknowledged is on stable storage. What a crash leaves of a line that was not is cut off at the next
//!   start, and a line says so; no whole line is ever cut off.
//! - Each line names the SHA-256 of the line before it, the newline left out; the first one names zeros. So the hash of one
//!   line, its *head*, stands for everything before it.
//! - A line carries an HMAC under the audit key where the member had one when it was written; a line without one is
//!   authenticated by the next line that has one, through the chain.
//! - A segment is only ever dropped after a line was written that names the last line in it.
//! - No secret is in it.
//!
//! What this does not protect: lines after the last MAC, and the end of the log, can be rewritten or cut off by whoever
//! writes the disk. A head that is remembered elsewhere (the replica set keeps one of each member) shows that; so it shows
//! a log that was replaced as a whole.

mod action;
mod error;
mod event;
mod head;
mod key;
mod line;
mod log;
mod raw_lines;
mod report;
mod segments;
mod sink;
mod verify;

pub use self::action::{AuditAction, AuditedKey, KeyLevel};
pub use self::error::AuditError;
pub use self::event::{AuditEvent, AuditOutcome, KmsTrace};
pub use self::head::AuditHead;
pub use self::key::AuditKey;
pub use self::log::{AuditLimits, AuditLog};
pub use self::report::{AuditFault, AuditProblem, AuditReport};
pub use self::sink::AuditSink;
pub use self::verify::verify;

/// Longest line in bytes, the newline left out: an event names at most [`MAX_KEYS`] keys of some 70 bytes each, and ten texts of
/// [`MAX_TEXT`] characters, of which one takes six bytes at most.
const MAX_LINE: usize = 128 << 10;

/// Most keys that one event names; a longer list is split into more events.
pub(crate) const MAX_KEYS: usize = 500;

/// Longest text that an event carries, in characters: as much as is kept of what a service said, and what is put around it.
const MAX_TEXT: usize = 1_000;
