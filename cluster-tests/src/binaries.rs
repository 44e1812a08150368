//! Where the programs under test are.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The programs that a test starts.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The daemon.
    pub cofferd: PathBuf,
    /// The command line.
    pub coffer: PathBuf,
}

impl Binaries {
    /// Finds both programs: in the folder that `COFFER_BIN_DIR` names, else in the target folder that holds the
    /// running test.
    ///
    /// # Errors
    /// Where one is missing; the text says how to build it.
    pub fn find() -> anyhow::Result<Self> {
        if let Some(dir) = std::env::var_os("COFFER_BIN_DIR") {
            return Self::in_dir(Path::new(&dir));
        }
        let test = std::env::current_exe().context("where the running test is")?;
        // target/debug/deps/the_test-0123456789abcdef
        let dir =
            test.parent().and_then(Path::parent).context("the running test lies in no target folder")?;
        Self::in_dir(dir)
    }

    fn in_dir(dir: &Path) -> anyhow::Result<Self> {
        let program = |name: &str| {
            let path = dir.join(name);
            if !path.is_file() {
                bail!(
                    "{} is not there: run `make build` first (or set COFFER_BIN_DIR to the folder of the programs)",
                    path.display()
                );
            }
            Ok(path)
        };
        Ok(Self { cofferd: program("cofferd")?, coffer: program("coffer")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_named_with_the_remedy() {
        let empty = tempfile::tempdir().unwrap();
        let error = Binaries::in_dir(empty.path()).unwrap_err().to_string();
        assert!(error.contains("cofferd") && error.contains("make build"), "{error}");

        std::fs::write(empty.path().join("cofferd"), "").unwrap();
        let error = Binaries::in_dir(empty.path()).unwrap_err().to_string();
        assert!(error.contains("/coffer is not there"), "{error}");
    }
}
