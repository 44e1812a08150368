//! What a member has for key work: its worker, what it remembers as leader, and whether it is to restart.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use coffer_keyring::Keyring;
use coffer_proto::internal::v1::ShredState;
use tokio::sync::watch;

use super::memory::Memory;
use super::worker::Worker;

/// What a member has for key work; [`crate::member::Member::key_work`] gives it.
pub(crate) struct KeyWork {
    pub(super) worker: Worker,
    memory: Mutex<Memory>,
    /// What a person should know, as this member knew it last while it led.
    notices: RwLock<Vec<String>>,
    restart: watch::Sender<bool>,
    /// Whether this process has turned encryption off: from then on the customer's key is nothing to it.
    off: watch::Sender<bool>,
    /// The keys of a member that rebuilds its data before it serves.
    rebuilds: RwLock<Option<Keyring>>,
    /// Dropped databases that were not shredded at the last look.
    unshredded: Mutex<BTreeSet<u64>>,
}

impl Default for KeyWork {
    fn default() -> Self {
        Self {
            worker: Worker::default(),
            memory: Mutex::default(),
            notices: RwLock::default(),
            restart: watch::channel(false).0,
            off: watch::channel(false).0,
            rebuilds: RwLock::default(),
            unshredded: Mutex::default(),
        }
    }
}

impl KeyWork {
    /// Ends when this member is to stop in order and start again.
    pub(crate) async fn restart_asked(&self) {
        let mut asked = self.restart.subscribe();
        // The sender lives as long as this future.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// This process has turned encryption off.
    pub(crate) fn turned_off(&self) {
        self.off.send_replace(true);
    }

    /// Ends when this process has turned encryption off.
    pub(crate) async fn is_off(&self) {
        let mut off = self.off.subscribe();
        // The sender lives as long as this future.
        let _ = off.wait_for(|off| *off).await;
    }

    /// What a person should know of the work; empty on a member that does not lead.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.notices.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this member rebuilds its data; it does not serve meanwhile.
    pub(crate) fn rebuilds(&self, keyring: &Keyring) {
        *self.rebuilds.write().unwrap_or_else(PoisonError::into_inner) = Some(keyring.clone());
    }

    /// The data are rebuilt.
    pub(crate) fn rebuilt(&self) {
        *self.rebuilds.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The keys of a member that rebuilds its data.
    pub(super) fn rebuilding(&self) -> Option<Keyring> {
        self.rebuilds.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of the dropped databases those that were not shredded at the last look and are now, with the index of the drop.
    pub(super) fn newly_shredded(&self, states: &[ShredState]) -> Vec<(u64, u64)> {
        let mut unshredded = self.unshredded.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *unshredded);
        unshredded.extend(states.iter().filter(|state| !state.shredded).map(|state| state.database_id));
        let newly = states.iter().filter(|state| state.shredded && before.contains(&state.database_id));
        newly.map(|state| (state.database_id, state.log_index)).collect()
    }

    pub(super) fn ask_restart(&self) {
        self.restart.send_replace(true);
    }

    pub(super) fn show(&self, notices: Vec<String>) {
        *self.notices.write().unwrap_or_else(PoisonError::into_inner) = notices;
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(database_id: u64, shredded: bool) -> ShredState {
        ShredState { database_id, log_index: 10 * database_id, shredded }
    }

    #[test]
    fn a_database_is_newly_shredded_once() {
        let work = KeyWork::default();
        assert_eq!(
            work.newly_shredded(&[state(1, true), state(2, false)]),
            [],
            "1 was so before anybody looked"
        );
        assert_eq!(work.newly_shredded(&[state(1, true), state(2, true)]), [(2, 20)]);
        assert_eq!(work.newly_shredded(&[state(1, true), state(2, true)]), []);
    }
}
