//! The decision.

use super::super::KeyTargets;
use super::housekeeping::cleaned;
use super::needs::{Kind, Work, next_work};
use super::obstacle::{obstacle, occupied};
use super::schedule;
use super::situation::{MemberView, Situation};

/// What the leader does next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Store these targets in the place of those that the decision was made from.
    Store {
        /// The new targets.
        targets: KeyTargets,
        /// Why, for the log.
        why: &'static str,
    },
    /// Give a member the turn (see [`KeyTargets::give_turn`]), then tell it to work.
    Order {
        /// The member.
        member: u64,
        /// The work.
        work: Work,
    },
    /// Hand leadership over: the leader is the last that has to restart, and a leader does not restart.
    HandOver,
    /// Something is to be done, and nothing of it can be just now.
    Wait,
    /// Nothing is to be done.
    Finished,
}

/// Decides.
pub(crate) fn decide(situation: &Situation) -> Decision {
    if let Some(targets) = cleaned(situation) {
        return Decision::Store {
            targets,
            why: "what is done, and who depends on which customer key, is brought up to date",
        };
    }
    if schedule::is_due_now(situation) {
        let mut targets = situation.targets.clone();
        targets.request_all_masters(situation.now_ms);
        targets.defer(0);
        return Decision::Store { targets, why: "the scheduled rotation of the master keys begins" };
    }
    let mut open = needs(situation).peekable();
    if open.peek().is_none() {
        return if is_rewriting(situation) { Decision::Wait } else { Decision::Finished };
    }
    if occupied(situation).is_some() {
        return Decision::Wait;
    }
    match open.find(|(member, work)| obstacle(situation, member, work).is_none()) {
        Some((member, Work::Encryption { .. })) if hands_over(situation, member) => Decision::HandOver,
        Some((member, work)) => Decision::Order { member: member.id, work },
        None => Decision::Wait,
    }
}

/// All that is to be told, kind by kind, and within a kind in the order of the members.
fn needs(situation: &Situation) -> impl Iterator<Item = (&MemberView, Work)> {
    Kind::IN_ORDER.into_iter().flat_map(move |kind| {
        situation
            .in_turn()
            .filter_map(move |member| next_work(situation, member, kind).map(|work| (member, work)))
    })
}

/// Whether a database is still being rewritten somewhere: its end is waited for.
fn is_rewriting(situation: &Situation) -> bool {
    !situation.targets.record().databases.is_empty()
}

fn hands_over(situation: &Situation, member: &MemberView) -> bool {
    member.id == situation.leader
        && situation.members.iter().any(|other| other.voter && other.id != member.id)
}
