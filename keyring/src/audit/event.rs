//! One event of the audit log.

use serde::Serialize;

use super::{AuditAction, MAX_TEXT};
use crate::kms::{KeyArn, Region};

/// What the log is told; it adds the number, the time and the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEvent {
    /// Who did it or asked for it: `member` for the member itself; else a person, a peer or a policy, as it is known.
    pub who: String,
    /// What it was.
    #[serde(rename = "event")]
    pub action: AuditAction,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// What KMS was asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms: Option<KmsTrace>,
}

/// How an event ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It is done, and on stable storage.
    Done,
    /// It failed, and why.
    Failed(String),
}

/// What KMS was asked, to be found again in its own audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KmsTrace {
    /// The CMK.
    pub cmk: KeyArn,
    /// The Region that was asked.
    pub region: Region,
    /// The service's ids of the requests, where it gave them.
    pub request_ids: Vec<String>,
}

impl AuditEvent {
    /// Something that the member itself did.
    pub fn new(action: AuditAction) -> Self {
        Self { who: "member".to_owned(), action, outcome: AuditOutcome::Done, kms: None }
    }

    /// The same, done or asked for by `who`.
    #[must_use]
    pub fn by(self, who: impl Into<String>) -> Self {
        Self { who: who.into(), ..self }
    }

    /// The same, failed.
    #[must_use]
    pub fn failed(self, why: &dyn std::fmt::Display) -> Self {
        Self { outcome: AuditOutcome::Failed(why.to_string()), ..self }
    }

    /// The same, with what KMS was asked.
    #[must_use]
    pub fn asking(self, kms: KmsTrace) -> Self {
        Self { kms: Some(kms), ..self }
    }

    /// Cuts texts that others wrote to what a line may hold.
    pub(super) fn limited(mut self) -> Self {
        limit(&mut self.who);
        if let AuditOutcome::Failed(why) = &mut self.outcome {
            limit(why);
        }
        if let Some(kms) = &mut self.kms {
            // A rotation has two requests.
            kms.request_ids.truncate(4);
            kms.request_ids.iter_mut().for_each(limit);
        }
        self.action = self.action.limited();
        self
    }
}

/// Cuts a text to [`MAX_TEXT`] characters.
pub(super) fn limit(text: &mut String) {
    if let Some((cut, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(cut);
        text.push('…');
    }
}
