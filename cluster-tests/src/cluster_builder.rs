//! What a replica set under test is to be like.

use std::time::Duration;

use anyhow::Context;

use crate::binaries::Binaries;
use crate::cluster::Cluster;
use crate::dev_kms::DevKms;
use crate::folder::TestFolder;
use crate::ground::Ground;
use crate::kms::{AwsKmsOptions, AwsKmsService};
use crate::machine_lock::MachineLock;
use crate::ports::free_ports;
use crate::settings::Settings;

/// Makes a [`Cluster`].
#[derive(Debug)]
pub struct ClusterBuilder {
    name: String,
    members: u64,
    encryption: bool,
    settings: Settings,
    aws: Option<AwsKmsOptions>,
}

impl ClusterBuilder {
    /// Three encrypted members, for the test `name`.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), members: 3, encryption: true, settings: Settings::default(), aws: None }
    }

    /// How many members there are.
    pub fn members(mut self, members: u64) -> Self {
        self.members = members;
        self
    }

    /// Switches encryption off, for comparison.
    pub fn plaintext(mut self) -> Self {
        self.encryption = false;
        self
    }

    /// Has an emulator of AWS hold the CMK, behind a proxy per Region, instead of a directory.
    pub fn aws(mut self, options: AwsKmsOptions) -> Self {
        self.aws = Some(options);
        self
    }

    /// Settings for every member, on top of the harness's own.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Makes the folder, the CMK and the configurations; starts nothing. Waits for its turn on this machine.
    ///
    /// # Errors
    /// Where the programs are missing or the folder cannot be written.
    pub async fn prepare(self) -> anyhow::Result<Cluster> {
        let binaries = Binaries::find()?;
        let lock =
            tokio::task::spawn_blocking(MachineLock::take).await.context("waiting for the machine")??;
        let folder = TestFolder::new(&self.name)?;
        let kms = DevKms::create(&folder.path().join("kms"))?;
        let aws = self.aws.map(AwsKmsService::start).transpose()?;
        let ports = free_ports(usize::try_from(self.members).context("a number of members")?)?;
        let ground = Ground { binaries, folder, kms, aws, lock };
        Cluster::new(ground, ports, self.encryption, self.settings)
    }

    /// Does [`ClusterBuilder::prepare`], starts every member and waits until all serve and one leads.
    ///
    /// # Errors
    /// Where that takes longer than 30 s.
    pub async fn start(self) -> anyhow::Result<Cluster> {
        let mut cluster = self.prepare().await?;
        cluster.start_all()?;
        cluster.wait_serving(Duration::from_secs(30)).await?;
        Ok(cluster)
    }
}
