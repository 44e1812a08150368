//! `coffer keys progress`.

use std::fmt::Write;

use coffer_client::keys::{KeyTask, KeyWorkResponse, MemberKeys};
use serde_json::{Value, json};

use super::super::Context;
use crate::failure::Failure;
use crate::table::{age, ids, table};

/// Runs it.
pub async fn progress(cx: &mut Context) -> Result<(), Failure> {
    let work = cx.client.key_admin().key_work().await?;
    let json = json!({
        "tasks": tasks_json(&work.tasks),
        "members": work.members.iter().map(member_json).collect::<Vec<_>>(),
        "notices": work.notices,
    });
    cx.output.print(text(&work), &json)?;
    Ok(())
}

fn text(work: &KeyWorkResponse) -> String {
    let mut text = String::new();
    if work.tasks.is_empty() {
        text.push_str("no key work is under way\n");
    } else {
        text.push_str(&task_lines(&work.tasks));
    }
    if !work.members.is_empty() {
        let header =
            ["MEMBER", "MASTER KEY", "AGE", "RAFT KEY", "DATA", "SETTINGS", "CMK", "SHREDDED", "REPORTED"];
        let mut rows = table(&header, &[0, 5]);
        for member in &work.members {
            rows.add_row(member_row(member));
        }
        let _ = writeln!(text, "{rows}");
    }
    for notice in &work.notices {
        let _ = writeln!(text, "! {notice}");
    }
    text
}

fn member_row(member: &MemberKeys) -> [String; 9] {
    let version = |version: u32| if version == 0 { "-".to_owned() } else { format!("v{version}") };
    let shredded = match (member.shredded.len(), member.not_shredded.len()) {
        (0, 0) => "-".to_owned(),
        (all, 0) => format!("all {all}"),
        (done, left) => format!("{done} of {}; not yet {}", done + left, ids(&member.not_shredded)),
    };
    let reported = match age(&member.reported) {
        None => "never".to_owned(),
        Some(age) => format!("{age} ago"),
    };
    [
        member.member_id.to_string(),
        version(member.master_version),
        age(&member.master_created).unwrap_or_else(|| "-".to_owned()),
        version(member.raft_version),
        if member.encryption_enabled { "sealed" } else { "in the clear" }.to_owned(),
        member.settings_version.to_string(),
        if member.cmk_arn.is_empty() { "-".to_owned() } else { member.cmk_arn.clone() },
        shredded,
        if member.reachable { reported } else { format!("{reported}; silent now") },
    ]
}

/// Each piece of work in a line or two.
pub fn task_lines(tasks: &[KeyTask]) -> String {
    let mut text = String::new();
    for task in tasks {
        let _ = write!(text, "{}", title(task));
        if let Some(age) = age(&task.requested) {
            let _ = write!(text, ", asked for {age} ago");
        }
        let _ = writeln!(text, ": {}", standing(task));
        if !task.waiting_for.is_empty() {
            let _ = writeln!(text, "  ! it waits: {}", task.waiting_for);
        }
    }
    text
}

fn title(task: &KeyTask) -> String {
    let subject = &task.subject;
    let what = match task.kind.as_str() {
        "master" if !subject.is_empty() => format!("new master key of {subject}"),
        "master" => "new master keys".to_owned(),
        "cmk" => format!("master keys under {subject}"),
        "database" => format!("new key of database {subject}"),
        "encryption" => format!("encryption {subject}"),
        "shred" => format!("shredding of dropped database {subject}"),
        other => format!("{other} {subject}").trim().to_owned(),
    };
    format!("{what} (round {})", task.round)
}

/// How far a piece of work is: who is done, whose turn it is, and who is left.
pub fn standing(task: &KeyTask) -> String {
    if task.pending.is_empty() {
        return "done".to_owned();
    }
    let mut parts = Vec::new();
    if !task.done.is_empty() {
        parts.push(format!("done on {}", ids(&task.done)));
    }
    let mut left = task.pending.clone();
    if task.working != 0 {
        left.retain(|id| *id != task.working);
        parts.push(format!("under way on {} ({} %)", task.working, task.percent.min(100)));
    }
    if !left.is_empty() {
        parts.push(format!("still to do on {}", ids(&left)));
    }
    parts.join(", ")
}

/// The pieces of work, for programs.
pub fn tasks_json(tasks: &[KeyTask]) -> Vec<Value> {
    tasks
        .iter()
        .map(|task| {
            json!({
                "kind": task.kind,
                "subject": task.subject,
                "round": task.round,
                "requested": task.requested,
                "done": task.done,
                "pending": task.pending,
                "working": task.working,
                "percent": task.percent,
                "waiting_for": task.waiting_for,
            })
        })
        .collect()
}

fn member_json(member: &MemberKeys) -> Value {
    json!({
        "member_id": member.member_id,
        "reported": member.reported,
        "reachable": member.reachable,
        "cmk_arn": member.cmk_arn,
        "active_region": member.active_region,
        "master_version": member.master_version,
        "master_created": member.master_created,
        "raft_version": member.raft_version,
        "encryption_enabled": member.encryption_enabled,
        "settings_version": member.settings_version,
        "shredded": member.shredded,
        "not_shredded": member.not_shredded,
        "may_turn_encryption_off": member.may_turn_encryption_off,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_work_says_who_is_done_and_what_it_waits_for() {
        let task = KeyTask {
            kind: "cmk".into(),
            subject: "arn:new".into(),
            round: 4,
            done: vec![1],
            pending: vec![2, 3],
            working: 2,
            percent: 40,
            waiting_for: "member 3 does not answer".into(),
            ..KeyTask::default()
        };
        assert_eq!(
            task_lines(std::slice::from_ref(&task)),
            "master keys under arn:new (round 4): done on 1, under way on 2 (40 %), still to do on 3\n  \
             ! it waits: member 3 does not answer\n"
        );
        let done = KeyTask { done: vec![1, 2, 3], pending: vec![], working: 0, ..task };
        assert_eq!(standing(&done), "done");
    }

    #[test]
    fn a_member_shows_what_it_holds() {
        let member = MemberKeys {
            member_id: 2,
            master_version: 3,
            shredded: vec![4],
            not_shredded: vec![5, 6],
            ..MemberKeys::default()
        };
        let row = member_row(&member);
        assert_eq!((row[1].as_str(), row[3].as_str(), row[4].as_str()), ("v3", "-", "in the clear"));
        assert_eq!((row[7].as_str(), row[8].as_str()), ("1 of 3; not yet 5 and 6", "never; silent now"));
    }
}
