//! The audit log in the life of a member.

use std::path::PathBuf;
use std::sync::Arc;

use coffer_keyring::Keyring;
use coffer_keyring::audit::{AuditAction, AuditEvent};

use super::calls::verify_at_start;
use super::key_news::KeyNews;
use crate::member::Member;

/// The data directory is this member's: the log is opened, and the start is its first event.
pub(crate) async fn begin(member: &Member, dir: PathBuf) {
    let audit = member.audit().clone();
    if let Err(error) = tokio::task::spawn_blocking(move || audit.open(&dir)).await {
        tracing::error!(%error, "opening the audit log");
    }
    member.key().observe(Arc::new(KeyNews::new(member.audit().clone(), member.key())));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    member.audit().record(AuditEvent::new(AuditAction::Started { version }));
}

/// The keys are there: lines are authenticated from now on, and everything that becomes of a key is written.
pub(crate) async fn listen(member: &Member, keyring: &Keyring) {
    let (audit, keyring) = (member.audit().clone(), keyring.clone());
    audit.set_key(keyring.audit_key());
    // What happened while nobody listened is written at once.
    if let Err(error) = tokio::task::spawn_blocking(move || keyring.set_audit(audit.sink())).await {
        tracing::error!(%error, "listening to the keyring");
    }
}

/// The member serves: a keystore of the first format has its audit key by now, and the log is compared with what the
/// replica set remembers of it.
pub(crate) fn serve(member: &Arc<Member>) {
    if let Ok(serving) = member.serving() {
        member.audit().set_key(serving.keyring.audit_key());
    }
    let member = member.clone();
    tokio::spawn(async move { verify_at_start(&member).await });
}
