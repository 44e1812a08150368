//! The audit log of a member.

mod key;

pub use self::key::AuditKey;
