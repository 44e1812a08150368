//! A maintenance window as people write it: `sat,sun 02:00-06:00`, in UTC.

use std::fmt;
use std::str::FromStr;

use coffer_client::keys::MaintenanceWindow;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_OF_A_DAY: u32 = 24 * 60;

/// When scheduled rotations may begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Window(pub MaintenanceWindow);

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "`{text}` is no window: {why}; write it like `sat,sun 02:00-06:00`, `22:00-04:00` or `any`"
            )
        };
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split_whitespace().collect();
        let (days, hours) = match parts[..] {
            ["any"] => return Ok(Self(MaintenanceWindow::default())),
            [hours] if hours.contains(':') => (None, Some(hours)),
            [days] => (Some(days), None),
            [days, hours] => (Some(days), Some(hours)),
            _ => return Err(wrong("it has no days and no hours")),
        };
        let mut weekdays = Vec::new();
        for part in days.into_iter().flat_map(|days| days.split(',')) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let day = |name: &str| DAYS.iter().position(|day| *day == name);
            let (Some(first), Some(last)) = (day(first), day(last)) else {
                return Err(wrong("days are mon, tue, wed, thu, fri, sat and sun"));
            };
            let length = (last + 7 - first) % 7;
            weekdays.extend((first..=first + length).map(|day| day as u32 % 7 + 1));
        }
        weekdays.sort_unstable();
        weekdays.dedup();
        let (mut start_minute, mut duration_minutes) = (0, 0);
        if let Some(hours) = hours {
            let (from, to) = hours.split_once('-').ok_or_else(|| wrong("its hours have no end"))?;
            let (Some(from), Some(to)) = (minute(from), minute(to)) else {
                return Err(wrong("hours are 00:00 to 24:00"));
            };
            duration_minutes = (to + MINUTES_OF_A_DAY - from % MINUTES_OF_A_DAY) % MINUTES_OF_A_DAY;
            if duration_minutes == 0 && from == to {
                return Err(wrong("it is over as it begins"));
            }
            // From midnight to midnight is the whole day, which is no hours at all.
            start_minute = if duration_minutes == 0 { 0 } else { from % MINUTES_OF_A_DAY };
        }
        Ok(Self(MaintenanceWindow { weekdays, start_minute, duration_minutes }))
    }
}

/// Minutes after midnight of `HH:MM`, 24:00 among them.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    if hour.is_empty() || hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60).then_some(hour * 60 + minute).filter(|minutes| *minutes <= MINUTES_OF_A_DAY)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(window) = self;
        let days: Vec<&str> = window
            .weekdays
            .iter()
            .filter_map(|day| DAYS.get((*day as usize).checked_sub(1)?))
            .copied()
            .collect();
        let end = (window.start_minute + window.duration_minutes) % MINUTES_OF_A_DAY;
        let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let hours = format!("{}-{} UTC", clock(window.start_minute), clock(end));
        match (days.is_empty(), window.duration_minutes == 0) {
            (true, true) => f.write_str("any time"),
            (true, false) => f.write_str(&hours),
            (false, true) => write!(f, "{} UTC", days.join(",")),
            (false, false) => write!(f, "{} {hours}", days.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_survive_their_text() {
        for (text, shown, parts) in [
            ("any", "any time", (&[][..], 0, 0)),
            ("sat,sun 02:00-06:00", "sat,sun 02:00-06:00 UTC", (&[6, 7], 120, 240)),
            ("Mon-Fri", "mon,tue,wed,thu,fri UTC", (&[1, 2, 3, 4, 5], 0, 0)),
            ("sat-mon 22:00-04:00", "mon,sat,sun 22:00-04:00 UTC", (&[1, 6, 7], 1320, 360)),
            ("22:30-24:00", "22:30-00:00 UTC", (&[], 1350, 90)),
            ("00:00-24:00", "any time", (&[], 0, 0)),
        ] {
            let window: Window = text.parse().unwrap();
            let Window(found) = &window;
            assert_eq!((&found.weekdays[..], found.start_minute, found.duration_minutes), parts, "{text}");
            assert_eq!(window.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_window_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "no days"),
            ("someday", "days are"),
            ("sat 02:00", "no end"),
            ("02:00-25:00", "hours are"),
            ("02:00-02:00", "over as it begins"),
            ("sat 2-6", "hours are"),
            ("sat sun 02:00-06:00", "no days"),
        ] {
            let error = text.parse::<Window>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
