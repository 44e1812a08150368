//! Who hears of what happens to the keys.

use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::{AuditAction, AuditEvent, AuditSink};

/// Most events that wait for a sink: those of unsealing and of the first moments of a start are a handful.
const MAX_WAITING: usize = 1024;

/// Passes events on, and keeps those that come before anybody listens.
#[derive(Default)]
pub(super) struct Audience {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sink: Option<Arc<dyn AuditSink>>,
    waiting: Vec<AuditEvent>,
    lost: u64,
}

impl Audience {
    pub(super) fn tell(&self, events: Vec<AuditEvent>) {
        if events.is_empty() {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.sink {
            Some(sink) => sink.record(events),
            None => {
                let room = MAX_WAITING.saturating_sub(state.waiting.len());
                state.lost += events.len().saturating_sub(room) as u64;
                state.waiting.extend(events.into_iter().take(room));
            }
        }
    }

    /// Lets `sink` hear of everything that waits and of all that comes.
    pub(super) fn listen(&self, sink: Arc<dyn AuditSink>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = std::mem::take(&mut state.waiting);
        let lost = std::mem::take(&mut state.lost);
        if lost > 0 {
            events.push(AuditEvent::new(AuditAction::EventsLost { count: lost }));
        }
        if !events.is_empty() {
            sink.record(events);
        }
        state.sink = Some(sink);
    }
}
