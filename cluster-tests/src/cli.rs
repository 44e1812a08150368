//! The `coffer` command line, run as a person would.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Longest run of one command. The slowest wait for an election or give up on a dead replica set after 10 s or so.
const RUN: Duration = Duration::from_secs(60);

/// The program and whom it talks to.
#[derive(Clone, Debug)]
pub struct Cli {
    program: PathBuf,
    endpoints: Vec<String>,
    input: Vec<u8>,
}

/// How a command ended.
#[derive(Clone, Debug)]
pub struct CliOutput {
    /// Its exit status; -1 where a signal ended it.
    pub status: i32,
    /// What stood on its standard output.
    pub stdout: String,
    /// What stood on its standard error.
    pub stderr: String,
}

impl Cli {
    pub(crate) fn new(program: PathBuf, endpoints: Vec<String>) -> Self {
        Self { program, endpoints, input: Vec::new() }
    }

    /// What it reads from its standard input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Whom it talks to, instead of all members.
    pub fn endpoints(mut self, endpoints: Vec<String>) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// Where it cannot be started or runs longer than 60 s.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<CliOutput> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env("COFFER_ENDPOINTS", self.endpoints.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        let mut stdin = child.stdin.take().context("its input")?;
        let input = self.input.clone();
        // A command that does not read its input may be gone already: no error of ours.
        let feed = tokio::spawn(async move {
            let _ = stdin.write_all(&input).await;
        });
        let output = tokio::time::timeout(RUN, child.wait_with_output())
            .await
            .with_context(|| format!("coffer {} ran longer than {RUN:?}", arguments.join(" ")))??;
        feed.abort();
        Ok(CliOutput {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it with `--output json`, which must succeed, and reads what it printed.
    ///
    /// # Errors
    /// Where it fails or prints no JSON.
    pub async fn json(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        let mut all = vec!["--output", "json"];
        all.extend(arguments);
        let output = self.run(&all).await?.succeeded()?;
        serde_json::from_str(&output.stdout)
            .with_context(|| format!("coffer {} printed no JSON: {}", all.join(" "), output.stdout))
    }
}

impl CliOutput {
    /// Passes an output with status 0 on.
    ///
    /// # Errors
    /// Where the status is another.
    pub fn succeeded(self) -> anyhow::Result<Self> {
        self.ended_with(0)
    }

    /// Passes an output with this status on.
    ///
    /// # Errors
    /// Where the status is another.
    pub fn ended_with(self, status: i32) -> anyhow::Result<Self> {
        if self.status != status {
            bail!(
                "coffer ended with {} instead of {status}; it said: {}{}",
                self.status,
                self.stderr,
                self.stdout
            );
        }
        Ok(self)
    }
}
