//! What peers and operators say of the key, on its way to whoever looks after it: the unsealing, then the watch.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use coffer_keyring::kms::Region;
use tokio::sync::Notify;

/// How many are kept: peers repeat what matters, so the oldest may go.
const ROOM: usize = 64;

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) by: u64,
    pub(crate) region: Region,
    pub(crate) confirmed: bool,
}

/// The box; whoever looks after the key empties it.
#[derive(Default)]
pub(crate) struct Inbox {
    waiting: Mutex<VecDeque<Told>>,
    came: Notify,
}

impl Inbox {
    /// Puts a word in.
    pub(crate) fn put(&self, told: Told) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.contains(&told) {
            return;
        }
        if waiting.len() == ROOM {
            waiting.pop_front();
        }
        waiting.push_back(told);
        drop(waiting);
        self.came.notify_one();
    }

    /// The next word; waits for one. Nothing is lost where the caller gives up waiting.
    pub(crate) async fn next(&self) -> Told {
        loop {
            let came = self.came.notified();
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(told) = waiting {
                return told;
            }
            came.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_come_out_in_order_and_once_and_never_grow_beyond_the_room() {
        let inbox = Inbox::default();
        let told = |by| Told { by, region: Region::parse("eu-central-1").unwrap(), confirmed: true };
        inbox.put(told(1));
        inbox.put(told(1));
        inbox.put(told(2));
        assert_eq!((inbox.next().await.by, inbox.next().await.by), (1, 2));
        for by in 0..100 {
            inbox.put(told(by));
        }
        for by in 36..100 {
            assert_eq!(inbox.next().await.by, by);
        }
    }
}
