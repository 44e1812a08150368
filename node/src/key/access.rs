//! What of the customer's key is in force on this member.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use coffer_keyring::MemberId;
use coffer_keyring::kms::{KeyArn, Kms, Region};
use coffer_proto::internal::v1::SettingsRecord;
use tokio::sync::watch;

use super::absent::AbsentKms;
use super::provider::{ProviderError, build};
use super::seed::seed;
use crate::config::EncryptionSection;

/// What of the customer's key is in force on this member: the settings, the service that is asked, the Region in use.
/// Shared by the boot, the watch of the key and the services; [`crate::member::Member::key`] gives it.
pub struct KeyAccess {
    config: EncryptionSection,
    member: MemberId,
    state: RwLock<State>,
    /// Counts changes of the settings.
    changes: watch::Sender<u64>,
}

struct State {
    settings: Arc<SettingsRecord>,
    kms: Arc<dyn Kms>,
    active: Option<Region>,
    denial_pending: bool,
}

impl KeyAccess {
    /// As the configuration has it: version 0 of the settings.
    ///
    /// # Errors
    /// The provider cannot be set up. With encryption off there need be none, and a service that refuses every call stands in
    /// for it.
    pub fn new(config: &EncryptionSection, member: MemberId) -> Result<Arc<Self>, ProviderError> {
        let settings = seed(config);
        let kms: Arc<dyn Kms> = match build(config, member, &settings) {
            Ok(kms) => kms,
            Err(error) if !config.enabled => Arc::new(AbsentKms(error.to_string())),
            Err(error) => return Err(error),
        };
        Ok(Self::with(config.clone(), member, settings, kms))
    }

    /// A member whose files are not sealed, and which knows no service.
    pub fn off() -> Arc<Self> {
        let config = EncryptionSection { enabled: false, ..EncryptionSection::default() };
        let kms = Arc::new(AbsentKms("encryption is off".to_owned()));
        let settings = seed(&config);
        Self::with(config, MemberId(0), settings, kms)
    }

    fn with(
        config: EncryptionSection,
        member: MemberId,
        settings: SettingsRecord,
        kms: Arc<dyn Kms>,
    ) -> Arc<Self> {
        let state = State { settings: Arc::new(settings), kms, active: None, denial_pending: false };
        Arc::new(Self { config, member, state: RwLock::new(state), changes: watch::channel(0).0 })
    }

    /// The configuration of this member alone: provider, endpoints, timeouts.
    pub fn config(&self) -> &EncryptionSection {
        &self.config
    }

    /// The service, with the credentials that the settings in force ask for. Taken anew for each piece of work.
    pub fn kms(&self) -> Arc<dyn Kms> {
        self.read().kms.clone()
    }

    /// The settings in force here; version 0 are those of the configuration.
    pub fn settings(&self) -> Arc<SettingsRecord> {
        self.read().settings.clone()
    }

    /// The key that the settings name; `None` with encryption off, where none needs to be named.
    pub fn cmk(&self) -> Option<KeyArn> {
        KeyArn::parse(&self.read().settings.cmk_arn).ok()
    }

    /// The Regions of the settings, home first.
    pub fn regions(&self) -> Vec<Region> {
        self.read().settings.regions.iter().filter_map(|region| Region::parse(region).ok()).collect()
    }

    /// The Region that the settings name first.
    pub fn home(&self) -> Option<Region> {
        self.regions().into_iter().next()
    }

    /// The Region that is used now: home, unless this member failed over or an operator chose another one.
    pub fn active_region(&self) -> Option<Region> {
        let active = self.read().active.clone();
        active.or_else(|| self.home())
    }

    /// Whether a denial waits for its confirmation: it blocks a failover, and every change of Region, key or role.
    pub fn denial_pending(&self) -> bool {
        self.read().denial_pending
    }

    /// The service as it would be under other settings, to try them. What is in force stays.
    ///
    /// # Errors
    /// It cannot be set up.
    pub fn provider_for(&self, settings: &SettingsRecord) -> Result<Arc<dyn Kms>, ProviderError> {
        let state = self.read();
        if same_provider(&state.settings, settings) {
            return Ok(state.kms.clone());
        }
        drop(state);
        build(&self.config, self.member, settings)
    }

    /// Puts newer settings in force; older ones and the same again change nothing. An operator's choice of a Region that was
    /// made under an older version ends with it.
    ///
    /// # Errors
    /// The settings are in force, but the service could not be set up anew and is asked as before.
    pub fn adopt(&self, settings: SettingsRecord) -> Result<(), ProviderError> {
        if settings.version <= self.settings().version {
            return Ok(());
        }
        let kms = self.provider_for(&settings);
        {
            let mut state = self.write();
            if settings.version <= state.settings.version {
                return Ok(());
            }
            if let Ok(kms) = &kms {
                state.kms = kms.clone();
            }
            state.settings = Arc::new(settings);
        }
        self.changes.send_modify(|count| *count += 1);
        kms.map(|_| ())
    }

    /// Follows the settings: the number grows with every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The Region that is used from now on, and whether a denial is pending.
    pub(crate) fn note(&self, active: &Region, denial_pending: bool) {
        let mut state = self.write();
        if state.active.as_ref() != Some(active) {
            state.active = Some(active.clone());
        }
        state.denial_pending = denial_pending;
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether both lead to the same service: it knows of a role, and is told key and Region with each call.
fn same_provider(one: &SettingsRecord, other: &SettingsRecord) -> bool {
    one.role_arn == other.role_arn && one.external_id == other.external_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Provider;

    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";

    fn aws() -> EncryptionSection {
        EncryptionSection {
            provider: Provider::Aws,
            cmk_arn: ARN.to_owned(),
            regions: vec!["eu-central-1".to_owned(), "eu-west-1".to_owned()],
            ..EncryptionSection::default()
        }
    }

    #[test]
    fn the_configuration_is_version_0_and_newer_settings_take_its_place() {
        let key = KeyAccess::new(&aws(), MemberId(1)).unwrap();
        let first = key.settings();
        assert_eq!((first.version, first.regions.len()), (0, 2));
        assert_eq!(key.home().unwrap().as_str(), "eu-central-1");
        assert_eq!(key.active_region(), key.home());
        let changes = key.changes();
        let newer = SettingsRecord {
            version: 3,
            regions: vec!["eu-west-1".to_owned()],
            ..SettingsRecord::clone(&first)
        };
        key.adopt(newer.clone()).unwrap();
        assert_eq!(*key.settings(), newer);
        assert_eq!(key.home().unwrap().as_str(), "eu-west-1");
        assert!(changes.has_changed().unwrap());
        key.adopt(SettingsRecord { version: 2, ..SettingsRecord::clone(&first) }).unwrap();
        assert_eq!(*key.settings(), newer, "settings never go back");
    }

    #[test]
    fn a_change_of_the_role_replaces_the_service_and_no_other_change_does() {
        let key = KeyAccess::new(&aws(), MemberId(1)).unwrap();
        let first = SettingsRecord::clone(&key.settings());
        let service = key.kms();
        let regions = SettingsRecord { version: 1, regions: vec!["eu-west-1".to_owned()], ..first.clone() };
        key.adopt(regions).unwrap();
        assert!(Arc::ptr_eq(&service, &key.kms()));
        let role = SettingsRecord {
            version: 2,
            role_arn: "arn:aws:iam::111122223333:role/coffer".to_owned(),
            ..first.clone()
        };
        let tried = key.provider_for(&role).unwrap();
        assert!(!Arc::ptr_eq(&service, &tried));
        assert!(Arc::ptr_eq(&service, &key.kms()), "a try changes nothing");
        key.adopt(role).unwrap();
        assert!(!Arc::ptr_eq(&service, &key.kms()));
        let service = key.kms();
        let broken = SettingsRecord { version: 3, role_arn: "coffer".to_owned(), ..first };
        let error = key.adopt(broken).unwrap_err().to_string();
        assert!(error.contains("not the ARN of a role"), "{error}");
        assert!(Arc::ptr_eq(&service, &key.kms()), "it is asked as before");
        assert_eq!(key.settings().version, 3);
    }

    #[tokio::test]
    async fn with_encryption_off_every_call_is_refused_with_the_reason() {
        let key = KeyAccess::off();
        assert_eq!((key.cmk(), key.home()), (None, None));
        let arn = KeyArn::parse(ARN).unwrap();
        let error = key.kms().describe(arn.region(), &arn).await.unwrap_err();
        assert!(error.message.contains("encryption is off"), "{error}");
    }
}
