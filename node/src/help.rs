//! Which help page explains a failure: one exhaustive match for each enum of errors that an operator meets.

use coffer_keyring::{FileError, KeystoreError};
use coffer_proto::help::HelpCode;
use coffer_storage::StorageError;
use coffer_storage::sealed_fs::SealedFsError;

/// The page of a failure of the keystore; `None` where only a bug of the caller leads there.
pub(crate) fn of_keystore(error: &KeystoreError) -> Option<HelpCode> {
    Some(match error {
        KeystoreError::File(error) => of_file(error),
        KeystoreError::WrongCluster { .. }
        | KeystoreError::WrongMember { .. }
        | KeystoreError::EncryptionIsOn { .. }
        | KeystoreError::EncryptionIsOff { .. } => HelpCode::KeystoreUnusable,
        KeystoreError::ForeignCmk { .. } => HelpCode::KeystoreUnderOtherKey,
        KeystoreError::NoKey(_) | KeystoreError::Exhausted(_) => HelpCode::InternalError,
        KeystoreError::NoKeys
        | KeystoreError::HasKeys
        | KeystoreError::FormStale
        | KeystoreError::TooManyVersions { .. } => HelpCode::KeyWorkRefused,
        KeystoreError::UnknownDatabase(_)
        | KeystoreError::SettingsTooLarge { .. }
        | KeystoreError::Tombstoned { .. }
        | KeystoreError::AdminDatabase
        | KeystoreError::GenerationNotNewer { .. }
        | KeystoreError::StagedTwice(_)
        | KeystoreError::StagedStale(_)
        | KeystoreError::UnknownRaftKey(_) => return None,
    })
}

fn of_file(error: &FileError) -> HelpCode {
    match error {
        FileError::Io { .. } | FileError::FailStop { .. } => HelpCode::DiskFailure,
        FileError::UnknownFormat { .. } => HelpCode::NewerVersion,
        FileError::TooLarge { .. } | FileError::Damaged { .. } | FileError::Exists { .. } => {
            HelpCode::KeystoreUnusable
        }
    }
}

/// The page of a failure of storage; `None` where the caller was wrong, or gone.
pub(crate) fn of_storage(error: &StorageError) -> Option<HelpCode> {
    Some(match error {
        StorageError::Engine { .. } | StorageError::Io { .. } | StorageError::Record { .. } => {
            HelpCode::DiskFailure
        }
        StorageError::SealedFs(error) => of_sealed_fs(error),
        StorageError::Keystore(error) => return of_keystore(error),
        StorageError::PutBack { .. } => HelpCode::WentBack,
        StorageError::Feature { .. } => HelpCode::NewerVersion,
        StorageError::Document(_)
        | StorageError::DatabaseNotFound(_)
        | StorageError::Cancelled
        | StorageError::Closed
        | StorageError::Busy(_)
        | StorageError::Snapshot(_) => return None,
    })
}

fn of_sealed_fs(error: &SealedFsError) -> HelpCode {
    match error {
        SealedFsError::WrongKey { .. }
        | SealedFsError::UnknownKeyVersion { .. }
        | SealedFsError::NoCurrentKey { .. }
        | SealedFsError::SealedButPlain { .. } => HelpCode::KeystoreUnusable,
        SealedFsError::UnknownFormat { .. } => HelpCode::NewerVersion,
        _ => HelpCode::DiskFailure,
    }
}

/// What stands behind a failure that is printed or logged: the code, and how to read its page.
pub(crate) fn hint(code: Option<HelpCode>) -> String {
    code.map(|code| format!("{code}, explained by {}", code.hint())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use coffer_keyring::kms::help_codes as codes;
    use coffer_proto::help::find;

    use super::*;

    #[test]
    fn what_the_keyring_calls_a_page_is_one() {
        for (code, expected) in [
            (codes::KEY_DISABLED, HelpCode::KeyDisabled),
            (codes::KEY_PENDING, HelpCode::KeyPendingDeletion),
            (codes::ACCESS_DENIED, HelpCode::AccessDenied),
            (codes::ROLE_DENIED, HelpCode::RoleDenied),
            (codes::CREDENTIALS_REVOKED, HelpCode::CredentialsRevoked),
            (codes::KEY_NOT_FOUND, HelpCode::KeyNotFound),
            (codes::UNREACHABLE, HelpCode::KmsUnreachable),
            (codes::NO_CREDENTIALS, HelpCode::NoCredentials),
            (codes::THROTTLED, HelpCode::Throttled),
            (codes::CLOCK, HelpCode::ClockOff),
            (codes::CUSTOM_KEY_STORE, HelpCode::KeyStoreUnavailable),
            (codes::UNKNOWN_ERROR, HelpCode::UnknownKmsError),
            (codes::BAD_WRAP, HelpCode::WrapRefused),
            (codes::WRONG_KIND, HelpCode::WrongKeyKind),
            (codes::SINGLE_REGION, HelpCode::SingleRegionKey),
            (codes::MALFORMED_ARN, HelpCode::NotAnArn),
            (codes::NO_REPLICA, HelpCode::NoReplica),
            (codes::OTHER_KEY, HelpCode::KeystoreUnderOtherKey),
            (codes::PUBLIC_ENDPOINT, HelpCode::PublicEndpoint),
        ] {
            assert_eq!(find(code), Some(expected), "{code}");
        }
    }

    #[test]
    fn failures_lead_to_the_page_of_what_is_wrong() {
        let path = PathBuf::from("keystore.json");
        let damaged = KeystoreError::File(FileError::Damaged { path: path.clone(), detail: "d".to_owned() });
        assert_eq!(of_storage(&StorageError::Keystore(damaged)), Some(HelpCode::KeystoreUnusable));
        let io = FileError::Io { what: "read", path, source: std::io::Error::other("x") };
        assert_eq!(of_keystore(&io.into()), Some(HelpCode::DiskFailure));
        assert_eq!(of_storage(&StorageError::PutBack { what: "w".to_owned() }), Some(HelpCode::WentBack));
        assert_eq!(of_storage(&StorageError::Cancelled), None);
        assert_eq!(hint(Some(HelpCode::WentBack)), "CK0051, explained by `coffer explain CK0051`");
    }
}
