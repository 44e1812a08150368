//! Starts this program again in the place of the process that runs: same program file, same arguments, same environment,
//! same process id, so that neither a supervisor nor a terminal notices.
//!
//! Every file and socket of the daemon is closed by that (close-on-exec, which Rust's standard library sets on all that it
//! opens), the lock of the data directory with them; nothing of the memory is left.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{env, io};

/// The file of the running program, also where another one lies at its path by now: a restart is no upgrade (proc(5)).
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Does it. Returns only where it cannot be done, with the reason.
pub(crate) fn restart() -> io::Error {
    let mut arguments = env::args_os();
    let mut command = Command::new(OWN_PROGRAM);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).exec()
}
