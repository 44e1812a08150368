//! `coffer keys`: the key hierarchy of every member as a tree, and rotations.

use std::fmt::Write;

use coffer_client::status::{KeyInfo, KeysResponse};
use serde_json::{Value, json};

use super::Context;
use super::key_work::{Goal, progress, wait};
use super::reach::{Otherwise, ask, chosen};
use crate::args::{Keys, KeysCommand, Members};
use crate::failure::Failure;
use crate::table::age;

/// Deepest tree that is drawn: there are three levels, and members are not trusted to send a tree.
const MAX_DEPTH: usize = 8;

/// Id of the database that holds the catalog. It has no entry in the catalog, so members know no name for it.
const ADMIN_ID: &str = "0";

/// Its name, which is taken: nobody can make another database of this name.
const ADMIN_NAME: &str = "admin";

/// Runs it.
pub async fn run(cx: &mut Context, args: Keys) -> Result<(), Failure> {
    match args.command {
        None => show(cx, args.members).await,
        Some(KeysCommand::RotateMaster { member, wait: waits }) => {
            let round = cx.client.key_admin().rotate_master_key(member).await?;
            let whose = member.map_or("the members'".to_owned(), |id| format!("member {id}'s"));
            let subject = member.map_or_else(String::new, |id| format!("member {id}"));
            let goal = Goal { kind: "master", subject: Some(subject), round };
            finish(cx, &format!("rotation of {whose} master key"), goal, waits).await
        }
        Some(KeysCommand::RotateDatabase { database, wait: waits }) => {
            let round = cx.client.key_admin().rotate_database_key(&database).await?;
            let what = format!("rotation of the key of database {database}");
            finish(cx, &what, Goal { kind: "database", subject: Some(database), round }, waits).await
        }
        Some(KeysCommand::Progress) => progress(cx).await,
        Some(KeysCommand::Defer { days }) => {
            let until = cx.client.key_admin().defer_rotation(days).await?;
            let text = match days {
                0 => "the next scheduled rotation is not put off any more".to_owned(),
                _ => format!("no scheduled rotation begins before {until}"),
            };
            cx.output.print(text, &json!({ "days": days, "until": until }))?;
            Ok(())
        }
    }
}

async fn finish(cx: &mut Context, what: &str, goal: Goal, waits: bool) -> Result<(), Failure> {
    if waits {
        wait(cx, &goal).await?;
    }
    let round = goal.round;
    let text = if waits {
        format!("{what} is done (round {round})")
    } else {
        format!("{what} is under way (round {round}); `coffer keys progress` shows how far it is")
    };
    let json = json!({ "kind": goal.kind, "subject": goal.subject, "round": round, "done": waits });
    cx.output.print(text, &json)?;
    Ok(())
}

async fn show(cx: &mut Context, members: Members) -> Result<(), Failure> {
    let admin = cx.client.admin();
    let endpoints = chosen(cx, members, Otherwise::Every).await?;
    let mut asked = ask(&endpoints, async |endpoint| admin.keys(&endpoint).await).await;
    asked.answers.sort_by_key(|(_, keys)| keys.member_id);
    let text =
        asked.answers.iter().map(|(endpoint, keys)| tree(endpoint, keys)).collect::<Vec<_>>().join("\n");
    let json: Vec<Value> = asked.answers.iter().map(|(endpoint, keys)| to_json(endpoint, keys)).collect();
    cx.output.print(text, &json!({ "members": json, "failed": asked.failed() }))?;
    asked.settle("shows no keys")
}

/// One member's keys, each under the one that wraps it.
fn tree(endpoint: &str, keys: &KeysResponse) -> String {
    let mut text = format!("member {} ({endpoint})\n", keys.member_id);
    if !keys.encryption_enabled {
        text.push_str("└─ no keys: encryption is OFF\n");
    }
    let named: Vec<String> = keys.keys.iter().map(short_name).collect();
    let roots: Vec<usize> =
        (0..named.len()).filter(|at| !named.contains(&keys.keys[*at].wrapped_by)).collect();
    draw(&mut text, keys, &named, &roots, "", 0);
    for destroyed in &keys.destroyed {
        let _ = writeln!(
            text,
            "   key of database {} destroyed with its drop at log index {}",
            destroyed.database_id, destroyed.log_index
        );
    }
    text
}

fn draw(
    text: &mut String,
    keys: &KeysResponse,
    named: &[String],
    level: &[usize],
    indent: &str,
    depth: usize,
) {
    for (position, at) in level.iter().enumerate() {
        let last = position + 1 == level.len();
        let _ = writeln!(text, "{indent}{} {}", if last { "└─" } else { "├─" }, describe(&keys.keys[*at]));
        let below: Vec<usize> =
            (0..named.len()).filter(|other| keys.keys[*other].wrapped_by == named[*at]).collect();
        if depth < MAX_DEPTH {
            let indent = format!("{indent}{}", if last { "   " } else { "│  " });
            draw(text, keys, named, &below, &indent, depth + 1);
        }
    }
}

/// How `wrapped_by` names a key.
fn short_name(key: &KeyInfo) -> String {
    match key.level.as_str() {
        "cmk" => key.id.clone(),
        level => format!("{level} v{}", key.version),
    }
}

/// The name of the database whose key it is; empty where it is not known, or it is no database's key.
fn name(key: &KeyInfo) -> &str {
    match (key.level.as_str(), key.id.as_str(), key.name.as_str()) {
        ("database", ADMIN_ID, "") => ADMIN_NAME,
        (_, _, name) => name,
    }
}

fn describe(key: &KeyInfo) -> String {
    let mut text = match key.level.as_str() {
        "cmk" => format!("CMK {}", key.id),
        "master" => format!("node master key v{}", key.version),
        "raft" | "audit" => format!("{} key v{}", key.level, key.version),
        "database" => match name(key) {
            "" => format!("database key v{} of database {}", key.version, key.id),
            name => format!("database key v{} of database {} ({name})", key.version, key.id),
        },
        other => format!("{other} key v{} {}", key.version, key.id),
    };
    if key.level != "cmk" {
        text.push_str(if key.current { ", current" } else { ", old" });
    }
    if !key.created.is_empty() {
        let _ = write!(text, ", made {}", key.created);
        if let Some(age) = age(&key.created) {
            let _ = write!(text, " ({age} ago)");
        }
    }
    if !key.wrapped_by.is_empty() {
        let _ =
            write!(text, ", wrapped by {}", if key.level == "master" { "the CMK" } else { &key.wrapped_by });
    }
    if !key.key_material_id.is_empty() {
        let _ = write!(text, " (material {}…)", key.key_material_id.chars().take(12).collect::<String>());
    }
    text
}

fn to_json(endpoint: &str, keys: &KeysResponse) -> Value {
    json!({
        "endpoint": endpoint,
        "member_id": keys.member_id,
        "encryption_enabled": keys.encryption_enabled,
        "keys": keys.keys.iter().map(|key| json!({
            "level": key.level,
            "id": key.id,
            "name": name(key),
            "version": key.version,
            "created": key.created,
            "wrapped_by": key.wrapped_by,
            "current": key.current,
            "key_material_id": key.key_material_id,
        })).collect::<Vec<_>>(),
        "destroyed": keys.destroyed.iter().map(|destroyed| {
            json!({ "database_id": destroyed.database_id, "log_index": destroyed.log_index })
        }).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use coffer_client::status::DestroyedKey;

    use super::*;

    fn key(level: &str, id: &str, version: u32, wrapped_by: &str) -> KeyInfo {
        KeyInfo {
            level: level.into(),
            id: id.into(),
            version,
            wrapped_by: wrapped_by.into(),
            current: true,
            ..KeyInfo::default()
        }
    }

    #[test]
    fn each_key_stands_under_the_one_that_wraps_it() {
        let keys = KeysResponse {
            member_id: 1,
            encryption_enabled: true,
            keys: vec![
                key("cmk", "arn:x", 0, ""),
                key("master", "", 1, "arn:x"),
                key("raft", "", 2, "master v1"),
                key("database", "0", 1, "master v1"),
                key("database", "4", 1, "master v1"),
                KeyInfo { name: "iso".into(), ..key("database", "7", 1, "master v1") },
            ],
            destroyed: vec![DestroyedKey { database_id: 5, log_index: 99 }],
        };
        assert_eq!(
            tree("a:1", &keys),
            "member 1 (a:1)\n\
             └─ CMK arn:x\n   \
                └─ node master key v1, current, wrapped by the CMK\n      \
                   ├─ raft key v2, current, wrapped by master v1\n      \
                   ├─ database key v1 of database 0 (admin), current, wrapped by master v1\n      \
                   ├─ database key v1 of database 4, current, wrapped by master v1\n      \
                   └─ database key v1 of database 7 (iso), current, wrapped by master v1\n   \
                key of database 5 destroyed with its drop at log index 99\n"
        );
        let json = to_json("a:1", &keys);
        let names: Vec<_> = json["keys"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
        assert_eq!(names, ["", "", "", "admin", "", "iso"]);
    }

    #[test]
    fn keys_that_wrap_each_other_are_not_drawn_for_ever() {
        let keys = KeysResponse {
            keys: vec![
                key("raft", "", 1, "raft v1"),
                key("master", "", 1, "database v1"),
                key("database", "1", 1, "master v1"),
            ],
            ..KeysResponse::default()
        };
        assert!(tree("a:1", &keys).contains("encryption is OFF"));
    }
}
