//! What a member has still to do, by its own word.

use coffer_proto::internal::v1::{DatabaseKeyState, MemberKeysRecord};

use super::super::KeyTargets;
use super::situation::{MemberView, Situation, is_same_key};

/// One piece of work for one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A new master key under the settings' customer key, of this round.
    Master {
        /// The round.
        round: u64,
    },
    /// Everything sealed, or in the clear; the member restarts.
    Encryption {
        /// Sealed or not.
        enabled: bool,
        /// The round.
        round: u64,
    },
    /// A new key of a database.
    Database {
        /// The database.
        database_id: u64,
        /// The round.
        round: u64,
    },
    /// The same master key wrapped under the present material of the customer's key.
    Rewrap,
}

/// The kinds of work, in the order in which they are done: what ends a dependence on an old customer key first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Master,
    Encryption,
    Database,
    Rewrap,
}

impl Kind {
    pub(super) const IN_ORDER: [Self; 4] = [Self::Master, Self::Encryption, Self::Database, Self::Rewrap];
}

/// Whether a member has the master key that it has to have: of the round, and under the settings' customer key. One that
/// never said anything has not.
pub(super) fn master_done(situation: &Situation, member: &MemberView) -> bool {
    let Some(report) = &member.report else { return false };
    // In the clear there is no master key; the one that it gets with encryption is new.
    !report.encryption_enabled
        || (report.master_round >= situation.targets.master_round(member.id)
            && is_same_key(&report.cmk_arn, &situation.settings.cmk_arn))
}

/// Whether a member's data has the form that it has to have.
pub(super) fn encryption_done(targets: &KeyTargets, member: &MemberView) -> bool {
    let targets = targets.record();
    targets.encryption_round == 0
        || member
            .report
            .as_ref()
            .is_some_and(|report| report.encryption_enabled == targets.encryption_enabled)
}

/// How far a member is with a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatabaseProgress {
    /// It was not told yet, or has not said anything.
    Waits,
    /// New files are under the new key; the others are being rewritten.
    Rewrites { percent: u32 },
    /// Everything is rewritten; something that is being read still needs an old version.
    Pinned,
    /// Only the newest version is left.
    Done,
}

/// How far a member is with a database's key of `round`.
pub(super) fn database_progress(member: &MemberView, database_id: u64, round: u64) -> DatabaseProgress {
    let Some(report) = &member.report else { return DatabaseProgress::Waits };
    if !report.encryption_enabled {
        return DatabaseProgress::Done;
    }
    match state(report, database_id) {
        Some(state) if state.round >= round && state.versions <= 1 => DatabaseProgress::Done,
        Some(state) if state.round >= round && state.percent >= 100 => DatabaseProgress::Pinned,
        Some(state) if state.round >= round => DatabaseProgress::Rewrites { percent: state.percent },
        _ => DatabaseProgress::Waits,
    }
}

fn state(report: &MemberKeysRecord, database_id: u64) -> Option<&DatabaseKeyState> {
    report.databases.iter().find(|state| state.database_id == database_id)
}

/// The next piece of work of one kind, by what the member said last; `None` where there is nothing to do.
pub(super) fn next_work(situation: &Situation, member: &MemberView, kind: Kind) -> Option<Work> {
    let targets = situation.targets.record();
    match kind {
        Kind::Master => {
            let round = situation.targets.master_round(member.id);
            (!master_done(situation, member)).then_some(Work::Master { round })
        }
        Kind::Encryption => {
            let work =
                Work::Encryption { enabled: targets.encryption_enabled, round: targets.encryption_round };
            (!encryption_done(&situation.targets, member)).then_some(work)
        }
        Kind::Database => targets
            .databases
            .iter()
            .filter(|database| situation.databases.contains(&database.database_id))
            .find(|database| {
                let progress = database_progress(member, database.database_id, database.round);
                progress == DatabaseProgress::Waits
            })
            .map(|database| Work::Database { database_id: database.database_id, round: database.round }),
        Kind::Rewrap => {
            let report = member.present()?;
            (report.stale_wrap && report.encryption_enabled).then_some(Work::Rewrap)
        }
    }
}
