//! The bytes of the file: format, body and seal.
//!
//! Invariant: a tag is over the format, the kind of seal, the master key version that it names and
//! the canonical body, so none of them can be changed by itself.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::body_v1::BodyV1;
use super::{FORMAT, KeystoreBody};
use crate::KeyVersion;
use crate::secret::MacKey;

/// A file that was parsed, its seal not checked yet.
#[derive(Debug)]
pub(crate) struct Envelope {
    format: u32,
    /// What the seal is over: the body as its own format writes it.
    canonical: Vec<u8>,
    pub(crate) body: KeystoreBody,
    pub(crate) seal: Seal,
}

/// A file, with the body of one format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<B> {
    #[serde(rename = "format")]
    _format: u32,
    body: B,
    seal: Seal,
}

/// What keeps the body from being changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    kind: SealKind,
    master: Option<KeyVersion>,
    #[serde(with = "hex::serde")]
    tag: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum SealKind {
    #[serde(rename = "hmac-sha256")]
    Mac,
    #[serde(rename = "sha256")]
    Checksum,
}

/// Why bytes are not a keystore of this format.
#[derive(Debug)]
pub(crate) enum DecodeError {
    UnknownFormat(u64),
    Malformed(String),
}

impl Envelope {
    /// Parses a file; the seal is left to be checked.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let malformed = |error: serde_json::Error| DecodeError::Malformed(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        match format {
            1 => {
                let Written { body, seal, .. } =
                    serde_json::from_slice::<Written<BodyV1>>(bytes).map_err(malformed)?;
                Ok(Self { format: 1, canonical: canonical(&body), body: body.into(), seal })
            }
            2 => {
                let Written { body, seal, .. } =
                    serde_json::from_slice::<Written<KeystoreBody>>(bytes).map_err(malformed)?;
                Ok(Self { format: 2, canonical: canonical(&body), body, seal })
            }
            other => Err(DecodeError::UnknownFormat(other)),
        }
    }

    /// Checks what the types cannot say; the reason is returned.
    pub(crate) fn check(&self) -> Result<(), String> {
        let encrypted = self.is_encrypted();
        // A keystore of format 1 gets its audit key when it is replaced first.
        if self.format > 1 && self.body.audit.is_some() != encrypted {
            return Err("the audit key does not fit the kind of seal".to_owned());
        }
        self.body.check(encrypted)
    }

    /// Whether encryption is on: the seal is a MAC.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.seal.kind == SealKind::Mac
    }

    /// The version of the master key that the MAC is derived from; `None` for a checksum.
    pub(crate) fn mac_version(&self) -> Option<KeyVersion> {
        self.seal.master.filter(|_| self.is_encrypted())
    }

    /// Whether the MAC fits.
    pub(crate) fn verify_mac(&self, key: &MacKey) -> bool {
        let Some(version) = self.mac_version() else { return false };
        let head = head(self.format, SealKind::Mac, Some(version));
        key.verify(&[&head, &self.canonical], &self.seal.tag)
    }

    /// Whether the checksum fits.
    pub(crate) fn verify_checksum(&self) -> bool {
        self.seal.kind == SealKind::Checksum
            && self.seal.master.is_none()
            && checksum(self.format, &self.canonical) == self.seal.tag
    }
}

/// The bytes of a file with encryption on.
pub(crate) fn encode_sealed(body: &KeystoreBody, key: &MacKey, master: KeyVersion) -> Vec<u8> {
    let canonical = canonical(body);
    let tag = key.tag(&[&head(FORMAT, SealKind::Mac, Some(master)), &canonical]);
    assemble(&canonical, &Seal { kind: SealKind::Mac, master: Some(master), tag })
}

/// The bytes of a file with encryption off.
pub(crate) fn encode_plain(body: &KeystoreBody) -> Vec<u8> {
    let canonical = canonical(body);
    let tag = checksum(FORMAT, &canonical);
    assemble(&canonical, &Seal { kind: SealKind::Checksum, master: None, tag })
}

fn assemble(body: &[u8], seal: &Seal) -> Vec<u8> {
    let seal = serde_json::to_vec(seal).expect("a seal is plain data");
    let format = FORMAT.to_string();
    [b"{\"format\":", format.as_bytes(), b",\"body\":", body, b",\"seal\":", &seal, b"}\n"].concat()
}

/// The canonical bytes that a seal is over: compact JSON.
fn canonical(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("no map has keys other than text and no value fails")
}

fn checksum(format: u32, canonical: &[u8]) -> [u8; 32] {
    let mut state = Sha256::new();
    state.update(head(format, SealKind::Checksum, None));
    state.update(canonical);
    state.finalize().into()
}

/// What a tag is over, before the body: of fixed length, so the two cannot run together.
fn head(format: u32, kind: SealKind, master: Option<KeyVersion>) -> [u8; 24] {
    let mut head = [0; 24];
    head[..15].copy_from_slice(b"coffer keystore");
    head[15] = match kind {
        SealKind::Mac => 1,
        SealKind::Checksum => 2,
    };
    head[16..20].copy_from_slice(&format.to_be_bytes());
    head[20..].copy_from_slice(&master.map_or(0, |version| version.0).to_be_bytes());
    head
}
