//! What a supervisor does: a member whose access was revoked is started again, at once and every time.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::cluster::Cluster;
use crate::wait::wait_for;

/// The exit status of a member whose access to the customer's key is revoked.
pub const REVOKED: i32 = 77;

/// Waits until each of `ids` has ended with [`REVOKED`], and starts each again in the moment that it has. Returns how long after
/// `since` each ended.
///
/// # Errors
/// Where one runs on until `deadline` after `since`, ends otherwise, or cannot be started again.
pub async fn restart_revoked(
    cluster: &mut Cluster,
    ids: &[u64],
    since: Instant,
    deadline: Duration,
) -> anyhow::Result<Vec<(u64, Duration)>> {
    let mut ended = Vec::new();
    let left = deadline.saturating_sub(since.elapsed());
    let all = wait_for(&format!("members {ids:?} to end with {REVOKED}"), left, async || {
        for id in ids {
            if ended.iter().any(|(other, _)| other == id) || cluster.member_mut(*id).is_running() {
                continue;
            }
            let after = since.elapsed();
            // It has ended: this only reads how.
            let status = cluster.member_mut(*id).exited(Duration::from_secs(1)).await;
            let again = status.and_then(|status| {
                ensure!(status.code() == Some(REVOKED), "member {id} ended with {status}");
                cluster.member_mut(*id).start()
            });
            if let Err(error) = again {
                return Ok(Err(error));
            }
            ended.push((*id, after));
        }
        if ended.len() == ids.len() { Ok(Ok(())) } else { Err(format!("these have: {ended:?}")) }
    })
    .await;
    all.and_then(|all| all).with_context(|| cluster.log_tails())?;
    Ok(ended)
}
