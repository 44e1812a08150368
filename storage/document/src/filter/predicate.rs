//! What a filter asks of one value.

use std::cmp::Ordering;

use bson::Bson;

use super::value_set::ValueSet;
use crate::{
    compare::{TypeClass, compare},
    number::Number,
};

/// A comparison operator. `$ne` is the negation of [`Comparison::Equal`] over all values of a path, not one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Whether a value that stands in `order` to the operand satisfies it.
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A test of one value.
#[derive(Clone)]
pub(super) enum Predicate {
    /// It compares so with an operand.
    Compare(Comparison, Bson),
    /// It is one of a set.
    In(ValueSet),
    /// It is there.
    Exists,
}

impl Predicate {
    /// Whether `value`, None being a missing one, satisfies it.
    pub(super) fn matches(&self, value: Option<&Bson>) -> bool {
        match self {
            Self::Compare(comparison, operand) => match value {
                Some(value) => compare_values(*comparison, value, operand),
                None => compare_missing(*comparison, operand),
            },
            Self::In(set) => match value {
                Some(value) => set.contains(value),
                None => set.contains(&Bson::Null),
            },
            Self::Exists => value.is_some(),
        }
    }
}

/// Values compare within a class of types only; MinKey and MaxKey as operands compare with everything.
fn compare_values(comparison: Comparison, value: &Bson, operand: &Bson) -> bool {
    if TypeClass::of(value) != TypeClass::of(operand) {
        return matches!(operand, Bson::MinKey | Bson::MaxKey) && comparison.accepts(compare(value, operand));
    }
    // NaN equals NaN, and is neither above nor below a number although it sorts lowest.
    let is_nan = |value| Number::of(value).is_some_and(Number::is_nan);
    match (is_nan(value), is_nan(operand)) {
        (false, false) => comparison.accepts(compare(value, operand)),
        (true, true) => comparison.accepts(Ordering::Equal),
        _ => false,
    }
}

/// A missing value is as null, and between MinKey and MaxKey.
fn compare_missing(comparison: Comparison, operand: &Bson) -> bool {
    match operand {
        Bson::Null => comparison.accepts(Ordering::Equal),
        Bson::MinKey => comparison.accepts(Ordering::Greater),
        Bson::MaxKey => comparison.accepts(Ordering::Less),
        _ => false,
    }
}
