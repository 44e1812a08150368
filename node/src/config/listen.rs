//! `[listen]`: where this member listens.

use std::net::{SocketAddr, ToSocketAddrs};

use serde::{Deserialize, Serialize};

use super::Problems;
use super::cluster::check_address;

/// Where this member listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSection {
    /// `host:port` to listen on; empty: this member's address in `cluster.members`.
    pub address: String,
    /// `host:port` that clients and peers are told; empty: this member's address in `cluster.members`, else `address`.
    pub advertise: String,
    /// Whether addresses beyond this machine's loopback are taken, although nothing encrypts or authenticates
    /// connections yet: anybody who reaches the port reads and writes everything.
    pub insecure_listen: bool,
    /// Most connections at once; further ones wait to be accepted.
    pub max_connections: usize,
}

impl Default for ListenSection {
    fn default() -> Self {
        Self {
            address: String::new(),
            advertise: String::new(),
            insecure_listen: false,
            max_connections: 4096,
        }
    }
}

impl ListenSection {
    /// Notes what is wrong; `own` is this member's address in `cluster.members`.
    pub(super) fn check(&self, own: Option<&str>, problems: &mut Problems) {
        let address = if self.address.is_empty() { own.unwrap_or_default() } else { &self.address };
        if address.is_empty() {
            problems.add(
                "listen.address",
                "it is not set, and this member is not among cluster.members: say where to listen",
            );
        } else {
            self.check_local("listen.address", address, problems);
        }
        if !self.advertise.is_empty()
            && let Err(error) = check_address(&self.advertise)
        {
            problems.add("listen.advertise", error);
        }
        problems.unless(self.max_connections > 0, "listen.max_connections", "at least 1 is needed");
    }

    /// Notes an address that is none, or that other machines reach although that was not asked for.
    pub(super) fn check_local(&self, key: &str, address: &str, problems: &mut Problems) {
        match resolve(address) {
            Err(error) => problems.add(key, error),
            Ok(addresses) => problems.unless(
                self.insecure_listen || addresses.iter().all(|address| address.ip().is_loopback()),
                key,
                format_args!(
                    "{address} can be reached from other machines, and connections are neither encrypted nor \
                     authenticated: listen on 127.0.0.1, or set listen.insecure_listen = true in a network that is \
                     closed to everybody else"
                ),
            ),
        }
    }
}

/// The socket addresses behind `host:port`; port 0 is taken.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    if !address.ends_with(":0") {
        check_address(address)?;
    }
    match address.to_socket_addrs() {
        Ok(found) => {
            let found: Vec<_> = found.collect();
            if found.is_empty() { Err(format!("{address} has no IP address")) } else { Ok(found) }
        }
        Err(error) => Err(format!("{address} cannot be resolved: {error}")),
    }
}
