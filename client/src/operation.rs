//! What the driver has to know of a call in order to route and repeat it.

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Only the leader can answer.
    Leader,
    /// Any member that serves.
    Any,
}

/// What a try that ended without an answer means for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing, so it is simply tried again.
    Read,
    /// It carries a retry token: it is tried again, and takes effect once.
    Token,
    /// It must not be sent twice: its outcome is unknown at once.
    Never,
}

/// How much of the time that is left one try may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// A part, so that a member that does not answer leaves time for the others.
    Part,
    /// All: it is not tried elsewhere, or takes long by nature.
    Whole,
}

/// How a call is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) route: Route,
    pub(crate) repeat: Repeat,
    pub(crate) share: Share,
}

impl Plan {
    pub(crate) const WRITE: Self = Self { route: Route::Leader, repeat: Repeat::Token, share: Share::Part };
    pub(crate) const READ: Self = Self { route: Route::Leader, repeat: Repeat::Read, share: Share::Part };
    pub(crate) const LOCAL_READ: Self = Self { route: Route::Any, repeat: Repeat::Read, share: Share::Part };
    pub(crate) const ADMIN: Self = Self { route: Route::Leader, repeat: Repeat::Never, share: Share::Whole };
    /// Changes nothing, and takes long.
    pub(crate) const TRIAL: Self = Self { route: Route::Leader, repeat: Repeat::Read, share: Share::Whole };
}
