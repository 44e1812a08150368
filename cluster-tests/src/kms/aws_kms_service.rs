//! All of AWS that a replica set under test needs.

use std::collections::BTreeMap;

use anyhow::Context;
use coffer_keyring::kms::policy::{Policies, PolicyRequest, policies};
use coffer_keyring::kms::{IamArn, KeyArn, Region};
use tokio::runtime::Runtime;

use super::emulator::{AccessKey, Emulator, Owner};
use super::{Fault, FaultProxy, Service};
use crate::dev_kms::{HOME_REGION, OTHER_REGION};
use crate::ports::free_ports;
use crate::settings::Settings;

/// The account that owns the CMK and the members' users.
const ACCOUNT: &str = "111122223333";

/// The role that members assume.
const ROLE: &str = "coffer";

/// The policy that lets members use the key.
const USE: &str = "coffer-use";

/// What is wanted of AWS.
#[derive(Clone, Debug)]
pub struct AwsKmsOptions {
    /// The configured Regions, home first.
    pub regions: Vec<String>,
    /// Regions of these that get no replica.
    pub without_replica: Vec<String>,
    /// A multi-Region key; a single-Region key needs one Region.
    pub multi_region: bool,
    /// Whether members assume a role, with this ExternalId; else they use their own credentials.
    pub external_id: Option<String>,
}

impl Default for AwsKmsOptions {
    /// A multi-Region key in two Regions, used with a role.
    fn default() -> Self {
        Self {
            regions: vec![HOME_REGION.to_owned(), OTHER_REGION.to_owned()],
            without_replica: Vec::new(),
            multi_region: true,
            external_id: Some("set-7".to_owned()),
        }
    }
}

/// An emulator of KMS, STS and IAM, a proxy in front of each Region and of STS, a CMK, and a user for each member.
#[derive(Debug)]
pub struct AwsKmsService {
    // Ends before the runtime that its tasks run on.
    proxies: BTreeMap<Region, FaultProxy>,
    sts: FaultProxy,
    emulator: Emulator,
    owner: Owner,
    cmk: KeyArn,
    regions: Vec<Region>,
    options: AwsKmsOptions,
    users: BTreeMap<u64, AccessKey>,
    /// The policy that lets each key be used, by the key's id.
    used: BTreeMap<String, Policies>,
    runtime: Option<Runtime>,
}

impl AwsKmsService {
    /// Starts all of it, and makes a CMK with its replicas.
    ///
    /// # Errors
    /// Where ports or the runtime of the proxies cannot be had.
    pub fn start(options: AwsKmsOptions) -> anyhow::Result<Self> {
        let emulator = Emulator::start();
        let owner = emulator.owner(ACCOUNT);
        let regions =
            options.regions.iter().map(|region| Region::parse(region)).collect::<Result<Vec<_>, _>>()?;
        // A runtime of their own: a test that blocks must not hold members up.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("kms-proxies")
            .enable_all()
            .build()
            .context("a runtime for the proxies")?;
        let mut ports = free_ports(regions.len() + 1)?.into_iter();
        let mut proxy = |service| {
            let port = ports.next().context("a port for a proxy")?;
            anyhow::Ok(FaultProxy::start(runtime.handle(), service, port, emulator.address()))
        };
        let sts = proxy(Service::Sts)?;
        let mut proxies = BTreeMap::new();
        for region in &regions {
            proxies.insert(region.clone(), proxy(Service::Kms)?);
        }
        let cmk = make_key(&owner, &regions, &options)?;
        let mut service = Self {
            proxies,
            sts,
            emulator,
            owner,
            cmk: cmk.clone(),
            regions,
            options,
            users: BTreeMap::new(),
            used: BTreeMap::new(),
            runtime: Some(runtime),
        };
        if service.options.external_id.is_some() {
            // Who may assume it is told with the first member.
            service.owner.create_role(ROLE, "{\"Version\":\"2012-10-17\",\"Statement\":[]}");
        }
        service.let_use(&cmk)?;
        Ok(service)
    }

    /// The ARN of the CMK in its home Region.
    pub fn cmk(&self) -> &KeyArn {
        &self.cmk
    }

    /// The Regions, home first.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The CMK's ARN in a Region.
    ///
    /// # Panics
    /// For a single-Region key elsewhere.
    pub fn cmk_in(&self, region: &str) -> String {
        let region = Region::parse(region).expect("a Region's name");
        self.cmk.in_region(&region).expect("a multi-Region key").to_string()
    }

    /// The emulator, to end sessions.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// What the owner of the key does: disable, enable, schedule a deletion, rotate.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The proxy in front of KMS in a Region.
    ///
    /// # Panics
    /// Where the Region is not among those of this test.
    pub fn region(&self, region: &str) -> &FaultProxy {
        let found = self.proxies.iter().find(|(name, _)| name.as_str() == region);
        found.unwrap_or_else(|| panic!("no proxy for {region}")).1
    }

    /// The proxy in front of STS, for all Regions.
    pub fn sts(&self) -> &FaultProxy {
        &self.sts
    }

    /// Sets what KMS does in all Regions.
    ///
    /// # Errors
    /// Where a port cannot be bound again.
    pub async fn set_all(&self, fault: Fault) -> anyhow::Result<()> {
        for proxy in self.proxies.values() {
            proxy.set(fault).await?;
        }
        Ok(())
    }

    /// Makes another CMK with the same replicas, which members may use too.
    ///
    /// # Errors
    /// Where its policies cannot be made.
    pub fn create_cmk(&mut self) -> anyhow::Result<KeyArn> {
        let cmk = make_key(&self.owner, &self.regions, &self.options)?;
        self.let_use(&cmk)?;
        Ok(cmk)
    }

    fn role(&self) -> anyhow::Result<Option<IamArn>> {
        if self.options.external_id.is_none() {
            return Ok(None);
        }
        Ok(Some(IamArn::parse(&format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"))?))
    }

    fn let_use(&mut self, cmk: &KeyArn) -> anyhow::Result<()> {
        let root = IamArn::parse(&format!("arn:aws:iam::{ACCOUNT}:root"))?;
        let made = policies(&PolicyRequest {
            cmk,
            regions: &self.regions,
            identity: &root,
            role: self.role()?.as_ref(),
            external_id: self.options.external_id.as_deref(),
            source_addresses: &[],
        })?;
        if let Some(trust) = &made.trust {
            self.owner.set_trust(ROLE, trust);
        }
        self.used.insert(cmk.id().to_owned(), made);
        self.allow();
        Ok(())
    }

    /// Puts the policies as they belong: everything is allowed again that members need.
    pub fn allow(&self) {
        self.put_use(|policy| policy.to_owned());
        if let Some(trust) = self.used.values().find_map(|made| made.trust.as_ref()) {
            self.owner.set_trust(ROLE, trust);
        }
    }

    /// Takes one action, like `kms:Decrypt`, out of the policies of the keys.
    pub fn take_away(&self, action: &str) {
        self.put_use(|policy| policy.replace(&format!("\"{action}\""), "\"kms:ListAliases\""));
    }

    fn put_use(&self, change: impl Fn(&str) -> String) {
        for (id, made) in &self.used {
            let (name, policy) = (format!("{USE}-{id}"), change(&made.key_use));
            if self.options.external_id.is_some() {
                self.owner.set_role_policy(ROLE, &name, &policy);
            } else {
                for member in self.users.keys() {
                    self.owner.set_user_policy(&user(*member), &name, &policy);
                }
            }
        }
    }

    /// Takes the policies of the keys away from the role, or from all users where there is no role.
    pub fn remove_policy(&self) {
        for id in self.used.keys() {
            let name = format!("{USE}-{id}");
            if self.options.external_id.is_some() {
                self.owner.delete_role_policy(ROLE, &name);
            } else {
                for member in self.users.keys() {
                    self.owner.delete_user_policy(&user(*member), &name);
                }
            }
        }
    }

    /// Makes the role ask for another ExternalId than members give.
    pub fn change_external_id(&self) {
        let trust = self.used.values().find_map(|made| made.trust.as_ref());
        if let (Some(trust), Some(id)) = (trust, &self.options.external_id) {
            self.owner.set_trust(ROLE, &trust.replace(&format!("\"{id}\""), "\"another\""));
        }
    }

    /// Deletes the access key of a member.
    pub fn delete_access_key(&self, member: u64) {
        if let Some(key) = self.users.get(&member) {
            self.owner.delete_access_key(&user(member), &key.id);
        }
    }

    /// Gives a member a new access key; its next start has it.
    pub fn renew_access_key(&mut self, member: u64) {
        let key = self.owner.create_access_key(&user(member));
        self.users.insert(member, key);
    }

    /// Makes the user of a member, where there is none yet.
    pub(crate) fn add_member(&mut self, member: u64) {
        if self.users.contains_key(&member) {
            return;
        }
        self.owner.create_user(&user(member));
        self.renew_access_key(member);
        if self.options.external_id.is_some() {
            let made = self.used.values().find_map(|made| made.assume_role.as_ref());
            self.owner.set_user_policy(&user(member), "coffer-role", made.expect("a role has its policy"));
        }
        self.allow();
    }

    /// What a member's configuration says of encryption.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        let regions: Vec<_> = self.regions.iter().map(|region| format!("\"{region}\"")).collect();
        let endpoints: Vec<_> =
            self.proxies.iter().map(|(region, proxy)| format!("{region} = \"{}\"", proxy.url())).collect();
        settings
            .text("encryption.provider", "aws")
            .text("encryption.cmk_arn", &self.cmk.to_string())
            .raw("encryption.regions", format!("[{}]", regions.join(", ")))
            .raw("encryption.endpoints", format!("{{ {} }}", endpoints.join(", ")))
            .text("encryption.sts_endpoint", &self.sts.url());
        if let Some(id) = &self.options.external_id {
            settings.text("encryption.role_arn", &format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"));
            settings.text("encryption.external_id", id);
        }
        settings
    }

    /// The variables that give a member its credentials, and keep it from those of the machine.
    ///
    /// # Panics
    /// Where the member has no user.
    pub fn environment(&self, member: u64) -> Vec<(String, String)> {
        let key = self.users.get(&member).unwrap_or_else(|| panic!("member {member} has no user"));
        [
            ("AWS_ACCESS_KEY_ID", key.id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", key.secret.as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/nonexistent"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

impl Drop for AwsKmsService {
    fn drop(&mut self) {
        // Its drop would wait, which a test that runs on a runtime may not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn user(member: u64) -> String {
    format!("member-{member}")
}

fn make_key(owner: &Owner, regions: &[Region], options: &AwsKmsOptions) -> anyhow::Result<KeyArn> {
    let (home, others) = regions.split_first().context("a key needs a Region")?;
    let arn = owner.create_key(home.as_str(), options.multi_region);
    let with_replica = others
        .iter()
        .filter(|region| !options.without_replica.iter().any(|without| *without == region.as_str()));
    for region in with_replica {
        owner.replicate_key(&arn, region.as_str());
    }
    Ok(KeyArn::parse(&arn)?)
}
