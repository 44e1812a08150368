//! `DB.COLLECTION`: the name of a collection with its database's, as MongoDB writes it.

use std::fmt;
use std::str::FromStr;

/// A collection's full name. A database's name has no dot, so the first one divides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The database.
    pub database: String,
    /// The collection; it may have dots.
    pub collection: String,
}

impl FromStr for Namespace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('.') {
            Some((database, collection)) if !database.is_empty() && !collection.is_empty() => {
                Ok(Self { database: database.to_owned(), collection: collection.to_owned() })
            }
            _ => Err("a collection is named with its database's name before it, as in iso.languages".into()),
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.collection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dot_divides() {
        let namespace: Namespace = "iso.lang.old".parse().unwrap();
        assert_eq!((namespace.database.as_str(), namespace.collection.as_str()), ("iso", "lang.old"));
        assert_eq!(namespace.to_string(), "iso.lang.old");
        for wrong in ["", "iso", ".x", "iso."] {
            assert!(wrong.parse::<Namespace>().is_err(), "{wrong}");
        }
    }
}
