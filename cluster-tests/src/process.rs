//! One run of `cofferd`, from its start to its exit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::wait_for;

/// A process that is killed when the value goes.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, with everything that it prints going to the file `log`. Variables `COFFER_*` of the test are
    /// kept from it: they would override its configuration.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(program: &Path, arguments: &[&str], log: PathBuf) -> anyhow::Result<Self> {
        Self::start_with(program, arguments, &[], log)
    }

    /// [`Process::start`] with variables of its own.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start_with(
        program: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("COFFER_") {
                command.env_remove(name);
            }
        }
        let child = command
            .args(arguments)
            .env("RUST_BACKTRACE", "1")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("sharing the log file")?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { child, log })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds what it printed.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How it ended, where it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// Where the process is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("sending {signal:?} to process {pid:?}"))
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// Where it runs on for `deadline`; with the end of its log.
    pub async fn wait(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let log = self.log.clone();
        wait_for("a process to end", deadline, async || {
            self.exited().ok_or_else(|| format!("process {} runs", self.child.id()))
        })
        .await
        .with_context(|| format!("its log {} ends with:\n{}", log.display(), tail(&log, 15)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process dies of it too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a file.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_seen_to_end_with_its_status_and_output() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut process =
            Process::start(Path::new("/bin/sh"), &["-c", "echo out; echo err >&2; exit 77"], log).unwrap();
        let status = process.wait(Duration::from_secs(10)).await.unwrap();
        assert_eq!(status.code(), Some(77));
        assert_eq!(process.output(), "out\nerr\n");
    }

    #[tokio::test]
    async fn a_process_that_runs_on_is_reported_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let script = "echo here; exec sleep 60";
        let mut process =
            Process::start(Path::new("/bin/sh"), &["-c", script], dir.path().join("log")).unwrap();
        wait_for("its line", Duration::from_secs(10), async || {
            if process.output() == "here\n" { Ok(()) } else { Err("silent".to_owned()) }
        })
        .await
        .unwrap();
        let error = format!("{:#}", process.wait(Duration::from_millis(50)).await.unwrap_err());
        assert!(error.contains("here"), "{error}");
    }
}
