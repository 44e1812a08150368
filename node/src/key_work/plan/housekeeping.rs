//! What the targets need not hold any more, and what they lack.

use super::super::KeyTargets;
use super::needs::{DatabaseProgress, database_progress, master_done};
use super::situation::{Situation, is_same_key};

/// The targets without what is finished, and with the customer keys that members turn out to depend on; `None` where they are
/// right as they are.
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
        .filter(|arn| !members.iter().any(|member| situation.depends_on(member, arn)))
        // Where the settings name it again, it is not old; nothing is said of it either way.
        .chain(record.old_cmk_arns.iter().filter(|arn| is_same_key(arn, &situation.settings.cmk_arn)))
        .cloned()
        .collect();
    let mut targets = situation.targets.clone();
    let noted = targets.note_old_cmks(&unlisted(situation));
    if !noted && databases.is_empty() && own_rounds.is_empty() && old_cmks.is_empty() {
        return None;
    }
    targets.forget_databases(&databases);
    targets.forget_members(&own_rounds);
    targets.forget_old_cmks(&old_cmks);
    Some(targets)
}

/// Customer keys that members are under and that nobody listed: of a member that was configured with another one, and of a
/// change whose leader fell between the new settings and the new targets.
fn unlisted(situation: &Situation) -> Vec<String> {
    let listed = |arn: &str| {
        let known = situation.targets.record().old_cmk_arns.iter();
        known.chain([&situation.settings.cmk_arn]).any(|known| is_same_key(known, arn))
    };
    let mut arns = Vec::new();
    for report in situation.members.iter().filter_map(|member| member.report.as_ref()) {
        let arn = &report.cmk_arn;
        if report.encryption_enabled && !arn.is_empty() && !listed(arn) && !arns.contains(arn) {
            arns.push(arn.clone());
        }
    }
    arns
}
