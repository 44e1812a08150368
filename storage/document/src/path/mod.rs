//! Dotted paths and how they run through documents and arrays.

mod visit;

use std::cmp::Ordering;

pub(crate) use visit::visit;

use crate::{DocumentError, limits::MAX_NESTING};

/// A path such as `a.b.0`, split once when a filter or an update is parsed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    text: String,
    components: Vec<Component>,
}

/// One name of a path.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Component {
    /// The field name.
    pub(crate) name: String,
    /// The index of an array element, if the name is one: digits without a zero in front.
    pub(crate) index: Option<usize>,
}

impl FieldPath {
    /// Splits `text` at its dots. Whatever the names, it is a path; the parsers refuse what their rules exclude.
    ///
    /// # Errors
    ///
    /// `Overflow` for more names than a document can be nested.
    pub(crate) fn parse(text: &str) -> Result<Self, DocumentError> {
        if text.split('.').count() > MAX_NESTING {
            return Err(DocumentError::overflow(format!(
                "a path has more than {MAX_NESTING} names, deeper than a document may be nested"
            )));
        }
        Ok(Self::new(text))
    }

    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), components: text.split('.').map(Component::new).collect() }
    }

    /// The path as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its names; never empty.
    pub(crate) fn components(&self) -> &[Component] {
        &self.components
    }

    /// Whether the path is a part of `other` from its start, or equal to it.
    pub(crate) fn is_prefix_of(&self, other: &Self) -> bool {
        other.components.starts_with(&self.components)
    }

    /// The order in which an update goes through its paths, and so the order of the fields that it adds: name by name,
    /// array indexes by number and before other names (MongoDB 5.0, "Update Operators Behavior"). Paths that start with
    /// the same names stand together, the shortest first.
    pub(crate) fn update_order(&self, other: &Self) -> Ordering {
        self.components
            .iter()
            .zip(&other.components)
            .map(|(a, b)| a.update_order(b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| self.components.len().cmp(&other.components.len()))
    }
}

impl Component {
    fn new(name: &str) -> Self {
        let is_index = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_digit())
            && (name == "0" || !name.starts_with('0'));
        Self { name: name.to_owned(), index: if is_index { name.parse().ok() } else { None } }
    }

    fn update_order(&self, other: &Self) -> Ordering {
        match (self.index, other.index) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.name.cmp(&other.name),
        }
    }
}

/// Reads a path of a projection or a sort, which are stricter than filters.
///
/// # Errors
///
/// 15998 for an empty name; 16410 for one that starts with `$`; `Overflow` for more names than documents may be nested.
pub(crate) fn check_expression_path(text: &str) -> Result<FieldPath, DocumentError> {
    let path = FieldPath::parse(text)?;
    for component in &path.components {
        if component.name.is_empty() {
            return Err(DocumentError::path_empty_component(format!(
                "FieldPath field names may not be empty strings: '{text}'"
            )));
        }
        if component.name.starts_with('$') {
            return Err(DocumentError::path_dollar_component(format!(
                "FieldPath field names may not start with '$': '{text}'"
            )));
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_canonical_numbers() {
        let path = FieldPath::new("a.0.10.01.-1.1a..99999999999999999999999");
        let indexes: Vec<_> = path.components().iter().map(|component| component.index).collect();
        assert_eq!(indexes, [None, Some(0), Some(10), None, None, None, None, None]);
        assert_eq!(path.components()[6].name, "");
    }

    #[test]
    fn order_of_updates() {
        let ascending = ["2", "10", "A", "a", "a.2", "a.2.x", "a.10", "a.b", "a.b.c", "a-", "b"];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(FieldPath::new(a).update_order(&FieldPath::new(b)), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn prefixes_are_of_whole_names() {
        let path = FieldPath::new("a.b");
        assert!(path.is_prefix_of(&FieldPath::new("a.b")) && path.is_prefix_of(&FieldPath::new("a.b.c")));
        assert!(!path.is_prefix_of(&FieldPath::new("a.bc")) && !path.is_prefix_of(&FieldPath::new("a")));
    }
}
