//! Who is at work on this member's keys.
//!
//! Invariants:
//! - One piece of work at a time: a second order is refused while one is under way, and so is any once this member is about
//!   to restart.
//! - An order of an older term than the latest that this member heard of is refused: its leader does not lead any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who is at work on this member's keys. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Worker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    term: u64,
    busy: bool,
    percent: u32,
}

/// Why no work is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotNow {
    /// The leader that asks does not lead any more.
    #[error("the order is of term {ordered}, and the term is {present}")]
    OldTerm {
        /// Of the order.
        ordered: u64,
        /// The latest that this member heard of.
        present: u64,
    },
    /// Something is under way.
    #[error("other work on its keys is under way")]
    Busy,
}

/// The right to work; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    worker: Worker,
    kept: bool,
}

impl Worker {
    /// Begins work that a leader of `term` ordered.
    ///
    /// # Errors
    /// The order is old, or other work is under way.
    pub(super) fn begin(&self, term: u64) -> Result<Turn, NotNow> {
        let mut state = self.state();
        if term < state.term {
            return Err(NotNow::OldTerm { ordered: term, present: state.term });
        }
        state.term = term;
        if state.busy {
            return Err(NotNow::Busy);
        }
        (state.busy, state.percent) = (true, 0);
        Ok(Turn { worker: self.clone(), kept: false })
    }

    /// Notes a term that this member heard of.
    pub(super) fn note_term(&self, term: u64) {
        let mut state = self.state();
        state.term = state.term.max(term);
    }

    /// How far the work is, 0 to 100; `None` where none is under way.
    pub(super) fn percent(&self) -> Option<u32> {
        let state = self.state();
        state.busy.then_some(state.percent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Notes how far the work is.
    pub(super) fn progress(&self, percent: u32) {
        self.worker.state().percent = percent.min(100);
    }

    /// Never gives it back: this process does nothing else any more.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.kept {
            self.worker.state().busy = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_works_at_a_time_and_old_leaders_are_not_heard() {
        let worker = Worker::default();
        let turn = worker.begin(3).unwrap();
        turn.progress(40);
        assert_eq!(worker.percent(), Some(40));
        assert_eq!(worker.begin(3).unwrap_err(), NotNow::Busy);
        assert_eq!(worker.begin(2).unwrap_err(), NotNow::OldTerm { ordered: 2, present: 3 });
        drop(turn);
        assert_eq!(worker.percent(), None);
        worker.note_term(5);
        worker.note_term(4);
        assert_eq!(worker.begin(4).unwrap_err(), NotNow::OldTerm { ordered: 4, present: 5 });
        worker.begin(5).unwrap().keep();
        assert_eq!(worker.begin(6).unwrap_err(), NotNow::Busy, "it restarts");
    }
}
