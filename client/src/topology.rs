//! Who the members are and who leads, as far as this client knows. Pure: it asks nobody.
//!
//! Invariants:
//! - The configured endpoints are always known, in the order in which they were given.
//! - The cached leader is a known member.

use coffer_proto::v1::{MemberState, RaftRole, StatusResponse};

use crate::{Error, Result};

/// Most members learned from others: far more than a replica set has, few enough to be asked one by one.
const MAX_LEARNED: usize = 64;

#[derive(Clone, Debug)]
struct Known {
    address: String,
    configured: bool,
    member_id: Option<u64>,
}

/// The members and the leader.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    members: Vec<Known>,
    leader: Option<String>,
    learn: bool,
    /// Position of the member that answers reads which anybody may answer.
    preferred: usize,
}

impl Topology {
    /// # Errors
    /// [`Error::Invalid`] where an endpoint is no `host:port`, or there is none.
    pub(crate) fn new(endpoints: &[String], learn: bool) -> Result<Self> {
        let mut members: Vec<Known> = Vec::new();
        for endpoint in endpoints {
            let address = normalize(endpoint)?;
            if members.iter().all(|known| known.address != address) {
                members.push(Known { address, configured: true, member_id: None });
            }
        }
        if members.is_empty() {
            return Err(Error::Invalid(
                "no endpoint was given; name at least one member as host:port".into(),
            ));
        }
        Ok(Self { members, leader: None, learn, preferred: 0 })
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|known| known.address.clone()).collect()
    }

    pub(crate) fn leader(&self) -> Option<String> {
        self.leader.clone()
    }

    /// The member to ask where anybody may answer.
    pub(crate) fn any(&self) -> String {
        self.members[self.preferred % self.members.len()].address.clone()
    }

    /// `address` did not do what only a leader that serves can do.
    pub(crate) fn failed(&mut self, address: &str) {
        if self.leader.as_deref() == Some(address) {
            self.leader = None;
        }
        if self.any() == address {
            self.preferred = (self.preferred + 1) % self.members.len();
        }
    }

    /// Takes in who leads, and says under which address that member is known here. `None`: it is not known, and
    /// may not be learned.
    pub(crate) fn redirect(&mut self, leader_id: Option<u64>, leader: Option<&str>) -> Option<String> {
        // A configured endpoint with that id comes first: the member's own address may be of another network.
        let by_id = leader_id
            .and_then(|id| self.members.iter().find(|known| known.configured && known.member_id == Some(id)));
        let found = by_id.map(|known| known.address.clone()).or_else(|| {
            let address = normalize(leader?).ok()?;
            let known = self.members.iter().any(|known| known.address == address);
            (known || self.learned(&address, leader_id)).then_some(address)
        });
        self.leader.clone_from(&found);
        found
    }

    /// Takes in what the member at `address` says of itself.
    pub(crate) fn observe(&mut self, address: &str, status: &StatusResponse) {
        // An endpoint can be given to another member, so an id is held by one endpoint only.
        for known in &mut self.members {
            if known.address == address {
                known.member_id = Some(status.member_id).filter(|id| *id != 0);
            } else if known.member_id == Some(status.member_id) && known.configured {
                known.member_id = None;
            }
        }
    }

    /// Takes in the members that the best informed answer names, and forgets learned ones that it does not.
    pub(crate) fn learn_members(&mut self, status: &StatusResponse) {
        if !self.learn || status.members.is_empty() {
            return;
        }
        let named: Vec<(String, u64)> = status
            .members
            .iter()
            .filter_map(|member| Some((normalize(&member.address).ok()?, member.id)))
            .collect();
        self.members
            .retain(|known| known.configured || named.iter().any(|(address, _)| *address == known.address));
        if let Some(leader) = &self.leader
            && self.members.iter().all(|known| known.address != *leader)
        {
            self.leader = None;
        }
        self.preferred %= self.members.len();
        for (address, id) in named {
            let known = self
                .members
                .iter()
                .any(|known| known.address == address || (known.configured && known.member_id == Some(id)));
            if !known {
                self.learned(&address, Some(id));
            }
        }
    }

    fn learned(&mut self, address: &str, member_id: Option<u64>) -> bool {
        let learned = self.members.iter().filter(|known| !known.configured).count();
        if !self.learn || learned >= MAX_LEARNED {
            return false;
        }
        self.members.push(Known { address: address.to_owned(), configured: false, member_id });
        true
    }
}

/// Picks, of several answers to Status, the one that knows best who leads: one that says that it leads itself,
/// in the highest term; else one that names a leader, in the highest term.
pub(crate) fn best_informed(answers: &[(String, StatusResponse)]) -> Option<&(String, StatusResponse)> {
    answers
        .iter()
        .filter(|(_, status)| status.state() == MemberState::Serving && status.leader_id != 0)
        .max_by_key(|(_, status)| (status.term, leads(status)))
}

/// Whether the member says that it leads.
pub(crate) fn leads(status: &StatusResponse) -> bool {
    status.role() == RaftRole::Leader && status.state() == MemberState::Serving
}

/// `host:port` of an endpoint as people write it.
///
/// # Errors
/// [`Error::Invalid`] says what is wrong with it.
pub(crate) fn normalize(endpoint: &str) -> Result<String> {
    let wrong =
        |why: &str| Err(Error::Invalid(format!("`{endpoint}` is no endpoint: {why}; write it as host:port")));
    let text = endpoint.trim();
    if text.starts_with("https://") {
        return wrong("TLS is not supported yet");
    }
    let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let Some((host, port)) = text.rsplit_once(':') else { return wrong("it has no port") };
    if host.is_empty() || host.contains(['/', '@', ' ']) || (host.contains(':') && !host.starts_with('[')) {
        return wrong("its host is missing or malformed");
    }
    match port.parse::<u16>() {
        Ok(port) if port != 0 => Ok(format!("{}:{port}", host.to_ascii_lowercase())),
        _ => wrong("its port is no number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use coffer_proto::v1::Member;

    use super::*;

    fn topology(learn: bool) -> Topology {
        Topology::new(&["a:1".into(), "http://b:2/".into(), "a:1".into()], learn).unwrap()
    }

    fn status(member_id: u64, term: u64, leader_id: u64) -> StatusResponse {
        let role = if member_id == leader_id { RaftRole::Leader } else { RaftRole::Follower };
        StatusResponse {
            member_id,
            term,
            leader_id,
            state: MemberState::Serving.into(),
            role: role.into(),
            ..StatusResponse::default()
        }
    }

    #[test]
    fn endpoints_are_checked() {
        assert_eq!(topology(true).addresses(), ["a:1", "b:2"]);
        assert_eq!(normalize(" http://[::1]:27101/ ").unwrap(), "[::1]:27101");
        for (wrong, why) in [
            ("", "no port"),
            ("a", "no port"),
            (":1", "host"),
            ("a:0", "port"),
            ("a:99999", "port"),
            ("https://a:1", "TLS"),
            ("::1:1", "host"),
        ] {
            let error = normalize(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(Topology::new(&[], true).is_err());
    }

    #[test]
    fn a_redirect_is_followed_and_learned_where_that_is_allowed() {
        let mut learns = topology(true);
        assert_eq!(learns.redirect(Some(3), Some("c:3")).as_deref(), Some("c:3"));
        assert_eq!(learns.leader().as_deref(), Some("c:3"));
        assert_eq!(learns.addresses(), ["a:1", "b:2", "c:3"]);

        let mut fixed = topology(false);
        assert_eq!(fixed.redirect(Some(3), Some("c:3")), None);
        assert_eq!(fixed.leader(), None);
        // Behind a tunnel the member's id tells which endpoint it is.
        fixed.observe("b:2", &status(3, 1, 3));
        assert_eq!(fixed.redirect(Some(3), Some("c:3")).as_deref(), Some("b:2"));
    }

    #[test]
    fn a_failed_leader_is_forgotten_and_reads_move_on() {
        let mut topology = topology(true);
        topology.redirect(None, Some("a:1"));
        assert_eq!(topology.any(), "a:1");
        topology.failed("a:1");
        assert_eq!((topology.leader(), topology.any().as_str()), (None, "b:2"));
        topology.failed("a:1");
        assert_eq!(topology.any(), "b:2");
    }

    #[test]
    fn learned_members_follow_the_membership() {
        let mut topology = topology(true);
        let member = |id, address: &str| Member { id, address: address.into(), voter: true };
        let mut seen = status(1, 1, 1);
        seen.members = vec![member(1, "a:1"), member(3, "c:3")];
        topology.learn_members(&seen);
        assert_eq!(topology.addresses(), ["a:1", "b:2", "c:3"]);
        topology.redirect(Some(3), Some("c:3"));
        seen.members = vec![member(1, "a:1"), member(4, "d:4")];
        topology.learn_members(&seen);
        assert_eq!(topology.addresses(), ["a:1", "b:2", "d:4"]);
        assert_eq!(topology.leader(), None);
    }

    #[test]
    fn the_highest_term_knows_best() {
        let answers = [
            ("a:1".to_owned(), status(1, 3, 1)),
            ("b:2".to_owned(), status(2, 4, 3)),
            ("c:3".to_owned(), status(3, 4, 3)),
            ("d:4".to_owned(), status(4, 9, 0)),
        ];
        let (address, best) = best_informed(&answers).unwrap();
        assert_eq!((address.as_str(), leads(best)), ("c:3", true));
        assert!(best_informed(&answers[3..]).is_none());
    }
}
