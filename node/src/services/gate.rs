//! How many calls run at once, how many wait, and how many bytes they hold.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout_at,
};

use super::{deadline::Deadline, error::ServiceError};
use crate::metrics::queue_refused;

/// When a refused call may come again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Bytes are counted in units of this size.
const UNIT_BYTES: usize = 1024;

/// A number of places, and a line of bounded length before them.
#[derive(Clone, Debug)]
pub struct Gate {
    queue: &'static str,
    places: Arc<Semaphore>,
    line: Arc<Semaphore>,
    bytes: Option<Arc<Semaphore>>,
}

/// A place; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    _place: OwnedSemaphorePermit,
    _line: OwnedSemaphorePermit,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// `places` calls at once, `line` more that wait; `queue` is the name in metrics.
    pub fn new(queue: &'static str, places: usize, line: usize) -> Self {
        let all = places.saturating_add(line).min(Semaphore::MAX_PERMITS);
        Self {
            queue,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            line: Arc::new(Semaphore::new(all)),
            bytes: None,
        }
    }

    /// The same with a bound on the bytes of all calls, those in line included.
    #[must_use]
    pub fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(Arc::new(Semaphore::new((bytes / UNIT_BYTES).min(Semaphore::MAX_PERMITS))));
        self
    }

    /// Waits for a place for a call that holds `bytes`.
    ///
    /// # Errors
    /// The line is full, the bytes are used up, or no place came free before the deadline.
    pub async fn enter(&self, bytes: usize, deadline: &Deadline) -> Result<Place, ServiceError> {
        let line = self.line.clone().try_acquire_owned().map_err(|_| self.refuse())?;
        let bytes = match &self.bytes {
            None => None,
            Some(budget) => {
                let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
                Some(budget.clone().try_acquire_many_owned(units).map_err(|_| self.refuse())?)
            }
        };
        match timeout_at(deadline.at(), self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(Place { _place: place, _line: line, _bytes: bytes }),
            Ok(Err(_)) | Err(_) => Err(self.refuse()),
        }
    }

    /// A place if one is free now.
    ///
    /// # Errors
    /// None is free.
    pub fn try_enter(&self) -> Result<Place, ServiceError> {
        let line = self.line.clone().try_acquire_owned().map_err(|_| self.refuse())?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| self.refuse())?;
        Ok(Place { _place: place, _line: line, _bytes: None })
    }

    fn refuse(&self) -> ServiceError {
        queue_refused(self.queue);
        ServiceError::Overloaded { queue: self.queue, retry_after: RETRY_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_places_calls_wait_and_beyond_the_line_they_are_refused() {
        let gate = Gate::new("writes", 1, 1);
        let deadline = Deadline::after(Duration::from_secs(5));
        let first = gate.enter(0, &deadline).await.unwrap();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(0, &deadline).await.is_ok() }
        });
        while gate.line.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(gate.enter(0, &deadline).await, Err(ServiceError::Overloaded { .. })));
        drop(first);
        assert!(waiting.await.unwrap());
        assert!(gate.enter(0, &deadline).await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_past_the_deadline_is_refused() {
        let gate = Gate::new("reads", 1, 1);
        let deadline = Deadline::after(Duration::from_millis(10));
        let _first = gate.enter(0, &deadline).await.unwrap();
        assert!(matches!(gate.enter(0, &deadline).await, Err(ServiceError::Overloaded { .. })));
        assert_eq!(gate.line.available_permits(), 1, "the place in line is given back");
    }

    #[tokio::test]
    async fn bytes_are_bounded_over_all_calls() {
        let gate = Gate::new("writes", 10, 0).with_bytes(10 * UNIT_BYTES);
        let deadline = Deadline::after(Duration::from_secs(5));
        let large = gate.enter(8 * UNIT_BYTES, &deadline).await.unwrap();
        assert!(gate.enter(3 * UNIT_BYTES, &deadline).await.is_err());
        let _small = gate.enter(2 * UNIT_BYTES, &deadline).await.unwrap();
        drop(large);
        assert!(gate.enter(3 * UNIT_BYTES, &deadline).await.is_ok());
    }
}
