//! `[encryption]`: the customer's key and the service that holds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coffer_keyring::MemberId;
use coffer_keyring::kms::aws::{AssumeRole, AwsKmsConfig, AwsTimeouts};
use coffer_keyring::kms::{KeyArn, Region};
use serde::{Deserialize, Serialize};

use super::rotation::note;
use super::{Problems, Span};
use crate::key_settings::{MAX_REGIONS, Role};

/// Who holds the customer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// AWS KMS.
    Aws,
    /// A directory that behaves like it: for development and tests.
    Local,
}

impl Provider {
    /// The name as the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Local => "local",
        }
    }
}

/// The customer's key and the service that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncryptionSection {
    /// Whether files are sealed. Off is for comparison only: everything is then readable on disk.
    pub enabled: bool,
    /// Whether the replica set may have this member rebuild its data in the clear.
    pub allow_off: bool,
    /// `aws`, or `local`: a directory that behaves like KMS and protects nothing, for development and tests.
    pub provider: Provider,
    /// The full ARN of the customer's symmetric key; an alias is refused, it can be pointed at another key.
    pub cmk_arn: String,
    /// The Regions in which the key is asked, home first; empty: the ARN's Region. More than one needs an `mrk-` key.
    pub regions: Vec<String>,
    /// The directory of the `local` provider, made by `coffer dev-kms`.
    pub local_dir: PathBuf,
    /// A role to assume before KMS is asked; empty: the credentials that the machine has.
    pub role_arn: String,
    /// The ExternalId that the role's trust policy asks for; empty: none.
    pub external_id: String,
    /// Another address than AWS's own for STS; empty: AWS's.
    pub sts_endpoint: String,
    /// How long a connection to the service may take to open.
    pub connect_timeout: Span,
    /// How long one attempt of a call may take.
    pub attempt_timeout: Span,
    /// How long a call may take, its retries included.
    pub total_timeout: Span,
    /// Other addresses than AWS's own for KMS, by Region.
    pub endpoints: BTreeMap<String, String>,
    /// Whether public addresses of KMS and STS are refused.
    pub require_private_network: bool,
}

impl Default for EncryptionSection {
    fn default() -> Self {
        Self {
            enabled: true,
            allow_off: false,
            provider: Provider::Aws,
            cmk_arn: String::new(),
            regions: Vec::new(),
            local_dir: PathBuf::new(),
            role_arn: String::new(),
            external_id: String::new(),
            sts_endpoint: String::new(),
            connect_timeout: Span::secs(1),
            attempt_timeout: Span::millis(1500),
            total_timeout: Span::millis(3500),
            endpoints: BTreeMap::new(),
            require_private_network: false,
        }
    }
}

impl EncryptionSection {
    /// The customer's key; `None` before the section was checked, or with encryption off.
    pub fn cmk(&self) -> Option<KeyArn> {
        KeyArn::parse(&self.cmk_arn).ok()
    }

    /// The Regions to ask, home first.
    pub fn region_list(&self) -> Vec<Region> {
        let named: Vec<_> = self.regions.iter().filter_map(|region| Region::parse(region).ok()).collect();
        match self.cmk() {
            Some(cmk) if named.is_empty() => vec![cmk.region().clone()],
            _ => named,
        }
    }

    /// Whether public addresses of KMS and STS are refused now.
    pub fn private_network_active(&self) -> bool {
        self.enabled && self.provider == Provider::Aws && self.require_private_network
    }

    /// How AWS KMS is reached; the session of an assumed role is named after the member, so that the trail in AWS tells them
    /// apart.
    pub fn aws(&self, member: MemberId) -> AwsKmsConfig {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let endpoints = self
            .endpoints
            .iter()
            .filter_map(|(region, url)| Some((Region::parse(region).ok()?, url.clone())))
            .collect();
        let assume_role = given(&self.role_arn).map(|arn| AssumeRole {
            arn,
            external_id: given(&self.external_id),
            session_name: format!("coffer-member-{member}"),
        });
        let timeouts = AwsTimeouts {
            connect: self.connect_timeout.0,
            attempt: self.attempt_timeout.0,
            total: self.total_timeout.0,
            ..AwsTimeouts::default()
        };
        AwsKmsConfig {
            endpoints,
            sts_endpoint: given(&self.sts_endpoint),
            assume_role,
            timeouts,
            require_private_network: self.require_private_network,
        }
    }

    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        if !self.enabled {
            return;
        }
        self.check_key(problems);
        match self.provider {
            Provider::Local => self.check_local(problems),
            Provider::Aws => self.check_aws(problems),
        }
        for (key, span) in [
            ("encryption.connect_timeout", self.connect_timeout),
            ("encryption.attempt_timeout", self.attempt_timeout),
            ("encryption.total_timeout", self.total_timeout),
        ] {
            problems.unless(
                (Span::millis(10)..=Span::secs(60)).contains(&span),
                key,
                "10ms to 60s are possible",
            );
        }
        problems.unless(
            self.connect_timeout <= self.attempt_timeout && self.attempt_timeout <= self.total_timeout,
            "encryption.total_timeout",
            "connect_timeout, attempt_timeout and total_timeout must not fall in this order",
        );
    }

    fn check_key(&self, problems: &mut Problems) {
        const KEY: &str = "encryption.cmk_arn";
        if self.cmk_arn.is_empty() {
            problems.add(
                KEY,
                "it is not set: name the key that seals this member's keys (or, for a trial, set \
                 encryption.enabled = false)",
            );
            return;
        }
        let cmk = match KeyArn::parse(&self.cmk_arn) {
            Ok(cmk) => cmk,
            Err(error) => return problems.add(KEY, error),
        };
        for name in &self.regions {
            match Region::parse(name) {
                Err(error) => problems.add("encryption.regions", error),
                Ok(region) => {
                    if let Err(error) = cmk.in_region(&region) {
                        problems.add("encryption.regions", error);
                    }
                }
            }
        }
        let twice = self.regions.iter().enumerate().any(|(at, region)| self.regions[..at].contains(region));
        problems.unless(!twice, "encryption.regions", "a Region is there twice");
        problems.unless(
            self.regions.len() <= MAX_REGIONS,
            "encryption.regions",
            format_args!("at most {MAX_REGIONS} Regions are taken"),
        );
    }

    fn check_local(&self, problems: &mut Problems) {
        problems.unless(
            self.local_dir != Path::new(""),
            "encryption.local_dir",
            "it is not set: the local provider needs the directory that `coffer dev-kms --dir` made",
        );
        let unused = !self.role_arn.is_empty()
            || !self.sts_endpoint.is_empty()
            || !self.endpoints.is_empty()
            || self.require_private_network;
        problems.unless(
            !unused,
            "encryption.provider",
            "role_arn, sts_endpoint, endpoints and require_private_network are for the provider aws, and this is local",
        );
    }

    fn check_aws(&self, problems: &mut Problems) {
        problems.unless(
            self.local_dir == Path::new(""),
            "encryption.local_dir",
            "it is for the provider local; set encryption.provider = \"local\", or take it out",
        );
        problems.unless(
            self.external_id.is_empty() || !self.role_arn.is_empty(),
            "encryption.external_id",
            "it is given when a role is assumed: set encryption.role_arn too",
        );
        let mut findings = Vec::new();
        if !self.role_arn.is_empty() {
            Role::parse(&self.role_arn, &self.external_id, &mut findings);
        }
        note(problems, "encryption.role_arn", findings);
        let regions = self.region_list();
        for region in self.endpoints.keys() {
            problems.unless(
                regions.iter().any(|known| known.as_str() == region),
                "encryption.endpoints",
                format_args!("{region} is not among the Regions of this key"),
            );
        }
        if let Err(error) = self.aws(MemberId(1)).check() {
            problems.add("encryption", error);
        }
    }
}
