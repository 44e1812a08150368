//! Writes: each call is checked, then proposed as one command or several, then answered from their results.

mod collections;
mod databases;
mod delete;
mod insert;
mod namespace;
mod specification;
mod update;

use std::future::Future;

use tonic::metadata::MetadataMap;

use super::{
    command::{Commands, detached},
    context::Context,
    deadline::Deadline,
    error::{LeaderHint, ServiceError},
    retry_token::RetryToken,
};
use coffer_proto::v1;
use openraft::async_runtime::watch::WatchReceiver;

pub use collections::{create_collection, drop_collection};
pub use databases::drop_database;
pub use delete::delete;
pub use insert::insert;
pub use specification::optional as optional_document;
pub use update::update;

/// What a write needs: the databases as this member has them, and the way to propose.
pub struct Write {
    serving: std::sync::Arc<crate::member::Serving>,
    commands: Commands,
    deadline: Deadline,
    token: Option<RetryToken>,
}

/// Runs a write of `bytes` bytes within its limits, to the end whatever the client does.
async fn write<T, F>(
    context: &Context,
    metadata: &MetadataMap,
    token: Option<v1::RetryToken>,
    bytes: usize,
    run: impl FnOnce(Write) -> F,
) -> Result<T, ServiceError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
{
    let deadline = Deadline::of(metadata, context.member.limits())?;
    let token = RetryToken::check(token)?;
    let serving = context.serving()?;
    refuse_unless_leader(&serving.raft)?;
    let place = context.writes.enter(bytes, &deadline).await?;
    let commands = Commands::new(serving.raft.clone(), deadline, token.clone());
    let write = run(Write { serving, commands, deadline, token });
    detached(async move {
        let _place = place;
        write.await
    })
    .await
}

/// Spares a member that does not lead the work of checking what it will refuse. Raft itself decides in the end.
pub(crate) fn refuse_unless_leader(raft: &coffer_storage::raft::Raft) -> Result<(), ServiceError> {
    let metrics = raft.metrics().borrow_watched().clone();
    if metrics.current_leader == Some(metrics.id) || metrics.state.is_leader() {
        return Ok(());
    }
    let address = metrics
        .current_leader
        .and_then(|id| metrics.membership_config.membership().get_node(&id))
        .map(|node| node.addr.clone());
    Err(ServiceError::NotLeader(LeaderHint { id: metrics.current_leader, address }))
}
