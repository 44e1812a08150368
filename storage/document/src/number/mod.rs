//! Numbers of all four BSON types, compared and added by their exact values.
//!
//! Invariants:
//! - Two numbers are equal when their values are, whatever their types: `1`, `1i64`, `1.0` and decimal `1.00` are one
//!   number, and `-0.0` is `0`. No comparison rounds, so integers past 2^53 and decimals of 34 digits stay distinct.
//! - Every NaN is one number, lower than all others (MongoDB's order).

mod add;
mod big_natural;
mod compare;
mod decimal;

pub(crate) use add::add;
pub(crate) use compare::{compare_magnitude, compare_numbers};
pub(crate) use decimal::{Decimal, Scientific};

use bson::Bson;

/// A number out of a BSON value.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    /// An int32 or int64.
    Int(i64),
    /// A double.
    Double(f64),
    /// A Decimal128.
    Decimal(Decimal),
}

impl Number {
    /// The number that `value` is, or None if it is something else.
    pub(crate) fn of(value: &Bson) -> Option<Self> {
        match value {
            Bson::Int32(number) => Some(Self::Int(i64::from(*number))),
            Bson::Int64(number) => Some(Self::Int(*number)),
            Bson::Double(number) => Some(Self::Double(*number)),
            Bson::Decimal128(number) => Some(Self::Decimal(Decimal::from_bid(number.bytes()))),
            _ => None,
        }
    }

    /// Whether this is one of the values that are not a number.
    pub(crate) fn is_nan(self) -> bool {
        match self {
            Self::Int(_) => false,
            Self::Double(number) => number.is_nan(),
            Self::Decimal(number) => matches!(number, Decimal::NaN),
        }
    }

    /// Whether the value is zero, of either sign.
    pub(crate) fn is_zero(self) -> bool {
        match self {
            Self::Int(number) => number == 0,
            Self::Double(number) => number == 0.0,
            Self::Decimal(number) => matches!(number, Decimal::Finite { coefficient: 0, .. }),
        }
    }
}
