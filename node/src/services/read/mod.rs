//! Reads: linearizable from the leader by default, or what the asked member has applied.

mod count;
mod cursor;
mod find;
mod given_up;
mod list;

use std::sync::Arc;

use coffer_proto::v1::ReadConcern;

use super::{deadline::Deadline, error::ServiceError, linearize::linearize, refusal::Refusal};
use crate::member::Serving;

pub use count::count;
pub use cursor::FindStream;
pub use find::find;
pub use list::{list_collections, list_databases};

/// Waits until this member may answer a read of that freshness.
async fn await_freshness(
    serving: &Arc<Serving>,
    concern: i32,
    deadline: &Deadline,
) -> Result<(), ServiceError> {
    match ReadConcern::try_from(concern) {
        Ok(ReadConcern::Linearizable) => linearize(&serving.raft, deadline).await,
        Ok(ReadConcern::Local) => Ok(()),
        Err(_) => {
            Err(Refusal::argument(format!("{concern} is no read concern; 0 is linearizable, 1 is local"))
                .into())
        }
    }
}

/// The index of the last entry that this member has applied.
fn applied_index(serving: &Serving) -> u64 {
    serving.engine.applied().map_or(0, |id| id.index)
}
