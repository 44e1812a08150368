//! Which views are on their way to a peer.
//!
//! A peer that has received a view needs the log from there on. Were it purged meanwhile, the peer would need another
//! snapshot, and so for ever where sending takes longer than the log lasts.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long the log is kept after the last message: for the peer to install the view and ask for entries.
const AFTERWARDS: Duration = Duration::from_secs(60);

/// The views that are being sent, or were a moment ago. Cheap to clone; all clones share it.
#[derive(Clone, Default)]
pub struct Sending(Arc<Mutex<Vec<View>>>);

struct View {
    index: u64,
    /// `None` while it is being sent.
    until: Option<Instant>,
}

/// Ends the sending when it is dropped.
pub struct SendingGuard {
    sending: Sending,
    index: u64,
}

impl Sending {
    /// A view with this applied index begins to be sent.
    pub fn begin(&self, index: u64) -> SendingGuard {
        self.views().push(View { index, until: None });
        SendingGuard { sending: self.clone(), index }
    }

    /// The lowest index of all views that are on their way.
    pub fn lowest(&self) -> Option<u64> {
        let now = Instant::now();
        let mut views = self.views();
        views.retain(|view| view.until.is_none_or(|until| until > now));
        views.iter().map(|view| view.index).min()
    }

    fn views(&self) -> std::sync::MutexGuard<'_, Vec<View>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SendingGuard {
    fn drop(&mut self) {
        let mut views = self.sending.views();
        if let Some(view) = views.iter_mut().find(|view| view.index == self.index && view.until.is_none()) {
            view.until = Some(Instant::now() + AFTERWARDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_view_counts_also_for_a_while_afterwards() {
        let sending = Sending::default();
        assert_eq!(sending.lowest(), None);
        let first = sending.begin(10);
        let second = sending.begin(20);
        drop(first);
        assert_eq!(sending.lowest(), Some(10));
        drop(second);
        assert_eq!(sending.lowest(), Some(10));
    }
}
