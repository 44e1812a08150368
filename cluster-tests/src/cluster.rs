//! A replica set of real processes in a temporary folder.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail};
use coffer_client::{Client, ClientOptions};
use coffer_proto::v1::{MemberState, RaftRole};

use crate::binaries::Binaries;
use crate::cli::{Cli, CliOutput};
use crate::config_file::{self, KeySource};
use crate::dev_kms::DevKms;
use crate::folder::TestFolder;
use crate::ground::Ground;
use crate::kms::AwsKmsService;
use crate::machine_lock::MachineLock;
use crate::member::Member;
use crate::ports::free_ports;
use crate::settings::Settings;
use crate::wait::wait_for;

/// A replica set under test. Its processes are killed when it goes.
#[derive(Debug)]
pub struct Cluster {
    // The order matters: processes end before their folder goes, and the next test starts after both.
    members: Vec<Member>,
    kms: DevKms,
    aws: Option<AwsKmsService>,
    binaries: Binaries,
    cluster_id: String,
    first: Vec<(u64, String)>,
    encryption: bool,
    settings: Settings,
    folder: TestFolder,
    _lock: MachineLock,
}

impl Cluster {
    pub(crate) fn new(
        ground: Ground,
        ports: Vec<u16>,
        encryption: bool,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        let Ground { binaries, folder, kms, aws, lock } = ground;
        let first: Vec<(u64, String)> =
            (1..).zip(ports.iter().map(|port| format!("127.0.0.1:{port}"))).collect();
        let mut cluster = Self {
            members: Vec::new(),
            kms,
            aws,
            binaries,
            cluster_id: uuid::Uuid::new_v4().to_string(),
            first,
            encryption,
            settings,
            folder,
            _lock: lock,
        };
        for (id, address) in cluster.first.clone() {
            cluster.make_member(id, address)?;
        }
        Ok(cluster)
    }

    fn make_member(&mut self, id: u64, address: String) -> anyhow::Result<()> {
        let folder = self.folder.path().join(format!("member-{id}"));
        let mut settings = config_file::settings(
            &self.cluster_id,
            id,
            &address,
            &self.first,
            &folder.join("data"),
            match &self.aws {
                _ if !self.encryption => KeySource::None,
                Some(aws) => KeySource::Aws(aws),
                None => KeySource::Dev(&self.kms),
            },
        );
        settings.merge(&self.settings);
        let mut member = Member::new(id, address, folder, self.binaries.cofferd.clone(), settings)?;
        if let Some(aws) = &mut self.aws {
            aws.add_member(id);
            member.set_environment(aws.environment(id));
        }
        self.members.push(member);
        Ok(())
    }

    /// The folder of the test; members have theirs in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The directory that plays KMS.
    pub fn kms(&self) -> &DevKms {
        &self.kms
    }

    /// The emulator of AWS that holds the CMK.
    ///
    /// # Panics
    /// Where the replica set was made without [`ClusterBuilder::aws`](crate::ClusterBuilder::aws).
    pub fn aws(&self) -> &AwsKmsService {
        self.aws.as_ref().expect("a replica set whose CMK is in AWS")
    }

    /// The same, to change it.
    ///
    /// # Panics
    /// Where the replica set was made without [`ClusterBuilder::aws`](crate::ClusterBuilder::aws).
    pub fn aws_mut(&mut self) -> &mut AwsKmsService {
        self.aws.as_mut().expect("a replica set whose CMK is in AWS")
    }

    /// All members, those that do not run included.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// All members, to change them.
    pub fn members_mut(&mut self) -> &mut [Member] {
        &mut self.members
    }

    /// The ids of all members.
    pub fn ids(&self) -> Vec<u64> {
        self.members.iter().map(Member::id).collect()
    }

    /// A member by its id.
    ///
    /// # Panics
    /// Where there is none.
    pub fn member(&self, id: u64) -> &Member {
        self.members.iter().find(|member| member.id() == id).unwrap_or_else(|| panic!("no member {id}"))
    }

    /// A member by its id, to change it.
    ///
    /// # Panics
    /// Where there is none.
    pub fn member_mut(&mut self, id: u64) -> &mut Member {
        self.members.iter_mut().find(|member| member.id() == id).unwrap_or_else(|| panic!("no member {id}"))
    }

    /// Adds the folder and the configuration of a member that joins later under a new id; does not start it.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn new_member(&mut self, id: u64) -> anyhow::Result<&mut Member> {
        if self.members.iter().any(|member| member.id() == id) {
            bail!("there is a member {id} already");
        }
        let port = free_ports(1)?[0];
        self.make_member(id, format!("127.0.0.1:{port}"))?;
        Ok(self.member_mut(id))
    }

    /// Makes and starts a member under a new id, and adds it to the replica set as one that does not vote yet.
    ///
    /// # Errors
    /// Where it does not answer, or the replica set does not take it.
    pub async fn join(&mut self, id: u64) -> anyhow::Result<()> {
        let member = self.new_member(id)?;
        member.start()?;
        let member = self.member(id);
        wait_for(&format!("member {id} to answer"), Duration::from_secs(15), async || {
            member.status().await.map(drop).map_err(|error| format!("{error:#}"))
        })
        .await
        .with_context(|| self.log_tails())?;
        self.client()?.admin().add_member(id, member.address()).await.context("adding a member")?;
        Ok(())
    }

    /// Forgets a member that has been removed: it no longer counts for [`Cluster::wait_serving`] and the invariants.
    pub fn forget(&mut self, id: u64) {
        self.members.retain(|member| member.id() != id);
    }

    /// Starts every member that does not run.
    ///
    /// # Errors
    /// Where one cannot be started.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            if !member.is_running() {
                member.start()?;
            }
        }
        Ok(())
    }

    /// Kills every member with SIGKILL, all before the first is waited for.
    ///
    /// # Errors
    /// Where one cannot be signalled.
    pub fn kill_all(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            if member.is_running() {
                // Frozen first, so that none sees another die.
                member.freeze()?;
            }
        }
        for member in &mut self.members {
            member.kill();
        }
        Ok(())
    }

    /// Stops every member with SIGTERM and returns how each ended.
    ///
    /// # Errors
    /// Where one does not end within 20 s.
    pub async fn stop_all(&mut self) -> anyhow::Result<Vec<(u64, ExitStatus)>> {
        for member in &mut self.members {
            if member.is_running() {
                member.terminate()?;
            }
        }
        self.all_exited(Duration::from_secs(20)).await
    }

    /// Waits until every member that ran has ended by itself.
    ///
    /// # Errors
    /// Where one runs on for `deadline`.
    pub async fn all_exited(&mut self, deadline: Duration) -> anyhow::Result<Vec<(u64, ExitStatus)>> {
        let mut ended = Vec::new();
        for member in &mut self.members {
            if member.process_id().is_ok() {
                ended.push((member.id(), member.exited(deadline).await?));
            }
        }
        Ok(ended)
    }

    /// Waits until every running member serves and agrees on one leader, which is returned.
    ///
    /// # Errors
    /// After `deadline`, with the ends of the logs.
    pub async fn wait_serving(&mut self, deadline: Duration) -> anyhow::Result<u64> {
        let running: Vec<u64> =
            self.members.iter_mut().filter_map(|member| member.is_running().then(|| member.id())).collect();
        let this = &*self;
        wait_for(&format!("members {running:?} to serve under one leader"), deadline, async || {
            let mut leader = None;
            for id in &running {
                let status =
                    this.member(*id).status().await.map_err(|error| format!("member {id}: {error:#}"))?;
                if status.state() != MemberState::Serving {
                    return Err(format!("member {id} is {:?}: {}", status.state(), status.state_reason));
                }
                if status.leader_id == 0 || !running.contains(&status.leader_id) {
                    return Err(format!(
                        "member {id} knows no running leader (it names {})",
                        status.leader_id
                    ));
                }
                if *leader.get_or_insert(status.leader_id) != status.leader_id {
                    return Err(format!("member {id} follows {}, another {leader:?}", status.leader_id));
                }
            }
            leader.ok_or_else(|| "no member runs".to_owned())
        })
        .await
        .with_context(|| self.log_tails())
    }

    /// The member that says that it leads, and that others follow where they answer.
    ///
    /// # Errors
    /// Where none does within 15 s.
    pub async fn leader(&self) -> anyhow::Result<u64> {
        wait_for("a leader", Duration::from_secs(15), async || {
            let mut best: Option<(u64, u64)> = None;
            for member in &self.members {
                let Ok(status) = member.status().await else { continue };
                if status.role() == RaftRole::Leader && best.is_none_or(|(term, _)| term < status.term) {
                    best = Some((status.term, member.id()));
                }
            }
            best.map(|(_, id)| id).ok_or_else(|| "nobody leads".to_owned())
        })
        .await
        .with_context(|| self.log_tails())
    }

    /// Waits until all running members have applied what the leader has applied now.
    ///
    /// # Errors
    /// After `deadline`.
    pub async fn wait_converged(&mut self, deadline: Duration) -> anyhow::Result<u64> {
        self.wait_serving(deadline).await?;
        // Just after a start a leader may not know yet how far its predecessor had committed: a linearizable read does.
        self.client()?.list_databases().await.context("a read that waits for all that is committed")?;
        let leader = self.wait_serving(deadline).await?;
        let target = self.member(leader).status().await?.applied_index;
        let running: Vec<u64> =
            self.members.iter_mut().filter_map(|member| member.is_running().then(|| member.id())).collect();
        let this = &*self;
        wait_for(&format!("members {running:?} to apply index {target}"), deadline, async || {
            for id in &running {
                let status =
                    this.member(*id).status().await.map_err(|error| format!("member {id}: {error:#}"))?;
                if status.applied_index < target {
                    return Err(format!("member {id} is at {}", status.applied_index));
                }
            }
            Ok(())
        })
        .await
        .with_context(|| self.log_tails())?;
        Ok(target)
    }

    /// The ends of all members' logs, for an error.
    pub fn log_tails(&self) -> String {
        let tails = self
            .members
            .iter()
            .map(|member| format!("--- the log of member {} ends with\n{}", member.id(), member.log_tail()));
        tails.collect::<Vec<_>>().join("\n")
    }

    /// The addresses of all members.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| member.address().to_owned()).collect()
    }

    /// A driver for the replica set.
    ///
    /// # Errors
    /// Where the driver refuses its options.
    pub fn client(&self) -> anyhow::Result<Client> {
        self.client_with(ClientOptions::default())
    }

    /// A driver for the replica set, with options; the endpoints are filled in.
    ///
    /// # Errors
    /// Where the driver refuses its options.
    pub fn client_with(&self, options: ClientOptions) -> anyhow::Result<Client> {
        let options = ClientOptions { endpoints: self.endpoints(), ..options };
        Client::connect(options).context("a driver for the replica set")
    }

    /// Runs `coffer` with these arguments, the members' endpoints and nothing on its input.
    ///
    /// # Errors
    /// Where the program cannot be run.
    pub async fn coffer(&self, arguments: &[&str]) -> anyhow::Result<CliOutput> {
        self.cli().run(arguments).await
    }

    /// The command line, to be run with input.
    pub fn cli(&self) -> Cli {
        Cli::new(self.binaries.coffer.clone(), self.endpoints())
    }

    /// Ends a test that went well: checks the logs of all members, kills them and lets the folder go.
    ///
    /// # Errors
    /// Where a log holds a panic or an ERROR line that `expected_errors` (parts of lines) does not name.
    pub fn finish_expecting(mut self, expected_errors: &[&str]) -> anyhow::Result<()> {
        for member in &mut self.members {
            member.kill();
        }
        for member in &self.members {
            member.check_logs(expected_errors)?;
        }
        self.folder.finish();
        Ok(())
    }

    /// [`Cluster::finish_expecting`] with no error expected.
    ///
    /// # Errors
    /// Where a log holds a panic or an ERROR line.
    pub fn finish(self) -> anyhow::Result<()> {
        self.finish_expecting(&[])
    }
}
