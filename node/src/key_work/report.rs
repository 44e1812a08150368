//! What a member says of its keys.

use coffer_keyring::{KeyOwner, Keyring};
use coffer_proto::internal::v1::{MemberKeysRecord, ReportKeysRequest};
use coffer_storage::raft::wire::FORMAT;

use crate::config::EncryptionSection;
use crate::member::{Member, NotServing, Serving};
use crate::services::now_ms;

/// The report of a member, as its leader asks for it.
///
/// # Errors
/// It does not serve, and does not rebuild its data either.
pub(crate) fn report_keys(
    member: &Member,
    request: &ReportKeysRequest,
) -> Result<MemberKeysRecord, NotServing> {
    let serving = member.serving()?;
    Ok(report(member, &serving, request))
}

/// The report of a member that serves.
pub(super) fn report(member: &Member, serving: &Serving, request: &ReportKeysRequest) -> MemberKeysRecord {
    member.key_work().worker.note_term(request.term);
    let mut keys = of_keyring(member, &serving.keyring);
    let _ = &request.databases;
    keys.busy = false;
    if let Some(percent) = member.key_work().worker.percent() {
        (keys.busy, keys.percent) = (true, percent);
    }
    keys
}

/// What the keyring says, and the use that this member makes of the customer's key.
pub(super) fn of_keyring(member: &Member, keyring: &Keyring) -> MemberKeysRecord {
    let key = member.key();
    let wrap = keyring.wrap_info();
    let masters = keyring.report().masters;
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
        ..MemberKeysRecord::default()
    }
}

/// Whether this member's own configuration lets its data lie in the clear.
pub(crate) fn may_turn_off(config: &EncryptionSection) -> bool {
    !config.enabled
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
