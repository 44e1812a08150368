//! The age of the customer's key.

use coffer_keyring::Timestamp;
use coffer_proto::internal::v1::SettingsRecord;

const DAY_MS: i64 = 86_400_000;

/// Whether the customer's key is older than its owner wants: then a text for the alert. `born_ms` is when the key was made
/// or last rotated in KMS, as far as that is known, 0 where nothing is.
pub fn cmk_too_old(settings: &SettingsRecord, born_ms: i64, now_ms: i64) -> Option<String> {
    let limit = i64::from(settings.cmk_age_days);
    if !settings.cmk_age_alert || limit == 0 || born_ms <= 0 {
        return None;
    }
    // A birth in the future is a clock that is off; that has an alert of its own.
    let days = (now_ms - born_ms) / DAY_MS;
    let since = Timestamp::from_unix(born_ms / 1_000).map(|date| format!(" ({date})")).unwrap_or_default();
    (days >= limit).then(|| {
        format!(
            "the customer's key {} was made or last rotated {days} days ago{since}, and the alert period is {limit} days",
            settings.cmk_arn
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> SettingsRecord {
        SettingsRecord {
            cmk_arn: "arn".to_owned(),
            cmk_age_alert: true,
            cmk_age_days: 90,
            ..SettingsRecord::default()
        }
    }

    #[test]
    fn the_alert_comes_with_the_period_and_not_before() {
        let born = 1_700_000_000_000;
        let at = |days: i64| cmk_too_old(&settings(), born, born + days * DAY_MS);
        assert_eq!(at(0), None);
        assert_eq!(cmk_too_old(&settings(), born, born + 90 * DAY_MS - 1), None);
        let text = at(90).unwrap();
        assert!(text.contains("90 days ago (2023-11-14T22:13:20Z)"), "{text}");
        assert!(at(4_000).is_some());
        let longer = SettingsRecord { cmk_age_days: 365, ..settings() };
        assert_eq!(cmk_too_old(&longer, born, born + 364 * DAY_MS), None);
        assert!(cmk_too_old(&longer, born, born + 365 * DAY_MS).is_some());
    }

    #[test]
    fn switched_off_or_with_an_unknown_age_there_is_none() {
        let now = 1_700_000_000_000;
        let off = SettingsRecord { cmk_age_alert: false, ..settings() };
        assert_eq!(cmk_too_old(&off, 1, now), None);
        let zero = SettingsRecord { cmk_age_days: 0, ..settings() };
        assert_eq!(cmk_too_old(&zero, 1, now), None);
        assert_eq!(cmk_too_old(&settings(), 0, now), None);
        assert_eq!(cmk_too_old(&settings(), now + DAY_MS, now), None, "a clock that is off");
    }
}
