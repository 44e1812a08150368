//! `coffer member`.

use coffer_client::status::Member as MemberInfo;
use serde_json::{Value, json};

use super::status::{role_name, state_name};
use super::{Context, no_service};
use crate::args::Member;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::table::table;

/// Runs it.
pub async fn run(cx: &mut Context, args: Member) -> Result<(), Failure> {
    let admin = cx.client.admin();
    match args {
        Member::List => list(cx).await,
        Member::Add { id, address } => {
            let members = admin.add_member(id, &address).await?;
            show(cx, &format!("member {id} is added; promote it when it has caught up"), &members)
        }
        Member::Promote { id } => {
            let members = admin.promote_member(id).await?;
            show(cx, &format!("member {id} votes now"), &members)
        }
        Member::Remove { id, yes } => {
            confirm(&format!("remove member {id} for good, so that its id is never used again"), yes)?;
            let members = admin.remove_member(id).await?;
            show(cx, &format!("member {id} is removed; stop its cofferd"), &members)
        }
        Member::TransferLeader { id } => {
            let leader = admin.transfer_leader(id).await?;
            cx.output.print(format!("member {leader} leads now"), &json!({ "leader_id": leader }))?;
            Ok(())
        }
    }
}

/// Shows the membership as the best informed member has it.
async fn list(cx: &mut Context) -> Result<(), Failure> {
    let reports = cx.client.admin().status_all().await;
    let answers: Vec<_> = reports.iter().filter_map(|report| report.status.as_ref().ok()).collect();
    let best = answers
        .iter()
        .filter(|status| !status.members.is_empty())
        .max_by_key(|status| (status.term, status.role() == coffer_client::status::RaftRole::Leader));
    let Some(best) = best else {
        let why = no_service::why(&reports);
        return Err(Failure::Unreachable(format!("no member knows the membership now\n  {why}")));
    };
    let mut rows = table(&["MEMBER", "ADDRESS", "VOTES", "ROLE", "STATE"], &[0]);
    let mut json = Vec::new();
    for member in &best.members {
        let own = answers.iter().find(|status| status.member_id == member.id);
        let role = own.map_or("-", |status| role_name(status.role()));
        let state = own.map_or("unreachable", |status| state_name(status.state()));
        rows.add_row([
            member.id.to_string(),
            member.address.clone(),
            if member.voter { "yes" } else { "no" }.to_owned(),
            role.to_owned(),
            state.to_owned(),
        ]);
        json.push(json!({
            "id": member.id, "address": member.address, "voter": member.voter, "role": role, "state": state,
        }));
    }
    cx.output.print(rows, &json!({ "leader_id": best.leader_id, "term": best.term, "members": json }))?;
    Ok(())
}

fn show(cx: &mut Context, done: &str, members: &[MemberInfo]) -> Result<(), Failure> {
    let mut rows = table(&["MEMBER", "ADDRESS", "VOTES"], &[0]);
    for member in members {
        rows.add_row([
            member.id.to_string(),
            member.address.clone(),
            if member.voter { "yes" } else { "no" }.to_owned(),
        ]);
    }
    let json: Vec<Value> = members
        .iter()
        .map(|member| json!({ "id": member.id, "address": member.address, "voter": member.voter }))
        .collect();
    cx.output.print(format!("{done}\n{rows}"), &json!({ "members": json }))?;
    Ok(())
}
