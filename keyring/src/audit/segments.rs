//! The files of the log.

use std::fs;
use std::path::{Path, PathBuf};

use super::AuditError;

/// The path of a segment.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("audit-{number:08}.jsonl"))
}

/// The numbers of the segments in a directory, in order.
pub(super) fn list(dir: &Path) -> Result<Vec<u64>, AuditError> {
    let failed = |source| AuditError::Io { what: "list", path: dir.to_owned(), source };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".jsonl"));
        if let Some(number) = number.filter(|digits| digits.len() >= 8).and_then(|digits| digits.parse().ok())
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}
