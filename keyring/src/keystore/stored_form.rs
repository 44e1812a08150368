//! Which form a keystore has.

use std::path::Path;
use std::sync::Arc;

use super::{KeystoreError, KeystoreFile, RealDisk};

/// Whether the keystore at `path` says that encryption is on; `None` when there is none. Whoever can write the disk can
/// have it say either, so this only tells how to open it: a member that must have encryption on has to say so itself.
///
/// # Errors
/// When the file cannot be read, is damaged or has another format.
pub fn is_encrypted(path: &Path) -> Result<Option<bool>, KeystoreError> {
    let file = KeystoreFile::new(path, Arc::new(RealDisk));
    Ok(file.load()?.map(|envelope| envelope.is_encrypted()))
}
