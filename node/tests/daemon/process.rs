//! A `cofferd` under test.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coffer_keyring::kms::local::LocalKmsAdmin;
use coffer_keyring::kms::{KeyArn, Region};

/// Long enough for a busy machine; a test that works never waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A member of its own replica set, in a folder of its own, under a local key.
pub struct Member {
    pub dir: tempfile::TempDir,
    pub kms: LocalKmsAdmin,
    pub cmk: KeyArn,
    pub settings: Vec<(String, String)>,
    metrics: u16,
    pub port: u16,
}

/// A running process; killed when it is dropped.
pub struct Running {
    child: Child,
    metrics: u16,
    log: PathBuf,
}

/// Waits until `condition` holds.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        #[expect(clippy::disallowed_methods, reason = "a poll loop with a deadline")]
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Member {
    /// Member 1 of a new replica set of one.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let kms_dir = dir.path().join("kms");
        fs::create_dir(&kms_dir).unwrap();
        let kms = LocalKmsAdmin::new(&kms_dir);
        let region = Region::parse("eu-central-1").unwrap();
        let cmk = kms.create(&region, true).unwrap();
        let (port, metrics) = (free_port(), free_port());
        let mut member = Self { dir, kms, cmk, settings: Vec::new(), metrics, port };
        let cluster = coffer_keyring::ClusterId::generate().to_string();
        let members = format!("[{{ id = 1, address = '127.0.0.1:{port}' }}]");
        let data_dir = member.data_dir().display().to_string();
        for (key, value) in [
            ("cluster.id", cluster.as_str()),
            ("cluster.member_id", "1"),
            ("cluster.members", &members),
            ("storage.data_dir", &data_dir),
            ("encryption.provider", "local"),
            ("encryption.cmk_arn", &member.cmk.to_string()),
            ("encryption.local_dir", &kms_dir.display().to_string()),
            ("health.interval", "200ms"),
            ("health.confirm", "200ms"),
            ("health.retry_min", "50ms"),
            ("health.retry_max", "200ms"),
            ("raft.election_timeout_min", "300ms"),
            ("raft.election_timeout_max", "600ms"),
            ("raft.heartbeat_interval", "100ms"),
            ("metrics.address", &format!("127.0.0.1:{metrics}")),
            ("log.format", "json"),
        ] {
            member.set(key, value);
        }
        member
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// The command, with arguments that come before the settings.
    pub fn command(&self, first: &[&str]) -> Command {
        let mut command = cofferd();
        command.args(first);
        for (key, value) in &self.settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command
    }

    pub fn start(&self) -> Running {
        let log = self.dir.path().join(format!("log-{}", free_port()));
        let child =
            self.command(&[]).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        Running { child, metrics: self.metrics, log }
    }

    pub fn start_serving(&self) -> Running {
        let running = self.start();
        running.wait_state("serving");
        running
    }

    /// Starts it and waits for its end.
    pub fn refused(&self) -> (i32, String) {
        let mut running = self.start();
        (running.exit(), running.log())
    }
}

/// The program, with nothing of this process's environment that it could read.
pub fn cofferd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cofferd"));
    command.env_clear().stdin(Stdio::null());
    command
}

impl Running {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What a path of the metrics port answers; empty while nobody listens.
    pub fn http(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.metrics)) else { return String::new() };
        let mut answer = String::new();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        asked.map_or_else(|_| String::new(), |_| answer)
    }

    pub fn wait_state(&self, state: &str) {
        wait_for(&format!("state {state} in {}", self.log.display()), || {
            self.http("/readyz").contains(&format!("\r\n\r\n{state}: "))
        });
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Waits for its end; the exit status.
    pub fn exit(&mut self) -> i32 {
        let mut status = None;
        wait_for("the exit", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
