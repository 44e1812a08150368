//! Puts what is known of the key where status and metrics read it.

use std::time::Duration;

use coffer_keyring::health::Verdict;
use coffer_keyring::verdict::{Machine, Observation, RegionView, Rounds};
use tokio::time::Instant;

use super::KeyAccess;
use crate::member::{KmsStatus, Member, RegionStatus};
use crate::verdict_name::verdict_name;

/// What a running member knows; its times are since `origin`.
pub(super) fn running(member: &Member, machine: &Machine, origin: Instant) {
    let key = member.key();
    let at = |time: Duration| (origin + time).into_std();
    let regions = machine.regions();
    let active = regions.iter().find(|(_, view)| view.active);
    member.set_kms_status(|status| {
        place(status, key);
        status.regions =
            regions.iter().map(|(region, view)| row(region.to_string(), view, view.asked.map(at))).collect();
        status.next_probe = machine.next_probe().map(at);
        status.stops_at = machine.silent_stop().map(at);
        // A denial somewhere is what a person has to see, whichever Region is in use.
        status.denied_in_a_row = regions
            .iter()
            .filter(|(_, view)| view.pending || view.active || view.home)
            .map(|(_, view)| view.denied_in_a_row)
            .max()
            .unwrap_or(0);
        let Some((region, view)) = active else { return };
        status.region = region.to_string();
        status.failed_over = !view.home;
        status.verdict = view.verdict.map_or("unknown", verdict_name);
        status.verdict_since = Some(at(view.since));
        status.last_error_code.clone_from(&view.code);
        status.help_code = view.help;
        status.last_probe = view.asked.map(at);
    });
}

/// What a sealed member knows; its times are since `origin`.
pub(crate) fn sealed(member: &Member, rounds: &Rounds, origin: Instant) {
    let at = |time: Duration| (origin + time).into_std();
    let home = rounds.key().home().clone();
    member.set_kms_status(|status| {
        place(status, member.key());
        let seen = rounds.seen();
        status.regions = seen
            .values()
            .map(|seen| {
                let home = seen.region == home;
                sealed_row(seen, at(seen.asked), home, if home { rounds.home_denials() } else { 0 })
            })
            .collect();
        status.regions.sort_by_key(|row| !row.home);
        status.next_probe = Some(at(rounds.next_round()));
        status.denied_in_a_row = rounds.home_denials();
        let Some(seen) = seen.get(&home) else { return };
        let verdict = verdict_name(seen.verdict);
        if status.verdict != verdict {
            status.verdict_since = Some(at(seen.asked));
        }
        status.region = home.to_string();
        status.failed_over = false;
        status.verdict = verdict;
        status.last_error_code.clone_from(&seen.code);
        status.help_code = seen.help;
        status.last_probe = Some(at(seen.asked));
    });
}

/// What does not come from answers.
fn place(status: &mut KmsStatus, key: &KeyAccess) {
    if let Some(watched) = key.watched() {
        status.home_region = watched.home().to_string();
        // The wrap names the key in the Region that made it; people know it by its home.
        let cmk = watched.cmk.in_region(watched.home()).unwrap_or_else(|_| watched.cmk.clone());
        status.cmk_arn = cmk.to_string();
    }
    status.override_region = key.choice().map(|choice| choice.region.to_string()).unwrap_or_default();
}

fn row(region: String, view: &RegionView, last_probe: Option<std::time::Instant>) -> RegionStatus {
    RegionStatus {
        region,
        verdict: view.verdict.map_or("unknown", verdict_name),
        key_state: view.key_state.as_ref().map(|state| format!("{state:?}")).unwrap_or_default(),
        last_error_code: view.code.clone(),
        last_probe,
        denied_in_a_row: view.denied_in_a_row,
        home: view.home,
        active: view.active,
    }
}

fn sealed_row(seen: &Observation, at: std::time::Instant, home: bool, denied: u32) -> RegionStatus {
    RegionStatus {
        region: seen.region.to_string(),
        verdict: verdict_name(seen.verdict),
        key_state: seen.key_state.as_ref().map(|state| format!("{state:?}")).unwrap_or_default(),
        last_error_code: seen.code.clone(),
        last_probe: Some(at),
        denied_in_a_row: if seen.verdict == Verdict::Denied { denied.max(1) } else { denied },
        home,
        active: false,
    }
}
