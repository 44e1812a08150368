//! `_id`s for documents that have none.

use bson::oid::ObjectId;
use sha2::{Digest, Sha256};

use super::retry_token::RetryToken;

/// Separates these hashes from any other use of a session id.
const DOMAIN: &[u8] = b"coffer generated _id v1";

/// Makes `_id`s for the documents of one call.
pub enum IdSource {
    /// ObjectIds as MongoDB's drivers make them: time, a number of this process, a counter.
    Fresh,
    /// ObjectIds that a retry of the same call makes again: the answer to a retry must name the documents that the first
    /// try inserted. Nine bytes are a hash of session and sequence, three the position of the document.
    Repeatable([u8; 9]),
}

impl IdSource {
    /// The source for a call with this token.
    pub fn new(token: Option<&RetryToken>) -> Self {
        let Some(token) = token else {
            return Self::Fresh;
        };
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(token.session());
        hash.update(token.sequence().to_be_bytes());
        let mut prefix = [0; 9];
        prefix.copy_from_slice(&hash.finalize()[..9]);
        Self::Repeatable(prefix)
    }

    /// The `_id` for the document at `position` (below 2^24: a batch has at most 100,000).
    pub fn id(&self, position: usize) -> ObjectId {
        match self {
            Self::Fresh => ObjectId::new(),
            Self::Repeatable(prefix) => {
                let mut bytes = [0; 12];
                bytes[..9].copy_from_slice(prefix);
                let position = u32::try_from(position).unwrap_or(u32::MAX).to_be_bytes();
                bytes[9..].copy_from_slice(&position[1..]);
                ObjectId::from_bytes(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use coffer_proto::v1;

    use super::*;

    fn token(session: u8, sequence: u64) -> RetryToken {
        let token = v1::RetryToken { session_id: vec![session; 16].into(), sequence };
        RetryToken::check(Some(token)).unwrap().unwrap()
    }

    #[test]
    fn a_retry_makes_the_same_ids_and_nothing_else_does() {
        let ids = |token: &RetryToken| {
            let source = IdSource::new(Some(token));
            [0, 1, 99_999].map(|position| source.id(position))
        };
        assert_eq!(ids(&token(1, 1)), ids(&token(1, 1)));
        let all: HashSet<ObjectId> = [token(1, 1), token(1, 2), token(2, 1)].iter().flat_map(ids).collect();
        assert_eq!(all.len(), 9);
        let ordered = ids(&token(1, 1));
        assert!(ordered.is_sorted_by_key(|id| id.bytes()), "documents of a batch keep their order");
    }

    #[test]
    fn fresh_ids_differ() {
        let source = IdSource::new(None);
        assert_ne!(source.id(0), source.id(0));
    }
}
