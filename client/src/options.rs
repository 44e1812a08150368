//! How a client reaches a replica set, and for how long it tries.

use std::time::Duration;

/// Settings of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Members to start from, as `host:port`; `http://` may stand in front. One that answers is enough.
    pub endpoints: Vec<String>,
    /// How long one member may take to accept a connection. 2 s: a member on the same continent answers within
    /// a tenth of it, and two dead members still leave time within the default deadline.
    pub connect_timeout: Duration,
    /// How long a call may take, retries included. 10 s: several elections.
    pub deadline: Duration,
    /// Ends a call early once every known member has been refusing connections or sealed for this long. `None`:
    /// go on until the deadline, as they may come back.
    pub give_up_after: Option<Duration>,
    /// Whether members that were not named in `endpoints`, but are reported by those that were, are asked too.
    /// Switch it off where the members' own addresses cannot be reached from here, as behind a tunnel.
    pub learn_members: bool,
    /// First pause between two tries; doubles with each further one. Half of it is random.
    pub first_backoff: Duration,
    /// Longest pause between two tries. 0.5 s: a new leader is not left waiting much longer than its election took.
    pub max_backoff: Duration,
    /// How long a silent connection may have a call open before it is pinged, and once more until it counts as
    /// lost. It finds a member that is frozen or cut off without limiting calls that take long. 1 s: such a member is
    /// left after two, within the time of an election.
    pub keep_alive: Duration,
}

impl ClientOptions {
    /// The defaults, for these members.
    pub fn new<I, S>(endpoints: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self { endpoints: endpoints.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            connect_timeout: Duration::from_secs(2),
            deadline: Duration::from_secs(10),
            give_up_after: None,
            learn_members: true,
            first_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_millis(500),
            keep_alive: Duration::from_secs(1),
        }
    }
}
