//! Logs, to the standard error.
//!
//! Invariant: libraries stay at `warn`, whatever level is set. Their lower levels print what they carry: openraft's
//! entries, h2's frames, hyper's headers. openraft stays at `error`, because it warns of every try at a peer that is away;
//! who is away shows in the status and the metrics of the leader.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// Starts the logs, once in a process; a second call changes nothing.
pub fn start(log: &LogSection) {
    let level = log.level.name();
    // `error` must not be raised by the general rule.
    let others = if level == "error" { "error" } else { "warn" };
    let filter = EnvFilter::new(format!(
        "{others},openraft=error,coffer_node={level},coffer_storage={level},coffer_keyring={level},cofferd={level}"
    ));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => builder.json().with_current_span(false).with_span_list(false).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logs were started before");
    }
}
