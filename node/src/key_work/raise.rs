//! The alerts of the replica set that come from key work. The leader alone raises them.

use crate::alerts::{AlertKind, cmk_too_old};
use crate::member::Member;

use super::plan::{Situation, old_cmk_notices, overdue};

/// Raises what holds, and resolves what does not any more.
pub(super) fn raise(member: &Member, situation: &Situation) {
    let old_cmks = old_cmk_notices(situation);
    set(member, AlertKind::OldCmkNeeded, &old_cmks);
    let overdue = overdue(situation);
    let overdue: Vec<_> = overdue
        .iter()
        .map(|id| {
            let text = format!(
                "the master key of member {id} is older than the policy allows, and was not rotated in time"
            );
            (id.to_string(), text)
        })
        .collect();
    set(member, AlertKind::RotationOverdue, &overdue);
    let failing = member.key_work().memory().failing();
    let failing: Vec<_> = failing
        .into_iter()
        .map(|(id, text)| {
            (id.to_string(), format!("work on the keys of member {id} is refused again and again: {text}"))
        })
        .collect();
    set(member, AlertKind::KeyWorkFailed, &failing);
    let born =
        situation.members.iter().filter_map(|member| member.report.as_ref()).map(|report| report.cmk_born_ms);
    let old = born.max().filter(|born| *born > 0).and_then(|born| {
        let text = cmk_too_old(&situation.settings, born, situation.now_ms)?;
        Some((situation.settings.cmk_arn.clone(), text))
    });
    set(member, AlertKind::CmkAge, old.as_slice());
}

/// This member does not lead: what it raised as leader is the next leader's.
pub(super) fn forget(member: &Member) {
    member.alerts().forget_set();
}

fn set(member: &Member, kind: AlertKind, found: &[(String, String)]) {
    for (subject, text) in found {
        member.alerts().raise_of_set(kind, subject, text);
    }
    let subjects: Vec<_> = found.iter().map(|(subject, _)| subject.as_str()).collect();
    member.alerts().retain_of_set(kind, &subjects);
}
