//! When the master keys are rotated by themselves.
//!
//! A rotation is due when the oldest master key is as old as the settings allow. It begins in the first maintenance window
//! from then on; a deferral puts it off, but not past a limit: it then goes in the next window, whatever was deferred.

use coffer_proto::internal::v1::SettingsRecord;

use super::needs::master_done;
use super::situation::{MemberView, Situation};

const MINUTE_MS: i64 = 60 * 1000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Monday is 1; the first day of 1970 was a Thursday.
const FIRST_WEEKDAY: i64 = 4;

/// Whether a round of new master keys is to begin now.
pub(super) fn is_due_now(situation: &Situation) -> bool {
    let settings = &situation.settings;
    // One that has still to follow the last round rotates anyway.
    let oldest = situation.members.iter().filter(|member| master_done(situation, member));
    let Some(due) = oldest.filter_map(|member| due_ms(settings, member)).min() else { return false };
    let now = situation.now_ms;
    let deferred_until = situation.targets.record().deferred_until_ms.min(hard_limit(settings, due));
    now >= due && now >= deferred_until && in_window(settings, now)
}

/// The members whose rotation should have been done by now, everything that may delay it counted.
pub(crate) fn overdue(situation: &Situation) -> Vec<u64> {
    let settings = &situation.settings;
    let is_over = |member: &&MemberView| {
        due_ms(settings, member)
            .is_some_and(|due| situation.now_ms >= window_end_after(settings, hard_limit(settings, due)))
    };
    situation.members.iter().filter(is_over).map(|member| member.id).collect()
}

/// When the next rotation is due, and until when it may be put off; `None` without a schedule or without master keys.
pub(crate) fn next_due(situation: &Situation) -> Option<(i64, i64)> {
    let settings = &situation.settings;
    let due = situation.members.iter().filter_map(|member| due_ms(settings, member)).min()?;
    Some((due, hard_limit(settings, due)))
}

fn due_ms(settings: &SettingsRecord, member: &MemberView) -> Option<i64> {
    if !settings.rotation_scheduled || settings.master_key_days == 0 {
        return None;
    }
    let age = i64::from(settings.master_key_days).saturating_mul(DAY_MS);
    Some(member.master_created_ms()?.saturating_add(age))
}

fn hard_limit(settings: &SettingsRecord, due: i64) -> i64 {
    due.saturating_add(i64::from(settings.max_deferral_days).saturating_mul(DAY_MS))
}

/// Whether a moment lies in the maintenance window. The day of a window is the one on which it begins.
fn in_window(settings: &SettingsRecord, now_ms: i64) -> bool {
    let today = now_ms.div_euclid(DAY_MS);
    [today - 1, today].into_iter().any(|day| {
        is_window_day(settings, day) && {
            let (start, end) = window_of(settings, day);
            (start..end).contains(&now_ms)
        }
    })
}

/// The end of the first window that begins at a moment or after it.
fn window_end_after(settings: &SettingsRecord, moment: i64) -> i64 {
    let today = moment.div_euclid(DAY_MS);
    (today..=today + 7)
        .filter(|day| is_window_day(settings, *day))
        .map(|day| window_of(settings, day))
        .find(|(start, _)| *start >= moment)
        .map_or(moment.saturating_add(8 * DAY_MS), |(_, end)| end)
}

fn is_window_day(settings: &SettingsRecord, day: i64) -> bool {
    let weekday = (day + FIRST_WEEKDAY - 1).rem_euclid(7) + 1;
    settings.window_weekdays.is_empty()
        || settings.window_weekdays.iter().any(|allowed| i64::from(*allowed) == weekday)
}

/// Beginning and end of the window of a day, which may end on the next one.
fn window_of(settings: &SettingsRecord, day: i64) -> (i64, i64) {
    let midnight = day.saturating_mul(DAY_MS);
    match settings.window_duration_minutes {
        0 => (midnight, midnight + DAY_MS),
        minutes => {
            let start = midnight + i64::from(settings.window_start_minute.min(24 * 60)) * MINUTE_MS;
            (start, start + i64::from(minutes.min(24 * 60)) * MINUTE_MS)
        }
    }
}

#[cfg(test)]
mod tests {
    use coffer_keyring::Timestamp;
    use coffer_proto::internal::v1::MemberKeysRecord;

    use super::super::super::KeyTargets;
    use super::*;

    /// Friday, the 20th of November 2026, at midnight.
    const FRIDAY: i64 = 20_777 * DAY_MS;

    const HOUR_MS: i64 = 60 * MINUTE_MS;

    fn settings() -> SettingsRecord {
        SettingsRecord {
            rotation_scheduled: true,
            master_key_days: 90,
            max_deferral_days: 14,
            ..SettingsRecord::default()
        }
    }

    /// Two members whose master keys were made 90 days before Friday, and an hour later.
    fn situation(settings: SettingsRecord) -> Situation {
        let member = |id: u64, created: i64| MemberView {
            id,
            voter: true,
            report: Some(MemberKeysRecord {
                member_id: id,
                encryption_enabled: true,
                master_created: Timestamp::from_unix(created / 1000).unwrap().to_string(),
                ..MemberKeysRecord::default()
            }),
            silent_ms: None,
            refused: None,
        };
        let made = FRIDAY - 90 * DAY_MS;
        Situation {
            leader: 1,
            settings,
            targets: KeyTargets::default(),
            members: vec![member(1, made + HOUR_MS), member(2, made)],
            databases: [1].into(),
            now_ms: FRIDAY,
        }
    }

    fn due_at(situation: &mut Situation, now_ms: i64) -> bool {
        situation.now_ms = now_ms;
        is_due_now(situation)
    }

    #[test]
    fn the_oldest_master_key_decides() {
        let mut situation = situation(settings());
        assert!(!due_at(&mut situation, FRIDAY - 1));
        assert!(due_at(&mut situation, FRIDAY));
        assert_eq!(next_due(&situation), Some((FRIDAY, FRIDAY + 14 * DAY_MS)));
        situation.settings.rotation_scheduled = false;
        assert!(!is_due_now(&situation));
        assert_eq!(next_due(&situation), None);
    }

    #[test]
    fn a_member_that_has_still_to_follow_the_last_round_asks_for_no_other() {
        let mut situation = situation(settings());
        situation.targets.request_master_round(Some(2), 0).unwrap();
        assert!(!due_at(&mut situation, FRIDAY), "member 2 is told to rotate anyway");
        assert!(due_at(&mut situation, FRIDAY + HOUR_MS), "member 1 is due too");
    }

    #[test]
    fn a_rotation_begins_in_the_window_alone() {
        // Saturdays and Sundays from 23:00 to 02:00.
        let mut situation = situation(SettingsRecord {
            window_weekdays: vec![6, 7],
            window_start_minute: 23 * 60,
            window_duration_minutes: 3 * 60,
            ..settings()
        });
        assert!(!due_at(&mut situation, FRIDAY + 23 * HOUR_MS));
        let saturday = FRIDAY + DAY_MS;
        assert!(!due_at(&mut situation, saturday + 23 * HOUR_MS - 1));
        assert!(due_at(&mut situation, saturday + 23 * HOUR_MS));
        assert!(due_at(&mut situation, saturday + 26 * HOUR_MS - 1), "it ends on the next day");
        assert!(!due_at(&mut situation, saturday + 26 * HOUR_MS));
        assert!(due_at(&mut situation, saturday + 49 * HOUR_MS), "Sunday's ends on Monday");
        assert!(!due_at(&mut situation, saturday + 3 * DAY_MS));
    }

    #[test]
    fn a_deferral_holds_until_its_limit() {
        let mut situation = situation(settings());
        situation.targets.defer(FRIDAY + 5 * DAY_MS);
        assert!(!due_at(&mut situation, FRIDAY + 5 * DAY_MS - 1));
        assert!(due_at(&mut situation, FRIDAY + 5 * DAY_MS));
        situation.targets.defer(FRIDAY + 1000 * DAY_MS);
        assert!(!due_at(&mut situation, FRIDAY + 14 * DAY_MS - 1));
        assert!(due_at(&mut situation, FRIDAY + 14 * DAY_MS), "the limit");
        situation.targets.defer(0);
        assert!(due_at(&mut situation, FRIDAY), "taken back");
    }

    #[test]
    fn a_rotation_is_overdue_once_the_window_after_its_limit_is_over() {
        // Mondays, at any time; the limit is a Friday two weeks later.
        let mut situation = situation(SettingsRecord { window_weekdays: vec![1], ..settings() });
        let monday = FRIDAY + 17 * DAY_MS;
        situation.now_ms = monday + DAY_MS - 1;
        assert!(overdue(&situation).is_empty());
        situation.now_ms = monday + DAY_MS;
        assert_eq!(overdue(&situation), [1, 2]);
        // One that was away from the last round is overdue all the same.
        situation.targets.request_master_round(None, 0).unwrap();
        assert_eq!(overdue(&situation), [1, 2]);
    }
}
