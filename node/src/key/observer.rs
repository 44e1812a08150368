//! Who hears what happens to the key on this member.

use coffer_keyring::kms::Region;

/// Something that happened to the key, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// The service gave the keys back.
    Unsealed {
        /// Where.
        region: Region,
    },
    /// The verdict on a Region is another one than before.
    Verdict {
        /// Where.
        region: Region,
        /// The name of the verdict.
        verdict: &'static str,
        /// The service's code; empty after a success.
        code: String,
        /// The service's id of the request that failed, for its own audit trail; empty where there is none.
        request_id: String,
    },
    /// Another Region is used.
    RegionChanged {
        /// From here.
        from: Region,
        /// To here.
        to: Region,
    },
    /// A peer told of a denial.
    Told {
        /// The peer.
        by: u64,
        /// Where.
        region: Region,
        /// Whether the peer confirmed it.
        confirmed: bool,
    },
    /// An operator chose a Region for this member, or, with none, took that back.
    Chosen {
        /// The Region.
        region: Option<Region>,
    },
    /// An operator said that this key is the right one for the keystore.
    Trusted {
        /// ARN of the key.
        cmk: String,
    },
    /// Access is revoked: the member shuts down.
    Revoked {
        /// Why.
        reason: String,
    },
}

/// Hears what happens to the key on this member, for the audit log. Its calls must not block.
pub trait KeyObserver: Send + Sync {
    /// Something happened.
    fn event(&self, event: &KeyEvent);
}
