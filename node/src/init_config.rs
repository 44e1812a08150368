//! `cofferd init-config`: the configuration files of a new replica set.
//!
//! Invariants:
//! - No file is replaced; a cluster id that members have used already is not lost to a second call.
//! - The paths in the files are absolute: they mean the same wherever a member is started.
//! - Files and directories are for their owner alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf, absolute};

use coffer_keyring::ClusterId;
use toml::{Table, Value};

use crate::args::InitConfigArgs;
use crate::config::{Config, ConfigError, MemberAddress, Provider};

/// Why the files were not made.
#[derive(Debug, thiserror::Error)]
pub enum InitConfigError {
    /// The arguments do not make a configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file is there already.
    #[error("{} is there already, and its cluster id may be in use: name another --out, or remove it", .0.display())]
    Exists(PathBuf),
    /// A path cannot be written into a file.
    #[error("{} cannot be written into a configuration: its absolute path is not text in UTF-8; name another", .0.display())]
    NotText(PathBuf),
    /// The system refused.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Makes `member-ID.toml` for every member; returns their paths.
///
/// # Errors
/// Nothing is made when the arguments are wrong; else what the system said of a file.
pub fn init_config(args: &InitConfigArgs) -> Result<Vec<PathBuf>, InitConfigError> {
    let cluster = ClusterId::generate();
    let mut files = Vec::new();
    for (id, address) in &args.members {
        let config = member_config(args, &cluster, *id)?;
        // What is left to be filled in is no reason not to make the file.
        let mut checked = config.clone();
        if checked.encryption.cmk_arn.is_empty() {
            checked.encryption.enabled = false;
        }
        checked.check()?;
        let path = args.out.join(format!("member-{id}.toml"));
        if path.exists() {
            return Err(InitConfigError::Exists(path));
        }
        files.push((path, text(&config, address)));
    }
    create_dir(&args.out)?;
    for (path, text) in &files {
        write_new(path, text)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn member_config(args: &InitConfigArgs, cluster: &ClusterId, id: u64) -> Result<Config, InitConfigError> {
    let mut config = Config::default();
    config.cluster.id = cluster.to_string();
    config.cluster.member_id = id;
    config.cluster.members = args
        .members
        .iter()
        .map(|(id, address)| MemberAddress { id: *id, address: address.clone() })
        .collect();
    let data_dir = args.data_dir.as_ref().unwrap_or(&args.out);
    config.storage.data_dir = absolute_text(data_dir)?.join(format!("member-{id}"));
    // Addresses that other machines reach are what somebody asked for who names them here; nobody should have to find out
    // from a refusal at the first start.
    let own = config.cluster.own_address().map(crate::config::resolve);
    config.listen.insecure_listen =
        own.and_then(Result::ok).is_some_and(|found| found.iter().any(|address| !address.ip().is_loopback()));
    let encryption = &mut config.encryption;
    encryption.enabled = !args.no_encryption;
    encryption.cmk_arn = args.cmk.clone().unwrap_or_default();
    encryption.regions = args.regions.clone();
    if let Some(dir) = &args.kms_dir {
        encryption.provider = Provider::Local;
        encryption.local_dir = absolute_text(dir)?;
    }
    Ok(config)
}

fn absolute_text(path: &Path) -> Result<PathBuf, InitConfigError> {
    let found = absolute(path).map_err(|source| InitConfigError::Write { path: path.to_owned(), source })?;
    if found.to_str().is_some() { Ok(found) } else { Err(InitConfigError::NotText(path.to_owned())) }
}

/// Only what differs from the defaults: an option that nobody chose follows later versions' defaults.
fn text(config: &Config, address: &str) -> String {
    let all = Table::try_from(config).expect("the configuration is a table with text keys");
    let defaults = Table::try_from(Config::default()).expect("the configuration is a table with text keys");
    let mut chosen = Table::new();
    for (name, section) in &all {
        let (Some(section), Some(default)) =
            (section.as_table(), defaults.get(name).and_then(Value::as_table))
        else {
            continue;
        };
        let differs: Table = section
            .iter()
            .filter(|(key, value)| default.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !differs.is_empty() {
            chosen.insert(name.clone(), Value::Table(differs));
        }
    }
    let missing = if config.encryption.enabled && config.encryption.cmk_arn.is_empty() {
        "\n# The ARN of the customer's key has to be filled in, the same for all members:\n\
         # [encryption]\n# cmk_arn = \"arn:aws:kms:…\"\n"
    } else {
        ""
    };
    format!(
        "# Member {} of a Coffer replica set, reached at {address}. Every option, with its default and its reason, is in\n\
         # config/cofferd.toml.\n\n{chosen}{missing}",
        config.cluster.member_id
    )
}

fn create_dir(path: &Path) -> Result<(), InitConfigError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| InitConfigError::Write { path: path.to_owned(), source })
}

fn write_new(path: &Path, text: &str) -> Result<(), InitConfigError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => InitConfigError::Exists(path.to_owned()),
        _ => InitConfigError::Write { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";

    fn args(out: &Path) -> InitConfigArgs {
        InitConfigArgs {
            members: (1..=3).map(|id| (id, format!("127.0.0.1:2710{id}"))).collect(),
            out: out.to_owned(),
            data_dir: None,
            cmk: Some(ARN.to_owned()),
            kms_dir: Some(PathBuf::from("/tmp/kms")),
            regions: vec!["eu-central-1".to_owned(), "eu-west-1".to_owned()],
            no_encryption: false,
        }
    }

    #[test]
    fn the_files_are_valid_and_belong_together() {
        let dir = tempfile::tempdir().unwrap();
        let files = init_config(&args(dir.path())).unwrap();
        assert_eq!(files.len(), 3);
        let configs: Vec<_> = files
            .iter()
            .map(|file| Config::load(Some(file), [], &[]).unwrap_or_else(|e| panic!("{e}")))
            .collect();
        for (at, config) in configs.iter().enumerate() {
            assert_eq!(config.cluster.member_id, at as u64 + 1);
            assert_eq!(config.cluster.id, configs[0].cluster.id);
            assert_eq!(config.listen_address(), format!("127.0.0.1:2710{}", at + 1));
            assert_eq!(config.encryption.provider, Provider::Local);
            assert!(!config.listen.insecure_listen);
        }
        let dirs: Vec<_> = configs.iter().map(|config| &config.storage.data_dir).collect();
        assert!(dirs[0] != dirs[1] && dirs[1] != dirs[2]);
    }

    #[test]
    fn paths_mean_the_same_wherever_a_member_is_started() {
        let dir = tempfile::tempdir().unwrap();
        // From here to there: tests share one working directory, which stays as it is.
        let here = std::env::current_dir().unwrap();
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        let mut relative = args(&up.join(dir.path().strip_prefix("/").unwrap()).join("set"));
        relative.kms_dir = Some(PathBuf::from("some/kms"));
        let files = init_config(&relative).unwrap();
        let config = Config::load(Some(&files[0]), [], &[]).unwrap();
        assert!(config.storage.data_dir.is_absolute(), "{:?}", config.storage.data_dir);
        fs::create_dir(&config.storage.data_dir).unwrap();
        assert!(dir.path().join("set/member-1").is_dir());
        assert_eq!(config.encryption.local_dir, here.join("some/kms"));
        let unreadable = args(&dir.path().join(OsStr::from_bytes(b"\xff")));
        assert!(matches!(init_config(&unreadable), Err(InitConfigError::NotText(_))));
    }

    #[test]
    fn files_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new/set");
        let files = init_config(&args(&out)).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert!(files.iter().all(|file| mode(file) == 0o600));
        assert_eq!(mode(&out), 0o700);
    }

    #[test]
    fn nothing_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let files = init_config(&args(dir.path())).unwrap();
        let before = fs::read_to_string(&files[0]).unwrap();
        assert!(matches!(init_config(&args(dir.path())), Err(InitConfigError::Exists(_))));
        assert_eq!(fs::read_to_string(&files[0]).unwrap(), before);
    }

    #[test]
    fn wrong_arguments_make_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut wrong = args(&dir.path().join("out"));
        wrong.cmk = Some("alias/mine".to_owned());
        let error = init_config(&wrong).unwrap_err().to_string();
        assert!(error.contains("alias"), "{error}");
        assert!(!dir.path().join("out").exists());
    }

    #[test]
    fn a_key_can_be_filled_in_later() {
        let dir = tempfile::tempdir().unwrap();
        let mut later = args(dir.path());
        (later.cmk, later.kms_dir, later.regions) = (None, None, Vec::new());
        let files = init_config(&later).unwrap();
        let text = fs::read_to_string(&files[0]).unwrap();
        assert!(text.contains("has to be filled in"), "{text}");
        let error = Config::load(Some(&files[0]), [], &[]).unwrap_err().to_string();
        assert!(error.contains("encryption.cmk_arn"), "{error}");
        let set = [("encryption.cmk_arn".to_owned(), ARN.to_owned())];
        assert!(Config::load(Some(&files[0]), [], &set).is_ok());
    }
}
