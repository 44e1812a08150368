//! How far a log reached.

use std::fmt;

/// How far an audit log reached: the number of its lines so far and the hash of the last one, which stands for all of them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AuditHead {
    /// Lines that were ever written, those of dropped segments included.
    pub lines: u64,
    /// SHA-256 of the last one; zeros for no line.
    pub hash: [u8; 32],
}

impl fmt::Debug for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditHead({} {})", self.lines, hex::encode(self.hash))
    }
}
