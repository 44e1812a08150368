//! What a wrap is bound to, besides its key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ClusterId, MemberId};

/// An encryption context: names and values that Decrypt must be given exactly as Encrypt was. The
/// service shows them in its audit trail, so nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// The context of a member's master key. A wrap moved to another member or another cluster
    /// is refused by the service itself.
    pub fn node_master_key(cluster: &ClusterId, member: MemberId) -> Self {
        Self::default()
            .with("coffer:cluster", cluster.as_str())
            .with("coffer:member", &member.to_string())
            .with("coffer:purpose", "node-master-key")
    }

    /// This context with one more pair; a name that it has already gets the new value.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The pairs, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
