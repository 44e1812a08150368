//! The key hierarchy of a member, without any key.

use coffer_keyring::{DataKeyReport, KeyringReport};
use coffer_proto::v1::{DestroyedKey, KeyInfo, KeysResponse};

use crate::member::Serving;

/// The key hierarchy, from the top down; within a level by id and version.
pub fn keys(serving: &Serving) -> KeysResponse {
    hierarchy(&serving.keyring.report(), |id| serving.engine.database_name(id))
}

fn hierarchy(
    report: &KeyringReport,
    name: impl Fn(coffer_keyring::DatabaseId) -> Option<String>,
) -> KeysResponse {
    let mut keys = Vec::new();
    if report.encryption {
        cmks(report, &mut keys);
        masters(report, &mut keys);
        data_keys("raft", String::new(), String::new(), &report.raft, &mut keys);
        data_keys("audit", String::new(), String::new(), report.audit.as_slice(), &mut keys);
        for database in &report.databases {
            let name = name(database.id).unwrap_or_default();
            data_keys("database", database.id.to_string(), name, &database.keys, &mut keys);
        }
    }
    let destroyed = report
        .tombstones
        .iter()
        .map(|tombstone| DestroyedKey { database_id: tombstone.id.0, log_index: tombstone.log_index });
    KeysResponse {
        member_id: report.member.0,
        encryption_enabled: report.encryption,
        keys,
        destroyed: destroyed.collect(),
    }
}

/// Each customer key once: the one that wraps the newest master key is current.
fn cmks(report: &KeyringReport, keys: &mut Vec<KeyInfo>) {
    let current = report.masters.last().map(|master| master.cmk.to_string());
    let mut seen = Vec::new();
    for master in &report.masters {
        let arn = master.cmk.to_string();
        if !seen.contains(&arn) {
            keys.push(KeyInfo {
                level: "cmk".to_owned(),
                id: arn.clone(),
                current: current.as_ref() == Some(&arn),
                ..KeyInfo::default()
            });
            seen.push(arn);
        }
    }
}

fn masters(report: &KeyringReport, keys: &mut Vec<KeyInfo>) {
    let last = report.masters.len().saturating_sub(1);
    keys.extend(report.masters.iter().enumerate().map(|(position, master)| KeyInfo {
        level: "master".to_owned(),
        version: master.version.0,
        created: master.created.to_string(),
        wrapped_by: master.cmk.to_string(),
        current: position == last,
        key_material_id: master.key_material_id.clone().unwrap_or_default(),
        ..KeyInfo::default()
    }));
}

fn data_keys(level: &str, id: String, name: String, reports: &[DataKeyReport], keys: &mut Vec<KeyInfo>) {
    let last = reports.len().saturating_sub(1);
    keys.extend(reports.iter().enumerate().map(|(position, key)| KeyInfo {
        level: level.to_owned(),
        id: id.clone(),
        version: key.version.0,
        created: key.created.to_string(),
        wrapped_by: format!("master v{}", key.wrapped_by),
        current: position == last,
        name: name.clone(),
        ..KeyInfo::default()
    }));
}
