//! SIGTERM and SIGINT: the first asks for a stop, the second ends the process at once.
//!
//! SIGXFSZ (a file would grow beyond `ulimit -f`) is caught too, and nothing done about it: the write fails with EFBIG then,
//! and the member ends as after any other error of its disk, in order and with a reason.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The two signals that stop a member.
pub struct Signals {
    term: Signal,
    interrupt: Signal,
    _file_size: Signal,
}

impl Signals {
    /// Catches them from now on.
    ///
    /// # Errors
    /// What the system says.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Waits for the next one; returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
