//! Why no member serves, in the members' own words.
//!
//! Invariant: whoever answered is never said to be down, and whoever could not be reached is named.

use coffer_client::MemberReport;
use coffer_client::status::MemberState;

use super::status::state_name;
use crate::table::listed;

/// What a person does about members that cannot be reached.
const START_THEM: &str =
    "check that their cofferd run, and that --endpoint or COFFER_ENDPOINTS names them as they are reached";

/// What there is to know, one line a matter, with what several members say alike said once.
pub fn why(reports: &[MemberReport]) -> String {
    let mut said: Vec<(Vec<String>, String)> = Vec::new();
    let mut silent: Vec<(Vec<String>, String)> = Vec::new();
    for report in reports {
        match &report.status {
            Ok(status) => {
                let state = state_name(status.state());
                let text = match (status.state_reason.as_str(), status.state()) {
                    ("", MemberState::Sealed) => {
                        "sealed: the customer's key in KMS cannot be used now".to_owned()
                    }
                    ("", _) => state.to_owned(),
                    (reason, _) => format!("{state}: {reason}"),
                };
                add(&mut said, status.member_id.to_string(), text);
            }
            Err(failure) => add(&mut silent, report.endpoint.clone(), failure.reason.clone()),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for (members, text) in said {
        let (word, verb) = if members.len() == 1 { ("member", "is") } else { ("members", "are") };
        lines.push(format!("{word} {} {verb} {text}", listed(&members)));
    }
    let unreachable = !silent.is_empty();
    for (endpoints, text) in silent {
        lines.push(format!("no answer from {}: {text}", listed(&endpoints)));
    }
    if unreachable {
        lines.push(START_THEM.to_owned());
    }
    lines.join("\n  ")
}

fn add(entries: &mut Vec<(Vec<String>, String)>, who: String, text: String) {
    match entries.iter_mut().find(|(_, other)| *other == text) {
        Some((names, _)) => names.push(who),
        None => entries.push((vec![who], text)),
    }
}

#[cfg(test)]
mod tests {
    use coffer_client::EndpointFailure;
    use coffer_client::status::StatusResponse;

    use super::*;

    fn member(member_id: u64, state: MemberState, reason: &str) -> MemberReport {
        let status = StatusResponse {
            member_id,
            state: state.into(),
            state_reason: reason.into(),
            ..StatusResponse::default()
        };
        MemberReport { endpoint: format!("host:{member_id}"), status: Ok(status) }
    }

    fn gone(endpoint: &str) -> MemberReport {
        let failure =
            EndpointFailure { endpoint: endpoint.into(), reason: "refused".into(), connected: false };
        MemberReport { endpoint: endpoint.into(), status: Err(failure) }
    }

    #[test]
    fn members_that_answer_speak_for_themselves() {
        let waits = member(1, MemberState::Recovering, "it waits for member 2");
        let text = why(std::slice::from_ref(&waits));
        assert_eq!(text, "member 1 is recovering: it waits for member 2");
        let text = why(&[waits, gone("host:2"), gone("host:3")]);
        assert_eq!(
            text,
            format!(
                "member 1 is recovering: it waits for member 2\n  \
                 no answer from host:2 and host:3: refused\n  {START_THEM}"
            )
        );
    }

    #[test]
    fn what_members_say_alike_is_said_once() {
        let sealed = |id| member(id, MemberState::Sealed, "the CMK is disabled");
        let text = why(&[sealed(1), sealed(2), member(3, MemberState::Sealed, "")]);
        assert_eq!(
            text,
            "members 1 and 2 are sealed: the CMK is disabled\n  \
             member 3 is sealed: the customer's key in KMS cannot be used now"
        );
    }
}
