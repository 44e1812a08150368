//! What a decision is made from.

use std::collections::BTreeSet;

use coffer_keyring::Timestamp;
use coffer_keyring::kms::KeyArn;
use coffer_proto::internal::v1::{MemberKeysRecord, SettingsRecord};

use super::super::KeyTargets;

/// What a decision is made from.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    /// This member, which leads.
    pub(crate) leader: u64,
    /// The cluster's settings.
    pub(crate) settings: SettingsRecord,
    /// What every member has to have done.
    pub(crate) targets: KeyTargets,
    /// Every member of the replica set, by id.
    pub(crate) members: Vec<MemberView>,
    /// The databases that there are.
    pub(crate) databases: BTreeSet<u64>,
    /// The leader's clock, milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// A member as its leader sees it.
#[derive(Clone, Debug)]
pub(crate) struct MemberView {
    /// Its id.
    pub(crate) id: u64,
    /// Whether it votes.
    pub(crate) voter: bool,
    /// What it says of its keys, or, while it is silent, what it said last.
    pub(crate) report: Option<MemberKeysRecord>,
    /// How long it has not answered; `None`: it answered just now.
    pub(crate) silent_ms: Option<i64>,
    /// Why it refused what it was told to do; it is left alone for a while.
    pub(crate) refused: Option<String>,
}

impl Situation {
    /// A member by its id.
    pub(super) fn member(&self, id: u64) -> Option<&MemberView> {
        self.members.iter().find(|member| member.id == id)
    }

    /// The members in the order in which they work: the leader last, so that leadership stays where it is for long.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &MemberView> {
        let leader =
            |leads: bool| self.members.iter().filter(move |member| (member.id == self.leader) == leads);
        leader(false).chain(leader(true))
    }

    /// Whether a member may need the customer's key `arn`, which is listed as an old one: it said so last, or never said
    /// anything, or may have come under it since it said something.
    pub(super) fn depends_on(&self, member: &MemberView, arn: &str) -> bool {
        let Some(report) = &member.report else { return true };
        let named = report.encryption_enabled && is_same_key(&report.cmk_arn, arn);
        // Which keys were current since then is not written down: it may be any of the list.
        named || self.may_have_moved(member, report)
    }

    /// Whether a member may have done something since its last word: it works, or is silent, and was not done by then. What
    /// it was told to do was told under the settings of that time.
    fn may_have_moved(&self, member: &MemberView, report: &MemberKeysRecord) -> bool {
        let (settings, targets) = (&self.settings, self.targets.record());
        let master = report.encryption_enabled
            && (report.master_round < self.targets.master_round(member.id)
                || !is_same_key(&report.cmk_arn, &settings.cmk_arn));
        let form = report.encryption_round < targets.encryption_round;
        (report.busy || !member.answers()) && (master || form)
    }
}

impl MemberView {
    /// Whether it answered just now.
    pub(crate) fn answers(&self) -> bool {
        self.silent_ms.is_none()
    }

    /// What it says just now.
    pub(super) fn present(&self) -> Option<&MemberKeysRecord> {
        self.report.as_ref().filter(|_| self.answers())
    }

    /// Whether it said just now that it works.
    pub(super) fn is_busy(&self) -> bool {
        self.present().is_some_and(|report| report.busy)
    }

    /// When its master key was made, milliseconds since 1970; `None` where it has none.
    pub(super) fn master_created_ms(&self) -> Option<i64> {
        let report = self.report.as_ref().filter(|report| report.encryption_enabled)?;
        let created = Timestamp::try_from(report.master_created.clone()).ok()?;
        Some(created.unix().saturating_mul(1000))
    }
}

/// Whether two ARNs name one key, in whatever Regions.
pub(super) fn is_same_key(one: &str, other: &str) -> bool {
    match (KeyArn::parse(one), KeyArn::parse(other)) {
        (Ok(one), Ok(other)) => one.is_same_key(&other),
        _ => one == other,
    }
}

/// Members in a sentence: `member 2`, `members 2 and 3`, `members 1, 2 and 3`.
pub(crate) fn members_text(ids: &[u64]) -> String {
    let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => "no member".to_owned(),
        [one] => format!("member {one}"),
        [most @ .., last] => format!("members {} and {last}", most.join(", ")),
    }
}
