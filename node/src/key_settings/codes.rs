//! The help codes of what is found in settings.

use coffer_proto::help::HelpCode;

/// A single-Region key asked for elsewhere.
pub const SINGLE_REGION: &str = HelpCode::SingleRegionKey.as_str();
/// An ARN that is none, or a bare key id.
pub const MALFORMED: &str = HelpCode::NotAnArn.as_str();
/// A value that is out of its range, or given twice.
pub const BAD_VALUE: &str = HelpCode::BadSetting.as_str();
/// A denial is pending: nothing may be changed that could save a member from it.
pub const DENIAL_PENDING: &str = HelpCode::DenialPending.as_str();
/// A member did not answer a validation.
pub const ABSENT: &str = HelpCode::MemberAbsent.as_str();
/// The settings were changed meanwhile.
pub const CHANGED_MEANWHILE: &str = HelpCode::SettingsChanged.as_str();
/// A role cannot be taken away.
pub const ROLE_STAYS: &str = HelpCode::RoleRequired.as_str();
