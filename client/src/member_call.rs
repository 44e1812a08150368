//! The two kinds of calls that concern members rather than documents: one member asked once, and the leader asked for
//! a change.

use std::future::Future;
use std::time::{Duration, Instant};

use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::call::Caller;
use crate::documents::timed;
use crate::operation::Plan;
use crate::topology::normalize;
use crate::verdict::{Failure, Verdict, classify};
use crate::{Error, Result};

impl Caller {
    /// Asks the leader. With [`Plan::ADMIN`], what may have been done is not sent again: these calls carry no token.
    pub(crate) async fn ask_leader<Q, T, F, Fut>(&self, plan: Plan, message: Q, send: F) -> Result<T>
    where
        Q: Clone,
        F: Fn(Channel, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.run(plan, |channel, limit| {
            let answer = send(channel, timed(message.clone(), limit));
            async move { Ok(answer.await?.into_inner()) }
        })
        .await
    }

    /// Asks one member, once, for `limit` at most.
    pub(crate) async fn ask_member<Q, T, F, Fut>(
        &self,
        endpoint: &str,
        limit: Duration,
        message: Q,
        send: F,
    ) -> Result<T>
    where
        F: FnOnce(Channel, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let address = normalize(endpoint)?;
        let channel = self.channel(&address)?;
        let started = Instant::now();
        match tokio::time::timeout(limit, send(channel, timed(message, limit))).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(member_error(&address, started, classify(&status))),
            Err(_) => {
                let status = Status::deadline_exceeded(format!("after {limit:.1?}"));
                Err(member_error(&address, started, classify(&status)))
            }
        }
    }
}

/// The error of a member that was asked alone, and not again.
pub(crate) fn member_error(address: &str, started: Instant, failure: Failure) -> Error {
    match failure.verdict {
        Verdict::Final(error) => error,
        Verdict::Sealed => Error::Sealed { endpoints: vec![failure.of(address)] },
        Verdict::Fault => Error::Fault { endpoint: address.to_owned(), message: failure.reason },
        Verdict::NotLeader { .. }
        | Verdict::NotServing
        | Verdict::Busy
        | Verdict::NotSent
        | Verdict::NotConfirmed
        | Verdict::Lost => {
            Error::Unreachable { after: started.elapsed(), endpoints: vec![failure.of(address)] }
        }
    }
}
