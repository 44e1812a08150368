//! What a member says of its keys.

use coffer_keyring::audit::{AuditAction, AuditEvent};
use coffer_keyring::{DatabaseId, KeyOwner, Keyring};
use coffer_proto::internal::v1::{DatabaseKeyState, MemberKeysRecord, ReportKeysRequest, ShredState};
use coffer_storage::Engine;
use coffer_storage::raft::wire::FORMAT;

use crate::alerts::AlertKind;
use crate::config::EncryptionSection;
use crate::member::{Member, NotServing, Serving};
use crate::services::now_ms;

/// Dropped databases that a report names: with some 15 bytes each, a quarter of what a system record may hold.
const MAX_DROPPED: usize = 1000;

/// The report of a member, as its leader asks for it.
///
/// # Errors
/// It does not serve, and does not rebuild its data either.
pub(crate) async fn report_keys(
    member: &Member,
    request: &ReportKeysRequest,
) -> Result<MemberKeysRecord, NotServing> {
    let refusal = match member.serving() {
        Ok(serving) => return Ok(report(member, &serving, request).await),
        Err(refusal) => refusal,
    };
    let keyring = member.key_work().rebuilding().ok_or(refusal)?;
    let keys = of_keyring(member, &keyring);
    Ok(MemberKeysRecord { busy: true, rebuilding: true, alerts: member.alerts().open(), ..keys })
}

/// The report of a member that serves.
pub(super) async fn report(
    member: &Member,
    serving: &Serving,
    request: &ReportKeysRequest,
) -> MemberKeysRecord {
    let work = member.key_work();
    work.worker.note_term(request.term);
    // Asked before the keys are read and after it: work that ends in between must not look as if it had not been.
    let working = work.worker.percent();
    if let Some(wrap) = serving.keyring.wrap_info() {
        // A rotation that outlasted its order is followed here.
        member.key().rewrapped(wrap);
    }
    let mut keys = of_keyring(member, &serving.keyring);
    let (engine, asked) = (serving.engine.clone(), request.databases.clone());
    // Progress is read from the headers of files.
    let read = tokio::task::spawn_blocking(move || (databases(&engine, &asked), dropped(&engine))).await;
    match read {
        Ok(((databases, pinned), dropped)) => {
            note_shredded(member, &dropped);
            (keys.databases, keys.dropped) = (databases, dropped);
            delayed(member, &pinned);
        }
        Err(error) => tracing::error!(%error, "how far the keys of databases are is not known"),
    }
    if let Some(percent) = work.worker.percent().or(working) {
        (keys.busy, keys.percent) = (true, percent);
    }
    keys.alerts = member.alerts().open();
    keys
}

/// How far the databases that are asked for are, and those whose old keys something still needs.
fn databases(engine: &Engine, asked: &[u64]) -> (Vec<DatabaseKeyState>, Vec<u64>) {
    let mut pinned = Vec::new();
    let state = |id: &u64| {
        // One that was dropped meanwhile has no keys.
        let progress = engine.database_key_progress(DatabaseId(*id)).ok()?;
        let versions = progress.versions_in_use.len().max(1);
        let waits = progress.waiting_for.is_some();
        if waits {
            pinned.push(*id);
        }
        Some(DatabaseKeyState {
            database_id: *id,
            round: progress.round,
            version: progress.version.0,
            versions: u32::try_from(versions).unwrap_or(u32::MAX),
            // All is rewritten where only a reader is waited for.
            percent: if waits { 100 } else { progress.percent },
        })
    };
    let states = asked.iter().filter_map(state).collect();
    (states, pinned)
}

fn dropped(engine: &Engine) -> Vec<ShredState> {
    let mut states: Vec<_> = engine
        .shred_states()
        .into_iter()
        .map(|state| ShredState {
            database_id: state.database_id.0,
            log_index: state.log_index,
            shredded: state.shredded,
        })
        .collect();
    // What is not shredded counts more, and the latest.
    states.sort_by_key(|state| (state.shredded, std::cmp::Reverse(state.log_index)));
    states.truncate(MAX_DROPPED);
    states
}

/// Writes into the audit log what became unreadable since the last look.
fn note_shredded(member: &Member, states: &[ShredState]) {
    for (database, log_index) in member.key_work().newly_shredded(states) {
        let action = AuditAction::DatabaseShredded { database: DatabaseId(database), log_index };
        member.audit().record(AuditEvent::new(action));
    }
}

fn delayed(member: &Member, pinned: &[u64]) {
    let subjects: Vec<_> = pinned.iter().map(ToString::to_string).collect();
    for id in &subjects {
        let text = format!("something that is being read still needs an old key of database {id}");
        member.alerts().raise(AlertKind::DatabaseRotationDelayed, id, text);
    }
    let subjects: Vec<_> = subjects.iter().map(String::as_str).collect();
    member.alerts().retain(AlertKind::DatabaseRotationDelayed, &subjects);
}

/// What the keyring says, and the use that this member makes of the customer's key.
pub(super) fn of_keyring(member: &Member, keyring: &Keyring) -> MemberKeysRecord {
    let key = member.key();
    let wrap = keyring.wrap_info();
    let masters = keyring.report().masters;
    let audit = member.audit().head();
    MemberKeysRecord {
        format: FORMAT,
        member_id: member.identity().member_id.0,
        reported_ms: now_ms(),
        cmk_arn: wrap.as_ref().map(|wrap| wrap.cmk.to_string()).unwrap_or_default(),
        active_region: key.active_region().map(|region| region.to_string()).unwrap_or_default(),
        master_version: wrap.as_ref().map_or(0, |wrap| wrap.version.0),
        master_round: keyring.master_round(),
        master_created: masters.last().map(|master| master.created.to_string()).unwrap_or_default(),
        raft_version: keyring.current(KeyOwner::Raft).map_or(0, |key| key.version().0),
        settings_version: key.settings().version,
        encryption_enabled: keyring.encryption_enabled(),
        encryption_round: keyring.encryption_round(),
        may_turn_encryption_off: may_turn_off(key.config()),
        denial_pending: key.denial_pending(),
        cmk_born_ms: member.kms_status().birth.at_ms(),
        stale_wrap: member.kms_status().stale_wrap.unwrap_or(false),
        audit_lines: audit.lines,
        audit_head: audit.hash.to_vec().into(),
        ..MemberKeysRecord::default()
    }
}

/// Whether this member's own configuration lets its data lie in the clear.
pub(crate) fn may_turn_off(config: &EncryptionSection) -> bool {
    config.allow_off || !config.enabled
}

/// A report as it is kept: without what changes all the time.
pub(super) fn kept(report: &MemberKeysRecord) -> MemberKeysRecord {
    let mut kept = MemberKeysRecord {
        busy: false,
        percent: 0,
        alerts: Vec::new(),
        audit_lines: 0,
        audit_head: bytes::Bytes::new(),
        ..report.clone()
    };
    for database in &mut kept.databases {
        // Whether it is rewritten counts, not how far it is.
        database.percent = if database.percent >= 100 { 100 } else { 0 };
    }
    kept
}
