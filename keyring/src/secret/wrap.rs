//! One key under another: AES-256-GCM with a random nonce of 96 bits.
//!
//! A key wraps at most a few thousand others in its life (databases, versions and rewraps), far
//! from the 2^32 random nonces that NIST SP 800-38D allows one key.

use aes_gcm::aead::Aead;
use aes_gcm::aead::Payload;
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{KEY_LEN, SecretArena, SecretKey, on_scrubbed_stack};
use crate::{ClusterId, KeyVersion, MemberId};

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const WRAPPED_LEN: usize = NONCE_LEN + KEY_LEN + TAG_LEN;

/// What kind of key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// The key of the Raft log.
    Raft,
    /// The key of a database.
    Database,
    /// The key of the audit log.
    Audit,
}

/// Where a wrapped key belongs; every field is authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrapPlace<'a> {
    pub(crate) cluster: &'a ClusterId,
    pub(crate) member: MemberId,
    pub(crate) kind: KeyKind,
    /// The database's id; 0 for another key.
    pub(crate) id: u64,
    pub(crate) version: KeyVersion,
    /// The version of the master key that wraps.
    pub(crate) wrapped_by: KeyVersion,
}

impl WrapPlace<'_> {
    fn aad(&self) -> Vec<u8> {
        let kind: &[u8] = match self.kind {
            KeyKind::Raft => b"raft",
            KeyKind::Database => b"database",
            KeyKind::Audit => b"audit",
        };
        let mut aad = Vec::with_capacity(128);
        put(&mut aad, b"coffer wrapped key v1");
        put(&mut aad, self.cluster.as_str().as_bytes());
        put(&mut aad, &self.member.0.to_be_bytes());
        put(&mut aad, kind);
        put(&mut aad, &self.id.to_be_bytes());
        put(&mut aad, &self.version.0.to_be_bytes());
        put(&mut aad, &self.wrapped_by.0.to_be_bytes());
        aad
    }
}

/// Appends a field with its length before it (32 bits, big-endian), so that no two lists of
/// fields give the same bytes.
pub(super) fn put(out: &mut Vec<u8>, field: &[u8]) {
    let len = u32::try_from(field.len()).expect("authenticated fields are short");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(field);
}

/// A wrapped key: nonce, ciphertext and tag; in text, base64 of these 60 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct WrappedKey([u8; WRAPPED_LEN]);

/// Why a key could not be wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WrapError {
    #[error("the wrapped key does not open: it was changed or moved")]
    Refused,
    #[error("no memory or no randomness for a key: {0}")]
    System(#[from] std::io::Error),
}

/// The text is not base64 of 60 bytes.
#[derive(Debug, thiserror::Error)]
#[error("a wrapped key is not base64 of {WRAPPED_LEN} bytes")]
pub(crate) struct WrappedKeyError;

impl WrappedKey {
    /// Wraps `key` under `wrapping`.
    fn wrap(wrapping: &SecretKey, key: &SecretKey, place: &WrapPlace<'_>) -> std::io::Result<Self> {
        let mut out = [0; WRAPPED_LEN];
        let (nonce, body) = out.split_at_mut(NONCE_LEN);
        getrandom::fill(nonce).map_err(std::io::Error::other)?;
        let nonce: [u8; NONCE_LEN] = (&*nonce).try_into().expect("split at the nonce's length");
        let (nonce, aad) = (nonce.into(), place.aad());
        let payload = Payload { msg: key.bytes(), aad: &aad };
        let sealed = on_scrubbed_stack(|| cipher(wrapping).encrypt(&nonce, payload))
            .expect("32 bytes are within AES-GCM's limits");
        body.copy_from_slice(&sealed);
        Ok(Self(out))
    }

    /// Unwraps the key.
    pub(crate) fn unwrap(
        &self,
        arena: &SecretArena,
        wrapping: &SecretKey,
        place: &WrapPlace<'_>,
    ) -> Result<SecretKey, WrapError> {
        let (nonce, body) = self.0.split_at(NONCE_LEN);
        let nonce: [u8; NONCE_LEN] = nonce.try_into().expect("split at the nonce's length");
        let (nonce, aad) = (nonce.into(), place.aad());
        let payload = Payload { msg: body, aad: &aad };
        let plain = on_scrubbed_stack(|| cipher(wrapping).decrypt(&nonce, payload));
        let mut plain = Zeroizing::new(plain.map_err(|_| WrapError::Refused)?);
        // Taken over from where it stands: a copy on the stack would stay there.
        let bytes = plain.as_mut_slice().try_into().map_err(|_| WrapError::Refused)?;
        Ok(arena.adopt(bytes)?)
    }
}

/// Wraps a key and proves the wrap by unwrapping it.
pub(crate) fn wrap_proven(
    arena: &SecretArena,
    wrapping: &SecretKey,
    key: &SecretKey,
    place: &WrapPlace<'_>,
) -> Result<WrappedKey, WrapError> {
    let wrapped = WrappedKey::wrap(wrapping, key, place)?;
    let proof = wrapped.unwrap(arena, wrapping, place)?;
    if proof.bytes() == key.bytes() { Ok(wrapped) } else { Err(WrapError::Refused) }
}

fn cipher(key: &SecretKey) -> Aes256Gcm {
    // The cipher wipes its key schedule on drop (feature `zeroize`).
    Aes256Gcm::new(key.bytes().into())
}

impl Drop for WrappedKey {
    fn drop(&mut self) {
        // A wrapped key that was destroyed should not linger in memory either.
        self.0.zeroize();
    }
}

impl From<WrappedKey> for String {
    fn from(wrapped: WrappedKey) -> Self {
        STANDARD.encode(wrapped.0)
    }
}

impl TryFrom<String> for WrappedKey {
    type Error = WrappedKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(text).map_err(|_| WrappedKeyError)?;
        Ok(Self(bytes.try_into().map_err(|_| WrappedKeyError)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(cluster: &ClusterId) -> WrapPlace<'_> {
        WrapPlace {
            cluster,
            member: MemberId(3),
            kind: KeyKind::Database,
            id: 9,
            version: KeyVersion(2),
            wrapped_by: KeyVersion(1),
        }
    }

    #[test]
    fn a_wrapped_key_opens_only_in_its_place() {
        let arena = SecretArena::new();
        let (master, key) = (arena.generate().unwrap(), arena.generate().unwrap());
        let cluster = ClusterId::generate();
        let here = place(&cluster);
        let wrapped = wrap_proven(&arena, &master, &key, &here).unwrap();
        assert_eq!(wrapped.unwrap(&arena, &master, &here).unwrap().bytes(), key.bytes());

        let elsewhere = ClusterId::generate();
        for wrong in [
            WrapPlace { cluster: &elsewhere, ..here },
            WrapPlace { member: MemberId(4), ..here },
            WrapPlace { kind: KeyKind::Raft, ..here },
            WrapPlace { id: 8, ..here },
            WrapPlace { version: KeyVersion(1), ..here },
            WrapPlace { wrapped_by: KeyVersion(2), ..here },
        ] {
            assert!(wrapped.unwrap(&arena, &master, &wrong).is_err(), "{wrong:?}");
        }
        assert!(wrapped.unwrap(&arena, &key, &here).is_err(), "another wrapping key");
    }

    #[test]
    fn no_bit_of_a_wrapped_key_can_be_changed() {
        let arena = SecretArena::new();
        let (master, key) = (arena.generate().unwrap(), arena.generate().unwrap());
        let cluster = ClusterId::generate();
        let wrapped = wrap_proven(&arena, &master, &key, &place(&cluster)).unwrap();
        for bit in 0..WRAPPED_LEN * 8 {
            let mut changed = wrapped.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert!(changed.unwrap(&arena, &master, &place(&cluster)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn two_wraps_of_one_key_differ() {
        let arena = SecretArena::new();
        let (master, key) = (arena.generate().unwrap(), arena.generate().unwrap());
        let cluster = ClusterId::generate();
        let wrap = || wrap_proven(&arena, &master, &key, &place(&cluster)).unwrap();
        assert_ne!(wrap(), wrap());
    }

    #[test]
    fn a_wrapped_key_survives_its_text() {
        let arena = SecretArena::new();
        let (master, key) = (arena.generate().unwrap(), arena.generate().unwrap());
        let cluster = ClusterId::generate();
        let wrapped = wrap_proven(&arena, &master, &key, &place(&cluster)).unwrap();
        let text = String::from(wrapped.clone());
        assert_eq!(WrappedKey::try_from(text.clone()).unwrap(), wrapped);
        for bad in ["", "AAAA", "not base64!", &text[1..]] {
            assert!(WrappedKey::try_from(bad.to_owned()).is_err());
        }
    }
}
