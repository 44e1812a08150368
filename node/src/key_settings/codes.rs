//! The help codes of what is found in settings; their pages are in `docs/help`.

/// A single-Region key asked for elsewhere.
pub const SINGLE_REGION: &str = "CK0022";
/// An ARN that is none, or a bare key id.
pub const MALFORMED: &str = "CK0023";
/// A value that is out of its range, or given twice.
pub const BAD_VALUE: &str = "CK0027";
/// A denial is pending: nothing may be changed that could save a member from it.
pub const DENIAL_PENDING: &str = "CK0034";
/// A member did not answer a validation.
pub const ABSENT: &str = "CK0043";
/// The settings were changed meanwhile.
pub const CHANGED_MEANWHILE: &str = "CK0044";
/// A role cannot be taken away.
pub const ROLE_STAYS: &str = "CK0045";
