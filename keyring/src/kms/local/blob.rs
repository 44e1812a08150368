//! What the local KMS makes of a plaintext.
//!
//! ```text
//! 1 version = 1 | 1 length of key id | key id | 32 material id | 12 nonce | ciphertext | 16 tag
//! ```
//!
//! The authenticated data are everything before the nonce and the encryption context, each field
//! with its length, so that no two contexts give the same bytes.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

use super::model::{LocalKey, Material};
use crate::kms::{EncryptionContext, KmsError};
use crate::secret::on_scrubbed_stack;

const VERSION: u8 = 1;
const MATERIAL_LEN: usize = 32;
const NONCE_LEN: usize = 12;

/// A ciphertext, taken apart.
pub(super) struct Blob<'a> {
    pub(super) key_id: &'a str,
    pub(super) material_id: String,
    head: &'a [u8],
    nonce: [u8; NONCE_LEN],
    sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[version, id_len], rest) = bytes.split_first_chunk::<2>()?;
        if version != VERSION {
            return None;
        }
        let (id, rest) = rest.split_at_checked(usize::from(id_len))?;
        let (material, rest) = rest.split_first_chunk::<MATERIAL_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        Some(Self {
            key_id: std::str::from_utf8(id).ok()?,
            material_id: hex::encode(material),
            head: &bytes[..2 + id.len() + MATERIAL_LEN],
            nonce: *nonce,
            sealed,
        })
    }

    pub(super) fn open(&self, key: &LocalKey, context: &EncryptionContext) -> Option<Zeroizing<Vec<u8>>> {
        let material = key.material.iter().find(|material| material.id == self.material_id)?;
        let cipher = cipher(material)?;
        let aad = aad(self.head, context);
        let payload = Payload { msg: self.sealed, aad: &aad };
        on_scrubbed_stack(|| cipher.decrypt(&self.nonce.into(), payload).ok().map(Zeroizing::new))
    }
}

/// Encrypts under a key's current material.
pub(super) fn seal(
    key_id: &str,
    key: &LocalKey,
    plaintext: &[u8],
    context: &EncryptionContext,
) -> Result<Vec<u8>, KmsError> {
    let broken = |what: &str| KmsError::from_code("KMSInternalException", what);
    let material = key.current().ok_or_else(|| broken("the key has no material"))?;
    let material_id = hex::decode(&material.id).ok().filter(|id| id.len() == MATERIAL_LEN);
    let material_id = material_id.ok_or_else(|| broken("the id of the material is damaged"))?;
    let id_len = u8::try_from(key_id.len()).map_err(|_| broken("the id of the key is too long"))?;
    let cipher = cipher(material).ok_or_else(|| broken("the material is damaged"))?;
    let mut out = vec![VERSION, id_len];
    out.extend_from_slice(key_id.as_bytes());
    out.extend_from_slice(&material_id);
    let aad = aad(&out, context);
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| broken("no randomness"))?;
    let payload = Payload { msg: plaintext, aad: &aad };
    let sealed =
        on_scrubbed_stack(|| cipher.encrypt(&nonce.into(), payload)).map_err(|_| broken("too long"))?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

fn cipher(material: &Material) -> Option<Aes256Gcm> {
    let key = material.bytes()?;
    Some(Aes256Gcm::new((&*key).into()))
}

fn aad(head: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let mut aad = Vec::new();
    let mut put = |field: &[u8]| {
        aad.extend_from_slice(&(field.len() as u64).to_be_bytes());
        aad.extend_from_slice(field);
    };
    put(head);
    for (name, value) in context.iter() {
        put(name.as_bytes());
        put(value.as_bytes());
    }
    aad
}
