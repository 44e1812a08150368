//! Tries settings against KMS from this member.
//!
//! Invariants:
//! - A try changes nothing, and says all that is wrong.
//! - It ends: each Region within the limit of a probe, and all of it within [`CHECK_LIMIT`].

use std::collections::BTreeSet;
use std::time::Duration;

use coffer_keyring::health::{Verdict, probe};
use coffer_keyring::kms::{EncryptionContext, KeyArn, Kms, Region, help_codes, validate};
use coffer_proto::internal::v1::{CheckKmsRequest, SettingsRecord};
use futures::future::{join, join_all};
use tokio::time::timeout;

use super::{Finding, KeySettings, codes};
use crate::config::Provider;
use crate::key::KeyAccess;
use crate::member::Member;

/// How long a try may take in all: home answers within the 5 s of a probe, the other Regions at once after it within another
/// 5 s; a key that is in use now is tried beside them.
pub(crate) const CHECK_LIMIT: Duration = Duration::from_secs(12);

/// Tries settings from this member, in whatever state it is.
pub(crate) async fn check_kms(member: &Member, request: &CheckKmsRequest) -> Vec<Finding> {
    let settings = request.settings.clone().unwrap_or_default();
    let mut findings = Vec::new();
    if member.key().denial_pending() {
        findings.push(Finding::error(
            codes::DENIAL_PENDING,
            "the customer's key was denied to this member, and that is neither confirmed nor cleared: a change now could \
             take the key out of its owner's reach",
        ));
    }
    let current = request.current.as_ref();
    let asked = async { join(ask(member, &settings, current), denied_now(member, &settings, current)).await };
    match timeout(CHECK_LIMIT, asked).await {
        Ok((found, denied)) => findings.extend(denied.into_iter().chain(found)),
        Err(_) => {
            let problem = format!("KMS did not answer within {CHECK_LIMIT:?}");
            findings.push(Finding::error(help_codes::UNREACHABLE, problem));
        }
    }
    findings
}

async fn ask(member: &Member, record: &SettingsRecord, current: Option<&SettingsRecord>) -> Vec<Finding> {
    let settings = match KeySettings::from_record(record) {
        Ok(settings) => settings,
        Err(error) => return vec![Finding::error(codes::BAD_VALUE, error.to_string())],
    };
    let key = member.key();
    if key.config().provider == Provider::Local && settings.role().is_some() {
        let problem = "this member is configured with the provider local, which assumes no roles";
        return vec![Finding::error(codes::BAD_VALUE, problem)];
    }
    let kms = match key.provider_for(record) {
        Ok(kms) => kms,
        Err(error) => return vec![Finding::error(codes::BAD_VALUE, error.to_string())],
    };
    let identity = member.identity();
    let context = EncryptionContext::node_master_key(&identity.cluster_id, identity.member_id);
    let wrap = member.serving().ok().and_then(|serving| serving.keyring.wrap_info());
    let tries = keys_to_try(&settings, current, wrap.map(|wrap| (wrap.cmk, wrap.region)));
    let found = join_all(tries.iter().map(|each| each.run(key, kms.as_ref(), &context))).await;
    found.into_iter().flatten().map(|finding| refuse_new(finding, &settings, current)).collect()
}

/// Whether the key in use is denied at this moment, at home or where it is used: a change that is made between a revocation and
/// the probe that would have seen it must not outlive it. An outage there is none of this change's business.
async fn denied_now(
    member: &Member,
    settings: &SettingsRecord,
    current: Option<&SettingsRecord>,
) -> Vec<Finding> {
    let key = member.key();
    let (Some(_), Some(wrap), Some(watched)) =
        (current.filter(|current| *current != settings), key.wrap(), key.watched())
    else {
        return Vec::new();
    };
    let regions: BTreeSet<Region> = [watched.home().clone()].into_iter().chain(key.active_region()).collect();
    let kms = key.kms();
    let probes = join_all(regions.iter().map(|region| probe(kms.as_ref(), &wrap, region))).await;
    let denied = probes.into_iter().filter(|outcome| outcome.verdict == Verdict::Denied);
    denied
        .map(|outcome| Finding {
            error_code: outcome.error.map(|error| error.code).unwrap_or_default(),
            ..Finding::error(
                codes::DENIAL_PENDING,
                "the key in use is denied here just now: a change could take it out of its owner's reach",
            )
            .in_region(outcome.region)
        })
        .collect()
}

/// A Region that has no replica is passed over where the settings name it already; nobody means to name a new one.
fn refuse_new(finding: Finding, settings: &KeySettings, current: Option<&SettingsRecord>) -> Finding {
    let known = current.is_some_and(|current| {
        current.cmk_arn == settings.cmk().to_string() && current.regions.contains(&finding.region)
    });
    let missing = finding.help_code == help_codes::NO_REPLICA;
    Finding { warning: finding.warning && (known || !missing), ..finding }
}

/// A key, and where it is tried.
struct Try {
    key: KeyArn,
    regions: Vec<Region>,
    /// Whether it is the one that is in use now, and not the one that is to be.
    now: bool,
}

impl Try {
    fn of(settings: &KeySettings, now: bool) -> Self {
        Self { key: settings.cmk().clone(), regions: settings.regions().to_vec(), now }
    }

    async fn run(&self, access: &KeyAccess, kms: &dyn Kms, context: &EncryptionContext) -> Vec<Finding> {
        let found = validate(kms, &self.key, &self.regions, context).await;
        found
            .into_iter()
            .filter(|finding| access.minds(finding))
            .map(Finding::from)
            .map(|finding| match self.now {
                true => Finding {
                    problem: format!("the key in use now, {}: {}", self.key, finding.problem),
                    ..finding
                },
                false => finding,
            })
            .collect()
    }
}

/// The settings' key; for a new role also the keys that are in use now, or a member could not be unsealed by it: the one that
/// the present settings name, and the one that wraps this member's master key, where that is not the same yet.
fn keys_to_try(
    settings: &KeySettings,
    current: Option<&SettingsRecord>,
    wrap: Option<(KeyArn, Region)>,
) -> Vec<Try> {
    let mut tries = vec![Try::of(settings, false)];
    let next = settings.to_record();
    let Some(current) = current
        .filter(|current| (&current.role_arn, &current.external_id) != (&next.role_arn, &next.external_id))
    else {
        return tries;
    };
    let present = KeySettings::from_record(current).ok().map(|current| Try::of(&current, true));
    let wrapping = wrap.map(|(key, region)| Try { key, regions: vec![region], now: true });
    for used in present.into_iter().chain(wrapping) {
        if !tries.iter().any(|known| known.key.is_same_key(&used.key)) {
            tries.push(used);
        }
    }
    tries
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::{MULTI, ROLE, parsed};
    use super::*;

    fn region(name: &str) -> Region {
        Region::parse(name).unwrap()
    }

    fn other(digit: char) -> KeyArn {
        KeyArn::parse(&MULTI.replace("mrk-0", &format!("mrk-{digit}"))).unwrap()
    }

    fn tried(current: &SettingsRecord, wrap: &KeyArn) -> Vec<(String, bool)> {
        let wrap = Some((wrap.clone(), region("eu-west-1")));
        let tries = keys_to_try(&parsed(), Some(current), wrap);
        tries.iter().map(|each| (each.key.to_string(), each.now)).collect()
    }

    #[test]
    fn a_new_role_has_to_reach_the_keys_that_are_in_use_now() {
        let new = (MULTI.to_owned(), false);
        let same_role = SettingsRecord { cmk_arn: other('f').to_string(), ..parsed().to_record() };
        assert_eq!(
            tried(&same_role, &other('e')),
            std::slice::from_ref(&new),
            "what it replaces need not work any more"
        );
        for (role_arn, external_id) in [("", ""), (ROLE, "other"), (ROLE, "")] {
            let current = SettingsRecord {
                role_arn: role_arn.to_owned(),
                external_id: external_id.to_owned(),
                ..parsed().to_record()
            };
            let wrap = other('e');
            assert_eq!(
                tried(&current, &wrap),
                [new.clone(), (wrap.to_string(), true)],
                "{role_arn} {external_id}"
            );
            assert_eq!(tried(&current, parsed().cmk()), std::slice::from_ref(&new), "one key, tried once");
            let both = SettingsRecord { cmk_arn: other('f').to_string(), ..current };
            assert_eq!(tried(&both, &wrap).len(), 3);
        }
    }

    #[test]
    fn a_region_without_a_replica_is_refused_where_it_is_new() {
        let missing = |name: &str| Finding {
            warning: true,
            ..Finding::error(help_codes::NO_REPLICA, "none").in_region(name)
        };
        let current = SettingsRecord { regions: vec!["eu-west-1".to_owned()], ..parsed().to_record() };
        assert!(refuse_new(missing("eu-west-1"), &parsed(), Some(&current)).warning);
        assert!(!refuse_new(missing("eu-central-1"), &parsed(), Some(&current)).warning);
        let other_key = SettingsRecord { cmk_arn: other('f').to_string(), ..current.clone() };
        assert!(!refuse_new(missing("eu-west-1"), &parsed(), Some(&other_key)).warning);
        let out = Finding { help_code: help_codes::UNREACHABLE.to_owned(), ..missing("eu-central-1") };
        assert!(refuse_new(out, &parsed(), Some(&current)).warning, "an outage passes");
    }
}
