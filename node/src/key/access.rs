//! What of the customer's key is in force on this member.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use coffer_keyring::kms::{Finding, KeyArn, Kms, MultiRegion, Region, help_codes};
use coffer_keyring::verdict::{Alert, ChangeRefused, KeyStoreRule, WatchedKey};
use coffer_keyring::{MemberId, WrapInfo};
use coffer_proto::internal::v1::SettingsRecord;
use tokio::sync::watch;

use super::absent::AbsentKms;
use super::denied_file::DeniedFile;
use super::inbox::Inbox;
use super::observer::{KeyEvent, KeyObserver};
use super::provider::{ProviderError, build};
use super::region_choice::RegionChoice;
use super::seed::seed;
use super::silent_file::SilentFile;
use super::small_file::SmallFile;
use crate::config::EncryptionSection;

/// What of the customer's key is in force on this member: the settings, the service that is asked, the Region in use.
/// Shared by the boot, the watch of the key and the services; [`crate::member::Member::key`] gives it.
pub struct KeyAccess {
    config: EncryptionSection,
    member: MemberId,
    state: RwLock<State>,
    /// Counts changes of what is watched: settings, the wrap, an operator's choice.
    changes: watch::Sender<u64>,
    inbox: Inbox,
    files: Mutex<Option<Files>>,
    observer: OnceLock<Arc<dyn KeyObserver>>,
    key_store: OnceLock<KeyStoreRule>,
}

/// What is kept beside the keystore.
struct Files {
    denied: DeniedFile,
    silent: SilentFile,
    choice: SmallFile,
}

struct State {
    settings: Arc<SettingsRecord>,
    kms: Arc<dyn Kms>,
    /// The settings that the service was set up for.
    kms_of: Arc<SettingsRecord>,
    /// What wraps this member's master key, as far as it is known.
    wrap: Option<WrapInfo>,
    /// The key of the settings before, with its Regions: what wraps may still be that one.
    older: Option<(KeyArn, Vec<Region>)>,
    active: Option<Region>,
    pending: Option<Region>,
    choice: Option<RegionChoice>,
    /// A key that an operator said is the right one for the keystore; in memory only.
    trusted: Option<KeyArn>,
    replicas: Option<MultiRegion>,
    alerts: BTreeSet<Alert>,
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
        Ok(Self::with(config, member, kms))
    }

    /// A member whose files are not sealed, and which knows no service.
    pub fn off() -> Arc<Self> {
        let config = EncryptionSection { enabled: false, ..EncryptionSection::default() };
        Self::with(&config, MemberId(0), Arc::new(AbsentKms("encryption is off".to_owned())))
    }

    /// With a service of the caller's, until settings change the role.
    pub(crate) fn with(config: &EncryptionSection, member: MemberId, kms: Arc<dyn Kms>) -> Arc<Self> {
        let settings = Arc::new(seed(config));
        let state = State {
            kms_of: settings.clone(),
            settings,
            kms,
            wrap: None,
            older: None,
            active: None,
            pending: None,
            choice: None,
            trusted: None,
            replicas: None,
            alerts: BTreeSet::new(),
        };
        Arc::new(Self {
            config: config.clone(),
            member,
            state: RwLock::new(state),
            changes: watch::channel(0).0,
            inbox: Inbox::default(),
            files: Mutex::new(None),
            observer: OnceLock::new(),
            key_store: OnceLock::new(),
        })
    }

    /// Takes up what is kept beside the keystore, in the directory `dir`: denials, and an operator's choice.
    pub(crate) fn open_files(&self, dir: &Path, key_store: KeyStoreRule) {
        // Said once, at the start.
        let _ = self.key_store.set(key_store);
        let choice = SmallFile::new(dir.join("override.json"));
        match choice.read::<RegionChoice>() {
            Ok(Some(kept)) => {
                tracing::warn!(region = %kept.region, since = %kept.since, "an operator chose a Region for this member");
                self.write().choice = Some(kept);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, path = %choice.path().display(), "an operator's choice of a Region cannot be read");
            }
        }
        *self.files() = Some(Files { denied: DeniedFile::open(dir), silent: SilentFile::open(dir), choice });
    }

    /// The configuration of this member alone: provider, endpoints, timeouts.
    pub fn config(&self) -> &EncryptionSection {
        &self.config
    }

    /// What an unavailable custom or external key store means to this member's owner.
    pub fn key_store(&self) -> KeyStoreRule {
        self.key_store.get().copied().unwrap_or_default()
    }

    /// Whether what a trial of the key found matters here: that the key lives in a custom or external key store does not, once
    /// this member's owner has said what it means when that is unavailable. That it is unavailable now does.
    pub(crate) fn minds(&self, finding: &Finding) -> bool {
        let lives_there = finding.help_code == help_codes::CUSTOM_KEY_STORE && finding.error_code.is_empty();
        !(lives_there && self.key_store() != KeyStoreRule::Refuse)
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
        settings_key(&self.read().settings)
    }

    /// The Regions of the settings, home first.
    pub fn regions(&self) -> Vec<Region> {
        settings_regions(&self.read().settings)
    }

    /// The home Region of the key that wraps this member's master key: while keys are being changed, the old one's.
    pub fn home(&self) -> Option<Region> {
        self.watched().map(|key| key.home().clone()).or_else(|| self.regions().into_iter().next())
    }

    /// The Region that is used now: home, unless this member failed over or an operator chose another one.
    pub fn active_region(&self) -> Option<Region> {
        let active = self.read().active.clone();
        active.or_else(|| self.home())
    }

    /// Whether a denial waits for its confirmation: it blocks a failover, and every change of Region, key or role.
    pub fn denial_pending(&self) -> bool {
        self.read().pending.is_some()
    }

    /// Whether Region, key or role may be changed now, and the key be asked in `to`.
    ///
    /// # Errors
    /// Why not.
    pub fn may_change(&self, to: Option<&Region>) -> Result<(), ChangeRefused> {
        if let Some(region) = self.read().pending.clone() {
            return Err(ChangeRefused::DenialPending { region });
        }
        match (self.watched(), to) {
            (Some(key), Some(region)) => key.check_region(region),
            _ => Ok(()),
        }
    }

    /// What wraps this member's master key, from the moment that its keystore was read.
    pub fn wrap(&self) -> Option<WrapInfo> {
        self.read().wrap.clone()
    }

    /// The key that wraps this member's master key, or that will, and where it is asked.
    pub fn watched(&self) -> Option<WatchedKey> {
        let state = self.read();
        let set = settings_key(&state.settings);
        let cmk = state.wrap.as_ref().map(|wrap| wrap.cmk.clone()).or_else(|| set.clone())?;
        let mut regions = if set.as_ref().is_some_and(|set| set.is_same_key(&cmk)) {
            settings_regions(&state.settings)
        } else {
            // A key that the settings do not name any more is asked where it was asked before.
            let older = state.older.as_ref().filter(|(older, _)| older.is_same_key(&cmk));
            let configured = self.config.cmk().filter(|configured| configured.is_same_key(&cmk));
            older
                .map(|(_, regions)| regions.clone())
                .or_else(|| configured.map(|_| self.config.region_list()))
                .unwrap_or_default()
        };
        if regions.is_empty() {
            regions.push(cmk.region().clone());
        }
        Some(WatchedKey { cmk, regions, settings_version: state.settings.version })
    }

    /// The Region that an operator chose for this member.
    pub fn choice(&self) -> Option<RegionChoice> {
        self.read().choice.clone()
    }

    /// Where the key has replicas, where KMS said it.
    pub fn replicas(&self) -> Option<MultiRegion> {
        self.read().replicas.clone()
    }

    /// Everything that is wrong with the key now.
    pub fn alerts(&self) -> BTreeSet<Alert> {
        self.read().alerts.clone()
    }

    /// The service as it would be under other settings, to try them. What is in force stays.
    ///
    /// # Errors
    /// It cannot be set up.
    pub fn provider_for(&self, settings: &SettingsRecord) -> Result<Arc<dyn Kms>, ProviderError> {
        let state = self.read();
        if same_provider(&state.kms_of, settings) {
            return Ok(state.kms.clone());
        }
        drop(state);
        build(&self.config, self.member, settings)
    }

    /// Puts newer settings in force; older ones and the same again change nothing. An operator's choice of a Region ends with the
    /// first that name another key or other Regions than those that it was made under.
    ///
    /// # Errors
    /// The settings are in force, but the service could not be set up anew and is asked as before.
    pub fn adopt(&self, settings: SettingsRecord) -> Result<(), ProviderError> {
        if settings.version <= self.settings().version {
            return Ok(());
        }
        let kms = self.provider_for(&settings);
        let (over, kept) = {
            let mut state = self.write();
            if settings.version <= state.settings.version {
                return Ok(());
            }
            if let Ok(kms) = &kms {
                state.kms = kms.clone();
                state.kms_of = Arc::new(settings.clone());
            }
            let before = settings_key(&state.settings);
            let same_key =
                before.as_ref().zip(settings_key(&settings)).is_some_and(|(a, b)| a.is_same_key(&b));
            if let Some(before) = before.filter(|_| !same_key) {
                state.older = Some((before, settings_regions(&state.settings)));
            }
            let same = same_key && settings_regions(&state.settings) == settings_regions(&settings);
            let older = |choice: &mut RegionChoice| choice.settings_version < settings.version;
            let over = state.choice.take_if(|choice| older(choice) && !same).is_some();
            // It deviates from these as it did from those.
            let mut kept = state.choice.as_mut().filter(|choice| choice.settings_version < settings.version);
            if let Some(choice) = &mut kept {
                choice.settings_version = settings.version;
            }
            let kept = kept.cloned();
            state.settings = Arc::new(settings);
            (over, kept)
        };
        if over {
            self.forget_choice();
        }
        if let Some(choice) = kept {
            self.keep_choice(&choice);
        }
        self.changed();
        kms.map(|_| ())
    }

    /// This member's master key is wrapped by this from now on: its keystore was read, or replaced.
    pub fn rewrapped(&self, wrap: WrapInfo) {
        {
            let mut state = self.write();
            if state.wrap.as_ref() == Some(&wrap) {
                return;
            }
            state.wrap = Some(wrap);
        }
        self.changed();
    }

    /// Follows what is watched: the number grows with every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Has `observer` hear what happens to the key; the first one that is named.
    pub fn observe(&self, observer: Arc<dyn KeyObserver>) {
        // Named once, by the boot.
        let _ = self.observer.set(observer);
    }

    /// Says that something happened.
    pub(crate) fn event(&self, event: &KeyEvent) {
        if let Some(observer) = self.observer.get() {
            observer.event(event);
        }
    }

    /// What peers and operators said, for whoever looks after the key now.
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Takes or takes back an operator's choice of a Region.
    ///
    /// # Errors
    /// It cannot be written down, and is not in force.
    pub(crate) fn choose(&self, region: Option<Region>) -> Result<Option<RegionChoice>, String> {
        let version = self.settings().version;
        let choice = region.clone().map(|region| RegionChoice::new(region, version));
        if let Some(files) = self.files().as_ref() {
            let written = match &choice {
                // A member that never had its keys keeps nothing on its disk.
                Some(choice) if files.choice.has_place() => files.choice.replace(choice),
                Some(_) => Ok(()),
                None => files.choice.remove(),
            };
            written.map_err(|error| format!("{}: {error}", files.choice.path().display()))?;
        }
        self.write().choice.clone_from(&choice);
        self.event(&KeyEvent::Chosen { region });
        self.changed();
        Ok(choice)
    }

    /// An operator says that `cmk` is the right key for this member's keystore.
    pub(crate) fn trust(&self, cmk: KeyArn) {
        self.event(&KeyEvent::Trusted { cmk: cmk.to_string() });
        self.write().trusted = Some(cmk);
        self.changed();
    }

    /// The key that an operator said is the right one.
    pub(crate) fn trusted(&self) -> Option<KeyArn> {
        self.read().trusted.clone()
    }

    /// The denials that are remembered from before this start.
    pub(crate) fn remembered_denials(&self) -> BTreeSet<Region> {
        let Some(key) = self.watched() else { return BTreeSet::new() };
        self.files().as_ref().map(|files| files.denied.of(&key.cmk)).unwrap_or_default()
    }

    /// The denials that a restart must not forget; writes where that is a change.
    pub(crate) fn remember_denials(&self, regions: &BTreeSet<Region>) {
        self.write().pending = regions.first().cloned();
        let Some(key) = self.watched() else { return };
        if let Some(files) = self.files().as_mut() {
            files.denied.set(&key.cmk, regions);
        }
    }

    /// For how long home had been silent, as it was noted before this start.
    pub(crate) fn remembered_silence(&self) -> Duration {
        let Some(key) = self.watched() else { return Duration::ZERO };
        self.files().as_ref().map(|files| files.silent.lasts(&key.cmk, key.home())).unwrap_or_default()
    }

    /// Notes for how long home has been silent; none: it has answered.
    pub(crate) fn remember_silence(&self, lasts: Option<Duration>) {
        let Some(key) = self.watched() else { return };
        if let Some(files) = self.files().as_mut() {
            files.silent.set(&key.cmk, key.home(), lasts);
        }
    }

    /// The Region that is used from now on.
    pub(crate) fn use_region(&self, region: &Region) {
        let before = self.active_region();
        self.write().active = Some(region.clone());
        if let Some(from) = before.filter(|from| from != region) {
            self.event(&KeyEvent::RegionChanged { from, to: region.clone() });
        }
    }

    /// What KMS says of the key's replicas.
    pub(crate) fn found_replicas(&self, replicas: &MultiRegion) {
        if self.read().replicas.as_ref() != Some(replicas) {
            self.write().replicas = Some(replicas.clone());
        }
    }

    /// Everything that is wrong with the key now. Whether that is a change.
    pub(super) fn set_alerts(&self, alerts: &BTreeSet<Alert>) -> bool {
        let mut state = self.write();
        let changed = state.alerts != *alerts;
        if changed {
            state.alerts.clone_from(alerts);
        }
        changed
    }

    fn keep_choice(&self, choice: &RegionChoice) {
        if let Some(files) = self.files().as_ref()
            && files.choice.has_place()
            && let Err(error) = files.choice.replace(choice)
        {
            tracing::error!(%error, path = %files.choice.path().display(), "it cannot be replaced");
        }
    }

    fn forget_choice(&self) {
        tracing::info!("an operator's choice of a Region ends with the replica set's new settings");
        self.event(&KeyEvent::Chosen { region: None });
        if let Some(files) = self.files().as_ref()
            && let Err(error) = files.choice.remove()
        {
            tracing::error!(%error, path = %files.choice.path().display(), "it cannot be removed");
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn files(&self) -> MutexGuard<'_, Option<Files>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settings_key(settings: &SettingsRecord) -> Option<KeyArn> {
    KeyArn::parse(&settings.cmk_arn).ok()
}

fn settings_regions(settings: &SettingsRecord) -> Vec<Region> {
    settings.regions.iter().filter_map(|region| Region::parse(region).ok()).collect()
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
        assert!(error.contains("not the ARN of an IAM role"), "{error}");
        assert!(Arc::ptr_eq(&service, &key.kms()), "it is asked as before");
        assert_eq!(key.settings().version, 3);
        let again = SettingsRecord { version: 4, ..SettingsRecord::clone(&key.settings()) };
        assert!(key.adopt(again).is_err(), "what could not be set up is tried again");
    }

    #[test]
    fn a_key_store_is_minded_until_its_owner_has_said_what_it_means() {
        let lives_there = Finding::new(None, help_codes::CUSTOM_KEY_STORE, "it lives in one");
        let refused = Finding { error_code: "KMSInvalidStateException".to_owned(), ..lives_there.clone() };
        let disabled = Finding::new(None, help_codes::KEY_DISABLED, "it is disabled");
        let minds = |rule: Option<KeyStoreRule>| {
            let key = KeyAccess::new(&aws(), MemberId(1)).unwrap();
            if let Some(rule) = rule {
                key.open_files(Path::new("no-such-directory"), rule);
            }
            [&lives_there, &refused, &disabled].map(|finding| key.minds(finding))
        };
        assert_eq!(minds(None), [true; 3]);
        assert_eq!(minds(Some(KeyStoreRule::Refuse)), [true; 3]);
        for rule in [KeyStoreRule::Unreachable, KeyStoreRule::Denied] {
            assert_eq!(minds(Some(rule)), [false, true, true], "{rule:?}");
        }
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
