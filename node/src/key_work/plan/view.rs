//! What is under way, for people.

use std::collections::BTreeMap;

use coffer_keyring::Timestamp;
use coffer_proto::v1::KeyTask;

use super::needs::{DatabaseProgress, Kind, database_progress, encryption_done, master_done, next_work};
use super::obstacle::{obstacle, occupied};
use super::schedule;
use super::situation::{MemberView, Situation, members_text};

/// Every task that was asked for: those of databases, of replaced customer keys and of single members until they are done,
/// the others for good. `name` gives the name of a database.
pub(crate) fn tasks(situation: &Situation, name: impl Fn(u64) -> Option<String>) -> Vec<KeyTask> {
    let mut tasks = Vec::new();
    tasks.extend(cmk(situation));
    tasks.extend(masters(situation));
    let record = situation.targets.record();
    if record.encryption_round > 0 {
        let subject = if record.encryption_enabled { "on" } else { "off" };
        let task =
            task("encryption", subject.to_owned(), record.encryption_round, record.encryption_requested_ms);
        let done = |member: &MemberView| encryption_done(&situation.targets, member);
        tasks.push(filled(situation, task, Kind::Encryption, done));
    }
    for database in &record.databases {
        let id = database.database_id;
        let subject = name(id).unwrap_or_else(|| id.to_string());
        let task = task("database", subject, database.round, database.requested_ms);
        tasks.push(rewriting(situation, task, id));
    }
    tasks.extend(shreds(situation));
    tasks
}

/// The replaced customer keys that members still depend on, each with what a person should know.
pub(crate) fn old_cmk_notices(situation: &Situation) -> Vec<(String, String)> {
    let notice = |arn: &String| {
        let dependent = ids(situation, |member| situation.depends_on(member, arn));
        let depend = if dependent.len() == 1 { "depends" } else { "depend" };
        (!dependent.is_empty()).then(|| {
            let text = format!(
                "do not delete or disable the old key yet: {} still {depend} on it ({arn}; CK0041)",
                members_text(&dependent)
            );
            (arn.clone(), text)
        })
    };
    situation.targets.record().old_cmk_arns.iter().filter_map(notice).collect()
}

/// What a person should know.
pub(crate) fn notices(situation: &Situation) -> Vec<String> {
    let mut notices: Vec<_> = old_cmk_notices(situation).into_iter().map(|(_, text)| text).collect();
    let overdue = schedule::overdue(situation);
    if !overdue.is_empty() {
        notices.push(format!(
            "the rotation of the master key is overdue on {}: `coffer keys rotate-master` begins it now (CK0040)",
            members_text(&overdue)
        ));
    }
    let deferred = situation.targets.record().deferred_until_ms;
    if let (Some((due, limit)), true) = (schedule::next_due(situation), deferred > situation.now_ms) {
        let until = deferred.min(limit);
        if until > due {
            notices.push(format!("the scheduled rotation of the master keys is put off to {}", date(until)));
        }
    }
    notices
}

fn ids(situation: &Situation, wanted: impl Fn(&MemberView) -> bool) -> Vec<u64> {
    situation.members.iter().filter(|member| wanted(member)).map(|member| member.id).collect()
}

/// Milliseconds since 1970 as RFC 3339 has them; empty for 0.
pub(crate) fn date(ms: i64) -> String {
    let moment = (ms != 0).then(|| Timestamp::from_unix(ms.div_euclid(1000))).flatten();
    moment.map(|moment| moment.to_string()).unwrap_or_default()
}

fn task(kind: &str, subject: String, round: u64, requested_ms: i64) -> KeyTask {
    KeyTask { kind: kind.to_owned(), subject, round, requested: date(requested_ms), ..KeyTask::default() }
}

/// The task with who is done, who is not, and why it does not go on.
fn filled(
    situation: &Situation,
    mut task: KeyTask,
    kind: Kind,
    done: impl Fn(&MemberView) -> bool,
) -> KeyTask {
    task.done = ids(situation, &done);
    task.pending = ids(situation, |member| !done(member));
    let working = situation.in_turn().find(|member| !done(member) && member.is_busy());
    if let Some(working) = working {
        task.working = working.id;
        task.percent = working.present().map_or(0, |report| report.percent.min(100));
    } else {
        task.waiting_for = waiting_for(situation, &task.pending, kind);
    }
    task
}

/// Why none of the members that are not done is told to work now; empty where one is.
fn waiting_for(situation: &Situation, pending: &[u64], kind: Kind) -> String {
    if pending.is_empty() {
        return String::new();
    }
    if let Some(reason) = occupied(situation) {
        return reason;
    }
    let mut reasons = Vec::new();
    for member in situation.in_turn().filter(|member| pending.contains(&member.id)) {
        let Some(work) = next_work(situation, member, kind) else { continue };
        match obstacle(situation, member, &work) {
            Some(reason) if !reasons.contains(&reason) => reasons.push(reason),
            Some(_) => {}
            None => return String::new(),
        }
    }
    reasons.join("; ")
}

fn cmk(situation: &Situation) -> Option<KeyTask> {
    let record = situation.targets.record();
    if record.old_cmk_arns.is_empty() {
        return None;
    }
    let task = task("cmk", situation.settings.cmk_arn.clone(), record.master_round, record.cmk_requested_ms);
    let done = |member: &MemberView| {
        master_done(situation, member)
            && !record.old_cmk_arns.iter().any(|arn| situation.depends_on(member, arn))
    };
    Some(filled(situation, task, Kind::Master, done))
}

fn masters(situation: &Situation) -> Vec<KeyTask> {
    let record = situation.targets.record();
    let done = |member: &MemberView| master_done(situation, member);
    let mut tasks = Vec::new();
    // Under way with the customer key: that is one task.
    let is_cmk = !record.old_cmk_arns.is_empty() && record.cmk_requested_ms == record.master_requested_ms;
    if record.master_round > 0 && !is_cmk {
        let task = task("master", String::new(), record.master_round, record.master_requested_ms);
        tasks.push(filled(situation, task, Kind::Master, done));
    }
    for own in &record.members {
        let subject = format!("member {}", own.member_id);
        let mut task =
            filled(situation, task("master", subject, own.round, own.requested_ms), Kind::Master, |member| {
                member.id != own.member_id || done(member)
            });
        task.done.retain(|id| *id == own.member_id);
        tasks.push(task);
    }
    tasks
}

fn rewriting(situation: &Situation, task: KeyTask, database_id: u64) -> KeyTask {
    let round = task.round;
    let progress = |member: &MemberView| database_progress(member, database_id, round);
    let done = |member: &MemberView| progress(member) == DatabaseProgress::Done;
    let mut task = filled(situation, task, Kind::Database, done);
    let rewrites = situation.members.iter().find_map(|member| match progress(member) {
        DatabaseProgress::Rewrites { percent } => Some((member.id, percent)),
        _ => None,
    });
    if let Some((id, percent)) = rewrites {
        (task.working, task.percent) = (id, percent.min(100));
        task.waiting_for.clear();
        return task;
    }
    let pinned = ids(situation, |member| progress(member) == DatabaseProgress::Pinned);
    if !pinned.is_empty() && task.waiting_for.is_empty() && pinned == task.pending {
        task.waiting_for = format!(
            "what is being read on {} still needs an old version of the key (CK0048)",
            members_text(&pinned)
        );
    }
    task
}

/// Dropped databases of which some member can still read a byte.
fn shreds(situation: &Situation) -> Vec<KeyTask> {
    let mut tasks: BTreeMap<u64, KeyTask> = BTreeMap::new();
    for member in &situation.members {
        for dropped in member.report.iter().flat_map(|report| &report.dropped) {
            let task = tasks
                .entry(dropped.database_id)
                .or_insert_with(|| task("shred", dropped.database_id.to_string(), dropped.log_index, 0));
            if dropped.shredded {
                task.done.push(member.id);
            } else {
                task.pending.push(member.id);
            }
        }
    }
    tasks.into_values().filter(|task| !task.pending.is_empty()).collect()
}
