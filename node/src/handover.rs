//! A leader that stops hands its leadership over: once, with a deadline, to the voter that is furthest.

use std::time::Duration;

use coffer_storage::raft::{LogId, Raft};
use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::{Instant, timeout};

/// Hands leadership over, if this member has it and there is somebody to take it. Returns when somebody leads or the time
/// is over; a stop goes on either way.
pub(crate) async fn hand_over(raft: &Raft, limit: Duration) {
    let mut metrics = raft.metrics();
    let now = metrics.borrow_watched().clone();
    if now.current_leader != Some(now.id) || !now.state.is_leader() {
        return;
    }
    let voters: Vec<u64> = now.membership_config.voter_ids().collect();
    let progress = now.replication.unwrap_or_default();
    let heard = now.heartbeat.unwrap_or_default();
    let candidates = voters.iter().filter(|voter| **voter != now.id).map(|voter| {
        let silence = heard.get(voter).copied().flatten().map(|at| at.elapsed());
        Candidate { id: *voter, matched: progress.get(voter).copied().flatten(), silence }
    });
    let Some(to) = best(candidates, limit) else {
        tracing::info!("there is no member to hand leadership over to");
        return;
    };
    let began = Instant::now();
    if let Err(error) = raft.trigger().transfer_leader(to).await {
        tracing::warn!(%error, "leadership is not handed over");
        return;
    }
    let taken = timeout(limit, async {
        loop {
            let leader = metrics.borrow_watched().current_leader;
            if leader.is_some_and(|leader| leader != now.id) {
                return leader;
            }
            if metrics.changed().await.is_err() {
                return None;
            }
        }
    });
    match taken.await {
        Ok(Some(leader)) => {
            tracing::info!(leader, millis = began.elapsed().as_millis() as u64, "leadership is handed over")
        }
        _ => tracing::warn!(to, "nobody took leadership over in time; this member stops all the same"),
    }
}

struct Candidate {
    id: u64,
    matched: Option<LogId>,
    /// How long it has not answered; `None`: it never did.
    silence: Option<Duration>,
}

/// The one that is furthest, among those that answered lately.
fn best(candidates: impl Iterator<Item = Candidate>, limit: Duration) -> Option<u64> {
    candidates
        .filter(|candidate| candidate.silence.is_some_and(|silence| silence < limit))
        .max_by_key(|candidate| candidate.matched)
        .map(|candidate| candidate.id)
}

#[cfg(test)]
mod tests {
    use coffer_proto::internal::v1::RecordLogId;
    use coffer_storage::raft::wire::log_id_from_pb;

    use super::*;

    fn candidate(id: u64, index: u64, silence: Option<u64>) -> Candidate {
        let matched = Some(log_id_from_pb(&RecordLogId { term: 1, index }));
        Candidate { id, matched, silence: silence.map(Duration::from_millis) }
    }

    #[test]
    fn the_furthest_that_answers_is_chosen() {
        let limit = Duration::from_secs(2);
        let all = [
            candidate(2, 7, Some(100)),
            candidate(3, 9, Some(200)),
            candidate(4, 99, Some(5000)),
            candidate(5, 99, None),
        ];
        assert_eq!(best(all.into_iter(), limit), Some(3));
        assert_eq!(best([candidate(4, 99, None)].into_iter(), limit), None);
        assert_eq!(best(std::iter::empty(), limit), None);
    }
}
