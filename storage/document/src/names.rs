//! Names of databases and collections, by MongoDB's rules.
//!
//! Source: "MongoDB Limits and Thresholds", naming restrictions. The stricter set, that of a server on Windows, holds
//! here on every system, so that data moves between members without renaming.

use crate::{
    DocumentError,
    limits::{MAX_DATABASE_NAME_BYTES, MAX_NAMESPACE_BYTES},
};

/// Names of databases that users cannot have: `admin` is Coffer's own, `local` and `config` are MongoDB's, whose tools
/// take them for something else.
pub const RESERVED_DATABASES: [&str; 3] = ["admin", "local", "config"];

/// Checks the name of a database that a user may create, write or drop.
///
/// Names keep their case. Two that differ in case alone must not both exist; only a catalog can check that.
///
/// # Errors
///
/// `InvalidNamespace` if the name breaks the rules; `IllegalOperation` if it is one of [`RESERVED_DATABASES`], in any
/// case.
pub fn validate_database_name(name: &str) -> Result<(), DocumentError> {
    if name.is_empty() {
        return Err(DocumentError::invalid_namespace("the name of a database must not be empty"));
    }
    if name.len() > MAX_DATABASE_NAME_BYTES {
        return Err(DocumentError::invalid_namespace(format!(
            "the name of the database has {} bytes; at most {MAX_DATABASE_NAME_BYTES} are allowed",
            name.len()
        )));
    }
    if let Some(character) = name.chars().find(|character| "/\\. \"$*<>:|?\0".contains(*character)) {
        return Err(DocumentError::invalid_namespace(format!(
            "the name of a database must not contain {character:?}; none of / \\ . \" $ * < > : | ?, space and NUL is allowed"
        )));
    }
    if RESERVED_DATABASES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return Err(DocumentError::illegal_operation(format!(
            "the database '{name}' is reserved for Coffer; choose another name"
        )));
    }
    Ok(())
}

/// Checks the name of a collection that a user may create, write or drop.
///
/// # Errors
///
/// `InvalidNamespace` if the name breaks the rules. The limit on `database.collection` is that of
/// [`validate_namespace`]; here the shortest database is assumed.
pub fn validate_collection_name(name: &str) -> Result<(), DocumentError> {
    if name.is_empty() {
        return Err(DocumentError::invalid_namespace("the name of a collection must not be empty"));
    }
    if let Some(character) = name.chars().find(|character| "$\0".contains(*character)) {
        return Err(DocumentError::invalid_namespace(format!(
            "the name of a collection must not contain {character:?}"
        )));
    }
    if name.starts_with('.') {
        return Err(DocumentError::invalid_namespace("the name of a collection must not start with '.'"));
    }
    if name.starts_with("system.") {
        return Err(DocumentError::invalid_namespace(
            "names of collections that start with 'system.' are reserved; choose another name",
        ));
    }
    check_length(1, name)
}

/// Checks both names and the length of `database.collection`.
///
/// # Errors
///
/// Those of [`validate_database_name`] and [`validate_collection_name`], and `InvalidNamespace` if the two are longer
/// than [`crate::MAX_NAMESPACE_BYTES`] together.
pub fn validate_namespace(database: &str, collection: &str) -> Result<(), DocumentError> {
    validate_database_name(database)?;
    validate_collection_name(collection)?;
    check_length(database.len(), collection)
}

fn check_length(database_bytes: usize, collection: &str) -> Result<(), DocumentError> {
    let length = database_bytes + 1 + collection.len();
    if length > MAX_NAMESPACE_BYTES {
        return Err(DocumentError::invalid_namespace(format!(
            "the names of database and collection have {length} bytes together with the dot; at most \
             {MAX_NAMESPACE_BYTES} are allowed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::code;

    fn database_code(name: &str) -> Option<i32> {
        validate_database_name(name).err().map(|error| error.code)
    }

    fn collection_code(name: &str) -> Option<i32> {
        validate_collection_name(name).err().map(|error| error.code)
    }

    #[test]
    fn databases() {
        for good in ["a", "Test", "with-dash_and_1", "ünïcode", "administration", &"x".repeat(63)] {
            assert_eq!(database_code(good), None, "{good}");
        }
        assert_eq!(database_code(""), Some(code::INVALID_NAMESPACE));
        assert_eq!(database_code(&"x".repeat(64)), Some(code::INVALID_NAMESPACE));
        assert_eq!(database_code(&"ü".repeat(32)), Some(code::INVALID_NAMESPACE), "bytes are counted");
        for character in "/\\. \"$*<>:|?\0".chars() {
            for bad in [format!("{character}"), format!("a{character}"), format!("{character}a")] {
                assert_eq!(database_code(&bad), Some(code::INVALID_NAMESPACE), "{bad:?}");
            }
        }
        for reserved in ["admin", "local", "config", "Admin", "LOCAL"] {
            assert_eq!(database_code(reserved), Some(code::ILLEGAL_OPERATION), "{reserved}");
        }
    }

    #[test]
    fn collections() {
        for good in ["a", "a.b", "a b", "systematic", "a.system.b", "Ω", &"x".repeat(253)] {
            assert_eq!(collection_code(good), None, "{good}");
        }
        for bad in ["", "$cmd", "a$b", "a\0b", ".a", "system.", "system.users", &"x".repeat(254)] {
            assert_eq!(collection_code(bad), Some(code::INVALID_NAMESPACE), "{bad:?}");
        }
    }

    #[test]
    fn both_together() {
        assert!(validate_namespace(&"d".repeat(63), &"c".repeat(191)).is_ok());
        let error = validate_namespace(&"d".repeat(63), &"c".repeat(192)).unwrap_err();
        assert_eq!(error.code, code::INVALID_NAMESPACE);
        assert!(error.message.contains("256 bytes"), "{}", error.message);
        assert!(validate_namespace("a.b", "c").is_err());
        assert!(validate_namespace("a", "").is_err());
    }
}
