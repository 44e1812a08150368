//! What makes a retry harmless.

use coffer_proto::{internal::v1::RetryId, v1};

use super::refusal::Refusal;

/// A checked retry token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryToken {
    session: [u8; 16],
    sequence: u64,
}

impl RetryToken {
    /// Checks the token of a request.
    ///
    /// # Errors
    /// The session id does not have 16 bytes.
    pub fn check(token: Option<v1::RetryToken>) -> Result<Option<Self>, Refusal> {
        let Some(v1::RetryToken { session_id, sequence }) = token else {
            return Ok(None);
        };
        let session = session_id.as_ref().try_into().map_err(|_| {
            Refusal::argument(format!(
                "the session id of the retry token has {} bytes; 16 random bytes are wanted",
                session_id.len()
            ))
        })?;
        Ok(Some(Self { session, sequence }))
    }

    /// The session.
    pub fn session(&self) -> &[u8; 16] {
        &self.session
    }

    /// The write within the session.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The id of one entry of the write.
    pub fn part(&self, part: u32) -> RetryId {
        RetryId { session_id: self.session.to_vec().into(), sequence: self.sequence, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_16_bytes() {
        assert_eq!(RetryToken::check(None), Ok(None));
        let token = |bytes: usize| v1::RetryToken { session_id: vec![7; bytes].into(), sequence: 3 };
        let checked = RetryToken::check(Some(token(16))).unwrap().unwrap();
        assert_eq!(checked.part(2), RetryId { session_id: vec![7; 16].into(), sequence: 3, part: 2 });
        for bytes in [0, 15, 17] {
            assert!(RetryToken::check(Some(token(bytes))).is_err());
        }
    }
}
