//! What is not as it should be with a member that serves all the same.

use std::collections::BTreeMap;

use coffer_proto::help::HelpCode;

/// A thing that can be wrong. One text each, the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// The customer's key cannot be reached, or was denied once.
    Key,
    /// The replica set was not started yet, or this member not added to it.
    Set,
    /// Nobody leads.
    Leader,
    /// Members do not answer their leader.
    Peers,
    /// The replica set knows this member by another address.
    Address,
}

impl Concern {
    /// The page that explains it; that of the key depends on what was found.
    fn help(self) -> Option<HelpCode> {
        match self {
            Self::Key => None,
            Self::Set => Some(HelpCode::SetNotStarted),
            Self::Leader => Some(HelpCode::NoLeader),
            Self::Peers => Some(HelpCode::MemberSilent),
            Self::Address => Some(HelpCode::AddressDiffers),
        }
    }
}

/// Everything that is wrong now.
#[derive(Debug, Default)]
pub(super) struct Concerns(BTreeMap<Concern, String>);

impl Concerns {
    /// Takes in what is wrong, or that it is not any more. Whether that is a change.
    pub(super) fn set(&mut self, concern: Concern, text: Option<String>) -> bool {
        match text {
            Some(text) => {
                let changed = self.0.get(&concern) != Some(&text);
                if changed {
                    self.0.insert(concern, text);
                }
                changed
            }
            None => self.0.remove(&concern).is_some(),
        }
    }

    /// The page of the first that has one.
    pub(super) fn help(&self) -> Option<HelpCode> {
        self.0.keys().find_map(|concern| concern.help())
    }

    /// All of it in one line; empty when nothing is wrong.
    pub(super) fn text(&self) -> String {
        self.0.values().map(String::as_str).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_one_text_until_it_is_over() {
        let mut concerns = Concerns::default();
        assert!(!concerns.set(Concern::Leader, None));
        assert!(concerns.set(Concern::Leader, Some("nobody leads".to_owned())));
        assert!(!concerns.set(Concern::Leader, Some("nobody leads".to_owned())));
        assert!(concerns.set(Concern::Key, Some("no answer".to_owned())));
        assert_eq!(concerns.text(), "no answer; nobody leads");
        assert_eq!(concerns.help(), Some(HelpCode::NoLeader));
        assert!(concerns.set(Concern::Leader, None));
        assert_eq!(concerns.text(), "no answer");
        assert_eq!(concerns.help(), None, "the key's has its own place");
    }
}
