//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

use anyhow::anyhow;

/// Pause between two looks at a condition: short beside what is waited for (an election, a start), long beside the
/// cost of a look.
const POLL: Duration = Duration::from_millis(25);

/// Looks at `condition` until it gives a value, and returns that. An `Err` of the condition says why it does not hold
/// yet.
///
/// # Errors
/// After `deadline`, with what was waited for and the last reason why not. A look that hangs is cut off too.
pub async fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Result<T, String>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    let mut last = "it was never looked at".to_owned();
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        // A look that answers at once is never cut off, so the time is asked too.
        match tokio::time::timeout(left, condition()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(reason)) => last = reason,
            Err(_) => {}
        }
        if started.elapsed() >= deadline {
            return Err(anyhow!("waited {:.1} s for {what}; last: {last}", started.elapsed().as_secs_f64()));
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        let value = wait_for("three looks", Duration::from_secs(5), async || {
            looks += 1;
            if looks < 3 { Err("not yet".to_owned()) } else { Ok(looks) }
        })
        .await;
        assert_eq!(value.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_condition_that_never_holds_is_named_with_its_reason() {
        let error =
            wait_for("the moon", Duration::from_millis(60), async || Err::<(), _>("it is day".to_owned()))
                .await
                .unwrap_err()
                .to_string();
        assert!(error.contains("the moon") && error.contains("it is day"), "{error}");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off() {
        let error = wait_for("an answer", Duration::from_millis(60), async || {
            std::future::pending::<()>().await;
            Ok(())
        })
        .await
        .unwrap_err();
        assert!(error.to_string().contains("an answer"), "{error}");
    }
}
