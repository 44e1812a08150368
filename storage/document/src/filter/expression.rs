//! A filter as a tree.

use std::ops::ControlFlow;

use bson::Document;

use super::predicate::Predicate;
use crate::path::{FieldPath, visit};

/// A node of a filter.
#[derive(Clone)]
pub(super) enum Expression {
    /// All of them match; so does the empty one.
    And(Vec<Expression>),
    /// One of them matches.
    Or(Vec<Expression>),
    /// It does not match: `$not`, `$ne`, `$nin`, `$nor`, `$exists: false`.
    Not(Box<Expression>),
    /// One of the values at a path satisfies a predicate.
    Field {
        /// Where to look.
        path: FieldPath,
        /// What to find there.
        predicate: Predicate,
    },
}

impl Expression {
    pub(super) fn not(inner: Self) -> Self {
        Self::Not(Box::new(inner))
    }

    /// How many conditions it has, combinations included.
    pub(super) fn conditions(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => 1 + parts.iter().map(Self::conditions).sum::<usize>(),
            Self::Not(part) => part.conditions(),
            Self::Field { .. } => 1,
        }
    }

    /// Whether `document` matches.
    pub(super) fn matches(&self, document: &Document) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches(document)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(document)),
            Self::Not(part) => !part.matches(document),
            Self::Field { path, predicate } => visit(document, path, &mut |value| {
                if predicate.matches(value) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .is_break(),
        }
    }
}
