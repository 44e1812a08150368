//! Makes a call: finds the member to ask, asks, and decides what a failure means, until the deadline.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coffer_proto::v1::StatusResponse;
use coffer_proto::v1::admin_client::AdminClient;
use coffer_proto::v1::{MemberState, StatusRequest};
use coffer_proto::wire::MAX_CLIENT_MESSAGE_BYTES;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::backoff::Backoff;
use crate::channels::Channels;
use crate::operation::{Plan, Repeat, Route, Share};
use crate::session::SessionPool;
use crate::topology::{Topology, best_informed, leads};
use crate::trail::{Standing, Trail};
use crate::verdict::{Failure, Verdict, classify};
use crate::{ClientOptions, Error, Result};

/// Redirects that are followed at once. More than that in a row is members that disagree: then it pauses.
const MAX_HOPS: u32 = 3;

/// Shortest time that one try is given, its deadline allowing: an answer from another continent and a slow disk.
const MIN_TRY: Duration = Duration::from_secs(1);

/// How long a discovery waits for answers of a higher term after somebody said that it leads. A member that was
/// cut off can say so wrongly; the others answer within a round trip.
const SETTLE: Duration = Duration::from_millis(100);

/// How long the first discovery of a call waits for further answers after one came. A member on another continent
/// answers within it; a frozen one must not hold up the discovery of the leader that the others elect.
const STRAGGLE: Duration = Duration::from_millis(500);

/// How much longer each further discovery waits, so that a leader that is slow is found in the end.
const STRAGGLE_MORE: Duration = Duration::from_millis(100);

/// What all handles of one client share.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) options: ClientOptions,
    pub(crate) sessions: SessionPool,
    topology: Mutex<Topology>,
    channels: Channels,
    /// One discovery runs at a time; who waited for it takes its result.
    discovery: tokio::sync::Mutex<Discovery>,
}

/// The result of the last discovery.
#[derive(Debug, Default)]
struct Discovery {
    generation: u64,
    standings: Vec<(String, Standing, String)>,
}

impl Caller {
    pub(crate) fn new(options: ClientOptions) -> Result<Self> {
        Ok(Self {
            topology: Mutex::new(Topology::new(&options.endpoints, options.learn_members)?),
            sessions: SessionPool::default(),
            channels: Channels::default(),
            discovery: tokio::sync::Mutex::default(),
            options,
        })
    }

    pub(crate) fn topology(&self) -> MutexGuard<'_, Topology> {
        self.topology.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn channel(&self, address: &str) -> Result<Channel> {
        self.channels.get(address, &self.options)
    }

    /// Runs `attempt` against the right member until it succeeds, is refused, or the deadline is over. `attempt`
    /// is given the connection and the time that this try may take.
    pub(crate) async fn run<T, F, Fut>(&self, plan: Plan, mut attempt: F) -> Result<T>
    where
        F: FnMut(Channel, Duration) -> Fut,
        Fut: Future<Output = Result<T, Status>>,
    {
        let mut trail = Trail::new(self.options.deadline, self.options.give_up_after);
        let mut backoff = Backoff::new(self.options.first_backoff, self.options.max_backoff);
        let mut hops = 0;
        loop {
            let Some(left) = trail.left(&self.topology().addresses()) else {
                return Err(trail.end());
            };
            let Some(address) = self.pick(plan.route, &mut trail, left).await else {
                hops = 0;
                trail.pause(backoff.pause(None)).await;
                continue;
            };
            let Some(left) = trail.left(&[]) else { return Err(trail.end()) };
            let budget = try_budget(plan.share, left);
            let channel = self.channel(&address)?;
            let answer = match timeout(budget, attempt(channel, budget)).await {
                Ok(answer) => answer,
                Err(_) => Err(Status::deadline_exceeded(format!("after {budget:.1?}"))),
            };
            let failure = match answer {
                Ok(value) => return Ok(value),
                Err(status) => classify(&status),
            };
            let next = self.judge(plan, &address, failure, &mut trail)?;
            hops += 1;
            if next.at_once && hops <= MAX_HOPS {
                continue;
            }
            hops = 0;
            trail.pause(backoff.pause(next.wait)).await;
        }
    }

    /// Decides what follows from a failed try.
    fn judge(&self, plan: Plan, address: &str, failure: Failure, trail: &mut Trail) -> Result<Next> {
        let happened = failure.verdict.may_have_happened() && plan.repeat != Repeat::Read;
        let standing = match &failure.verdict {
            Verdict::Final(error) => return Err(error.clone()),
            Verdict::Fault if plan.repeat == Repeat::Read => {
                return Err(Error::Fault { endpoint: address.to_owned(), message: failure.reason });
            }
            Verdict::NotSent => Standing::Unreachable,
            Verdict::Sealed => Standing::Sealed,
            Verdict::Busy => Standing::Busy,
            Verdict::NotLeader { .. }
            | Verdict::NotServing
            | Verdict::NotConfirmed
            | Verdict::Lost
            | Verdict::Fault => Standing::Other,
        };
        trail.note(address, standing, failure.reason);
        if happened {
            trail.may_have_happened();
            if plan.repeat == Repeat::Never {
                return Err(trail.end());
            }
        }
        let mut next = Next { at_once: false, wait: failure.retry_after };
        match failure.verdict {
            Verdict::Busy => {}
            Verdict::NotLeader { leader, leader_id } => {
                let mut topology = self.topology();
                topology.failed(address);
                let to = topology.redirect(leader_id, leader.as_deref());
                next.at_once = to.is_some_and(|to| to != address);
                if !next.at_once {
                    topology.failed(address);
                }
            }
            _ => self.topology().failed(address),
        }
        Ok(next)
    }

    /// The member to ask next, or `None` where nobody is known to lead.
    async fn pick(&self, route: Route, trail: &mut Trail, left: Duration) -> Option<String> {
        if route == Route::Any {
            return Some(self.topology().any());
        }
        let known = self.topology().leader();
        match known {
            Some(leader) => Some(leader),
            None => self.discover(trail, left).await,
        }
    }

    /// Asks every member who leads.
    async fn discover(&self, trail: &mut Trail, left: Duration) -> Option<String> {
        let before = self.discovery.try_lock().map(|done| done.generation).ok();
        let mut done = timeout(left, self.discovery.lock()).await.ok()?;
        // Somebody else's discovery ended while this call waited for it.
        if before != Some(done.generation) {
            for (address, standing, reason) in &done.standings {
                trail.note(address, *standing, reason.clone());
            }
            let leader = self.topology().leader();
            if leader.is_some() || before.is_none() {
                return leader;
            }
        }
        let limit = left.min(self.options.connect_timeout + MIN_TRY);
        let straggle = STRAGGLE + STRAGGLE_MORE * trail.count_discovery();
        let answers = self.ask_all(limit, straggle, &mut done.standings).await;
        done.generation += 1;
        for (address, standing, reason) in &done.standings {
            trail.note(address, *standing, reason.clone());
        }
        let mut topology = self.topology();
        for (address, status) in &answers {
            topology.observe(address, status);
        }
        let (address, status) = best_informed(&answers)?;
        topology.learn_members(status);
        if leads(status) {
            return topology.redirect(None, Some(address));
        }
        // Nobody who leads answered: follow the hint, unless that very member was asked and did not say so.
        let hint = topology.redirect(Some(status.leader_id), Some(&status.leader_address))?;
        if done.standings.iter().any(|(asked, _, _)| *asked == hint) {
            topology.failed(&hint);
            return None;
        }
        Some(hint)
    }

    /// Asks every known member for its status, until somebody leads or most have answered.
    async fn ask_all(
        &self,
        limit: Duration,
        straggle: Duration,
        standings: &mut Vec<(String, Standing, String)>,
    ) -> Vec<(String, StatusResponse)> {
        standings.clear();
        let mut answers = Vec::new();
        let addresses = self.topology().addresses();
        let mut asked: FuturesUnordered<_> = addresses
            .iter()
            .map(|address| async move { (self.status_of(address, limit).await, address.clone()) })
            .collect();
        let mut until = Instant::now() + limit;
        while let Ok(Some((answer, address))) = tokio::time::timeout_at(until, asked.next()).await {
            match answer {
                Ok(status) => {
                    let (standing, reason) = standing_of(&status);
                    let more = if leads(&status) { SETTLE } else { straggle };
                    until = until.min(Instant::now() + more);
                    standings.push((address.clone(), standing, reason));
                    answers.push((address, status));
                }
                Err(failure) => {
                    let standing = match failure.verdict {
                        Verdict::NotSent => Standing::Unreachable,
                        _ => Standing::Other,
                    };
                    standings.push((address, standing, failure.reason));
                }
            }
        }
        for address in &addresses {
            if standings.iter().all(|(answered, _, _)| answered != address) {
                standings.push((address.clone(), Standing::Other, "did not answer in time".to_owned()));
            }
        }
        answers
    }

    /// Asks one member for its status, once.
    pub(crate) async fn status_of(&self, address: &str, limit: Duration) -> Result<StatusResponse, Failure> {
        let channel = self.channel(address).map_err(|error| Failure {
            reason: error.to_string(),
            verdict: Verdict::Final(error),
            retry_after: None,
        })?;
        let mut request = Request::new(StatusRequest {});
        request.set_timeout(limit);
        let mut client = AdminClient::new(channel).max_decoding_message_size(MAX_CLIENT_MESSAGE_BYTES);
        match timeout(limit, client.status(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(classify(&status)),
            Err(_) => Err(classify(&Status::deadline_exceeded(format!("after {limit:.1?}")))),
        }
    }
}

/// What follows a failed try.
struct Next {
    at_once: bool,
    wait: Option<Duration>,
}

/// Half of what is left, so that a member that does not answer leaves time for the others; all of it where
/// little is left, or nobody else would be asked.
fn try_budget(share: Share, left: Duration) -> Duration {
    match share {
        Share::Part => (left / 2).max(MIN_TRY).min(left),
        Share::Whole => left,
    }
}

fn standing_of(status: &StatusResponse) -> (Standing, String) {
    let why = |what: &str| match status.state_reason.as_str() {
        "" => what.to_owned(),
        reason => format!("{what}: {reason}"),
    };
    match status.state() {
        MemberState::Sealed => (Standing::Sealed, why("sealed")),
        MemberState::Serving => (Standing::Other, why("serves, but does not lead")),
        MemberState::Starting => (Standing::Other, why("is starting")),
        MemberState::Recovering => (Standing::Other, why("is recovering")),
        MemberState::Stopping => (Standing::Other, why("is stopping")),
        MemberState::Unspecified => (Standing::Other, why("says nothing of its state")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_member_leaves_time_for_the_others() {
        let ms = Duration::from_millis;
        assert_eq!(try_budget(Share::Part, ms(10_000)), ms(5_000));
        assert_eq!(try_budget(Share::Part, ms(1_500)), ms(1_000));
        assert_eq!(try_budget(Share::Part, ms(300)), ms(300));
        assert_eq!(try_budget(Share::Whole, ms(10_000)), ms(10_000));
    }
}
