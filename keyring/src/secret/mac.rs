//! The keys that authenticate the keystore and the audit log.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{KEY_LEN, SecretArena, SecretKey, on_scrubbed_stack};
use crate::{ClusterId, KeyVersion, MemberId};

/// What HKDF is told that the derived key is for.
const PURPOSE: &[u8] = b"coffer keystore mac v1";

/// An HMAC-SHA256 key: the keystore's is derived from one version of the master key by HKDF-SHA256 (RFC 5869).
pub(crate) struct MacKey(SecretKey);

impl MacKey {
    /// Derives the MAC key of a member's keystore from a version of its master key.
    pub(crate) fn derive(
        arena: &SecretArena,
        master: &SecretKey,
        version: KeyVersion,
        cluster: &ClusterId,
        member: MemberId,
    ) -> std::io::Result<Self> {
        let mut info = Vec::with_capacity(64);
        super::wrap::put(&mut info, cluster.as_str().as_bytes());
        super::wrap::put(&mut info, &member.0.to_be_bytes());
        super::wrap::put(&mut info, &version.0.to_be_bytes());
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        on_scrubbed_stack(|| {
            let kdf = Hkdf::<Sha256>::new(Some(PURPOSE), master.bytes());
            kdf.expand(&info, bytes.as_mut_slice()).expect("32 bytes are within HKDF's limit of 8,160");
        });
        Ok(Self(arena.adopt(&mut bytes)?))
    }

    /// A random key that is used as it is.
    pub(crate) fn of(secret: SecretKey) -> Self {
        Self(secret)
    }

    /// The key itself, to be wrapped.
    pub(crate) fn secret(&self) -> &SecretKey {
        &self.0
    }

    /// The tag of `parts`, one after the other.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        on_scrubbed_stack(|| self.state(parts).finalize().into_bytes().into())
    }

    /// Whether `tag` is the tag of `parts`; compared in constant time.
    pub(crate) fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        on_scrubbed_stack(|| self.state(parts).verify_slice(tag).is_ok())
    }

    fn state(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut state =
            Hmac::<Sha256>::new_from_slice(self.0.bytes()).expect("HMAC takes a key of any length");
        for part in parts {
            state.update(part);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_key_depends_on_all_that_it_is_for() {
        let arena = SecretArena::new();
        let master = arena.adopt(&mut [1; 32]).unwrap();
        let other = arena.adopt(&mut [2; 32]).unwrap();
        let cluster = ClusterId::generate();
        let tag = |master, version, cluster: &ClusterId, member| {
            MacKey::derive(&arena, master, KeyVersion(version), cluster, MemberId(member))
                .unwrap()
                .tag(&[b"body"])
        };
        let first = tag(&master, 1, &cluster, 1);
        assert_eq!(first, tag(&master, 1, &cluster, 1));
        assert_ne!(first, tag(&other, 1, &cluster, 1));
        assert_ne!(first, tag(&master, 2, &cluster, 1));
        assert_ne!(first, tag(&master, 1, &ClusterId::generate(), 1));
        assert_ne!(first, tag(&master, 1, &cluster, 2));
    }

    #[test]
    fn a_tag_is_of_the_bytes_and_not_of_their_parts() {
        let arena = SecretArena::new();
        let master = arena.adopt(&mut [1; 32]).unwrap();
        let cluster = ClusterId::generate();
        let key = MacKey::derive(&arena, &master, KeyVersion(1), &cluster, MemberId(1)).unwrap();
        let tag = key.tag(&[b"bo", b"dy"]);
        assert!(key.verify(&[b"body"], &tag));
        assert!(!key.verify(&[b"bodz"], &tag));
        assert!(!key.verify(&[b"body"], &tag[..31]));
    }
}
