//! The exit statuses of `cofferd`; docs/exit-status.md tells operators what to do about each.

use std::fmt;
use std::process::ExitCode;

use coffer_proto::help::HelpCode;

/// Why the process ends. The numbers follow sysexits.h (BSD) where it has one that fits; 77 is the one that supervisors and
/// tests look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It was asked to stop, and did so in order.
    Stopped,
    /// The arguments or the configuration are wrong.
    Config,
    /// An address cannot be listened on.
    Ports,
    /// Something that cannot happen did.
    Internal,
    /// The data directory cannot be made or read.
    Directory,
    /// The Raft log or the databases failed: no half-alive members.
    Storage,
    /// Another `cofferd` uses the data directory.
    Locked,
    /// The data directory belongs to another member, or does not fit the configuration, or was tampered with.
    Foreign,
    /// The customer took the key away.
    Revoked,
    /// The data directory is older than what the peers remember of this member.
    WentBack,
    /// A second signal came.
    Killed,
}

impl Exit {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::Stopped,
        Self::Config,
        Self::Ports,
        Self::Internal,
        Self::Directory,
        Self::Storage,
        Self::Locked,
        Self::Foreign,
        Self::Revoked,
        Self::WentBack,
        Self::Killed,
    ];

    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Stopped => 0,
            // What clap uses for arguments too.
            Self::Config => 2,
            Self::Ports => 69,
            Self::Internal => 70,
            Self::Directory => 73,
            Self::Storage => 74,
            Self::Locked => 75,
            Self::Foreign => 76,
            Self::Revoked => 77,
            Self::WentBack => 78,
            // As a shell reports a process that SIGINT ended.
            Self::Killed => 130,
        }
    }
}

impl Exit {
    /// The page that explains it; `None` where it was asked for.
    pub fn help_code(self) -> Option<HelpCode> {
        match self {
            Self::Stopped | Self::Killed => None,
            Self::Config => Some(HelpCode::ConfigInvalid),
            Self::Ports => Some(HelpCode::AddressInUse),
            Self::Internal => Some(HelpCode::InternalError),
            Self::Directory | Self::Storage => Some(HelpCode::DiskFailure),
            Self::Locked | Self::Foreign => Some(HelpCode::DirectoryMismatch),
            Self::Revoked => Some(HelpCode::Revoked),
            Self::WentBack => Some(HelpCode::WentBack),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped as asked",
            Self::Config => "the configuration is wrong",
            Self::Ports => "an address cannot be listened on",
            Self::Internal => "an internal error",
            Self::Directory => "the data directory cannot be used",
            Self::Storage => "storage failed",
            Self::Locked => "another cofferd uses the data directory",
            Self::Foreign => "the data directory is not this member's",
            Self::Revoked => "access to the customer's key was revoked",
            Self::WentBack => "this member went back in time",
            Self::Killed => "a second signal",
        })
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_status_is_its_own_and_documented() {
        let codes: BTreeSet<_> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exit-status.md");
        let page = fs::read_to_string(page).unwrap();
        for exit in Exit::ALL {
            let row = format!("| {} |", exit.code());
            let row = page.lines().find(|line| line.starts_with(&row)).expect("every status has a row");
            let help = exit.help_code().map(|code| code.to_string()).unwrap_or_default();
            assert!(row.contains(&help), "{exit}: {help} is not in its row");
        }
    }
}
