//! What of the settings is another now: for the log and the audit log.

use coffer_proto::internal::v1::SettingsRecord;

/// Names what `after` has otherwise than `before`; of an ExternalId only that it is another, since owners treat it as a secret.
pub(super) fn difference(before: &SettingsRecord, after: &SettingsRecord) -> String {
    let mut parts = Vec::new();
    let mut changed = |changed: bool, text: String| {
        if changed {
            parts.push(text);
        }
    };
    changed(before.cmk_arn != after.cmk_arn, format!("key {}", after.cmk_arn));
    changed(before.regions != after.regions, format!("Regions {}", after.regions.join(", ")));
    changed(before.role_arn != after.role_arn, format!("role {}", after.role_arn));
    changed(before.external_id != after.external_id, "ExternalId".to_owned());
    changed(rotation(before) != rotation(after), "rotation policy".to_owned());
    changed(alerts(before) != alerts(after), "alert policy".to_owned());
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

fn rotation(record: &SettingsRecord) -> (bool, u32, &[u32], u32, u32, u32) {
    (
        record.rotation_scheduled,
        record.master_key_days,
        &record.window_weekdays,
        record.window_start_minute,
        record.window_duration_minutes,
        record.max_deferral_days,
    )
}

fn alerts(record: &SettingsRecord) -> (bool, u32) {
    (record.cmk_age_alert, record.cmk_age_days)
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::parsed;
    use super::*;

    #[test]
    fn what_changed_is_named_and_no_external_id_is_shown() {
        let before = parsed().to_record();
        assert_eq!(difference(&before, &before), "nothing");
        let after = SettingsRecord {
            regions: vec!["us-west-2".to_owned()],
            external_id: "a-secret-of-sorts".to_owned(),
            window_weekdays: vec![1],
            cmk_age_days: 1,
            ..before.clone()
        };
        let text = difference(&before, &after);
        assert_eq!(text, "Regions us-west-2; ExternalId; rotation policy; alert policy");
        let after =
            SettingsRecord { cmk_arn: "arn".to_owned(), role_arn: "role".to_owned(), ..before.clone() };
        assert_eq!(difference(&before, &after), "key arn; role role");
    }
}
