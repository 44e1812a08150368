//! What peers and operators say of the key, on its way to whoever looks after it: the unsealing, then the watch.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    state: Mutex<State>,
    came: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Told>,
    /// The last words, each said once; the oldest may go here too.
    said: VecDeque<Told>,
}

impl Inbox {
    /// Puts a word in. Whether that is news: a peer repeats what matters, and the log need not.
    pub(crate) fn put(&self, told: Told) -> bool {
        let mut state = self.state();
        let of_same = |known: &Told| (known.by, &known.region) == (told.by, &told.region);
        let before = state.said.iter().position(of_same).and_then(|at| state.said.remove(at));
        let news = before.as_ref() != Some(&told);
        push(&mut state.said, told.clone());
        if !state.waiting.contains(&told) {
            push(&mut state.waiting, told);
            drop(state);
            self.came.notify_one();
        }
        news
    }

    /// The next word; waits for one. Nothing is lost where the caller gives up waiting.
    pub(crate) async fn next(&self) -> Told {
        loop {
            let came = self.came.notified();
            let waiting = self.state().waiting.pop_front();
            if let Some(told) = waiting {
                return told;
            }
            came.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(words: &mut VecDeque<Told>, told: Told) {
    if words.len() == ROOM {
        words.pop_front();
    }
    words.push_back(told);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_come_out_in_order_and_once_and_never_grow_beyond_the_room() {
        let inbox = Inbox::default();
        let told = |by| Told { by, region: Region::parse("eu-central-1").unwrap(), confirmed: true };
        assert!(inbox.put(told(1)));
        assert!(!inbox.put(told(1)));
        assert!(inbox.put(told(2)));
        assert_eq!((inbox.next().await.by, inbox.next().await.by), (1, 2));
        for by in 0..100 {
            inbox.put(told(by));
        }
        for by in 36..100 {
            assert_eq!(inbox.next().await.by, by);
        }
    }

    #[tokio::test]
    async fn a_word_that_is_repeated_is_no_news_and_comes_out_all_the_same() {
        let inbox = Inbox::default();
        let told = |confirmed| Told { by: 1, region: Region::parse("eu-central-1").unwrap(), confirmed };
        for confirmed in [false, true, false] {
            assert!(inbox.put(told(confirmed)));
            assert_eq!(inbox.next().await, told(confirmed));
            assert!(!inbox.put(told(confirmed)));
            assert_eq!(inbox.next().await, told(confirmed));
        }
    }
}
