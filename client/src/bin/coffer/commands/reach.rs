//! Finds the members that a command asks, asks them, and tells of those that did not answer.

use coffer_client::status::{MemberState, RaftRole, StatusResponse};
use coffer_client::{Error, MemberReport};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{Context, no_service};
use crate::args::Members;
use crate::failure::Failure;

/// Whom a command asks where neither --member nor --all is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The first endpoint that answers.
    First,
    /// Every member.
    Every,
}

/// The endpoints of the members that were chosen, in the order in which they are known.
///
/// # Errors
/// [`Failure::Unreachable`] where the member is not known, or nobody answers.
pub async fn chosen(cx: &Context, members: Members, otherwise: Otherwise) -> Result<Vec<String>, Failure> {
    let reports = cx.client.admin().status_all().await;
    choose(&reports, members, otherwise)
}

/// As [`chosen`], from what the members said already.
///
/// # Errors
/// As [`chosen`].
pub fn choose(
    reports: &[MemberReport],
    members: Members,
    otherwise: Otherwise,
) -> Result<Vec<String>, Failure> {
    if let Some(id) = members.member {
        let own = reports.iter().find(|report| answered(report).is_some_and(|status| status.member_id == id));
        let named = || {
            let known = reports.iter().filter_map(answered).flat_map(|status| &status.members);
            known.clone().find(|member| member.id == id).map(|member| member.address.clone())
        };
        return own.map(|report| report.endpoint.clone()).or_else(named).map(|one| vec![one]).ok_or_else(
            || {
                let why = no_service::why(reports);
                let why = if why.is_empty() { String::new() } else { format!("\n  {why}") };
                Failure::Unreachable(format!("no endpoint is known to be member {id}{why}"))
            },
        );
    }
    if members.all || otherwise == Otherwise::Every {
        return Ok(reports.iter().map(|report| report.endpoint.clone()).collect());
    }
    match reports.iter().find(|report| report.status.is_ok()) {
        Some(report) => Ok(vec![report.endpoint.clone()]),
        None => Err(Failure::Unreachable(format!("no member answers\n  {}", no_service::why(reports)))),
    }
}

/// What the leader says of itself, if there is one that serves.
pub fn leader(reports: &[MemberReport]) -> Option<&MemberReport> {
    let leads =
        |status: &StatusResponse| status.role() == RaftRole::Leader && status.state() == MemberState::Serving;
    reports
        .iter()
        .filter(|report| answered(report).is_some_and(leads))
        .max_by_key(|report| answered(report).map(|status| status.term))
}

/// What the member said of itself.
pub fn answered(report: &MemberReport) -> Option<&StatusResponse> {
    report.status.as_ref().ok()
}

/// What several members answered.
#[derive(Debug)]
pub struct Asked<T> {
    /// The answers, each with the endpoint.
    pub answers: Vec<(String, T)>,
    /// Why the others did not, each with the endpoint.
    pub failures: Vec<(String, Error)>,
}

/// Asks these endpoints, all together.
pub async fn ask<T>(endpoints: &[String], call: impl AsyncFn(String) -> Result<T, Error>) -> Asked<T> {
    let answers = join_all(endpoints.iter().map(|endpoint| call(endpoint.clone()))).await;
    let mut asked = Asked { answers: Vec::new(), failures: Vec::new() };
    for (endpoint, answer) in endpoints.iter().zip(answers) {
        match answer {
            Ok(answer) => asked.answers.push((endpoint.clone(), answer)),
            Err(error) => asked.failures.push((endpoint.clone(), error)),
        }
    }
    asked
}

impl<T> Asked<T> {
    /// Those that failed, for programs.
    pub fn failed(&self) -> Vec<Value> {
        self.failures
            .iter()
            .map(|(endpoint, error)| {
                json!({ "endpoint": endpoint, "reason": reason(error), "help_code": error.help_code() })
            })
            .collect()
    }

    /// Tells of those that failed, `what` being what they did not do, such as "shows no keys". It is the failure of the
    /// command where nobody did it: refused, where somebody looked at it and refused.
    ///
    /// # Errors
    /// Where there is no answer.
    pub fn settle(&self, what: &str) -> Result<(), Failure> {
        let line = |(endpoint, error): &(String, Error)| format!("{endpoint} {what}: {}", reason(error));
        let message = self.failures.iter().map(line).collect::<Vec<_>>().join("\ncoffer: ");
        if self.answers.is_empty() {
            let refused = self.failures.iter().any(|(_, error)| error.kind().exit_status() == 1);
            return Err(if refused { Failure::Refused(message) } else { Failure::Unreachable(message) });
        }
        if !message.is_empty() {
            eprintln!("coffer: {message}");
        }
        Ok(())
    }
}

/// Why a member that was asked alone did not answer.
pub fn reason(error: &Error) -> String {
    match error {
        Error::Unreachable { endpoints, .. } | Error::Sealed { endpoints } => {
            endpoints.iter().map(|failure| failure.reason.clone()).collect::<Vec<_>>().join("; ")
        }
        other => Failure::text_of(other),
    }
}

#[cfg(test)]
mod tests {
    use coffer_client::EndpointFailure;
    use coffer_client::status::Member;

    use super::*;

    fn report(id: u64) -> MemberReport {
        let members = vec![Member { id: 9, address: "host:9".into(), voter: true }];
        let status = StatusResponse { member_id: id, members, ..StatusResponse::default() };
        MemberReport { endpoint: format!("host:{id}"), status: Ok(status) }
    }

    fn gone(id: u64) -> MemberReport {
        let endpoint = format!("host:{id}");
        let failure =
            EndpointFailure { endpoint: endpoint.clone(), reason: "refused".into(), connected: false };
        MemberReport { endpoint, status: Err(failure) }
    }

    #[test]
    fn one_some_or_all_are_chosen() {
        let reports = [gone(1), report(2), report(3)];
        let pick = |member, all, otherwise| {
            choose(&reports, Members { member, all }, otherwise).map_err(|error| error.to_string())
        };
        assert_eq!(pick(None, false, Otherwise::First).unwrap(), ["host:2"]);
        assert_eq!(pick(None, false, Otherwise::Every).unwrap().len(), 3);
        assert_eq!(pick(None, true, Otherwise::First).unwrap().len(), 3);
        assert_eq!(pick(Some(3), false, Otherwise::Every).unwrap(), ["host:3"]);
        assert_eq!(pick(Some(9), false, Otherwise::First).unwrap(), ["host:9"]);
        let error = pick(Some(4), false, Otherwise::First).unwrap_err();
        assert!(error.contains("member 4") && error.contains("no answer from host:1"), "{error}");
        assert!(choose(&reports[..1], Members::default(), Otherwise::First).is_err());
    }
}
