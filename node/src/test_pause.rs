//! A pause that only tests can set: between the wiping of the keys and the end of the process.
//!
//! `COFFER_TEST_PAUSE_BEFORE_EXIT=FILE` makes the process wait, with everything closed and every key dropped, until FILE is
//! there, so that a test can look at its memory from outside; for that the process stays readable for its own user. It is
//! honoured by builds with debug assertions only, which is not what runs in production (`cargo build --release`).

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The variable.
const VARIABLE: &str = "COFFER_TEST_PAUSE_BEFORE_EXIT";

/// How often it looks for the file.
const EVERY: Duration = Duration::from_millis(10);

/// The file to wait for; `None` outside of tests.
fn file() -> Option<OsString> {
    if cfg!(debug_assertions) { std::env::var_os(VARIABLE) } else { None }
}

/// Whether a test wants to look at the memory of this process.
pub(crate) fn is_set() -> bool {
    file().is_some()
}

/// Waits, where a test asks for it.
#[expect(clippy::disallowed_methods, reason = "a poll loop; nothing else runs any more")]
pub(crate) fn before_exit() {
    let Some(file) = file().map(PathBuf::from) else { return };
    tracing::info!("paused before the exit, as a test asked");
    while !file.exists() {
        std::thread::sleep(EVERY);
    }
}
