//! What a change makes of settings: pure, before anybody is asked.

use coffer_proto::internal::v1::SettingsRecord;
use coffer_proto::v1::{self, kms_change_request::Change};

use super::settings::public;
use super::{Finding, KeySettings, codes};

/// What `change` makes of `current`, as its next version; the same settings where it changes nothing. A replica set whose
/// members are not sealed may have settings without a key; they begin with one.
///
/// # Errors
/// Everything that is wrong with it, whoever is asked.
pub fn apply(current: &SettingsRecord, change: &Change, now_ms: i64) -> Result<KeySettings, Vec<Finding>> {
    if current.cmk_arn.is_empty() && !matches!(change, Change::SetCmk(_)) {
        let problem = "there is no customer's key yet: name it first (`coffer kms set-cmk`)";
        return Err(vec![Finding::error(codes::BAD_VALUE, problem)]);
    }
    let mut next = public(current);
    let mut findings = Vec::new();
    match change.clone() {
        Change::SetCmk(v1::SetCmk { cmk_arn, regions }) => {
            next.cmk_arn = cmk_arn;
            next.regions = regions;
        }
        Change::SetRegions(v1::SetRegions { regions }) => {
            if regions.is_empty() {
                findings.push(Finding::error(codes::BAD_VALUE, "no Region is named: name home first"));
            }
            next.regions = regions;
        }
        Change::SetRole(v1::SetRole { role_arn, external_id }) => {
            if role_arn.is_empty() {
                findings.push(Finding::error(codes::ROLE_STAYS, no_role(current)));
            }
            next.role_arn = role_arn;
            next.external_id = external_id;
        }
        Change::SetPolicy(v1::SetPolicy { rotation, alerts }) => {
            if rotation.is_none() && alerts.is_none() {
                findings.push(Finding::error(
                    codes::BAD_VALUE,
                    "neither a rotation nor an alert policy is given",
                ));
            }
            if let Some(mut rotation) = rotation {
                if rotation.window.is_none() {
                    rotation.window = next.rotation.take().and_then(|before| before.window);
                }
                next.rotation = Some(rotation);
            }
            next.alerts = alerts.or(next.alerts);
        }
    }
    match KeySettings::parse(&next, current.changed_ms) {
        // What nobody stored yet is a change in any case.
        Ok(settings) if findings.is_empty() && current.version > 0 && settings.to_record() == *current => {
            Ok(settings)
        }
        Ok(settings) if findings.is_empty() => Ok(settings.with_version(current.version + 1, now_ms)),
        Ok(_) => Err(findings),
        Err(more) => {
            findings.extend(more);
            Err(findings)
        }
    }
}

/// Whether KMS has to be asked before `next` replaces `current`: a policy is nothing to KMS.
pub fn concerns_kms(current: &SettingsRecord, next: &SettingsRecord) -> bool {
    let parts = |record: &SettingsRecord| {
        let SettingsRecord { cmk_arn, regions, role_arn, external_id, .. } = record.clone();
        (cmk_arn, regions, role_arn, external_id)
    };
    parts(current) != parts(next)
}

fn no_role(current: &SettingsRecord) -> &'static str {
    if current.role_arn.is_empty() {
        return "no role is named: give its full ARN";
    }
    "a role cannot be taken away again, only replaced by another one: members that have no credentials of their own would \
     lose the key"
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::{MULTI, ROLE, SINGLE, parsed};
    use super::*;

    fn regions(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn set_cmk(arn: &str, names: &[&str]) -> Change {
        Change::SetCmk(v1::SetCmk { cmk_arn: arn.to_owned(), regions: regions(names) })
    }

    fn set_regions(names: &[&str]) -> Change {
        Change::SetRegions(v1::SetRegions { regions: regions(names) })
    }

    fn set_role(arn: &str, external_id: &str) -> Change {
        Change::SetRole(v1::SetRole { role_arn: arn.to_owned(), external_id: external_id.to_owned() })
    }

    fn changed(before: &KeySettings, change: &Change) -> KeySettings {
        apply(&before.to_record(), change, 9000).unwrap()
    }

    fn refused(before: &KeySettings, change: &Change) -> Vec<Finding> {
        apply(&before.to_record(), change, 9000).unwrap_err()
    }

    fn codes(change: &Change) -> Vec<String> {
        refused(&parsed(), change).into_iter().map(|finding| finding.help_code).collect()
    }

    #[test]
    fn each_change_changes_its_own_part() {
        let before = parsed();
        let other = MULTI.replace("mrk-0", "mrk-f");
        let after = changed(&before, &set_cmk(&other, &[]));
        assert_eq!((after.version(), after.changed_ms()), (4, 9000));
        assert_eq!(after.cmk().to_string(), other);
        assert_eq!(after.home().as_str(), "eu-central-1", "the Region of the ARN");
        assert_eq!((after.role(), after.rotation()), (before.role(), before.rotation()));

        let after = changed(&before, &set_regions(&["us-west-2", "eu-west-1"]));
        assert_eq!(after.home().as_str(), "us-west-2");
        assert_eq!(after.cmk(), before.cmk());

        let after = changed(&before, &set_role(&ROLE.replace("coffer", "other"), ""));
        let role = after.role().map(|role| (role.arn().ends_with("other"), role.external_id()));
        assert_eq!(role, Some((true, None)));
        assert!(concerns_kms(&before.to_record(), &after.to_record()));
    }

    #[test]
    fn a_policy_changes_in_the_parts_that_are_given() {
        let before = parsed();
        let alerts = Some(v1::AlertPolicy { cmk_age: false, cmk_age_days: 7 });
        let after = changed(&before, &Change::SetPolicy(v1::SetPolicy { rotation: None, alerts }));
        assert_eq!(after.rotation(), before.rotation());
        assert_eq!((after.alerts().cmk_age, after.alerts().cmk_age_days), (false, 7));
        let rotation = Some(v1::RotationPolicy { master_key_days: 1, ..v1::RotationPolicy::default() });
        let after = changed(&before, &Change::SetPolicy(v1::SetPolicy { rotation, alerts: None }));
        assert_eq!(after.alerts(), before.alerts());
        assert!(!after.rotation().scheduled);
        assert_eq!(after.rotation().window, before.rotation().window, "no window given: it stays");
        assert!(!concerns_kms(&before.to_record(), &after.to_record()));
        assert_eq!(codes(&Change::SetPolicy(v1::SetPolicy::default())), ["CK0027"]);
    }

    #[test]
    fn what_changes_nothing_is_no_new_version() {
        let same = set_regions(&["eu-west-1", "eu-central-1"]);
        assert_eq!(changed(&parsed(), &same), parsed());
        // What stands in a configuration file only was never stored.
        let seed = parsed().with_version(0, 0);
        assert_eq!(changed(&seed, &same).version(), 1);
    }

    #[test]
    fn a_role_is_replaced_but_never_removed() {
        let findings = refused(&parsed(), &set_role("", ""));
        assert_eq!(findings[0].help_code, "CK0045");
        assert!(findings[0].problem.contains("taken away"), "{findings:?}");
        // Not through its ExternalId either, and all is said.
        assert_eq!(codes(&set_role("", "y")), ["CK0045", "CK0027"]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let bare = "mrk-0123456789abcdef0123456789abcdef";
        assert_eq!(codes(&set_cmk(bare, &["Mars"])), ["CK0023", "CK0027"]);
        assert_eq!(codes(&set_cmk(SINGLE, &["us-west-2"])), ["CK0022"]);
        assert_eq!(codes(&set_regions(&[])), ["CK0027"]);
    }

    #[test]
    fn a_single_region_key_moves_nowhere() {
        let single = changed(&parsed(), &set_cmk(SINGLE, &[]));
        let findings = refused(&single, &set_regions(&["us-west-2"]));
        assert_eq!(findings[0].help_code, "CK0022");
        assert!(findings[0].problem.contains("cannot be converted"), "{findings:?}");
        assert_eq!(changed(&single, &set_regions(&["eu-central-1"])), single);
    }

    #[test]
    fn settings_without_a_key_begin_with_one() {
        let record = SettingsRecord {
            version: 0,
            cmk_arn: String::new(),
            regions: Vec::new(),
            role_arn: String::new(),
            external_id: String::new(),
            ..parsed().to_record()
        };
        let findings = apply(&record, &set_regions(&["eu-central-1"]), 1).unwrap_err();
        assert!(findings[0].problem.contains("set-cmk"), "{findings:?}");
        assert_eq!(findings.len(), 1);
        assert_eq!(apply(&record, &set_cmk(MULTI, &[]), 1).unwrap().version(), 1);
    }
}
