//! What the owner of the data sets about their key.

use coffer_keyring::Timestamp;
use coffer_keyring::kms::{KeyArn, KeyArnError, Region};
use coffer_proto::{internal::v1 as internal, v1};
use prost::Message;

use super::{AlertPolicy, Finding, Role, RotationPolicy, codes};

/// Format version of [`internal::SettingsRecord`].
const FORMAT: u32 = 1;

/// Most Regions: each of them is asked in turn by every probe of a sealed member, and a key has replicas in a few.
pub(crate) const MAX_REGIONS: usize = 16;

/// What the owner of the data sets about their key, for the whole replica set. Whatever is one of these is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    version: u64,
    changed_ms: i64,
    cmk: KeyArn,
    regions: Vec<Region>,
    role: Option<Role>,
    rotation: RotationPolicy,
    alerts: AlertPolicy,
}

/// Why bytes are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They are no record.
    #[error("the key settings cannot be read: {0}")]
    Damaged(#[from] prost::DecodeError),
    /// A newer member wrote them.
    #[error(
        "the key settings have format {0}, and this version knows formats up to {FORMAT}: run a newer one"
    )]
    Format(u32),
    /// They are a record of what cannot be.
    #[error("the key settings are not valid: {}", joined(.0))]
    Invalid(Vec<Finding>),
}

fn joined(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl KeySettings {
    /// Reads settings as people give them. No Region at all means the one of the ARN; `changed` is not read.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn parse(settings: &v1::KmsSettings, changed_ms: i64) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let cmk = match KeyArn::parse(&settings.cmk_arn) {
            Ok(cmk) => Some(cmk),
            Err(error) => {
                findings.push(Finding::error(codes::MALFORMED, error.to_string()));
                None
            }
        };
        let regions = parse_regions(&settings.regions, cmk.as_ref(), &mut findings);
        let role = Role::parse(&settings.role_arn, &settings.external_id, &mut findings);
        let rotation = RotationPolicy::parse(&settings.rotation.clone().unwrap_or_default(), &mut findings);
        let alerts = AlertPolicy::parse(&settings.alerts.unwrap_or_default(), &mut findings);
        match cmk {
            Some(cmk) if findings.is_empty() => {
                Ok(Self { version: settings.version, changed_ms, cmk, regions, role, rotation, alerts })
            }
            _ => Err(findings),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It has a newer format, or is not valid.
    pub fn from_record(record: &internal::SettingsRecord) -> Result<Self, SettingsError> {
        if record.format != FORMAT {
            return Err(SettingsError::Format(record.format));
        }
        Self::parse(&public(record), record.changed_ms).map_err(SettingsError::Invalid)
    }

    /// Reads the bytes of a record, as the admin database and the keystore hold them.
    ///
    /// # Errors
    /// They are no valid settings.
    pub fn decode(bytes: &[u8]) -> Result<Self, SettingsError> {
        Self::from_record(&internal::SettingsRecord::decode(bytes)?)
    }

    /// The record.
    pub fn to_record(&self) -> internal::SettingsRecord {
        let window = v1::MaintenanceWindow::from(&self.rotation.window);
        internal::SettingsRecord {
            format: FORMAT,
            version: self.version,
            changed_ms: self.changed_ms,
            cmk_arn: self.cmk.to_string(),
            regions: self.regions.iter().map(ToString::to_string).collect(),
            role_arn: self.role.as_ref().map(|role| role.arn().to_owned()).unwrap_or_default(),
            external_id: self
                .role
                .as_ref()
                .and_then(Role::external_id)
                .map(str::to_owned)
                .unwrap_or_default(),
            rotation_scheduled: self.rotation.scheduled,
            master_key_days: self.rotation.master_key_days,
            window_weekdays: window.weekdays,
            window_start_minute: window.start_minute,
            window_duration_minutes: window.duration_minutes,
            max_deferral_days: self.rotation.max_deferral_days,
            cmk_age_alert: self.alerts.cmk_age,
            cmk_age_days: self.alerts.cmk_age_days,
        }
    }

    /// The bytes of the record: the same for the same settings.
    pub fn encode(&self) -> Vec<u8> {
        self.to_record().encode_to_vec()
    }

    /// As operators see them.
    pub fn to_public(&self) -> v1::KmsSettings {
        public(&self.to_record())
    }

    /// The same under another version, changed at `changed_ms`, milliseconds since 1970.
    #[must_use]
    pub fn with_version(mut self, version: u64, changed_ms: i64) -> Self {
        (self.version, self.changed_ms) = (version, changed_ms);
        self
    }

    /// Grows by one with each change; 0: from a configuration file.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When they were changed, milliseconds since 1970.
    pub fn changed_ms(&self) -> i64 {
        self.changed_ms
    }

    /// The customer's key, by the ARN that was given for it: that of another Region than home where Regions were given too.
    pub fn cmk(&self) -> &KeyArn {
        &self.cmk
    }

    /// Where the key is asked, home first; never empty.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The home Region.
    pub fn home(&self) -> &Region {
        self.regions.first().unwrap_or(self.cmk.region())
    }

    /// The role that is assumed; `None`: the machine's credentials are used.
    pub fn role(&self) -> Option<&Role> {
        self.role.as_ref()
    }

    /// When master keys are rotated.
    pub fn rotation(&self) -> &RotationPolicy {
        &self.rotation
    }

    /// When the age of the customer's key is an alert.
    pub fn alerts(&self) -> AlertPolicy {
        self.alerts
    }
}

/// A record as operators see it, valid or not.
pub fn public(record: &internal::SettingsRecord) -> v1::KmsSettings {
    let changed = Timestamp::from_unix(record.changed_ms.div_euclid(1000));
    v1::KmsSettings {
        version: record.version,
        cmk_arn: record.cmk_arn.clone(),
        regions: record.regions.clone(),
        role_arn: record.role_arn.clone(),
        external_id: record.external_id.clone(),
        rotation: Some(v1::RotationPolicy {
            scheduled: record.rotation_scheduled,
            master_key_days: record.master_key_days,
            window: Some(v1::MaintenanceWindow {
                weekdays: record.window_weekdays.clone(),
                start_minute: record.window_start_minute,
                duration_minutes: record.window_duration_minutes,
            }),
            max_deferral_days: record.max_deferral_days,
        }),
        alerts: Some(v1::AlertPolicy { cmk_age: record.cmk_age_alert, cmk_age_days: record.cmk_age_days }),
        changed: match record.version {
            0 => String::new(),
            _ => changed.map(|moment| moment.to_string()).unwrap_or_default(),
        },
    }
}

fn parse_regions(names: &[String], cmk: Option<&KeyArn>, findings: &mut Vec<Finding>) -> Vec<Region> {
    if names.len() > MAX_REGIONS {
        let problem = format!("at most {MAX_REGIONS} Regions are taken, and these are {}", names.len());
        findings.push(Finding::error(codes::BAD_VALUE, problem));
        return Vec::new();
    }
    let mut regions = Vec::new();
    for name in names {
        let region = match Region::parse(name) {
            Ok(region) => region,
            Err(error) => {
                findings.push(Finding::error(codes::BAD_VALUE, error.to_string()));
                continue;
            }
        };
        if regions.contains(&region) {
            findings.push(
                Finding::error(codes::BAD_VALUE, format!("{region} is there twice")).in_region(&region),
            );
            continue;
        }
        if let Some(Err(error)) = cmk.map(|cmk| cmk.in_region(&region)) {
            findings.push(elsewhere(&error).in_region(&region));
        }
        regions.push(region);
    }
    if let (true, Some(cmk)) = (names.is_empty(), cmk) {
        regions.push(cmk.region().clone());
    }
    regions
}

fn elsewhere(error: &KeyArnError) -> Finding {
    let problem = match error {
        KeyArnError::SingleRegion { .. } => format!(
            "{error}. A single-Region key cannot be converted: make a multi-Region key in KMS, replicate it, and change to it \
             (`coffer kms set-cmk`)"
        ),
        KeyArnError::Malformed { .. } => error.to_string(),
    };
    Finding::error(codes::SINGLE_REGION, problem)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub const MULTI: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
    pub const SINGLE: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    pub const ROLE: &str = "arn:aws:iam::111122223333:role/coffer";

    /// Valid settings, in which everything is set.
    pub fn full() -> v1::KmsSettings {
        v1::KmsSettings {
            version: 3,
            cmk_arn: MULTI.to_owned(),
            regions: vec!["eu-west-1".to_owned(), "eu-central-1".to_owned()],
            role_arn: ROLE.to_owned(),
            external_id: "mine".to_owned(),
            rotation: Some(v1::RotationPolicy {
                scheduled: true,
                master_key_days: 30,
                window: Some(v1::MaintenanceWindow {
                    weekdays: vec![6, 7],
                    start_minute: 120,
                    duration_minutes: 90,
                }),
                max_deferral_days: 5,
            }),
            alerts: Some(v1::AlertPolicy { cmk_age: true, cmk_age_days: 60 }),
            changed: "2026-11-24T07:12:46Z".to_owned(),
        }
    }

    /// The same, read.
    pub fn parsed() -> KeySettings {
        KeySettings::parse(&full(), 1_795_504_366_000).unwrap()
    }

    #[test]
    fn settings_survive_each_of_their_forms() {
        let settings = parsed();
        assert_eq!(settings.to_public(), full());
        assert_eq!(KeySettings::decode(&settings.encode()).unwrap(), settings);
        assert_eq!(settings.home().as_str(), "eu-west-1");
        assert_eq!(settings.role().and_then(Role::external_id), Some("mine"));
        let next = settings.clone().with_version(4, 7);
        assert_eq!((next.version(), next.changed_ms()), (4, 7));
        assert_eq!(next.cmk(), settings.cmk());
    }

    /// What an older version wrote is read, byte for byte.
    #[test]
    fn the_record_keeps_its_form() {
        let bytes = parsed().encode();
        assert_eq!(hex(&bytes), GOLDEN);
        assert_eq!(KeySettings::decode(&bytes).unwrap(), parsed());
    }

    const GOLDEN: &str = "0801100318b0c399e3a034224e61726e3a6177733a6b6d733a65752d63656e7472616c2d313a313131313232323233333333\
         3a6b65792f6d726b2d30313233343536373839616263646566303132333435363738396162636465662a0965752d77657374\
         2d312a0c65752d63656e7472616c2d31322561726e3a6177733a69616d3a3a3131313132323232333333333a726f6c652f63\
         6f666665723a046d696e654001481e520206075878605a68057001783c";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_region_of_the_arn_is_home_when_none_is_named() {
        let settings = KeySettings::parse(&v1::KmsSettings { regions: vec![], ..full() }, 0).unwrap();
        assert_eq!(settings.regions(), [Region::parse("eu-central-1").unwrap()]);
    }

    #[test]
    fn a_record_that_is_newer_or_damaged_is_refused() {
        let newer = internal::SettingsRecord { format: 2, ..parsed().to_record() };
        let error = KeySettings::decode(&newer.encode_to_vec()).unwrap_err();
        assert!(error.to_string().contains("format 2"), "{error}");
        assert!(matches!(KeySettings::decode(&[0xff]), Err(SettingsError::Damaged(_))));
        let invalid = internal::SettingsRecord { cmk_arn: "mrk-1".to_owned(), ..parsed().to_record() };
        let error = KeySettings::from_record(&invalid).unwrap_err();
        assert!(error.to_string().contains("CK0023"), "{error}");
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_code() {
        let regions = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (settings, code, wanted) in [
            (
                v1::KmsSettings { cmk_arn: "mrk-0123456789abcdef0123456789abcdef".to_owned(), ..full() },
                "CK0023",
                "in full",
            ),
            (
                v1::KmsSettings {
                    cmk_arn: MULTI.replace("key/mrk-0123456789abcdef0123456789abcdef", "alias/mine"),
                    ..full()
                },
                "CK0023",
                "alias",
            ),
            (
                v1::KmsSettings {
                    cmk_arn: SINGLE.to_owned(),
                    regions: regions(&["eu-central-1", "us-west-2"]),
                    ..full()
                },
                "CK0022",
                "cannot be converted",
            ),
            (v1::KmsSettings { regions: regions(&["eu-west-1", "eu-west-1"]), ..full() }, "CK0027", "twice"),
            (v1::KmsSettings { regions: regions(&["Mars"]), ..full() }, "CK0027", "Region"),
            (v1::KmsSettings { regions: vec!["eu-west-1".to_owned(); 17], ..full() }, "CK0027", "at most 16"),
            (v1::KmsSettings { role_arn: "coffer".to_owned(), ..full() }, "CK0023", "role"),
            (v1::KmsSettings { rotation: None, ..full() }, "CK0027", "1 to 90 days"),
            (v1::KmsSettings { alerts: None, ..full() }, "CK0027", "days"),
        ] {
            let findings = KeySettings::parse(&settings, 0).unwrap_err();
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].help_code, code);
            assert!(findings[0].problem.contains(wanted), "{findings:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = v1::KmsSettings {
            cmk_arn: SINGLE.to_owned(),
            regions: vec!["Mars".to_owned(), "us-west-2".to_owned(), "us-east-1".to_owned()],
            role_arn: "x".to_owned(),
            external_id: "y".to_owned(),
            rotation: None,
            alerts: None,
            ..full()
        };
        let findings = KeySettings::parse(&wrong, 0).unwrap_err();
        let codes: Vec<_> = findings.iter().map(|finding| finding.help_code.as_str()).collect();
        assert_eq!(codes, ["CK0027", "CK0022", "CK0022", "CK0023", "CK0027", "CK0027", "CK0027"]);
        assert_eq!(findings[1].region, "us-west-2");
    }
}
