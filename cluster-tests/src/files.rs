//! What tests do with files and folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// All regular files under `root`, in the order of their paths. A file or folder that vanishes meanwhile is left out:
/// a member that runs removes files.
///
/// # Errors
/// Where a folder cannot be read for another reason.
pub fn files_under(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
        };
        for entry in entries {
            let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
            let kind = entry.file_type().with_context(|| format!("reading {}", folder.display()))?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a folder with all that is in it. Files that vanish while it runs are left out, so it can copy the folder of
/// a member that runs (as a careless backup would).
///
/// # Errors
/// Where something can't be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry.with_context(|| format!("reading {}", from.display()))?;
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            copy_folder(&entry.path(), &target)?;
            continue;
        }
        match fs::copy(entry.path(), &target) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("copying {}", entry.path().display())),
        }
    }
    Ok(())
}

/// Puts a copy of `from` in the place of `to`, whose content goes.
///
/// # Errors
/// As [`copy_folder`].
pub fn replace_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
    }
    copy_folder(from, to)
}

/// Bytes of all files under `root`.
///
/// # Errors
/// As [`files_under`].
pub fn bytes_under(root: &Path) -> anyhow::Result<u64> {
    Ok(files_under(root)?.iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_copied_whole_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("deep")).unwrap();
        fs::write(from.join("deep/file"), "12345").unwrap();
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("old"), "x").unwrap();

        replace_folder(&from, &to).unwrap();
        assert_eq!(files_under(&to).unwrap(), [to.join("deep/file")]);
        assert_eq!(bytes_under(&to).unwrap(), 5);
    }
}
