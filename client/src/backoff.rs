//! Pauses between tries: exponential, with jitter.

use std::time::Duration;

/// Hands out the next pause. Half of each is random, so that many clients that failed together do not come back
/// together ("equal jitter" in M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, max: Duration) -> Self {
        Self { next: first.min(max), max }
    }

    /// The next pause, at least `at_least` long (what a member asked for, itself bounded by the longest pause).
    pub(crate) fn pause(&mut self, at_least: Option<Duration>) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(self.max);
        let half = full / 2;
        let jittered = half + half.mul_f64(rand::random::<f64>());
        at_least.map_or(jittered, |asked| jittered.max(asked.min(self.max)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(20), ms(100));
        for full in [20, 40, 80, 100, 100] {
            let pause = backoff.pause(None);
            assert!(pause >= ms(full) / 2 && pause <= ms(full), "{pause:?} of {full}");
        }
        assert_eq!(backoff.pause(Some(ms(5000))), ms(100));
    }
}
