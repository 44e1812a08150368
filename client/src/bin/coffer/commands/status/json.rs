//! The status, for programs.

use coffer_client::MemberReport;
use coffer_client::status::EncryptionStatus;
use serde_json::{Value, json};

use super::super::alerts::to_json as alert_json;
use super::member_rows::lag;
use super::{role_name, state_name};

/// A member's status, whole; of one that does not answer, why.
pub fn to_json(report: &MemberReport, committed: Option<u64>) -> Value {
    let status = match &report.status {
        Ok(status) => status,
        Err(failure) => {
            return json!({ "endpoint": report.endpoint, "state": "unreachable", "reason": failure.reason });
        }
    };
    json!({
        "endpoint": report.endpoint,
        "member_id": status.member_id,
        "cluster_id": status.cluster_id,
        "version": status.version,
        "state": state_name(status.state()),
        "reason": status.state_reason,
        "role": role_name(status.role()),
        "leader_id": status.leader_id,
        "leader_address": status.leader_address,
        "term": status.term,
        "last_log_index": status.last_log_index,
        "flushed_index": status.flushed_index,
        "committed_index": status.committed_index,
        "applied_index": status.applied_index,
        "checkpoint_index": status.checkpoint_index,
        "purged_index": status.purged_index,
        "lag": lag(status, committed),
        "log_bytes": status.log_bytes,
        "uptime_seconds": status.uptime_seconds,
        "databases": status.databases,
        "incarnation": status.incarnation,
        "generation": status.generation,
        "members": status.members.iter().map(|member| {
            json!({ "id": member.id, "address": member.address, "voter": member.voter })
        }).collect::<Vec<_>>(),
        "progress": status.progress.iter().map(|progress| {
            json!({ "member_id": progress.member_id, "matched_index": progress.matched_index })
        }).collect::<Vec<_>>(),
        "encryption": status.encryption.as_ref().map(encryption_json),
        "settings_version": status.settings_version,
        "alerts": status.alerts.iter().map(alert_json).collect::<Vec<_>>(),
        "notices": status.notices,
        "help_code": status.help_code,
        "warnings": status.warnings,
    })
}

fn encryption_json(encryption: &EncryptionStatus) -> Value {
    json!({
        "enabled": encryption.enabled,
        "cmk_arn": encryption.cmk_arn,
        "region": encryption.region,
        "home_region": encryption.home_region,
        "failed_over": encryption.failed_over,
        "override_region": encryption.override_region,
        "provider": encryption.provider,
        "role_arn": encryption.role_arn,
        "private_network": encryption.private_network,
        "verdict": encryption.verdict,
        "verdict_age_ms": encryption.verdict_age_ms,
        "last_error_code": encryption.last_error_code,
        "help_code": encryption.help_code,
        "last_probe_age_ms": encryption.last_probe_age_ms,
        "next_probe_ms": encryption.next_probe_ms,
        "denied_in_a_row": encryption.denied_in_a_row,
        "shutdown_in_ms": encryption.shutdown_in_ms,
        "regions": encryption.regions.iter().map(|region| json!({
            "region": region.region,
            "verdict": region.verdict,
            "key_state": region.key_state,
            "last_error_code": region.last_error_code,
            "last_probe_age_ms": region.last_probe_age_ms,
            "denied_in_a_row": region.denied_in_a_row,
            "home": region.home,
            "active": region.active,
        })).collect::<Vec<_>>(),
    })
}
