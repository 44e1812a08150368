//! `keyring/silent.json`: since when home has been silent, where `health.max_unreachable` limits that.
//!
//! ```json
//! { "format": 1, "key": "mrk-…", "region": "eu-central-1", "since": "2026-01-01T00:00:00Z" }
//! ```
//!
//! Without it, a member that is restarted once in a while would never have been without home for long. Like the record of
//! denials it protects against nobody who can write this directory.

use std::path::Path;
use std::time::Duration;

use coffer_keyring::Timestamp;
use coffer_keyring::kms::{KeyArn, Region};
use serde::{Deserialize, Serialize};

use super::small_file::SmallFile;

const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Content {
    format: u32,
    key: String,
    region: Region,
    since: Timestamp,
}

/// The file.
#[derive(Debug)]
pub(super) struct SilentFile {
    file: SmallFile,
    content: Option<Content>,
    /// What is on disk is something else: it could not be written, and is tried again.
    behind: bool,
}

impl SilentFile {
    /// Opens the file in the keyring directory `dir`.
    pub(super) fn open(dir: &Path) -> Self {
        let file = SmallFile::new(dir.join("silent.json"));
        let content = file.read::<Content>().unwrap_or_else(|error| {
            let path = file.path().display();
            tracing::error!(%error, %path, "since when home is silent cannot be read: it counts from now on");
            None
        });
        Self { file, content, behind: false }
    }

    /// For how long `home` has been silent for `key`.
    pub(super) fn lasts(&self, key: &KeyArn, home: &Region) -> Duration {
        let since =
            self.content.as_ref().filter(|content| content.key == key.id() && content.region == *home);
        let seconds = since.map_or(0, |content| Timestamp::now().unix().saturating_sub(content.since.unix()));
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// Notes that `home` has been silent for `lasts`, or, with none, that it has answered. What is noted already stays.
    pub(super) fn set(&mut self, key: &KeyArn, home: &Region, lasts: Option<Duration>) {
        let known = self.content.as_ref().filter(|known| known.key == key.id() && known.region == *home);
        let content = lasts.and_then(|lasts| {
            let since =
                Timestamp::from_unix(Timestamp::now().unix().saturating_sub_unsigned(lasts.as_secs()));
            let fresh =
                Content { format: FORMAT, key: key.id().to_owned(), region: home.clone(), since: since? };
            Some(known.cloned().unwrap_or(fresh))
        });
        if (content == self.content && !self.behind) || !self.file.has_place() {
            return;
        }
        self.content = content;
        let written = match &self.content {
            Some(content) => self.file.replace(content),
            None => self.file.remove(),
        };
        let before = std::mem::replace(&mut self.behind, written.is_err());
        if let Err(error) = written.as_ref().map_err(ToString::to_string)
            && !before
        {
            let path = self.file.path().display();
            tracing::error!(error, %path, "since when home is silent cannot be written down; it is tried again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_kept_from_its_beginning_until_an_answer() {
        let dir = tempfile::tempdir().unwrap();
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
        let key = KeyArn::parse(arn).unwrap();
        let (home, away) = (key.region().clone(), Region::parse("eu-west-1").unwrap());
        let secs = Duration::from_secs;
        let mut file = SilentFile::open(dir.path());
        assert_eq!(file.lasts(&key, &home), secs(0));
        file.set(&key, &home, Some(secs(500)));
        file.set(&key, &home, Some(secs(3)));
        let mut again = SilentFile::open(dir.path());
        assert!((secs(500)..secs(600)).contains(&again.lasts(&key, &home)));
        assert_eq!(again.lasts(&key, &away), secs(0), "it is about one Region");
        again.set(&key, &home, None);
        assert!(!dir.path().join("silent.json").exists());
        assert_eq!(again.lasts(&key, &home), secs(0));
    }
}
