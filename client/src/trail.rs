//! What a call has met so far, and the error that this adds up to.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{EndpointFailure, Error};

/// How a member stood when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No connection came about.
    Unreachable,
    /// It waits for its key.
    Sealed,
    /// It answered that it has too much to do.
    Busy,
    /// It could not serve the call for another reason, or did not answer.
    Other,
}

/// The failures of one call.
#[derive(Debug)]
pub(crate) struct Trail {
    started: Instant,
    deadline: Instant,
    give_up_after: Option<Duration>,
    /// Since when there is nobody to turn to.
    hopeless_since: Option<Instant>,
    failures: Vec<(EndpointFailure, Standing)>,
    may_have_happened: bool,
    discoveries: u32,
    last: String,
    last_standing: Standing,
}

impl Trail {
    pub(crate) fn new(deadline: Duration, give_up_after: Option<Duration>) -> Self {
        let started = Instant::now();
        Self {
            started,
            deadline: started + deadline,
            give_up_after,
            hopeless_since: None,
            failures: Vec::new(),
            may_have_happened: false,
            discoveries: 0,
            last: String::new(),
            last_standing: Standing::Other,
        }
    }

    /// A member did not serve the call.
    pub(crate) fn note(&mut self, address: &str, standing: Standing, reason: String) {
        self.last = format!("{address}: {reason}");
        self.last_standing = standing;
        let connected = standing != Standing::Unreachable;
        let failure = EndpointFailure { endpoint: address.to_owned(), reason, connected };
        match self.failures.iter_mut().find(|(failure, _)| failure.endpoint == address) {
            Some(entry) => *entry = (failure, standing),
            None => self.failures.push((failure, standing)),
        }
    }

    /// Counts a discovery of the leader, and says how many there were before it.
    pub(crate) fn count_discovery(&mut self) -> u32 {
        let before = self.discoveries;
        self.discoveries = before.saturating_add(1);
        before
    }

    /// The last try may have changed something.
    pub(crate) fn may_have_happened(&mut self) {
        self.may_have_happened = true;
    }

    /// The time that is left, or `None` where the call is to end. `members`: all members known now.
    pub(crate) fn left(&mut self, members: &[String]) -> Option<Duration> {
        let now = Instant::now();
        if !members.is_empty() {
            let hopeless = !self.may_have_happened && members.iter().all(|member| self.is_out(member));
            self.hopeless_since = hopeless.then(|| self.hopeless_since.unwrap_or(now));
        }
        if let (Some(limit), Some(since)) = (self.give_up_after, self.hopeless_since)
            && now.duration_since(since) >= limit
        {
            return None;
        }
        Some(self.deadline.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    fn is_out(&self, member: &str) -> bool {
        self.failures.iter().any(|(failure, standing)| {
            failure.endpoint == member && matches!(standing, Standing::Unreachable | Standing::Sealed)
        })
    }

    /// Waits for `pause`, or until the deadline.
    pub(crate) async fn pause(&self, pause: Duration) {
        sleep_until((Instant::now() + pause).min(self.deadline)).await;
    }

    /// The error that the call ends with.
    pub(crate) fn end(&self) -> Error {
        let after = self.started.elapsed();
        if self.may_have_happened {
            return Error::OutcomeUnknown { after, last: self.last.clone() };
        }
        if self.last_standing == Standing::Busy {
            return Error::Overloaded { after, message: self.last.clone() };
        }
        let endpoints = self.failures.iter().map(|(failure, _)| failure.clone()).collect();
        let any = |wanted| self.failures.iter().any(|(_, standing)| *standing == wanted);
        if any(Standing::Sealed) && !any(Standing::Other) && !any(Standing::Busy) {
            return Error::Sealed { endpoints };
        }
        Error::Unreachable { after, endpoints }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(give_up_after: Option<Duration>) -> Trail {
        Trail::new(Duration::from_secs(60), give_up_after)
    }

    #[test]
    fn it_gives_up_where_everybody_is_out() {
        let members = ["a:1".to_owned(), "b:2".to_owned()];
        let mut trail = trail(Some(Duration::ZERO));
        trail.note("a:1", Standing::Unreachable, "refused".into());
        assert!(trail.left(&members).is_some());
        trail.note("b:2", Standing::Sealed, "sealed".into());
        assert!(trail.left(&members).is_none());
        assert!(matches!(trail.end(), Error::Sealed { endpoints } if endpoints.len() == 2));
    }

    #[test]
    fn a_write_that_may_have_happened_is_never_reported_as_anything_else() {
        let mut trail = trail(Some(Duration::ZERO));
        trail.note("a:1", Standing::Other, "cut".into());
        trail.may_have_happened();
        trail.note("a:1", Standing::Unreachable, "refused".into());
        assert!(trail.left(&["a:1".to_owned()]).is_some(), "it must be tried until the deadline");
        assert!(matches!(trail.end(), Error::OutcomeUnknown { last, .. } if last == "a:1: refused"));
    }

    #[test]
    fn the_last_word_on_each_member_counts() {
        let mut trail = trail(None);
        trail.note("a:1", Standing::Sealed, "sealed".into());
        trail.note("a:1", Standing::Unreachable, "refused".into());
        assert!(matches!(trail.end(), Error::Unreachable { endpoints, .. }
            if endpoints == [EndpointFailure { endpoint: "a:1".into(), reason: "refused".into(), connected: false }]));
        trail.note("a:1", Standing::Busy, "full".into());
        assert!(matches!(trail.end(), Error::Overloaded { .. }));
    }
}
