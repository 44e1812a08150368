//! What stands against telling a member to work.

use super::needs::{DatabaseProgress, Work, database_progress};
use super::situation::{MemberView, Situation, members_text};

/// How long the one that was told last may be silent before another is told: work ends, or has failed, within half of it
/// (see `worker`), whether or not its answer arrives.
const TURN_MS: i64 = 60 * 1000;

/// The same where it restarts itself. While it rebuilds its data it answers; this is for the moments between, and for a
/// machine that needs time.
const RESTART_TURN_MS: i64 = 10 * 60 * 1000;

/// Why nobody is told anything just now.
pub(super) fn occupied(situation: &Situation) -> Option<String> {
    if let Some(busy) = situation.members.iter().find(|member| member.is_busy()) {
        return Some(format!("member {} is at work", busy.id));
    }
    let targets = situation.targets.record();
    // A member that was removed meanwhile has no turn.
    let holder = situation.member(targets.turn_member)?;
    let limit = if targets.turn_restarts { RESTART_TURN_MS } else { TURN_MS };
    let silent = holder.silent_ms.filter(|silent| *silent < limit)?;
    let seconds = (limit - silent).div_euclid(1000) + 1;
    let id = holder.id;
    Some(if targets.turn_restarts {
        format!(
            "member {id} restarts itself and does not answer yet; the others go on without it in {seconds} s"
        )
    } else {
        format!("member {id} was at work and does not answer; the others go on without it in {seconds} s")
    })
}

/// Why one member is not told to do one thing just now.
pub(super) fn obstacle(situation: &Situation, member: &MemberView, work: &Work) -> Option<String> {
    let id = member.id;
    let Some(report) = member.present() else { return Some(format!("member {id} does not answer")) };
    if report.denial_pending {
        return Some(format!(
            "the customer's key was denied to member {id}: until it is accessible there again nothing is done (CK0034)"
        ));
    }
    if let Some(refused) = &member.refused {
        return Some(format!("member {id} refused: {refused}"));
    }
    match work {
        Work::Master { .. } | Work::Rewrap => None,
        Work::Database { .. } => rewriting_elsewhere(situation),
        Work::Encryption { enabled, .. } => {
            let forbids = || (!enabled).then(|| forbid_off(situation)).flatten();
            forbids().or_else(|| majority_without(situation, member))
        }
    }
}

/// One database is rewritten at a time: it takes much of the disk.
fn rewriting_elsewhere(situation: &Situation) -> Option<String> {
    let databases = &situation.targets.record().databases;
    situation.members.iter().filter(|member| member.answers()).find_map(|member| {
        let rewrites = databases.iter().find(|database| {
            let progress = database_progress(member, database.database_id, database.round);
            matches!(progress, DatabaseProgress::Rewrites { .. })
        })?;
        Some(format!("member {} rewrites database {}", member.id, rewrites.database_id))
    })
}

/// The members whose configuration does not let encryption be turned off, as a reason; those that do not answer count by
/// their last word.
fn forbid_off(situation: &Situation) -> Option<String> {
    let forbid: Vec<_> = situation
        .members
        .iter()
        .filter(|member| member.report.as_ref().is_some_and(|report| !report.may_turn_encryption_off))
        .map(|member| member.id)
        .collect();
    (!forbid.is_empty()).then(|| {
        format!(
            "the configuration of {} does not let encryption be turned off (encryption.allow_off; CK0046)",
            members_text(&forbid)
        )
    })
}

/// Whether the replica set would be without a majority while a member restarts, as a reason. One of two voters restarts all
/// the same, as long as both answer: they can have no majority without it.
fn majority_without(situation: &Situation, member: &MemberView) -> Option<String> {
    let voters = || situation.members.iter().filter(|member| member.voter);
    let silent: Vec<_> = voters().filter(|other| !other.answers()).map(|other| other.id).collect();
    let count = voters().count();
    let rest = voters().filter(|other| other.id != member.id && other.answers()).count();
    let allowed = !member.voter || rest > count / 2 || (count <= 2 && silent.is_empty());
    (!allowed).then(|| {
        format!(
            "member {} restarts itself for this, and the others would be no majority while {} does not answer",
            member.id,
            members_text(&silent)
        )
    })
}
