//! Why a configuration is not one.

use std::io;
use std::path::PathBuf;

use super::Problems;

/// Why a configuration is not one; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no configuration.
    #[error("the configuration {} is wrong: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line where it is known.
        message: String,
    },
    /// A variable or a flag is wrong.
    #[error("{source_name}: {message}")]
    Setting {
        /// The variable, or `--set`.
        source_name: String,
        /// What is wrong.
        message: String,
    },
    /// The layers do not make a configuration.
    #[error("the configuration is wrong: {0}")]
    Layers(String),
    /// The values do not fit together.
    #[error("the configuration is wrong:\n{0}")]
    Invalid(Problems),
}
