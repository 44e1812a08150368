//! No member panicked, none logged an ERROR that the test did not provoke (ERROR means that a person must look), and none
//! flooded its log: a loop without a pause shows there first.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

/// Most bytes that one start of a member may log in a test of some minutes, at level debug too.
const MAX_LOG_BYTES: u64 = 32 << 20;

/// Reads the logs.
///
/// # Errors
/// Names a log that is far too long; else the first line that tells of a panic, or is at level ERROR without holding one of `expected`.
pub fn clean_logs(logs: &[PathBuf], expected: &[&str]) -> anyhow::Result<()> {
    for log in logs {
        let bytes = fs::metadata(log).with_context(|| format!("reading {}", log.display()))?.len();
        if bytes > MAX_LOG_BYTES {
            bail!("{} has {} MiB: something logs without a pause", log.display(), bytes >> 20);
        }
        let text = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        for (number, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", log.display(), number + 1);
            if line.contains("panicked at") {
                bail!("a panic in {}: {line}", place());
            }
            let is_error = line.contains("\"level\":\"ERROR\"") || line.starts_with("ERROR");
            if is_error && !expected.iter().any(|part| line.contains(part)) {
                bail!("an unexpected ERROR in {}: {line}", place());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_unexpected_errors_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: &[&str]| {
            let log = dir.path().join("log");
            fs::write(&log, text).unwrap();
            clean_logs(&[log], expected)
        };
        let error =
            "{\"timestamp\":\"t\",\"level\":\"ERROR\",\"fields\":{\"message\":\"the disk is full\"}}\n";
        check("{\"level\":\"WARN\",\"message\":\"an ERROR of others\"}\n", &[]).unwrap();
        check(error, &["disk is full"]).unwrap();
        assert!(check(error, &[]).unwrap_err().to_string().contains("log:1"));
        assert!(check("thread 'main' panicked at src/x.rs:1:1:\n", &["panicked"]).is_err());

        let flood = dir.path().join("flood");
        fs::File::create(&flood).unwrap().set_len(MAX_LOG_BYTES + 1).unwrap();
        assert!(clean_logs(&[flood], &[]).unwrap_err().to_string().contains("without a pause"));
    }
}
