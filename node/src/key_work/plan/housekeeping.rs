//! What the targets need not hold any more.

use super::super::KeyTargets;
use super::needs::{DatabaseProgress, database_progress, master_done};
use super::situation::{Situation, is_same_key};

/// The targets without what is finished; `None` where nothing is.
pub(super) fn cleaned(situation: &Situation) -> Option<KeyTargets> {
    let record = situation.targets.record();
    let members = &situation.members;
    let everywhere = |database_id: u64, round: u64| {
        members.iter().all(|member| database_progress(member, database_id, round) == DatabaseProgress::Done)
    };
    let databases: Vec<_> = record
        .databases
        .iter()
        .map(|database| (database.database_id, database.round))
        .filter(|(id, round)| !situation.databases.contains(id) || everywhere(*id, *round))
        .collect();
    let own_rounds: Vec<_> = record
        .members
        .iter()
        .filter(|own| situation.member(own.member_id).is_none_or(|member| master_done(situation, member)))
        .map(|own| (own.member_id, own.round))
        .collect();
    let old_cmks: Vec<_> = record
        .old_cmk_arns
        .iter()
        .filter(|arn| !members.iter().any(|member| member.depends_on(arn)))
        // Where the settings name it again, it is not old; nothing is said of it either way.
        .chain(record.old_cmk_arns.iter().filter(|arn| is_same_key(arn, &situation.settings.cmk_arn)))
        .cloned()
        .collect();
    if databases.is_empty() && own_rounds.is_empty() && old_cmks.is_empty() {
        return None;
    }
    let mut targets = situation.targets.clone();
    targets.forget_databases(&databases);
    targets.forget_members(&own_rounds);
    targets.forget_old_cmks(&old_cmks);
    Some(targets)
}
