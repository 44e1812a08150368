//! `[rotation]`: when master keys are rotated.

use coffer_proto::v1;
use serde::{Deserialize, Serialize};

use super::{Problems, Span};
use crate::key_settings::{Finding, RotationPolicy};

/// The days of the week, Monday first.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// When master keys are rotated. For the first start of a replica set; later `coffer kms set-policy` changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotationSection {
    /// Whether master keys are rotated by age.
    pub scheduled: bool,
    /// The age in days, 1 to 90.
    pub master_key_days: u32,
    /// Days on which the maintenance window begins; empty: every day.
    pub window_weekdays: Vec<String>,
    /// When it begins, `HH:MM` in UTC.
    pub window_start: String,
    /// How long it lasts; 0: the whole day.
    pub window_duration: Span,
    /// How many days a rotation that is due may be put off at most, 0 to 30.
    pub max_deferral_days: u32,
}

impl Default for RotationSection {
    fn default() -> Self {
        Self {
            scheduled: true,
            master_key_days: 90,
            window_weekdays: Vec::new(),
            window_start: "00:00".to_owned(),
            window_duration: Span::secs(0),
            max_deferral_days: 14,
        }
    }
}

impl RotationSection {
    /// The policy as settings have it.
    ///
    /// # Errors
    /// The option that is not one, and why.
    pub(super) fn policy(&self) -> Result<v1::RotationPolicy, (&'static str, String)> {
        let weekdays = self.window_weekdays.iter().map(|name| weekday(name)).collect::<Result<_, _>>();
        let minutes = self.window_duration.as_millis().div_ceil(60_000);
        Ok(v1::RotationPolicy {
            scheduled: self.scheduled,
            master_key_days: self.master_key_days,
            window: Some(v1::MaintenanceWindow {
                weekdays: weekdays.map_err(|why| ("rotation.window_weekdays", why))?,
                start_minute: minute(&self.window_start).map_err(|why| ("rotation.window_start", why))?,
                duration_minutes: u32::try_from(minutes).unwrap_or(u32::MAX),
            }),
            max_deferral_days: self.max_deferral_days,
        })
    }

    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        match self.policy() {
            Err((key, why)) => problems.add(key, why),
            Ok(policy) => {
                let mut findings = Vec::new();
                RotationPolicy::parse(&policy, &mut findings);
                note(problems, "rotation", findings);
            }
        }
    }
}

/// Notes findings as problems of a section.
pub(super) fn note(problems: &mut Problems, section: &str, findings: Vec<Finding>) {
    for finding in findings {
        problems.add(section, finding.problem);
    }
}

/// 1 for Monday; names of three letters are enough.
fn weekday(name: &str) -> Result<u32, String> {
    let lower = name.to_ascii_lowercase();
    let named = |day: &&str| lower.len() >= 3 && day.starts_with(&lower);
    match (1..).zip(WEEKDAYS).find(|(_, day)| named(day)) {
        Some((number, _)) => Ok(number),
        None => {
            let shown: String = name.chars().take(32).collect();
            Err(format!("`{shown}` is not a day: write monday to sunday, or mon to sun"))
        }
    }
}

/// Minutes after midnight of `HH:MM`.
fn minute(text: &str) -> Result<u32, String> {
    let number = |digits: &str, below: u32| -> Option<u32> {
        let plain = digits.len() == 2 && digits.bytes().all(|c| c.is_ascii_digit());
        digits.parse().ok().filter(|number| plain && *number < below)
    };
    let parsed =
        text.split_once(':').and_then(|(hour, minute)| Some((number(hour, 24)?, number(minute, 60)?)));
    match parsed {
        Some((hour, minute)) => Ok(hour * 60 + minute),
        None => {
            let shown: String = text.chars().take(32).collect();
            Err(format!("`{shown}` is not a time of the day: write HH:MM in UTC, like 02:30"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_read_as_people_write_them() {
        for (name, number) in [("monday", 1), ("Sun", 7), ("thurs", 4), ("SATURDAY", 6)] {
            assert_eq!(weekday(name), Ok(number), "{name}");
        }
        for bad in ["", "mo", "t", "tueday", "mondays", "1"] {
            assert!(weekday(bad).is_err(), "{bad}");
        }
        for (text, number) in [("00:00", 0), ("02:30", 150), ("23:59", 1439)] {
            assert_eq!(minute(text), Ok(number), "{text}");
        }
        for bad in ["", "24:00", "02:60", "2:30", "02:3", "0230", "+2:30", "02:30:00", "noon"] {
            assert!(minute(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn part_of_a_minute_is_a_minute() {
        let section = RotationSection { window_duration: Span::secs(61), ..RotationSection::default() };
        let policy = section.policy().unwrap();
        assert_eq!(policy.window.map(|window| window.duration_minutes), Some(2));
    }
}
