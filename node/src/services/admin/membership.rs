//! Who belongs to the replica set.
//!
//! Every change is made by the leader, one after the other. What Raft itself would allow and an operator would regret is
//! refused: an id that was used before, an address where somebody else answers, a removal that leaves no majority.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use coffer_proto::v1;
use coffer_storage::raft::{Membership, Raft, TypeConfig};
use openraft::{
    BasicNode, ChangeMembers, RaftMetrics,
    async_runtime::watch::WatchReceiver,
    errors::{ClientWriteError, RaftError},
    raft::ClientWriteResponse,
};
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        command::write_error,
        deadline::Deadline,
        error::{LeaderHint, ServiceError, Uncertainty},
        linearize::linearize,
        refusal::Refusal,
    },
    status::members,
    transfer::{answers, denied_members, hand_over, has_caught_up, leader_hint, wait},
};
use crate::{
    member::{Member, Recall, Serving},
    raft::ask_recall,
};

/// How long a new member may take to say that it is there.
const HELLO_LIMIT: Duration = Duration::from_secs(2);

/// Adds a learner.
pub async fn add(
    member: &Member,
    serving: Arc<Serving>,
    id: u64,
    address: String,
    deadline: Deadline,
) -> Result<Vec<v1::Member>, ServiceError> {
    check_address(&address)?;
    let metrics = leading(&serving.raft, &deadline).await?;
    let membership = metrics.membership_config.membership();
    check_new(id, &address, membership)?;
    if matches!(member.recall(id), Recall::Remembered(_)) {
        return Err(refused(format!(
            "member {id} belonged to this replica set before; ids are never used again: give the member another one"
        )));
    }
    let limit = HELLO_LIMIT.min(deadline.left());
    ask_recall(member.identity(), id, &address, limit).await.map_err(|error| {
        refused(format!(
            "member {id} does not answer at {address} ({error}): start it first, with this replica set's id"
        ))
    })?;
    let node = BasicNode::new(address);
    let response = outcome(&deadline, serving.raft.add_learner(id, node, false)).await?;
    Ok(members_after(&serving.raft, &response))
}

/// Makes a learner a voter.
pub async fn promote(
    serving: Arc<Serving>,
    id: u64,
    deadline: Deadline,
) -> Result<Vec<v1::Member>, ServiceError> {
    let metrics = leading(&serving.raft, &deadline).await?;
    let membership = metrics.membership_config.membership();
    if membership.get_node(&id).is_none() {
        return Err(refused(format!("there is no member {id}: add it first")));
    }
    if membership.voter_ids().any(|voter| voter == id) {
        return Ok(members(membership));
    }
    let caught_up = wait(&serving.raft, deadline.at(), |metrics| {
        !metrics.state.is_leader() || has_caught_up(metrics, id)
    })
    .await?;
    match caught_up {
        Some(metrics) if !metrics.state.is_leader() => {
            return Err(ServiceError::NotLeader(leader_hint(&metrics)));
        }
        Some(_) => {}
        None => {
            return Err(refused(format!(
                "member {id} has not caught up yet, so it would only be in the way of a majority; try again later"
            )));
        }
    }
    let change = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
    let response = outcome(&deadline, serving.raft.change_membership(change, true)).await?;
    Ok(members_after(&serving.raft, &response))
}

/// Removes a member. A leader that is to be removed hands leadership over; its successor removes it when it is asked.
pub async fn remove(
    serving: Arc<Serving>,
    id: u64,
    deadline: Deadline,
) -> Result<Vec<v1::Member>, ServiceError> {
    let metrics = leading(&serving.raft, &deadline).await?;
    let membership = metrics.membership_config.membership();
    if membership.get_node(&id).is_none() {
        return Err(refused(format!("there is no member {id} in this replica set")));
    }
    let change = if membership.voter_ids().any(|voter| voter == id) {
        check_majority_without(&serving.raft, id, &deadline).await?;
        ChangeMembers::RemoveVoters(BTreeSet::from([id]))
    } else {
        ChangeMembers::RemoveNodes(BTreeSet::from([id]))
    };
    if id == metrics.id {
        let leader =
            hand_over(&serving.raft, None, &denied_members(&serving.engine), deadline.left()).await?;
        let address = membership.get_node(&leader).map(|node| node.addr.clone());
        return Err(ServiceError::NotLeader(LeaderHint { id: Some(leader), address }));
    }
    let response = outcome(&deadline, serving.raft.change_membership(change, false)).await?;
    Ok(members_after(&serving.raft, &response))
}

fn refused(why: String) -> ServiceError {
    ServiceError::Membership(why)
}

/// The metrics of a member that leads and has applied the first entry of its term: before that, Raft takes no change of
/// the membership, and who was elected just now would refuse what it can do in a moment.
async fn leading(raft: &Raft, deadline: &Deadline) -> Result<RaftMetrics<TypeConfig>, ServiceError> {
    linearize(raft, deadline).await?;
    let metrics = raft.metrics().borrow_watched().clone();
    if metrics.state.is_leader() { Ok(metrics) } else { Err(ServiceError::NotLeader(leader_hint(&metrics))) }
}

/// `host:port`, and nothing that means every host.
fn check_address(address: &str) -> Result<(), Refusal> {
    let refuse = |why: &str| {
        Err(Refusal::argument(format!(
            "the address of a member is host:port, such as 10.0.0.4:27100: this one {why}"
        )))
    };
    if address.len() > 300 {
        return refuse("is longer than any host name");
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return refuse("has no port");
    };
    if port.parse::<u16>().map_or(true, |port| port == 0) {
        return refuse("has no port between 1 and 65535");
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.is_empty() || bare == "0.0.0.0" || bare == "::" {
        return refuse("names no host that others can reach");
    }
    if address.parse::<http::uri::Authority>().is_err() || address.contains('@') {
        return refuse("is not one");
    }
    Ok(())
}

fn check_new(id: u64, address: &str, membership: &Membership) -> Result<(), ServiceError> {
    if id == 0 {
        return Err(Refusal::argument("the id of a member is a number from 1 on").into());
    }
    if membership.get_node(&id).is_some() {
        return Err(refused(format!("there is a member {id} already: give the new one another id")));
    }
    let greatest = membership.nodes().map(|(id, _)| *id).max().unwrap_or(0);
    if id < greatest {
        return Err(refused(format!(
            "ids of members are never used again, and grow: the new one has to be greater than {greatest}"
        )));
    }
    if let Some((other, _)) = membership.nodes().find(|(_, node)| node.addr == address) {
        return Err(refused(format!("member {other} has that address already")));
    }
    Ok(())
}

/// The voters that stay have to be able to go on. A leader that was elected just now is given a moment to hear of them.
async fn check_majority_without(raft: &Raft, id: u64, deadline: &Deadline) -> Result<(), ServiceError> {
    let by = deadline.at().min(Instant::now() + HELLO_LIMIT);
    let enough = |(alive, stay): (usize, usize)| stay > 0 && alive > stay / 2;
    let last = |metrics: &RaftMetrics<TypeConfig>| alive_without(metrics, id).1 == 0;
    wait(raft, by, |metrics| {
        last(metrics) || !metrics.state.is_leader() || enough(alive_without(metrics, id))
    })
    .await?;
    let metrics = raft.metrics().borrow_watched().clone();
    let (alive, stay) = alive_without(&metrics, id);
    if stay == 0 {
        return Err(refused(format!(
            "member {id} is the last voter: without it the replica set and its data would be gone"
        )));
    }
    if !enough((alive, stay)) {
        return Err(refused(format!(
            "of the {stay} voters that would stay only {alive} answer: without member {id} there would be no majority"
        )));
    }
    Ok(())
}

/// How many of the voters answer that stay when member `id` goes, and how many stay.
fn alive_without(metrics: &RaftMetrics<TypeConfig>, id: u64) -> (usize, usize) {
    let stay: Vec<u64> = metrics.membership_config.voter_ids().filter(|voter| *voter != id).collect();
    let alive = stay.iter().filter(|voter| **voter == metrics.id || answers(metrics, **voter)).count();
    (alive, stay.len())
}

async fn outcome(
    deadline: &Deadline,
    change: impl Future<
        Output = Result<ClientWriteResponse<TypeConfig>, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>,
    >,
) -> Result<ClientWriteResponse<TypeConfig>, ServiceError> {
    match timeout_at(deadline.at(), change).await {
        Err(_) => Err(ServiceError::OutcomeUnknown(Uncertainty::Deadline)),
        Ok(Ok(response)) => Ok(response),
        Ok(Err(RaftError::APIError(error))) => Err(write_error(error)),
        Ok(Err(RaftError::Fatal(_))) => {
            Err(ServiceError::OutcomeUnknown(Uncertainty::Interrupted(LeaderHint::default())))
        }
    }
}

fn members_after(raft: &Raft, response: &ClientWriteResponse<TypeConfig>) -> Vec<v1::Member> {
    match &response.membership {
        Some(membership) => members(membership),
        None => members(raft.metrics().borrow_watched().membership_config.membership()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn membership() -> Membership {
        let nodes = [(1, "a:1"), (2, "b:1"), (5, "c:1")].map(|(id, address)| (id, BasicNode::new(address)));
        Membership::new(vec![BTreeSet::from([1, 2])], BTreeMap::from(nodes)).unwrap()
    }

    #[test]
    fn a_new_member_has_a_new_id_and_a_new_address() {
        assert!(check_new(6, "d:1", &membership()).is_ok());
        for (id, address) in [(0, "d:1"), (2, "d:1"), (5, "d:1"), (3, "d:1"), (6, "b:1")] {
            assert!(check_new(id, address, &membership()).is_err(), "{id} {address}");
        }
    }

    #[test]
    fn addresses_are_host_and_port() {
        for good in ["10.0.0.4:27100", "host.example:1", "[::1]:27100", "localhost:65535"] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "host",
            "host:",
            "host:0",
            "host:70000",
            ":1",
            "0.0.0.0:1",
            "[::]:1",
            "a b:1",
            "u@h:1",
            "h:1/x",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_are_told_with_their_votes() {
        let told: Vec<(u64, bool)> = members(&membership()).iter().map(|m| (m.id, m.voter)).collect();
        assert_eq!(told, [(1, true), (2, true), (5, false)]);
    }
}
