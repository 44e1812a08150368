//! One line of the log, written and read.
//!
//! Invariant: what is hashed and authenticated are the bytes of the line as they stand in the file; nothing is written
//! again to be compared.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AuditError, AuditEvent, AuditHead, AuditKey, MAX_LINE};
use crate::{KeyVersion, Timestamp};

/// What a MAC is over, before the line.
const PURPOSE: &[u8] = b"coffer audit line v1\n";

#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    time: Timestamp,
    #[serde(with = "hex::serde")]
    prev: [u8; 32],
    #[serde(flatten)]
    event: &'a AuditEvent,
    key: Option<KeyVersion>,
}

/// What a verifier reads of a line; events of later versions may have more.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) time: Timestamp,
    #[serde(with = "hex::serde")]
    pub(super) prev: [u8; 32],
    // Present, though it may be null: a line without one is no line.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) key: Option<KeyVersion>,
    #[serde(deserialize_with = "Option::deserialize")]
    mac: Option<String>,
    event: Told,
}

#[derive(Debug, Deserialize)]
struct Told {
    what: String,
    through: Option<u64>,
    hash: Option<String>,
}

impl Line {
    /// Reads a line without its newline; the reason why it is none is returned.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let line: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if line.key.is_some() != line.mac.is_some() {
            return Err("a key without a MAC, or a MAC without a key".to_owned());
        }
        Ok(line)
    }

    /// Whether the line carries a MAC under `key` that fits.
    pub(super) fn verify(&self, bytes: &[u8], key: &AuditKey) -> bool {
        let Some(text) = &self.mac else { return false };
        let tail = format!(",\"mac\":\"{text}\"}}");
        let Some(head) = bytes.strip_suffix(tail.as_bytes()) else { return false };
        let Ok(tag) = hex::decode(text) else { return false };
        key.mac().verify(&[PURPOSE, head], &tag)
    }

    /// The head that a line about dropped segments names.
    pub(super) fn anchor(&self) -> Option<AuditHead> {
        if self.event.what != "segment_dropped" {
            return None;
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(self.event.hash.as_ref()?, &mut hash).ok()?;
        Some(AuditHead { lines: self.event.through?, hash })
    }
}

/// The line that follows `head`, with its newline.
pub(super) fn encode(
    head: AuditHead,
    event: AuditEvent,
    key: Option<&AuditKey>,
) -> Result<Vec<u8>, AuditError> {
    let event = event.limited();
    let written = Written {
        seq: head.lines + 1,
        time: Timestamp::now(),
        prev: head.hash,
        event: &event,
        key: key.map(AuditKey::version),
    };
    let mut line = serde_json::to_vec(&written).expect("an event is plain data");
    line.pop();
    let mac = match key {
        Some(key) => format!("\"{}\"", hex::encode(key.mac().tag(&[PURPOSE, &line]))),
        None => "null".to_owned(),
    };
    line.extend_from_slice(format!(",\"mac\":{mac}}}").as_bytes());
    if line.len() > MAX_LINE {
        return Err(AuditError::TooLong { len: line.len(), limit: MAX_LINE });
    }
    line.push(b'\n');
    Ok(line)
}

/// The hash of a line without its newline.
pub(super) fn hash(line: &[u8]) -> [u8; 32] {
    Sha256::digest(line).into()
}
