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

/// How a call is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) route: Route,
    pub(crate) repeat: Repeat,
}

impl Plan {
    pub(crate) const WRITE: Self = Self { route: Route::Leader, repeat: Repeat::Token };
    pub(crate) const READ: Self = Self { route: Route::Leader, repeat: Repeat::Read };
    pub(crate) const LOCAL_READ: Self = Self { route: Route::Any, repeat: Repeat::Read };
    pub(crate) const ADMIN: Self = Self { route: Route::Leader, repeat: Repeat::Never };
}
