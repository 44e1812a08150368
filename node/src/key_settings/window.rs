//! When scheduled rotations may begin.

use coffer_proto::v1;

use super::{Finding, codes};

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// When scheduled rotations may begin, in UTC. A window that goes past midnight belongs to the day on which it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceWindow {
    /// Bit 0 is Monday; none set: every day.
    weekdays: u8,
    start_minute: u16,
    /// 0: at any time of the day.
    duration_minutes: u16,
}

impl MaintenanceWindow {
    /// Reads a window. What is wrong is added to `findings`.
    pub(super) fn parse(window: &v1::MaintenanceWindow, findings: &mut Vec<Finding>) -> Self {
        let mut refuse = |problem: &str| findings.push(Finding::error(codes::BAD_VALUE, problem));
        let mut parsed = Self::default();
        if window.weekdays.len() > 7 || window.weekdays.iter().any(|day| !(1..=7).contains(day)) {
            refuse("a day of the maintenance window is not one: 1 (Monday) to 7 (Sunday) are");
        } else {
            for day in &window.weekdays {
                let bit = 1 << (day - 1);
                if parsed.weekdays & bit != 0 {
                    refuse("a day of the maintenance window is there twice");
                }
                parsed.weekdays |= bit;
            }
        }
        match u16::try_from(window.start_minute) {
            Ok(minute) if i64::from(minute) < DAY_MINUTES => parsed.start_minute = minute,
            _ => refuse("the maintenance window begins 0 to 1439 minutes after midnight"),
        }
        match u16::try_from(window.duration_minutes) {
            Ok(minutes) if i64::from(minutes) <= DAY_MINUTES => parsed.duration_minutes = minutes,
            _ => refuse("the maintenance window lasts at most 1440 minutes; 0 means the whole day"),
        }
        parsed
    }

    /// Whether the window is open at this moment, milliseconds since 1970 in UTC.
    pub fn contains(&self, at_ms: i64) -> bool {
        let minutes = at_ms.div_euclid(MINUTE_MS);
        let (day, minute) = (minutes.div_euclid(DAY_MINUTES), minutes.rem_euclid(DAY_MINUTES));
        let (begins, ends) = self.span();
        // What began the day before is 24 hours older.
        (self.has_day(day) && (begins..ends).contains(&minute))
            || (self.has_day(day - 1) && (begins..ends).contains(&(minute + DAY_MINUTES)))
    }

    /// The first moment from `at_ms` on at which the window is open: that moment itself where it is open then.
    pub fn next_start(&self, at_ms: i64) -> i64 {
        if self.contains(at_ms) {
            return at_ms;
        }
        let (begins, _) = self.span();
        let today = at_ms.div_euclid(DAY_MINUTES * MINUTE_MS);
        (today..=today + 7)
            .filter(|day| self.has_day(*day))
            .map(|day| (day * DAY_MINUTES + begins) * MINUTE_MS)
            .find(|start| *start > at_ms)
            .unwrap_or(at_ms)
    }

    /// Minutes after midnight at which it begins and ends; the end may be on the next day.
    fn span(&self) -> (i64, i64) {
        match self.duration_minutes {
            0 => (0, DAY_MINUTES),
            minutes => (self.start_minute.into(), i64::from(self.start_minute) + i64::from(minutes)),
        }
    }

    /// Whether it begins on this day, counted from 1970-01-01.
    fn has_day(&self, day: i64) -> bool {
        // That was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        self.weekdays == 0 || self.weekdays & (1 << weekday) != 0
    }
}

impl From<&MaintenanceWindow> for v1::MaintenanceWindow {
    fn from(window: &MaintenanceWindow) -> Self {
        Self {
            weekdays: (1..=7).filter(|day| window.weekdays & (1 << (day - 1)) != 0).collect(),
            start_minute: window.start_minute.into(),
            duration_minutes: window.duration_minutes.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use coffer_keyring::Timestamp;

    use super::*;

    fn window(weekdays: &[u32], start_minute: u32, duration_minutes: u32) -> MaintenanceWindow {
        let mut findings = Vec::new();
        let text = v1::MaintenanceWindow { weekdays: weekdays.to_vec(), start_minute, duration_minutes };
        let parsed = MaintenanceWindow::parse(&text, &mut findings);
        assert_eq!(findings, []);
        assert_eq!(v1::MaintenanceWindow::from(&parsed), text, "it is written as it was read");
        parsed
    }

    fn at(text: &str) -> i64 {
        Timestamp::try_from(text.to_owned()).unwrap().unix() * 1000
    }

    fn written(at_ms: i64) -> String {
        Timestamp::from_unix(at_ms / 1000).unwrap().to_string()
    }

    #[test]
    fn a_window_without_bounds_is_always_open() {
        let always = window(&[], 0, 0);
        for moment in ["2026-11-24T00:00:00Z", "2026-11-24T23:59:59Z", "1969-12-31T12:00:00Z"] {
            assert!(always.contains(at(moment)));
            assert_eq!(always.next_start(at(moment)), at(moment));
        }
    }

    #[test]
    fn a_window_of_some_days_lasts_all_of_them() {
        // 2026-11-28 is a Saturday.
        let weekend = window(&[6, 7], 90, 0);
        assert!(!weekend.contains(at("2026-11-27T23:59:59Z")));
        assert!(weekend.contains(at("2026-11-28T00:00:00Z")), "the minute does not count without a duration");
        assert!(weekend.contains(at("2026-11-29T23:59:59Z")));
        assert!(!weekend.contains(at("2026-11-30T00:00:00Z")));
        assert_eq!(written(weekend.next_start(at("2026-11-30T00:00:00Z"))), "2026-12-05T00:00:00Z");
    }

    #[test]
    fn a_window_within_a_day() {
        let nightly = window(&[], 2 * 60, 90);
        for (moment, open) in [
            ("2026-11-24T01:59:59Z", false),
            ("2026-11-24T02:00:00Z", true),
            ("2026-11-24T03:29:59Z", true),
            ("2026-11-24T03:30:00Z", false),
        ] {
            assert_eq!(nightly.contains(at(moment)), open, "{moment}");
        }
        assert_eq!(written(nightly.next_start(at("2026-11-24T01:00:00Z"))), "2026-11-24T02:00:00Z");
        assert_eq!(written(nightly.next_start(at("2026-11-24T02:10:00Z"))), "2026-11-24T02:10:00Z");
        assert_eq!(written(nightly.next_start(at("2026-11-24T03:30:00Z"))), "2026-11-25T02:00:00Z");
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_began() {
        // Saturday 23:00 to Sunday 01:00.
        let late = window(&[6], 23 * 60, 120);
        for (moment, open) in [
            ("2026-11-28T22:59:59Z", false),
            ("2026-11-28T23:00:00Z", true),
            ("2026-11-29T00:59:59Z", true),
            ("2026-11-29T01:00:00Z", false),
            ("2026-11-29T23:30:00Z", false),
            ("2026-11-28T00:30:00Z", false),
        ] {
            assert_eq!(late.contains(at(moment)), open, "{moment}");
        }
        assert_eq!(written(late.next_start(at("2026-11-29T01:00:00Z"))), "2026-12-05T23:00:00Z");
        assert_eq!(written(late.next_start(at("2026-11-29T00:30:00Z"))), "2026-11-29T00:30:00Z");
    }

    #[test]
    fn the_next_start_is_the_first_open_moment() {
        // Over all minutes of two weeks, by looking at each.
        let from = at("2026-11-23T00:00:00Z");
        for window in [window(&[1, 3], 23 * 60 + 30, 1440), window(&[2], 0, 1), window(&[], 1439, 2)] {
            let open: Vec<_> = (0..14 * DAY_MINUTES)
                .map(|minute| from + minute * MINUTE_MS)
                .filter(|moment| window.contains(*moment))
                .collect();
            for minute in 0..6 * DAY_MINUTES {
                let moment = from + minute * MINUTE_MS;
                let next = open[open.partition_point(|open| *open < moment)];
                assert_eq!(window.next_start(moment), next, "{window:?} from {}", written(moment));
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_all_at_once() {
        let mut findings = Vec::new();
        let text = v1::MaintenanceWindow { weekdays: vec![1, 8], start_minute: 1440, duration_minutes: 1441 };
        MaintenanceWindow::parse(&text, &mut findings);
        assert_eq!(findings.len(), 3, "{findings:?}");
        findings.clear();
        let twice = v1::MaintenanceWindow { weekdays: vec![1, 1], ..v1::MaintenanceWindow::default() };
        MaintenanceWindow::parse(&twice, &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.clear();
        let many = v1::MaintenanceWindow { weekdays: vec![1; 1 << 20], ..v1::MaintenanceWindow::default() };
        MaintenanceWindow::parse(&many, &mut findings);
        assert_eq!(findings.len(), 1);
    }
}
