//! Work that reads the disk or takes long, off the threads that serve connections.

use tokio::time::timeout_at;

use super::{deadline::Deadline, error::ServiceError, gate::Place};

/// Runs `work` on a thread where it may block. The place is held until the work is done, also where the caller has
/// stopped waiting: what runs is what is counted.
///
/// # Errors
/// Those of the work; the deadline came before `what`; or the work panicked.
pub async fn blocking<T: Send + 'static>(
    what: &'static str,
    place: Place,
    deadline: &Deadline,
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let task = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    match timeout_at(deadline.at(), task).await {
        Err(_) => Err(ServiceError::Deadline(what)),
        Ok(Ok(result)) => result,
        Ok(Err(failed)) => Err(ServiceError::internal(what, &failed)),
    }
}
