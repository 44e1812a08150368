//! What a member has for key work: its worker, what it remembers as leader, and whether it is to restart.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use coffer_keyring::Keyring;
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
