//! The settings of a member that never heard of any: those of its configuration, as version 0.

use coffer_proto::internal::v1::SettingsRecord;

use crate::config::EncryptionSection;

/// Format of a [`SettingsRecord`].
pub const SETTINGS_FORMAT: u32 = 1;

/// A master key is rotated at this age, in days, unless the owner of the data says otherwise: NIST SP 800-57 part 1 (table 1)
/// allows a symmetric key that wraps others two years; three months is what owners are used to.
const MASTER_KEY_DAYS: u32 = 90;

/// A rotation that is due may be put off for this many days.
const MAX_DEFERRAL_DAYS: u32 = 14;

/// Age of the customer's key in days from which on an alert is raised.
const CMK_AGE_DAYS: u32 = 90;

/// The settings that `config` has.
pub(super) fn seed(config: &EncryptionSection) -> SettingsRecord {
    SettingsRecord {
        format: SETTINGS_FORMAT,
        version: 0,
        changed_ms: 0,
        cmk_arn: config.cmk_arn.clone(),
        regions: config.region_list().iter().map(ToString::to_string).collect(),
        role_arn: config.role_arn.clone(),
        external_id: config.external_id.clone(),
        rotation_scheduled: true,
        master_key_days: MASTER_KEY_DAYS,
        window_weekdays: Vec::new(),
        window_start_minute: 0,
        window_duration_minutes: 0,
        max_deferral_days: MAX_DEFERRAL_DAYS,
        cmk_age_alert: true,
        cmk_age_days: CMK_AGE_DAYS,
    }
}
