//! Sessions: what makes the retry of a write harmless.
//!
//! Invariants:
//! - A session has one write under way at a time: it is out of the pool for as long as the write runs.
//! - A session whose write did not end with an answer is never used again: that write may still be on its way
//!   and must not meet a later one of its session.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use coffer_proto::v1::RetryToken;

/// Most sessions kept for later. More can be in use; what comes back on top of this is forgotten.
const MAX_IDLE: usize = 64;

#[derive(Debug)]
struct Session {
    id: [u8; 16],
    next_sequence: u64,
}

/// The sessions that no write uses now.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionPool {
    idle: Arc<Mutex<Vec<Session>>>,
}

impl SessionPool {
    /// Takes a session for one write: an idle one, or a new one.
    pub(crate) fn lease(&self) -> SessionLease {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = idle.unwrap_or_else(|| Session { id: rand::random(), next_sequence: 1 });
        let sequence = session.next_sequence;
        session.next_sequence += 1;
        let token = RetryToken { session_id: Bytes::copy_from_slice(&session.id), sequence };
        SessionLease { session, token, pool: self.clone() }
    }
}

/// A session in use by one write.
#[derive(Debug)]
pub(crate) struct SessionLease {
    session: Session,
    token: RetryToken,
    pool: SessionPool,
}

impl SessionLease {
    /// The token that every try of this write carries.
    pub(crate) fn token(&self) -> RetryToken {
        self.token.clone()
    }

    /// Gives the session back, after an answer that says what became of the write. A lease that is dropped
    /// instead takes its session with it.
    pub(crate) fn settle(self) {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settled_session_goes_on_with_the_next_sequence() {
        let pool = SessionPool::default();
        let first = pool.lease();
        let one = first.token();
        assert_eq!(one, first.token());
        first.settle();
        let two = pool.lease().token();
        assert_eq!(two.session_id, one.session_id);
        assert_eq!((one.sequence, two.sequence), (1, 2));
    }

    #[test]
    fn concurrent_writes_have_a_session_each() {
        let pool = SessionPool::default();
        let (a, b) = (pool.lease(), pool.lease());
        assert_ne!(a.token().session_id, b.token().session_id);
        assert_eq!(a.token().session_id.len(), 16);
    }

    #[test]
    fn an_unsettled_session_is_not_used_again() {
        let pool = SessionPool::default();
        let lost = pool.lease().token();
        assert_ne!(pool.lease().token().session_id, lost.session_id);
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool = SessionPool::default();
        let many: Vec<_> = (0..MAX_IDLE + 10).map(|_| pool.lease()).collect();
        many.into_iter().for_each(SessionLease::settle);
        assert_eq!(pool.idle.lock().unwrap().len(), MAX_IDLE);
    }
}
