//! Projected paths as a tree, and its application.

use std::collections::BTreeMap;

use bson::{Bson, Document};

use crate::path::Component;

/// The names that a projection has at one level of a document; the root, unlike the levels below, may be empty.
#[derive(Clone, Default)]
pub(super) struct Tree {
    names: BTreeMap<String, Node>,
}

/// What a projection says about a name.
#[derive(Clone)]
enum Node {
    /// The path ends: all of the value is meant.
    Whole,
    /// The path goes on.
    Part(Tree),
}

/// The path collides with one that was added before.
pub(super) struct Collision;

impl Tree {
    /// Adds a path, at least one name.
    pub(super) fn add(&mut self, path: &[Component]) -> Result<(), Collision> {
        let Some((first, rest)) = path.split_first() else { return Ok(()) };
        if rest.is_empty() {
            return match self.names.insert(first.name.clone(), Node::Whole) {
                None => Ok(()),
                Some(_) => Err(Collision),
            };
        }
        match self.names.entry(first.name.clone()).or_insert_with(|| Node::Part(Self::default())) {
            Node::Whole => Err(Collision),
            Node::Part(tree) => tree.add(rest),
        }
    }

    /// Whether something is said about the top-level `name`.
    pub(super) fn names(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The named fields of `document`.
    pub(super) fn include(&self, document: &Document) -> Document {
        let mut shown = Document::new();
        for (name, value) in document {
            let value = match self.names.get(name) {
                None => None,
                Some(Node::Whole) => Some(value.clone()),
                Some(Node::Part(tree)) => tree.include_value(value),
            };
            if let Some(value) = value {
                shown.insert(name.clone(), value);
            }
        }
        shown
    }

    /// What is included of a value in which the path goes on; None of one that has no fields.
    fn include_value(&self, value: &Bson) -> Option<Bson> {
        match value {
            Bson::Document(document) => Some(Bson::Document(self.include(document))),
            Bson::Array(elements) => {
                Some(Bson::Array(elements.iter().filter_map(|element| self.include_value(element)).collect()))
            }
            _ => None,
        }
    }

    /// `document` without the named fields.
    pub(super) fn exclude(&self, document: &Document) -> Document {
        let mut shown = Document::new();
        for (name, value) in document {
            match self.names.get(name) {
                None => shown.insert(name.clone(), value.clone()),
                Some(Node::Whole) => None,
                Some(Node::Part(tree)) => shown.insert(name.clone(), tree.exclude_value(value)),
            };
        }
        shown
    }

    fn exclude_value(&self, value: &Bson) -> Bson {
        match value {
            Bson::Document(document) => Bson::Document(self.exclude(document)),
            Bson::Array(elements) => {
                Bson::Array(elements.iter().map(|element| self.exclude_value(element)).collect())
            }
            other => other.clone(),
        }
    }
}
