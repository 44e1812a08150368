//! Tries a key in all its Regions and lists all that is wrong, so that nobody has to mend one thing to be told of the
//! next.
//!
//! Invariants:
//! - Nothing that is found ends the search: each Region is tried with each call.
//! - What is wrong at home is an error. In a further Region a missing replica and an outage are warnings (that Region
//!   is passed over until it can be used); what its owner took away, and what cannot work, is an error there too.
//! - Home is tried first and the others at once after it, each within [`PROBE_LIMIT`](crate::health::PROBE_LIMIT).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use zeroize::Zeroizing;

use super::judge::judge;
use super::region_trial::{RegionTrial, Trial};
use super::{EncryptionContext, Finding, KeyArn, Kms, Region, help_codes};

/// Length of the canary in bytes.
const CANARY_LEN: usize = 32;

/// Most Regions of a key; AWS has fewer than forty in all.
const MAX_REGIONS: usize = 40;

/// Reads the names of a key and of its Regions, home first; no Regions: the one of the ARN.
///
/// # Errors
/// All that is wrong with them: a bare key id or an alias where the full ARN is needed, what is no Region, a Region
/// that is named twice, and one that a single-Region key cannot be in.
pub fn parse_names(cmk: &str, regions: &[String]) -> Result<(KeyArn, Vec<Region>), Vec<Finding>> {
    let mut findings = Vec::new();
    let cmk = KeyArn::parse(cmk).map_err(|error| findings.push(Finding::from(&error))).ok();
    let mut list = Vec::new();
    for name in regions {
        match Region::parse(name) {
            Ok(region) if list.contains(&region) => {
                let problem = format!("{region} is named twice");
                findings.push(Finding::new(Some(&region), help_codes::MALFORMED_ARN, problem));
            }
            Ok(region) => list.push(region),
            Err(error) => findings.push(Finding::new(None, help_codes::MALFORMED_ARN, error.to_string())),
        }
    }
    if list.len() > MAX_REGIONS {
        let problem = format!("a key is asked in {MAX_REGIONS} Regions at most");
        findings.push(Finding::new(None, help_codes::MALFORMED_ARN, problem));
    }
    let Some(cmk) = cmk else { return Err(findings) };
    findings.extend(list.iter().filter_map(|region| Some(Finding::from(&cmk.in_region(region).err()?))));
    if !findings.is_empty() {
        return Err(findings);
    }
    if list.is_empty() {
        list.push(cmk.region().clone());
    }
    Ok((cmk, list))
}

/// Tries `cmk` in each of `regions` (home first; empty: the key's own) with Encrypt, Decrypt and DescribeKey under
/// `context`, with fresh credentials, and returns all that is wrong; nothing, where all is well.
pub async fn validate(
    kms: &dyn Kms,
    cmk: &KeyArn,
    regions: &[Region],
    context: &EncryptionContext,
) -> Vec<Finding> {
    let own = [cmk.region().clone()];
    let regions = if regions.is_empty() { &own[..] } else { regions };
    let mut findings = Vec::new();
    let mut canary = Zeroizing::new([0; CANARY_LEN]);
    if let Err(error) = getrandom::fill(canary.as_mut_slice()) {
        let problem = format!("no randomness to try the key with: {error}");
        return vec![Finding::new(None, help_codes::UNKNOWN_ERROR, problem)];
    }
    let trial = Trial { kms, context, canary: canary.as_slice() };

    let mut trials: Vec<RegionTrial> = Vec::new();
    let mut keys = Vec::new();
    for region in regions {
        match cmk.in_region(region) {
            Ok(key) => keys.push((region, key)),
            Err(error) => findings.push(Finding::from(&error)),
        }
    }
    let home = &regions[0];
    if let Some((region, key)) = keys.first().filter(|(region, _)| *region == home) {
        trials.push(trial.run(region, key, None).await);
    }
    // What home encrypted has to open in the other Regions: that is what a failover does.
    let of_home = trials.first().and_then(|trial| trial.ciphertext().map(ToOwned::to_owned));
    let further = keys[trials.len()..].iter().map(|(region, key)| trial.run(region, key, of_home.as_deref()));
    let further = all(further).await;
    trials.extend(further);

    let holders = trials.iter().find_map(RegionTrial::holders).cloned();
    for trial in &trials {
        findings.extend(judge(trial, trial.region == *home, holders.as_ref()));
    }
    findings
}

/// Runs all at once and returns what came of each, in their order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(move |context| {
        for (future, slot) in running.iter_mut().zip(&mut done).filter(|(_, slot)| slot.is_none()) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                *slot = Some(output);
            }
        }
        if done.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(done.drain(..).flatten().collect())
    })
    .await
}
