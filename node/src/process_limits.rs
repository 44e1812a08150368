//! What the operating system allows this process.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::test_pause;

/// Files that a member with a few hundred databases keeps open.
const WANTED_FILES: u64 = 16_384;

/// Raises the number of open files to what is allowed, and switches core dumps off: a core holds what the member had in
/// memory, keys and documents included.
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
    // The limit alone does not do: it is not asked where the system pipes cores into a program, as most distributions do
    // (core(5)). This also keeps other processes of the same user from attaching and from reading the memory.
    if test_pause::is_set() {
        return;
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process stays dumpable: its memory may end up in a core dump");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn neither_a_file_nor_a_pipe_gets_a_core() {
        set();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
