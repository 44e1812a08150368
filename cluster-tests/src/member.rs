//! One member: its folder, its configuration, and the process that runs on them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail};
use coffer_client::{Client, ClientOptions};
use coffer_proto::v1::admin_client::AdminClient;
use coffer_proto::v1::{
    EncryptionStatus, KeysRequest, KeysResponse, MemberState, StateHashRequest, StateHashResponse,
    StatusRequest, StatusResponse,
};
use rustix::process::Signal;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::invariants::clean_logs;
use crate::process::{Process, tail};
use crate::settings::Settings;
use crate::wait::wait_for;

/// How long one question to a member may take. A member answers within milliseconds; a frozen one never.
const CALL: Duration = Duration::from_secs(2);

/// A member of a replica set under test.
#[derive(Debug)]
pub struct Member {
    id: u64,
    address: String,
    folder: PathBuf,
    program: PathBuf,
    settings: Settings,
    environment: Vec<(String, String)>,
    process: Option<Process>,
    logs: Vec<PathBuf>,
    /// Logs of starts that were to be refused: an ERROR belongs there.
    refusals: Vec<PathBuf>,
}

impl Member {
    /// A member that has not been started yet; its configuration is written into `folder`.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub(crate) fn new(
        id: u64,
        address: String,
        folder: PathBuf,
        program: PathBuf,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(folder.join("logs")).with_context(|| format!("making {}", folder.display()))?;
        let (logs, refusals) = (Vec::new(), Vec::new());
        let member = Self {
            id,
            address,
            folder,
            program,
            settings,
            environment: Vec::new(),
            process: None,
            logs,
            refusals,
        };
        member.write_config()?;
        Ok(member)
    }

    fn write_config(&self) -> anyhow::Result<()> {
        let path = self.config();
        fs::write(&path, self.settings.to_string()).with_context(|| format!("writing {}", path.display()))
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where clients and peers reach it, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("cofferd.toml")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its keystore.
    pub fn keystore(&self) -> PathBuf {
        self.data_dir().join("keyring/keystore.json")
    }

    /// Variables for its next starts, such as those that give it credentials.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }

    /// Changes its configuration; the next start reads it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn configure(&mut self, change: impl FnOnce(&mut Settings)) -> anyhow::Result<()> {
        change(&mut self.settings);
        self.write_config()
    }

    /// Sets a variable of its next starts.
    pub fn environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it. It need not serve yet when this returns.
    ///
    /// # Errors
    /// Where it runs already or cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.is_running() {
            bail!("member {} runs already", self.id);
        }
        let log = self.folder.join(format!("logs/start-{}.log", self.logs.len() + 1));
        let config = self.config();
        let config = config.to_str().context("a folder name that is no UTF-8")?;
        self.logs.push(log.clone());
        self.process =
            Some(Process::start_with(&self.program, &["--config", config], &self.environment, log)?);
        Ok(())
    }

    /// Whether its process runs (frozen or not).
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.exited().is_none())
    }

    fn process(&mut self) -> anyhow::Result<&mut Process> {
        let id = self.id;
        self.process.as_mut().with_context(|| format!("member {id} was not started"))
    }

    /// The id of its process.
    ///
    /// # Errors
    /// Where it was not started.
    pub fn process_id(&mut self) -> anyhow::Result<u32> {
        Ok(self.process()?.id())
    }

    /// Kills it with SIGKILL, and returns when it is gone. One that does not run stays as it is.
    pub fn kill(&mut self) {
        // The drop of a process kills it and waits for it.
        self.process = None;
    }

    /// Freezes it: it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn freeze(&mut self) -> anyhow::Result<()> {
        self.process()?.signal(Signal::STOP)
    }

    /// Lets a frozen member go on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.process()?.signal(Signal::CONT)
    }

    /// Asks it to stop, with SIGTERM, and does not wait.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        self.process()?.signal(Signal::TERM)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// Where it runs on for `deadline`.
    pub async fn exited(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let id = self.id;
        let status = self
            .process()?
            .wait(deadline)
            .await
            .with_context(|| format!("waiting for member {id} to end"))?;
        self.process = None;
        Ok(status)
    }

    /// Starts it and waits until it has refused to run, which must be with exit status `code`. Returns what it printed.
    ///
    /// # Errors
    /// Where it does not end, or with another status.
    pub async fn start_refused(&mut self, code: i32, deadline: Duration) -> anyhow::Result<String> {
        self.start()?;
        let id = self.id;
        let wait = self.process()?.wait(deadline).await;
        let output = self.process()?.output();
        self.process = None;
        self.refusals.extend(self.logs.last().cloned());
        let status = wait.with_context(|| format!("member {id} should have refused to start"))?;
        if status.code() != Some(code) {
            bail!("member {id} ended with {status} where it should have refused with {code}:\n{output}");
        }
        Ok(output)
    }

    /// Bytes of memory that its process has resident.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn resident_bytes(&mut self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.process()?.id());
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let kib = text
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        kib.map(|kib: u64| kib * 1024).with_context(|| format!("{path} names no resident memory"))
    }

    /// The logs of its starts, oldest first.
    pub fn logs(&self) -> &[PathBuf] {
        &self.logs
    }

    /// Checks its logs: no panic, and no ERROR except in starts that were to be refused and in lines that hold one of
    /// `expected`.
    ///
    /// # Errors
    /// Names the first line that should not be there.
    pub fn check_logs(&self, expected: &[&str]) -> anyhow::Result<()> {
        let (refused, others): (Vec<_>, Vec<_>) =
            self.logs.iter().cloned().partition(|log| self.refusals.contains(log));
        clean_logs(&others, expected)?;
        // Every line holds the empty text.
        clean_logs(&refused, &[""])
    }

    /// The end of its newest log.
    pub fn log_tail(&self) -> String {
        self.logs.last().map(|log| tail(log, 15)).unwrap_or_default()
    }

    /// All that its newest start printed.
    pub fn output(&self) -> String {
        self.logs
            .last()
            .and_then(|log| fs::read(log).ok())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    async fn channel(&self) -> anyhow::Result<Channel> {
        Endpoint::from_shared(format!("http://{}", self.address))?
            .connect_timeout(CALL)
            .timeout(CALL)
            .connect()
            .await
            .with_context(|| format!("connecting to member {}", self.id))
    }

    async fn admin(&self) -> anyhow::Result<AdminClient<Channel>> {
        Ok(AdminClient::new(self.channel().await?))
    }

    /// A channel to it, for calls that the driver has no method for.
    ///
    /// # Errors
    /// Where it cannot be reached.
    pub async fn connect(&self) -> anyhow::Result<Channel> {
        self.channel().await
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// Where it cannot be reached or does not answer in time.
    pub async fn status(&self) -> anyhow::Result<StatusResponse> {
        Ok(self.admin().await?.status(StatusRequest {}).await?.into_inner())
    }

    /// How it stands with the customer's key, as [`wait_for`] wants it.
    ///
    /// # Errors
    /// Where it cannot be reached, or says nothing of it.
    pub async fn key(&self) -> Result<EncryptionStatus, String> {
        let status = self.status().await.map_err(|error| format!("member {}: {error:#}", self.id))?;
        status.encryption.ok_or_else(|| format!("member {} says nothing of encryption", self.id))
    }

    /// The kinds of the alerts that are open on it.
    ///
    /// # Errors
    /// Where it cannot be reached.
    pub async fn open_alerts(&self) -> Result<BTreeSet<String>, String> {
        let status = self.status().await.map_err(|error| format!("member {}: {error:#}", self.id))?;
        let own = status.alerts.into_iter().filter(|alert| alert.member_id == self.id);
        Ok(own.filter(|alert| alert.resolved.is_empty()).map(|alert| alert.kind).collect())
    }

    /// Its key hierarchy.
    ///
    /// # Errors
    /// Where it cannot be reached or has no keys.
    pub async fn keys(&self) -> anyhow::Result<KeysResponse> {
        Ok(self.admin().await?.keys(KeysRequest {}).await?.into_inner())
    }

    /// The hashes of the collections of `database`, once it has applied `at_least_index`.
    ///
    /// # Errors
    /// Where it cannot be reached or does not know the database.
    pub async fn state_hash(&self, database: &str, at_least_index: u64) -> anyhow::Result<StateHashResponse> {
        let request =
            StateHashRequest { database: database.into(), collection: String::new(), at_least_index };
        Ok(self.admin().await?.state_hash(request).await?.into_inner())
    }

    /// What the standard health service says of the whole member.
    ///
    /// # Errors
    /// Where it cannot be reached.
    pub async fn health(&self) -> anyhow::Result<ServingStatus> {
        let request = HealthCheckRequest { service: String::new() };
        let answer = HealthClient::new(self.channel().await?).check(request).await?.into_inner();
        Ok(answer.status())
    }

    /// A driver that talks to this member alone.
    ///
    /// # Errors
    /// Where the driver refuses the address.
    pub fn client(&self) -> anyhow::Result<Client> {
        self.client_with(ClientOptions::default())
    }

    /// A driver that talks to this member alone, with options; the endpoint is filled in.
    ///
    /// # Errors
    /// Where the driver refuses its options.
    pub fn client_with(&self, options: ClientOptions) -> anyhow::Result<Client> {
        let endpoints = vec![self.address.clone()];
        let options = ClientOptions { learn_members: false, endpoints, ..options };
        Client::connect(options).with_context(|| format!("a driver for member {}", self.id))
    }

    /// Waits until it is in `state`.
    ///
    /// # Errors
    /// After `deadline`, with the end of its log.
    pub async fn wait_state(&self, state: MemberState, deadline: Duration) -> anyhow::Result<StatusResponse> {
        wait_for(&format!("member {} to be {state:?}", self.id), deadline, async || {
            let status = self.status().await.map_err(|error| format!("{error:#}"))?;
            if status.state() == state {
                return Ok(status);
            }
            Err(format!("it is {:?}: {}", status.state(), status.state_reason))
        })
        .await
        .with_context(|| format!("its log ends with:\n{}", self.log_tail()))
    }
}
