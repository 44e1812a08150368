//! A panic ends the process.
//!
//! A member whose one task died while the others go on would answer from a state that nobody thought of. It stops
//! instead, like after a power loss, which every start is made for.

use std::panic;

/// From now on a panic in any thread logs where it was, and ends the process with SIGABRT. The message is logged only where
/// it is a literal of the program: a formatted one could carry what a document holds.
pub fn install() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown)");
        tracing::error!(place, message, "a panic: this is a bug of cofferd; the process ends");
        std::process::abort();
    }));
}
