//! What a call is answered with.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tonic::{Response, Status};

/// One answer of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// Do what a member does.
    Serve,
    /// Do what a member does, and then answer this instead.
    ServeAndFail(Status),
    /// Answer this.
    Fail(Status),
    /// Never answer.
    Hang,
}

/// The answers to come; after the last one the member serves.
#[derive(Debug, Default)]
pub struct Script {
    steps: Mutex<VecDeque<Step>>,
}

impl Script {
    pub fn push(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).extend(steps);
    }

    pub async fn play<T>(
        &self,
        serve: impl Future<Output = Result<T, Status>>,
    ) -> Result<Response<T>, Status> {
        let step = self.steps.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match step.unwrap_or(Step::Serve) {
            Step::Serve => serve.await.map(Response::new),
            Step::ServeAndFail(status) => {
                serve.await?;
                Err(status)
            }
            Step::Fail(status) => Err(status),
            Step::Hang => std::future::pending().await,
        }
    }
}
