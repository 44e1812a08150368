//! The fields that a filter fixes to one value, for upserts.

use bson::Bson;

use super::{
    expression::Expression,
    predicate::{Comparison, Predicate},
};
use crate::{DocumentError, path::FieldPath};

/// Collects equalities from the root, through `$and` and through an `$or` of one branch, as MongoDB's upsert does.
pub(super) fn fields(root: &Expression) -> Result<Vec<(String, Bson)>, DocumentError> {
    let mut found: Vec<(&FieldPath, &Bson)> = Vec::new();
    collect(root, &mut found);
    let mut ordered: Vec<&FieldPath> = found.iter().map(|(path, _)| *path).collect();
    ordered.sort_by(|a, b| a.update_order(b));
    for pair in ordered.windows(2) {
        let [first, second] = pair else { continue };
        if first == second {
            return Err(DocumentError::not_single_value_field(format!(
                "cannot infer query fields to set, path '{}' is matched twice",
                first.text()
            )));
        }
        if first.is_prefix_of(second) {
            return Err(DocumentError::not_single_value_field(format!(
                "cannot infer query fields to set, both paths '{}' and '{}' are matched",
                first.text(),
                second.text()
            )));
        }
    }
    Ok(found.into_iter().map(|(path, value)| (path.text().to_owned(), value.clone())).collect())
}

fn collect<'a>(expression: &'a Expression, found: &mut Vec<(&'a FieldPath, &'a Bson)>) {
    match expression {
        Expression::And(parts) => parts.iter().for_each(|part| collect(part, found)),
        Expression::Or(parts) => {
            if let [only] = parts.as_slice() {
                collect(only, found);
            }
        }
        Expression::Field { path, predicate: Predicate::Compare(Comparison::Equal, value) } => {
            found.push((path, value));
        }
        Expression::Field { .. } | Expression::Not(_) => {}
    }
}
