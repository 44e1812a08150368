//! The calls about the key that this member answers, in every state.

use std::sync::Arc;

use coffer_keyring::health::{ProbeOutcome, Verdict, probe};
use coffer_keyring::kms::{EncryptionContext, Finding, KeyArn, Region, help_codes};
use coffer_keyring::verdict::{ChangeRefused, KeyStoreRule, WatchedKey, outcome_help};
use coffer_keyring::{KeyVersion, WrapInfo};
use coffer_proto::{internal::v1 as internal, v1};
use coffer_storage::SystemKind;
use prost::Message;
use tonic::Status;

use super::KeyAccess;
use super::inbox::Told;
use super::observer::KeyEvent;
use crate::member::{Member, MemberState};
use crate::verdict_name::verdict_name;

/// A peer tells of a denial that is a fact of the key. Only what is said of this member's own key is taken.
pub(crate) fn tell_denied(
    member: &Member,
    from: u64,
    fact: &internal::DeniedFact,
) -> Result<internal::DeniedFactResponse, Status> {
    let invalid = |error: String| Status::invalid_argument(error);
    let region = Region::parse(&fact.region).map_err(|error| invalid(error.to_string()))?;
    let cmk = KeyArn::parse(&fact.cmk_arn).map_err(|error| invalid(error.to_string()))?;
    let key = member.key();
    let Some(watched) = key.watched() else { return Ok(internal::DeniedFactResponse {}) };
    if watched.cmk.in_region(&region).is_ok_and(|own| own == cmk) {
        let confirmed = fact.confirmed;
        if key.inbox().put(Told { by: from, region: region.clone(), confirmed }) {
            let state: String = fact.key_state.chars().take(64).collect();
            tracing::warn!(
                from,
                %region,
                state,
                confirmed,
                help = "CK0033",
                "a peer says that the customer's key is denied"
            );
            key.event(&KeyEvent::Told { by: from, region, confirmed });
        }
    }
    Ok(internal::DeniedFactResponse {})
}

/// Under which customer keys this member is.
pub(crate) fn name_key(member: &Member) -> internal::NameKeyResponse {
    let key = member.key();
    let settings = key.settings();
    let unsealed = matches!(member.state(), MemberState::Recovering | MemberState::Serving);
    let wraps = key.wrap().map(|wrap| wrap.cmk.to_string());
    // What a keystore names that nobody unsealed is a claim like the one that the asker checks: it counts as one voice.
    let set = unsealed.then(|| settings.cmk_arn.clone()).filter(|arn| !arn.is_empty());
    let old = if unsealed { old_keys(member) } else { Vec::new() };
    let mut cmk_arns: Vec<_> = set.into_iter().chain(wraps).chain(old).collect();
    cmk_arns.sort();
    cmk_arns.dedup();
    internal::NameKeyResponse { unsealed, settings_version: settings.version, cmk_arns }
}

/// The keys that were replaced and that a member may still depend on.
fn old_keys(member: &Member) -> Vec<String> {
    let Ok(serving) = member.serving() else { return Vec::new() };
    let records = serving.engine.system_records(SystemKind::Targets).unwrap_or_default();
    let targets = records
        .into_iter()
        .filter_map(|(_, record)| internal::KeyTargetsRecord::decode(record.value.as_ref()).ok());
    targets.flat_map(|targets| targets.old_cmk_arns).collect()
}

/// Where KMS says that the key is; empty where it was not read yet.
pub(crate) fn replica_regions(key: &KeyAccess) -> Vec<Region> {
    let replicas = key.replicas();
    replicas.map(|found| [found.primary].into_iter().chain(found.replicas).collect()).unwrap_or_default()
}

/// What a person should know of the settings, as this member sees them.
pub(crate) fn warnings(key: &KeyAccess) -> Vec<String> {
    let mut warnings = Vec::new();
    let held = replica_regions(key);
    if let Some(watched) = key.watched().filter(|_| !held.is_empty()) {
        let names = held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        for region in watched.regions.iter().filter(|region| !held.contains(region)) {
            warnings.push(format!(
                "{region} is among the Regions and the key has no replica there ({}); it is in {names}",
                help_codes::NO_REPLICA
            ));
        }
    }
    warnings.extend(key.alerts().iter().map(|alert| format!("{alert} ({})", alert.help)));
    warnings
}

/// Chooses a Region for this member alone, or takes that back; or says which key is the right one for its keystore.
pub(crate) async fn kms_override(
    member: &Arc<Member>,
    request: v1::KmsOverrideRequest,
) -> Result<v1::KmsOverrideResponse, Status> {
    let key = member.key();
    let mut findings = Vec::new();
    if !request.trust_cmk_arn.is_empty() {
        match KeyArn::parse(&request.trust_cmk_arn) {
            Ok(cmk) => key.trust(cmk),
            Err(error) => findings.push(Finding::from(&error)),
        }
    }
    if findings.is_empty() && (request.trust_cmk_arn.is_empty() || !request.region.is_empty()) {
        findings = choose(member, &request.region).await?;
    }
    Ok(v1::KmsOverrideResponse {
        member_id: member.identity().member_id.0,
        findings: findings.iter().map(finding_message).collect(),
        r#override: key.choice().as_ref().map(v1::KmsOverrideInfo::from),
    })
}

async fn choose(member: &Arc<Member>, region: &str) -> Result<Vec<Finding>, Status> {
    let key = member.key();
    let region = match region {
        "" => None,
        name => match Region::parse(name) {
            Ok(region) => Some(region),
            Err(error) => return Ok(vec![Finding::new(None, help_codes::MALFORMED_ARN, error.to_string())]),
        },
    };
    let Some(watched) = key.watched().filter(|_| key.config().enabled) else {
        return Err(Status::failed_precondition("encryption is off: no Region is used"));
    };
    if let Some(region) = &region {
        if let Err(refused) = key.may_change(Some(region)) {
            return Ok(vec![refusal(&refused, region)]);
        }
        let outcome = try_region(member, &watched, region).await;
        if let Some(finding) = judge(&outcome, key.key_store()) {
            return Ok(vec![finding]);
        }
        // A denial may have come meanwhile.
        if let Err(refused) = key.may_change(Some(region)) {
            return Ok(vec![refusal(&refused, region)]);
        }
    }
    key.choose(region).map_err(Status::internal)?;
    Ok(Vec::new())
}

fn refusal(refused: &ChangeRefused, region: &Region) -> Finding {
    Finding::new(Some(region), refused.help(), refused.to_string())
}

/// Tries the key in `region` as it will be used.
async fn try_region(member: &Member, watched: &WatchedKey, region: &Region) -> ProbeOutcome {
    let key = member.key();
    let identity = member.identity();
    let wrap = key.wrap().unwrap_or_else(|| WrapInfo {
        // A member that has no keystore yet will make one like this.
        version: KeyVersion::FIRST,
        cmk: watched.cmk.clone(),
        region: region.clone(),
        context: EncryptionContext::node_master_key(&identity.cluster_id, identity.member_id),
        key_material_id: None,
    });
    probe(key.kms().as_ref(), &wrap, region).await
}

/// Why a Region cannot be chosen after a try; `None`: it can.
fn judge(outcome: &ProbeOutcome, rule: KeyStoreRule) -> Option<Finding> {
    let region = &outcome.region;
    if outcome.custom_key_store == Some(true) && rule == KeyStoreRule::Refuse {
        let problem = "the key lives in a custom or external key store: say in health.key_store_unavailable what it means \
                       when that does not answer";
        return Some(Finding::new(Some(region), help_codes::CUSTOM_KEY_STORE, problem));
    }
    if outcome.verdict == Verdict::Accessible {
        return None;
    }
    Some(match &outcome.error {
        Some(error) if error.code == "NotFoundException" => {
            Finding { help_code: help_codes::NO_REPLICA, ..Finding::of_error(region, error) }
        }
        Some(error) => Finding::of_error(region, error),
        None => {
            let state = outcome.key_state.as_ref().map(|state| format!("{state:?}")).unwrap_or_default();
            let problem = format!("the key is {} there: {state}", verdict_name(outcome.verdict));
            Finding::new(Some(region), outcome_help(outcome), problem)
        }
    })
}

fn finding_message(finding: &Finding) -> v1::KmsFinding {
    v1::KmsFinding {
        region: finding.region.as_ref().map(ToString::to_string).unwrap_or_default(),
        help_code: finding.help_code.to_owned(),
        error_code: finding.error_code.clone(),
        problem: finding.problem.clone(),
        warning: finding.warning,
    }
}
