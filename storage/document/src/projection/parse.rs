//! Reads projections.

use bson::{Bson, Document};

use super::{Kind, tree::Tree};
use crate::{
    DocumentError,
    compare::type_name,
    number::Number,
    path::{FieldPath, check_expression_path},
};

/// A path and whether it is included.
type Entry = (FieldPath, bool);

pub(super) fn parse(projection: &Document) -> Result<Kind, DocumentError> {
    let mut entries = Vec::new();
    flatten("", projection, &mut entries)?;
    let is_id = |path: &FieldPath| path.text() == "_id";
    // The first field other than `_id` says which kind of projection it is; `_id` alone says it for itself.
    let decisive = entries.iter().find(|(path, _)| !is_id(path)).or(entries.first());
    let Some(&(_, including)) = decisive else { return Ok(Kind::Everything) };
    let mut tree = Tree::default();
    let mut id_excluded = false;
    for (path, included) in &entries {
        if is_id(path) && *included != including {
            id_excluded |= !included;
            // In an exclusion a named `_id` is shown as it would be anyway.
            continue;
        }
        match (included, including) {
            (false, true) => {
                return Err(DocumentError::exclusion_in_inclusion(format!(
                    "Cannot do exclusion on field {} in inclusion projection",
                    path.text()
                )));
            }
            (true, false) => {
                return Err(DocumentError::inclusion_in_exclusion(format!(
                    "Cannot do inclusion on field {} in exclusion projection",
                    path.text()
                )));
            }
            _ => tree.add(path.components()).map_err(|_| {
                DocumentError::projection_collision(format!("Path collision at {}", path.text()))
            })?,
        }
    }
    if including && !id_excluded && !tree.names("_id") {
        tree.add(FieldPath::parse("_id")?.components())
            .map_err(|_| DocumentError::projection_collision("Path collision at _id"))?;
    }
    Ok(match including {
        true => Kind::Include(tree),
        false if tree.is_empty() => Kind::Everything,
        false => Kind::Exclude(tree),
    })
}

/// Collects the paths of `projection` under `prefix`; nested documents spell dotted paths.
fn flatten(prefix: &str, projection: &Document, entries: &mut Vec<Entry>) -> Result<(), DocumentError> {
    for (name, value) in projection {
        let text = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Bson::Document(inner) => {
                if inner.is_empty() {
                    return Err(DocumentError::projection_empty(format!(
                        "An empty sub-projection is not a valid value. Found empty object at path {text}"
                    )));
                }
                if let Some(operator) = inner.keys().find(|name| name.starts_with('$')) {
                    return Err(DocumentError::bad_value(format!(
                        "the projection of '{text}' uses {operator}, which is not supported; fields can be included (1) \
                         or excluded (0)"
                    )));
                }
                check_expression_path(&text)?;
                flatten(&text, inner, entries)?;
            }
            Bson::Boolean(included) => entries.push((check_expression_path(&text)?, *included)),
            _ => match Number::of(value) {
                Some(number) => entries.push((check_expression_path(&text)?, !number.is_zero())),
                None => {
                    return Err(DocumentError::bad_value(format!(
                        "the projection of '{text}' is of type {}; fields can be included (1) or excluded (0)",
                        type_name(value)
                    )));
                }
            },
        }
    }
    Ok(())
}
