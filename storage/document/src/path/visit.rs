//! The values that a path reaches, as a filter sees them.
//!
//! Source: the behaviour of MongoDB's `ElementPath` iteration, as its query documentation shows it:
//! - An array in the middle of the path is gone through: each document in it is taken in turn; values that are neither
//!   documents nor reached by an index are skipped, arrays directly in the array too.
//! - A name that is an index also reaches that element of an array, in addition to the field of that name in its
//!   documents.
//! - An array at the end gives each of its elements and then itself; one that was reached by an index gives itself only.
//! - A path that ends early gives one missing value, for each document of an array in which it does; through an array
//!   without documents it gives nothing at all.

use std::ops::ControlFlow;

use bson::{Bson, Document};

use super::{Component, FieldPath};

/// Calls `seen` with each value that `path` reaches in `document`, None standing for a missing one, until it breaks.
/// The recursion is as deep as the document at most.
pub(crate) fn visit<'a>(
    document: &'a Document,
    path: &FieldPath,
    seen: &mut impl FnMut(Option<&'a Bson>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    in_document(document, path.components(), seen)
}

fn in_document<'a>(
    document: &'a Document,
    path: &[Component],
    seen: &mut impl FnMut(Option<&'a Bson>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut document = document;
    let mut path = path;
    loop {
        let Some((first, rest)) = path.split_first() else {
            return ControlFlow::Continue(());
        };
        match document.get(&first.name) {
            Some(Bson::Array(elements)) if rest.is_empty() => {
                for element in elements {
                    seen(Some(element))?;
                }
                return seen(document.get(&first.name));
            }
            Some(Bson::Array(elements)) => return in_array(elements, rest, seen),
            Some(Bson::Document(inner)) if !rest.is_empty() => {
                document = inner;
                path = rest;
            }
            value => return seen(if rest.is_empty() { value } else { None }),
        }
    }
}

/// Goes through `elements` with the path that is left, at least one name.
fn in_array<'a>(
    elements: &'a [Bson],
    path: &[Component],
    seen: &mut impl FnMut(Option<&'a Bson>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let rest = &path[1..];
    for (index, element) in elements.iter().enumerate() {
        if let Bson::Document(inner) = element {
            in_document(inner, path, seen)?;
        }
        if path[0].index != Some(index) {
            continue;
        }
        match element {
            _ if rest.is_empty() => seen(Some(element))?,
            Bson::Document(inner) => in_document(inner, rest, seen)?,
            Bson::Array(inner) => in_array(inner, rest, seen)?,
            _ => {}
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn reached(document: &Document, path: &str) -> Vec<Option<Bson>> {
        let mut all = Vec::new();
        let _ = visit(document, &FieldPath::new(path), &mut |value| {
            all.push(value.cloned());
            ControlFlow::Continue(())
        });
        all
    }

    fn values<const N: usize>(values: [Bson; N]) -> Vec<Option<Bson>> {
        values.into_iter().map(Some).collect()
    }

    #[test]
    fn plain_fields() {
        assert_eq!(reached(&doc! {"a": 5}, "a"), values([5.into()]));
        assert_eq!(reached(&doc! {"a": {"b": 5}}, "a.b"), values([5.into()]));
        assert_eq!(reached(&doc! {"a": 5}, "b"), [None]);
        assert_eq!(reached(&doc! {"a": 5}, "a.b"), [None]);
        assert_eq!(reached(&doc! {"a": {}}, "a.b.c"), [None]);
        assert_eq!(reached(&doc! {"": {"": 1}}, "."), values([1.into()]));
    }

    #[test]
    fn arrays_at_the_end() {
        let array: Bson = vec![Bson::from(1), Bson::from(vec![Bson::from(2)])].into();
        let inner: Bson = vec![Bson::from(2)].into();
        assert_eq!(reached(&doc! {"a": array.clone()}, "a"), values([1.into(), inner, array]));
        assert_eq!(reached(&doc! {"a": []}, "a"), values([Bson::Array(vec![])]));
    }

    #[test]
    fn arrays_in_the_middle() {
        let document = doc! {"a": [{"b": 5}, 3, {}, [{"b": 6}], {"b": [9, 11]}, {"b": 7}]};
        let inner: Bson = vec![Bson::from(9), Bson::from(11)].into();
        assert_eq!(
            reached(&document, "a.b"),
            [Some(5.into()), None, Some(9.into()), Some(11.into()), Some(inner), Some(7.into())]
        );
        assert_eq!(reached(&doc! {"a": []}, "a.b"), []);
        assert_eq!(reached(&doc! {"a": [1, 2]}, "a.b"), []);
        assert_eq!(reached(&doc! {"a": [[]]}, "a.b"), []);
    }

    #[test]
    fn indexes() {
        assert_eq!(reached(&doc! {"a": [5, 7, 3]}, "a.1"), values([7.into()]));
        assert_eq!(reached(&doc! {"a": [5, 7, 3]}, "a.3"), []);
        let inner: Bson = vec![Bson::from(2), Bson::from(4)].into();
        assert_eq!(reached(&doc! {"a": [5, [2, 4], 3]}, "a.1"), values([inner]), "the array as a whole only");
        let both = reached(&doc! {"a": [5, {"1": 4}, 3]}, "a.1");
        assert_eq!(both, values([4.into(), doc! {"1": 4}.into()]), "the field and the element");
        assert_eq!(reached(&doc! {"a": [5, {"b": 4}, 3]}, "a.1.b"), [None, Some(4.into())]);
        assert_eq!(reached(&doc! {"a": [[{"b": 1}], 2]}, "a.0.b"), values([1.into()]));
        assert_eq!(reached(&doc! {"a": [[7, 8], 2]}, "a.0.1"), values([8.into()]));
        assert_eq!(reached(&doc! {"a": {"0": 6}}, "a.0"), values([6.into()]));
    }

    #[test]
    fn stops_when_told() {
        let mut count = 0;
        let flow = visit(&doc! {"a": [1, 2, 3]}, &FieldPath::new("a"), &mut |_| {
            count += 1;
            ControlFlow::Break(())
        });
        assert_eq!((flow, count), (ControlFlow::Break(()), 1));
    }
}
