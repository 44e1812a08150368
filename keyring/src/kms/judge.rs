//! What the trial of a Region comes to.

use super::region_trial::RegionTrial;
use super::{Finding, KeyState, KmsErrorClass, MultiRegion, help_codes};

/// All that a trial found wrong, each cause once. `home` says whether it was in the home Region, `holders` where the
/// key is, where any Region said it.
pub(super) fn judge(trial: &RegionTrial, home: bool, holders: Option<&MultiRegion>) -> Vec<Finding> {
    let region = &trial.region;
    let held = holders.is_none_or(|holders| holders.primary == *region || holders.replicas.contains(region));
    let mut list = Vec::new();
    let not_found = trial.errors().any(|(_, error)| error.code == "NotFoundException");
    if !held || (not_found && !home) {
        // Whatever else was refused follows from it.
        list.push(no_replica(trial, home, holders));
        list.extend(failures(trial, home).filter(|finding| finding.help_code != help_codes::KEY_NOT_FOUND));
        return list;
    }
    list.extend(failures(trial, home));
    let mut add = |finding: Finding| {
        if !list.iter().any(|known| known.help_code == finding.help_code) {
            list.push(finding);
        }
    };
    let Ok(key) = &trial.description else { return list };
    let said = |help_code, problem: String| Finding::new(Some(region), help_code, problem);
    match &key.state {
        KeyState::Enabled | KeyState::Updating => {}
        KeyState::Disabled => add(said(help_codes::KEY_DISABLED, format!("{} is disabled", key.arn))),
        state if state.is_revoked() => {
            add(said(help_codes::KEY_PENDING, format!("{} is {state:?}", key.arn)));
        }
        KeyState::Unavailable => {
            add(said(help_codes::CUSTOM_KEY_STORE, format!("{} is Unavailable", key.arn)));
        }
        KeyState::Creating => {
            let finding = said(help_codes::UNREACHABLE, format!("{} is still being made", key.arn));
            add(Finding { warning: !home, ..finding });
        }
        state => add(said(help_codes::UNKNOWN_ERROR, format!("{} is {state:?}", key.arn)).as_warning()),
    }
    if !key.symmetric {
        let problem = format!(
            "{} is no symmetric key for encryption (ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT), the only kind that can wrap \
             a master key",
            key.arn
        );
        add(said(help_codes::WRONG_KIND, problem));
        // The refusals of such a key are many, and this is what they come to.
        list.retain(|finding| finding.help_code != help_codes::UNKNOWN_ERROR);
        return list;
    }
    if key.custom_key_store {
        let problem = format!(
            "{} lives in a custom or external key store, which answers Unavailable when its owner disconnects it: \
             that would look like an outage and not like a revocation",
            key.arn
        );
        add(said(help_codes::CUSTOM_KEY_STORE, problem));
    }
    list
}

/// The calls that failed; those that failed alike are one finding.
fn failures(trial: &RegionTrial, home: bool) -> impl Iterator<Item = Finding> {
    let mut list: Vec<(Vec<&str>, Finding)> = Vec::new();
    for (call, error) in trial.errors() {
        let mut finding = Finding::of_error(&trial.region, error);
        let passing = matches!(error.class, KmsErrorClass::Unreachable | KmsErrorClass::NoVerdict);
        finding.warning = passing && !home;
        let alike = |known: &Finding| {
            (known.help_code, &known.error_code) == (finding.help_code, &finding.error_code)
        };
        match list.iter_mut().find(|(_, known)| alike(known)) {
            Some((calls, _)) => calls.push(call),
            None => list.push((vec![call], finding)),
        }
    }
    let untried = trial.decrypt.is_none();
    list.into_iter().map(move |(calls, finding)| {
        // Without credentials nothing was asked: the calls say nothing more.
        if calls[0] == "credentials" {
            return finding;
        }
        let note = if untried && calls.contains(&"Encrypt") {
            "; Decrypt could not be tried without a ciphertext"
        } else {
            ""
        };
        let problem = format!("{}: {}{note}", calls.join(" and "), finding.problem);
        Finding { problem, ..finding }
    })
}

fn no_replica(trial: &RegionTrial, home: bool, holders: Option<&MultiRegion>) -> Finding {
    let mut problem = format!("there is no replica of the key here (no {})", trial.key);
    if let Some(MultiRegion { primary, replicas }) = holders {
        let replicas: Vec<_> = replicas.iter().map(ToString::to_string).collect();
        let replicas = if replicas.is_empty() { "none".to_owned() } else { replicas.join(", ") };
        problem = format!("{problem}; its primary is in {primary}, replicas: {replicas}");
    }
    let finding = Finding::new(Some(&trial.region), help_codes::NO_REPLICA, problem);
    Finding { warning: !home, ..finding }
}
