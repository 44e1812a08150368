//! Reads filters.

use bson::{Bson, Document};

use super::{
    expression::Expression,
    predicate::{Comparison, Predicate},
    value_set::ValueSet,
};
use crate::{DocumentError, compare::type_name, limits::MAX_PATH_INDEXES, number::Number, path::FieldPath};

/// Reads a whole filter, or a part of `$and`, `$or` and `$nor`. The caller has bounded its nesting.
pub(super) fn parse(filter: &Document) -> Result<Expression, DocumentError> {
    let mut parts = Vec::with_capacity(filter.len());
    for (name, value) in filter {
        if name.starts_with('$') {
            parts.extend(parse_top_level(name, value)?);
        } else {
            parse_field(name, value, &mut parts)?;
        }
    }
    Ok(conjunction(parts))
}

fn conjunction(mut parts: Vec<Expression>) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => Expression::And(parts),
    }
}

fn parse_top_level(operator: &str, value: &Bson) -> Result<Option<Expression>, DocumentError> {
    Ok(Some(match operator {
        "$and" => Expression::And(parse_list(operator, value)?),
        "$or" => Expression::Or(parse_list(operator, value)?),
        "$nor" => Expression::not(Expression::Or(parse_list(operator, value)?)),
        // For people who read the query; without effect.
        "$comment" => return Ok(None),
        _ => {
            return Err(DocumentError::bad_value(format!(
                "unknown top level operator: {operator}. If you have a field name that starts with a '$' symbol, it \
                 cannot be queried; Coffer knows $and, $or and $nor here"
            )));
        }
    }))
}

fn parse_list(operator: &str, value: &Bson) -> Result<Vec<Expression>, DocumentError> {
    let entries = match value {
        Bson::Array(entries) if !entries.is_empty() => entries,
        Bson::Array(_) => {
            return Err(DocumentError::bad_value(format!("{operator} must be a nonempty array")));
        }
        _ => return Err(DocumentError::bad_value(format!("{operator} must be an array"))),
    };
    entries
        .iter()
        .map(|entry| match entry {
            Bson::Document(filter) => parse(filter),
            _ => Err(DocumentError::bad_value(format!("{operator} entries need to be full objects"))),
        })
        .collect()
}

fn parse_field(name: &str, value: &Bson, parts: &mut Vec<Expression>) -> Result<(), DocumentError> {
    let path = path(name)?;
    match value {
        Bson::Document(operators) if is_operators(operators) => parse_operators(&path, operators, parts),
        Bson::RegularExpression(_) => Err(regex_unsupported(name)),
        _ => {
            parts.push(comparison(&path, Comparison::Equal, value)?);
            Ok(())
        }
    }
}

fn path(text: &str) -> Result<FieldPath, DocumentError> {
    let path = FieldPath::parse(text)?;
    let indexes = path.components().iter().filter(|component| component.index.is_some()).count();
    if indexes > MAX_PATH_INDEXES {
        return Err(DocumentError::bad_value(format!(
            "the path '{text}' has {indexes} array indexes; at most {MAX_PATH_INDEXES} are allowed"
        )));
    }
    Ok(path)
}

/// Whether a document as the value of a field holds operators rather than being the value to equal: its first name
/// starts with `$` and is not one of a DBRef.
fn is_operators(document: &Document) -> bool {
    document
        .keys()
        .next()
        .is_some_and(|name| name.starts_with('$') && !matches!(name.as_str(), "$ref" | "$id" | "$db"))
}

fn parse_operators(
    path: &FieldPath,
    operators: &Document,
    parts: &mut Vec<Expression>,
) -> Result<(), DocumentError> {
    for (operator, value) in operators {
        parts.push(match operator.as_str() {
            "$eq" => comparison(path, Comparison::Equal, value)?,
            "$ne" => match value {
                Bson::RegularExpression(_) => {
                    return Err(DocumentError::bad_value("Can't have regex as arg to $ne."));
                }
                _ => Expression::not(comparison(path, Comparison::Equal, value)?),
            },
            "$gt" => range(path, operator, Comparison::Greater, value)?,
            "$gte" => range(path, operator, Comparison::GreaterOrEqual, value)?,
            "$lt" => range(path, operator, Comparison::Less, value)?,
            "$lte" => range(path, operator, Comparison::LessOrEqual, value)?,
            "$in" => set(path, operator, value)?,
            "$nin" => Expression::not(set(path, operator, value)?),
            "$exists" => {
                let exists = Expression::Field { path: path.clone(), predicate: Predicate::Exists };
                if is_true(value) { exists } else { Expression::not(exists) }
            }
            "$not" => Expression::not(parse_not(path, value)?),
            _ => return Err(DocumentError::bad_value(format!("unknown operator: {operator}"))),
        });
    }
    Ok(())
}

fn comparison(path: &FieldPath, comparison: Comparison, value: &Bson) -> Result<Expression, DocumentError> {
    if *value == Bson::Undefined {
        return Err(DocumentError::bad_value("cannot compare to undefined"));
    }
    Ok(Expression::Field { path: path.clone(), predicate: Predicate::Compare(comparison, value.clone()) })
}

fn range(
    path: &FieldPath,
    operator: &str,
    order: Comparison,
    value: &Bson,
) -> Result<Expression, DocumentError> {
    if matches!(value, Bson::RegularExpression(_)) {
        return Err(DocumentError::bad_value(format!(
            "Can't have RegEx as arg to predicate over field '{}' ({operator})",
            path.text()
        )));
    }
    comparison(path, order, value)
}

fn set(path: &FieldPath, operator: &str, value: &Bson) -> Result<Expression, DocumentError> {
    let Bson::Array(values) = value else {
        return Err(DocumentError::bad_value(format!("{operator} needs an array")));
    };
    for member in values {
        match member {
            Bson::Document(document) if is_operators(document) => {
                return Err(DocumentError::bad_value(format!("cannot nest $ under {operator}")));
            }
            Bson::RegularExpression(_) => return Err(regex_unsupported(path.text())),
            Bson::Undefined => return Err(DocumentError::bad_value("cannot compare to undefined")),
            _ => {}
        }
    }
    Ok(Expression::Field { path: path.clone(), predicate: Predicate::In(ValueSet::new(values.clone())) })
}

fn parse_not(path: &FieldPath, value: &Bson) -> Result<Expression, DocumentError> {
    match value {
        Bson::Document(operators) if operators.is_empty() => {
            Err(DocumentError::bad_value("$not cannot be empty"))
        }
        Bson::Document(operators) => {
            let mut parts = Vec::with_capacity(operators.len());
            parse_operators(path, operators, &mut parts)?;
            Ok(conjunction(parts))
        }
        Bson::RegularExpression(_) => Err(regex_unsupported(path.text())),
        _ => Err(DocumentError::bad_value(format!("$not needs a document, not {}", type_name(value)))),
    }
}

fn regex_unsupported(field: &str) -> DocumentError {
    DocumentError::bad_value(format!(
        "the filter on '{field}' matches by a regular expression, which is not supported; use $eq to find a stored \
         regular expression"
    ))
}

/// What MongoDB takes for true: everything but false, zero, null and undefined.
fn is_true(value: &Bson) -> bool {
    match value {
        Bson::Boolean(value) => *value,
        Bson::Null | Bson::Undefined => false,
        _ => Number::of(value).is_none_or(|number| !number.is_zero()),
    }
}
