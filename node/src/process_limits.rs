//! What the operating system allows this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a member with a few hundred databases keeps open.
const WANTED_FILES: u64 = 16_384;

/// Raises the number of open files to what is allowed, and switches core dumps off: a core holds what the member had in
/// memory, documents included.
pub fn set() {
    let files = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: files.maximum, maximum: files.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the number of open files cannot be raised");
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current
        && limit < WANTED_FILES
    {
        tracing::warn!(
            limit,
            "few open files are allowed: with many databases, raise `ulimit -n` to {WANTED_FILES}"
        );
    }
    let none = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps cannot be switched off");
    }
}
