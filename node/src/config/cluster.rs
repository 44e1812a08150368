//! `[cluster]`: which replica set this is, and which member of it.

use std::collections::BTreeSet;

use coffer_keyring::{ClusterId, MemberId};
use serde::{Deserialize, Serialize};

use super::Problems;

/// Most members that a replica set may have: the Raft paper's groups are small, and every write goes to all.
const MAX_MEMBERS: usize = 15;

/// Which replica set this is, and which member of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSection {
    /// A UUID, the same for all members; it is part of every encryption context. `cofferd init-config` makes one.
    pub id: String,
    /// This member's number, from 1; never used for another member, not even after this one is gone.
    pub member_id: u64,
    /// The members of the first start. Later the replica set knows its members itself, and these are only where a member
    /// looks for its peers.
    pub members: Vec<MemberAddress>,
}

/// A member and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberAddress {
    /// The member's number.
    pub id: u64,
    /// `host:port`, for clients and peers.
    pub address: String,
}

impl ClusterSection {
    /// The cluster id; checked before.
    pub fn cluster_id(&self) -> Option<ClusterId> {
        ClusterId::parse(&self.id).ok()
    }

    /// This member's id.
    pub fn member_id(&self) -> MemberId {
        MemberId(self.member_id)
    }

    /// Where this member is reached, if it is one of the first start.
    pub fn own_address(&self) -> Option<&str> {
        self.members.iter().find(|member| member.id == self.member_id).map(|member| member.address.as_str())
    }

    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.id.is_empty() {
            problems.add(
                "cluster.id",
                "it is not set: `cofferd init-config` makes a configuration with a new one",
            );
        } else if let Err(error) = ClusterId::parse(&self.id) {
            problems.add("cluster.id", error);
        }
        problems.unless(
            self.member_id > 0,
            "cluster.member_id",
            "it is not set: members are numbered from 1",
        );
        problems.unless(
            self.members.len() <= MAX_MEMBERS,
            "cluster.members",
            format_args!("a replica set has at most {MAX_MEMBERS} members"),
        );
        let mut ids = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for member in &self.members {
            problems.unless(member.id > 0, "cluster.members", "a member's id is 1 or more");
            problems.unless(
                ids.insert(member.id),
                "cluster.members",
                format_args!("member {} is there twice", member.id),
            );
            problems.unless(
                addresses.insert(&member.address),
                "cluster.members",
                format_args!("{} is the address of two members", member.address),
            );
            if let Err(error) = check_address(&member.address) {
                problems.add("cluster.members", error);
            }
        }
    }
}

/// Checks the shape of `host:port`; the port is not 0.
pub(super) fn check_address(address: &str) -> Result<(), String> {
    let refuse = |why| {
        let shown: String = address.chars().take(128).collect();
        Err(format!("`{shown}` is not an address ({why}): write host:port, like 10.0.0.1:27101"))
    };
    let Some((host, port)) = address.rsplit_once(':') else { return refuse("it has no port") };
    if host.is_empty() {
        return refuse("it has no host");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return refuse("an IPv6 address stands in brackets");
    }
    if host.contains(|c: char| c.is_whitespace() || c == '/') {
        return refuse("a host has no spaces and no slashes");
    }
    match port.parse::<u16>() {
        Ok(0) | Err(_) => refuse("its port is not 1 to 65535"),
        Ok(_) => Ok(()),
    }
}
