//! `coffer encryption`.

use std::fmt::Write;

use coffer_client::keys::{KeyTask, MemberKeys};
use serde_json::json;

use super::Context;
use super::key_work::{Goal, task_lines, tasks_json, wait};
use crate::args::Encryption;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::table::table;

/// Runs it.
pub async fn run(cx: &mut Context, args: Encryption) -> Result<(), Failure> {
    match args {
        Encryption::Enable { wait } => set(cx, true, wait).await,
        Encryption::Disable { wait, yes } => {
            confirm("write the data of every member in the clear, and destroy its keys", yes)?;
            set(cx, false, wait).await
        }
        Encryption::Status => status(cx).await,
    }
}

async fn set(cx: &mut Context, enabled: bool, waits: bool) -> Result<(), Failure> {
    let round = cx.client.key_admin().set_encryption(enabled).await?;
    if waits {
        wait(cx, &Goal { kind: "encryption", subject: None, round }).await?;
    }
    let word = if enabled { "sealed" } else { "in the clear" };
    let text = if waits {
        format!("the data of every member is {word}")
    } else {
        format!(
            "every member rebuilds its data {word}, one after the other (round {round}); `coffer encryption status` \
             shows how far it is"
        )
    };
    cx.output.print(text, &json!({ "enabled": enabled, "round": round, "done": waits }))?;
    Ok(())
}

async fn status(cx: &mut Context) -> Result<(), Failure> {
    let work = cx.client.key_admin().key_work().await?;
    let tasks: Vec<KeyTask> = work.tasks.into_iter().filter(|task| task.kind == "encryption").collect();
    let members: Vec<_> = work
        .members
        .iter()
        .map(|member| {
            json!({
                "member_id": member.member_id,
                "enabled": member.encryption_enabled,
                "may_turn_off": member.may_turn_encryption_off,
                "reachable": member.reachable,
            })
        })
        .collect();
    let json = json!({ "members": members, "tasks": tasks_json(&tasks) });
    cx.output.print(text(&work.members, &tasks), &json)?;
    Ok(())
}

fn text(members: &[MemberKeys], tasks: &[KeyTask]) -> String {
    let mut rows = table(&["MEMBER", "DATA", "MAY BE TURNED OFF"], &[0]);
    for member in members {
        rows.add_row([
            member.member_id.to_string(),
            if member.encryption_enabled { "sealed" } else { "in the clear" }.to_owned(),
            if member.may_turn_encryption_off { "yes" } else { "no, by its configuration" }.to_owned(),
        ]);
    }
    let mut text = format!("{rows}\n");
    let _ = write!(text, "{}", task_lines(tasks));
    text
}
