//! Where in the order of `_id` the matches of a filter can be.
//!
//! Invariant: the key of the `_id` of every match is contained. An `_id` is never an array, so a filter on it tests one
//! value, and two conditions on it hold for the same value.

use std::{cmp::Ordering, fmt, ops::Bound};

use bson::Bson;

use super::{
    expression::Expression,
    predicate::{Comparison, Predicate},
};
use crate::{
    compare::TypeClass,
    encode_key,
    key_encoding::{class_end, class_start},
};

/// Keys of `_id` that a filter's matches can have: those between two bounds or, where `points` is given, those listed.
#[derive(Clone, PartialEq, Eq)]
pub struct IdRange {
    /// The lower end. Excluded it is a whole key, as [`encode_key`] makes it; included it may be the start of keys.
    pub lower: Bound<Vec<u8>>,
    /// The upper end. Included it is a whole key; excluded it may be the start of keys.
    pub upper: Bound<Vec<u8>>,
    /// The only keys that a match can have, ascending, without repetition and all within the bounds; None if the filter
    /// does not fix them. An empty list means that nothing matches.
    pub points: Option<Vec<Vec<u8>>>,
}

impl IdRange {
    /// Every key.
    pub fn full() -> Self {
        Self { lower: Bound::Unbounded, upper: Bound::Unbounded, points: None }
    }

    /// The listed keys.
    fn of_points(mut points: Vec<Vec<u8>>) -> Self {
        points.sort();
        points.dedup();
        let (lower, upper) = match (points.first(), points.last()) {
            (Some(first), Some(last)) => (Bound::Included(first.clone()), Bound::Included(last.clone())),
            // No key is empty.
            _ => (Bound::Included(Vec::new()), Bound::Excluded(Vec::new())),
        };
        Self { lower, upper, points: Some(points) }
    }

    /// Whether nothing says where matches are, so that all documents must be read.
    pub fn is_full(&self) -> bool {
        self.lower == Bound::Unbounded && self.upper == Bound::Unbounded && self.points.is_none()
    }

    /// Whether no key is in the range.
    pub fn is_empty(&self) -> bool {
        match (&self.points, &self.lower, &self.upper) {
            (Some(points), _, _) => points.is_empty(),
            (None, Bound::Included(lower), Bound::Included(upper)) => lower > upper,
            (
                None,
                Bound::Included(lower) | Bound::Excluded(lower),
                Bound::Included(upper) | Bound::Excluded(upper),
            ) => lower >= upper,
            (None, _, _) => false,
        }
    }

    /// Whether a match can have this key.
    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.points {
            Some(points) => points.binary_search_by(|point| point.as_slice().cmp(key)).is_ok(),
            None => self.bounds_contain(key),
        }
    }

    pub(super) fn bounds_contain(&self, key: &[u8]) -> bool {
        let above = match &self.lower {
            Bound::Included(lower) => lower.as_slice() <= key,
            Bound::Excluded(lower) => lower.as_slice() < key,
            Bound::Unbounded => true,
        };
        let below = match &self.upper {
            Bound::Included(upper) => key <= upper.as_slice(),
            Bound::Excluded(upper) => key < upper.as_slice(),
            Bound::Unbounded => true,
        };
        above && below
    }

    /// The keys in both.
    fn intersect(self, other: Self) -> Self {
        match (&self.points, &other.points) {
            (Some(points), _) => {
                Self::of_points(points.iter().filter(|key| other.contains(key)).cloned().collect())
            }
            (None, Some(points)) => {
                Self::of_points(points.iter().filter(|key| self.contains(key)).cloned().collect())
            }
            (None, None) => Self {
                lower: tighter(self.lower, other.lower, Ordering::Greater),
                upper: tighter(self.upper, other.upper, Ordering::Less),
                points: None,
            },
        }
    }

    /// The keys in either, and those between; points are forgotten.
    fn unite(self, other: Self) -> Self {
        Self {
            lower: looser(self.lower, other.lower, Ordering::Less),
            upper: looser(self.upper, other.upper, Ordering::Greater),
            points: None,
        }
    }

    /// The keys that are in all of `ranges`.
    fn all(ranges: impl Iterator<Item = Self>) -> Self {
        // The bounds first, so that each list of points is gone through once for all of them together.
        let (listed, open): (Vec<Self>, Vec<Self>) = ranges.partition(|range| range.points.is_some());
        open.into_iter().chain(listed).fold(Self::full(), Self::intersect)
    }

    /// The keys that are in any of `ranges`, and without points those between.
    fn any(ranges: impl Iterator<Item = Self>) -> Self {
        let ranges: Vec<Self> = ranges.filter(|range| !range.is_empty()).collect();
        if ranges.iter().all(|range| range.points.is_some()) {
            return Self::of_points(ranges.into_iter().filter_map(|range| range.points).flatten().collect());
        }
        ranges.into_iter().reduce(Self::unite).unwrap_or_else(Self::full)
    }
}

/// Of two bounds of one side the one whose key is on the `side` of the other; of equal keys the excluded one.
fn tighter(a: Bound<Vec<u8>>, b: Bound<Vec<u8>>, side: Ordering) -> Bound<Vec<u8>> {
    match (key(&a), key(&b)) {
        (None, _) => b,
        (_, None) => a,
        (Some(a_key), Some(b_key)) => match a_key.cmp(b_key) {
            Ordering::Equal if matches!(a, Bound::Excluded(_)) => a,
            Ordering::Equal => b,
            order if order == side => a,
            _ => b,
        },
    }
}

/// Of two bounds of one side the one whose key is on the `side` of the other; of equal keys the included one.
fn looser(a: Bound<Vec<u8>>, b: Bound<Vec<u8>>, side: Ordering) -> Bound<Vec<u8>> {
    match (key(&a), key(&b)) {
        (None, _) | (_, None) => Bound::Unbounded,
        (Some(a_key), Some(b_key)) => match a_key.cmp(b_key) {
            Ordering::Equal if matches!(a, Bound::Included(_)) => a,
            Ordering::Equal => b,
            order if order == side => a,
            _ => b,
        },
    }
}

fn key(bound: &Bound<Vec<u8>>) -> Option<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

impl fmt::Debug for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are document content.
        f.debug_struct("IdRange")
            .field("full", &self.is_full())
            .field("points", &self.points.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// The range of a filter.
pub(super) fn of(expression: &Expression) -> IdRange {
    match expression {
        Expression::And(parts) => IdRange::all(parts.iter().map(of)),
        Expression::Or(parts) => IdRange::any(parts.iter().map(of)),
        Expression::Field { path, predicate } if path.text() == "_id" => of_predicate(predicate),
        Expression::Field { .. } | Expression::Not(_) => IdRange::full(),
    }
}

fn of_predicate(predicate: &Predicate) -> IdRange {
    match predicate {
        // A value that cannot be a key cannot be a stored `_id`.
        Predicate::Compare(Comparison::Equal, value) => {
            IdRange::of_points(encode_key(value).into_iter().collect())
        }
        Predicate::In(set) => {
            IdRange::of_points(set.iter().filter_map(|value| encode_key(value).ok()).collect())
        }
        Predicate::Compare(comparison, value) => of_comparison(*comparison, value),
        Predicate::Exists => IdRange::full(),
    }
}

/// The part of the operand's class on one side of it.
fn of_comparison(comparison: Comparison, operand: &Bson) -> IdRange {
    if matches!(operand, Bson::MinKey | Bson::MaxKey) {
        // These compare with all classes.
        return IdRange::full();
    }
    let class = TypeClass::of(operand);
    let start = Bound::Included(class_start(class));
    let end = Bound::Excluded(class_end(class));
    let Ok(key) = encode_key(operand) else {
        return IdRange { lower: start, upper: end, points: None };
    };
    let (lower, upper) = match comparison {
        Comparison::Greater => (Bound::Excluded(key), end),
        Comparison::GreaterOrEqual => (Bound::Included(key), end),
        Comparison::Less => (start, Bound::Excluded(key)),
        Comparison::LessOrEqual => (start, Bound::Included(key)),
        Comparison::Equal => (Bound::Included(key.clone()), Bound::Included(key)),
    };
    IdRange { lower, upper, points: None }
}
