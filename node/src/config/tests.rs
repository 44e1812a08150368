use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
const CLUSTER: &str = "6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11";

fn sample() -> String {
    format!(
        r#"
        [cluster]
        id = "{CLUSTER}"
        member_id = 1
        members = [{{ id = 1, address = "127.0.0.1:27101" }}]
        [storage]
        data_dir = "/tmp/coffer"
        [encryption]
        provider = "local"
        cmk_arn = "{ARN}"
        local_dir = "/tmp/kms"
        "#
    )
}

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("cofferd.toml");
        fs::write(&path, text).unwrap();
        path
    }
}

fn load(text: &str) -> Result<Config, ConfigError> {
    load_with(text, &[], &[])
}

fn load_with(text: &str, env: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let files = Files::new();
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    Config::load(Some(&files.write(text)), own(env), &own(set))
}

fn error(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[test]
fn the_documented_file_has_every_option_at_its_default() {
    let text = fs::read_to_string(repository("config/cofferd.toml")).unwrap();
    let written: toml::Table = text.parse().unwrap();
    assert_eq!(&written, unknown::known());
    let parsed: Config = toml::from_str(&text).unwrap();
    assert_eq!(parsed, Config::default());
}

#[test]
fn every_option_of_the_documented_file_has_a_reason_above_it() {
    let text = fs::read_to_string(repository("config/cofferd.toml")).unwrap();
    let mut above = "";
    for line in text.lines() {
        let option = line.contains(" = ") && !line.starts_with('#');
        assert!(!option || above.starts_with('#'), "`{line}` has no comment above it");
        above = line;
    }
}

#[test]
fn the_files_of_the_local_replica_set_are_valid() {
    let members: Vec<_> = (1..=3)
        .map(|id| {
            let path = repository(&format!("config/local/member-{id}.toml"));
            let error = Config::load(Some(&path), [], &[]).unwrap_err().to_string();
            assert!(error.contains("encryption.cmk_arn"), "{error}");
            let cmk = ("COFFER_ENCRYPTION__CMK_ARN".to_owned(), ARN.to_owned());
            let config = Config::load(Some(&path), [cmk], &[]).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(config.cluster.member_id, id);
            assert_eq!(config.advertised_address(), format!("127.0.0.1:{}", 27100 + id));
            assert_eq!(config.encryption.provider, Provider::Local);
            config
        })
        .collect();
    assert!(members.iter().all(|member| member.cluster.id == members[0].cluster.id));
    assert!(members.iter().all(|member| member.cluster.members == members[0].cluster.members));
    assert!(members.iter().all(|member| member.encryption == members[0].encryption));
}

#[test]
fn the_production_example_is_valid() {
    let config = Config::load(Some(&repository("config/production.toml")), [], &[]);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.encryption.provider, Provider::Aws);
    assert!(config.encryption.region_list().len() > 1);
}

#[test]
fn what_is_dumped_can_be_read_again() {
    let config = load(&sample()).unwrap();
    assert_eq!(load(&config.to_toml()).unwrap(), config);
}

#[test]
fn relative_paths_in_a_file_are_from_its_directory() {
    let files = Files::new();
    let text = sample().replace("/tmp/coffer", "data/one").replace("/tmp/kms", "../kms");
    let path = files.write(&text);
    let config = Config::load(Some(&path), [], &[]).unwrap();
    assert_eq!(config.storage.data_dir, files.dir.path().join("data/one"));
    assert_eq!(config.encryption.local_dir, files.dir.path().join("../kms"));
    // Also where the file itself is named from the working directory.
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let config = Config::load(Some(&up.join(path.strip_prefix("/").unwrap())), [], &[]).unwrap();
    assert!(config.storage.data_dir.is_absolute(), "{:?}", config.storage.data_dir);
    // What is typed is from where it is typed.
    let set = [("storage.data_dir".to_owned(), "data/two".to_owned())];
    let config = Config::load(Some(&path), [], &set).unwrap();
    assert_eq!(config.storage.data_dir, Path::new("data/two"));
    // What is absolute stays.
    assert_eq!(load(&sample()).unwrap().storage.data_dir, Path::new("/tmp/coffer"));
}

#[test]
fn unknown_keys_are_refused_and_the_nearest_is_named() {
    for (text, wanted) in [
        ("[storage]\ndata_dri = \"x\"", "did you mean `storage.data_dir`?"),
        ("[storge]\ndata_dir = \"x\"", "did you mean `[storage]`?"),
        ("[storage]\ncmk_arn = \"x\"", "did you mean `encryption.cmk_arn`?"),
        ("data_dir = \"x\"", "did you mean `storage.data_dir`?"),
        ("[storage]\nzebra = 1", "`storage.zebra` is not an option"),
        ("[zebra]\nstripes = 1", "there are alerts, cluster"),
        ("[cluster]\nmembers = [{ id = 1, adress = \"a:1\" }]", "adress"),
    ] {
        let found = error(text);
        assert!(found.contains(wanted), "{text}: {found}");
        assert!(found.contains("cofferd.toml"), "the file is named: {found}");
    }
}

#[test]
fn wrong_types_are_refused_with_their_line() {
    let found = error("[storage]\nblock_cache = 64");
    assert!(found.contains("line 2"), "{found}");
    let found = error("[storage]\nblock_cache = \"64\"");
    assert!(found.contains("64MiB"), "{found}");
    let found = error("[limits]\nmax_deadline = \"1000years\"");
    assert!(found.contains("line 2") && found.contains("24h is the most"), "{found}");
    let found = error("[health]\ninterval = \"often\"");
    assert!(found.contains("200ms"), "{found}");
    let found = error("[log]\nlevel = \"loud\"");
    assert!(found.contains("loud") && found.contains("debug"), "{found}");
}

#[test]
fn variables_win_over_the_file_and_flags_over_variables() {
    let env = [
        ("COFFER_LOG__LEVEL", "debug"),
        ("COFFER_HEALTH__INTERVAL", "7s"),
        ("COFFER_LIMITS__MAX_OPEN_CURSORS", "9"),
        ("COFFER_ENDPOINTS", "not ours"),
        ("PATH", "not ours"),
    ];
    let set = [("health.interval", "8s"), ("cluster.members", "[{ id = 1, address = '127.0.0.1:9' }]")];
    let config = load_with(&sample(), &env, &set).unwrap();
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.limits.max_open_cursors, 9);
    assert_eq!(config.health.interval, Span::secs(8));
    assert_eq!(config.listen_address(), "127.0.0.1:9");
}

#[test]
fn wrong_variables_and_flags_are_refused_by_name() {
    for (env, wanted) in [
        (("COFFER_LOG__LEVLE", "debug"), "log.level"),
        (("COFFER_LOG_LEVEL", "debug"), "COFFER_LOG__LEVEL"),
        (("COFFER_LIMITS__MAX_OPEN_CURSORS", "many"), "whole number"),
        (("COFFER_LISTEN__INSECURE_LISTEN", "yes"), "true or false"),
        (("COFFER_HEALTH__INTERVAL", "often"), "duration"),
        (("COFFER_CLUSTER__MEMBERS", "1"), "members"),
    ] {
        let found = load_with(&sample(), &[env], &[]).unwrap_err().to_string();
        assert!(found.contains(wanted), "{env:?}: {found}");
        assert!(found.starts_with(env.0), "{found}");
    }
    let found = load_with(&sample(), &[], &[("level", "debug")]).unwrap_err().to_string();
    assert!(found.contains("section.key"), "{found}");
    let endpoint = [("encryption.endpoints.eu-central-1", "http://127.0.0.1:1")];
    let found = load_with(&sample(), &[], &endpoint).unwrap_err().to_string();
    assert!(found.contains("provider aws"), "{found}");
}

#[test]
fn an_empty_configuration_says_all_that_is_missing() {
    let found = error("");
    for wanted in [
        "cluster.id",
        "cluster.member_id",
        "listen.address",
        "storage.data_dir",
        "encryption.cmk_arn",
        "init-config",
    ] {
        assert!(found.contains(wanted), "{wanted}: {found}");
    }
}

#[test]
fn other_machines_reach_a_member_only_when_that_was_asked_for() {
    let set = [("listen.address", "0.0.0.0:27101")];
    let found = load_with(&sample(), &[], &set).unwrap_err().to_string();
    assert!(found.contains("insecure_listen = true"), "{found}");
    let set = [("listen.address", "0.0.0.0:27101"), ("listen.insecure_listen", "true")];
    assert!(load_with(&sample(), &[], &set).is_ok());
    for good in ["127.0.0.1:0", "[::1]:27101", "127.8.9.1:1"] {
        assert!(load_with(&sample(), &[], &[("listen.address", good)]).is_ok(), "{good}");
    }
    let set = [("metrics.address", "0.0.0.0:9")];
    let found = load_with(&sample(), &[], &set).unwrap_err().to_string();
    assert!(found.contains("metrics.address"), "{found}");
}

#[test]
fn values_that_do_not_fit_together_are_refused() {
    for (key, value, wanted) in [
        ("cluster.id", "blue", "UUID"),
        (
            "cluster.members",
            "[{ id = 1, address = '127.0.0.1:1' }, { id = 1, address = '127.0.0.1:2' }]",
            "twice",
        ),
        ("cluster.members", "[{ id = 1, address = '127.0.0.1' }]", "no port"),
        ("cluster.members", "[{ id = 1, address = '::1:7' }]", "brackets"),
        ("raft.election_timeout_max", "500ms", "longer than"),
        ("raft.election_timeout_min", "300ms", "three heartbeats"),
        ("raft.heartbeat_interval", "24h", "three heartbeats"),
        ("raft.snapshot_timeout", "2h", "1s to 1h"),
        ("raft.recall_timeout", "2m", "100ms to 60s"),
        ("limits.default_deadline", "500000000000years", "24h is the most"),
        ("limits.max_deadline", "25h", "24h is the most"),
        ("storage.max_replay_size", "2GiB", "max_log_size"),
        ("limits.default_deadline", "1h", "max_deadline"),
        ("encryption.cmk_arn", "alias/mine", "ARN"),
        ("encryption.regions", "['Mars']", "Region"),
        ("encryption.provider", "aws", "local_dir"),
        ("encryption.local_dir", "", "dev-kms"),
        ("encryption.connect_timeout", "3s", "this order"),
        ("rotation.master_key_days", "91", "1 to 90"),
        ("rotation.window_start", "25:00", "HH:MM"),
        ("rotation.window_weekdays", "['someday']", "monday"),
        ("rotation.max_deferral_days", "31", "at most 30"),
        ("alerts.cmk_age_days", "0", "alerts: "),
    ] {
        let found = load_with(&sample(), &[], &[(key, value)]).unwrap_err().to_string();
        assert!(found.contains(wanted), "{key} = {value}: {found}");
    }
    let single = [
        (
            "encryption.cmk_arn",
            "arn:aws:kms:eu-central-1:111122223333:key/6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11",
        ),
        ("encryption.regions", "['eu-central-1', 'eu-west-1']"),
    ];
    let found = load_with(&sample(), &[], &single).unwrap_err().to_string();
    assert!(found.contains("single-Region"), "{found}");
}

#[test]
fn a_member_to_be_added_later_names_its_own_address() {
    let set = [("cluster.member_id", "9")];
    let found = load_with(&sample(), &[], &set).unwrap_err().to_string();
    assert!(found.contains("not among cluster.members"), "{found}");
    let set = [("cluster.member_id", "9"), ("listen.address", "127.0.0.1:27109")];
    let config = load_with(&sample(), &[], &set).unwrap();
    assert_eq!(config.advertised_address(), "127.0.0.1:27109");
}

#[test]
fn the_region_of_the_arn_is_home_when_none_is_named() {
    let config = load(&sample()).unwrap();
    let regions: Vec<_> = config.encryption.region_list().iter().map(ToString::to_string).collect();
    assert_eq!(regions, ["eu-central-1"]);
}

#[test]
fn aws_is_reached_over_tls_and_as_the_role_says() {
    let aws = |set: &[(&str, &str)]| {
        let mut all = vec![("encryption.provider", "aws"), ("encryption.local_dir", "")];
        all.extend_from_slice(set);
        load_with(&sample(), &[], &all)
    };
    let role = "arn:aws:iam::111122223333:role/coffer";
    let config = aws(&[("encryption.role_arn", role), ("encryption.external_id", "mine")]).unwrap();
    let reached = config.encryption.aws(config.cluster.member_id());
    assert_eq!(reached.assume_role.unwrap().session_name, "coffer-member-1");
    let endpoints = [("encryption.endpoints.eu-central-1", "https://vpce.example")];
    assert_eq!(aws(&endpoints).unwrap().encryption.aws(coffer_keyring::MemberId(1)).endpoints.len(), 1);
    for (set, wanted) in [
        (("encryption.endpoints.eu-central-1", "http://vpce.example"), "https://"),
        (("encryption.endpoints.eu-west-1", "https://vpce.example"), "not among"),
        (("encryption.role_arn", "coffer"), "role"),
        (("encryption.external_id", "x"), "role_arn"),
    ] {
        let found = aws(&[set]).unwrap_err().to_string();
        assert!(found.contains(wanted), "{set:?}: {found}");
    }
}

#[test]
fn a_new_replica_set_begins_with_the_settings_of_its_configuration() {
    let set = [
        ("encryption.regions", "['eu-west-1', 'eu-central-1']"),
        ("rotation.master_key_days", "30"),
        ("rotation.window_weekdays", "['sat', 'sunday']"),
        ("rotation.window_start", "02:30"),
        ("rotation.window_duration", "24h"),
        ("alerts.cmk_age", "false"),
    ];
    let config = load_with(&sample(), &[], &set).unwrap();
    let settings = config.key_settings().unwrap();
    assert_eq!((settings.version(), settings.cmk().to_string().as_str()), (0, ARN));
    assert_eq!(settings.home().as_str(), "eu-west-1");
    let public = settings.to_public();
    let window = public.rotation.as_ref().and_then(|rotation| rotation.window.clone()).unwrap();
    assert_eq!((window.weekdays, window.start_minute, window.duration_minutes), (vec![6, 7], 150, 1440));
    assert_eq!((settings.rotation().master_key_days, settings.alerts().cmk_age), (30, false));
    // Whatever is a valid configuration gives settings.
    assert!(load(&sample()).unwrap().key_settings().is_some());
    let off = load_with(&sample(), &[], &[("encryption.enabled", "false")]).unwrap();
    assert_eq!(off.key_settings(), None);
}
