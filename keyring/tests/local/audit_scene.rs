//! A small audit log.

use std::fs;
use std::path::{Path, PathBuf};

use coffer_keyring::audit::{
    AuditAction, AuditEvent, AuditFault, AuditHead, AuditKey, AuditLog, AuditReport, verify,
};

use crate::world::World;

pub fn started(number: u64) -> AuditEvent {
    AuditEvent::new(AuditAction::Started { version: format!("test {number}") })
}

/// A log of six lines: three without a key, as of a sealed member, and three with one.
pub struct Scene {
    _dir: tempfile::TempDir,
    pub dir: PathBuf,
    pub key: AuditKey,
    pub heads: Vec<AuditHead>,
}

impl Scene {
    pub async fn new() -> Self {
        let world = World::new();
        let key = world.create().await.audit_key().unwrap();
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("audit");
        let log = AuditLog::open(&dir, None).unwrap();
        let mut heads: Vec<_> = (1..=3).map(|number| log.append(started(number)).unwrap()).collect();
        log.set_key(Some(key.clone()));
        heads.extend((4..=6).map(|number| log.append(started(number)).unwrap()));
        Self { _dir: temp, dir, key, heads }
    }

    pub fn file(&self) -> PathBuf {
        self.dir.join("audit-00000001.jsonl")
    }

    pub fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.file()).unwrap().lines().map(str::to_owned).collect()
    }

    pub fn write(&self, lines: &[String]) {
        fs::write(self.file(), lines.join("\n") + "\n").unwrap();
    }

    pub fn verify(&self, heads: &[AuditHead]) -> AuditReport {
        verify(&self.dir, Some(&self.key), heads).unwrap()
    }
}

pub fn faults(report: &AuditReport) -> Vec<(AuditFault, u64)> {
    report.problems.iter().map(|problem| (problem.fault, problem.line)).collect()
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
