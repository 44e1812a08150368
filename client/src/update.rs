//! What an update takes and answers.

use bson::{Bson, Document};
use bytes::Bytes;
use coffer_proto::v1::UpdateResponse;

use crate::{Error, Result};

/// How documents are updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpdateOptions {
    /// True: insert a document where none matches.
    pub upsert: bool,
}

/// The answer to an update.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateResult {
    /// How many documents matched the filter.
    pub matched: u64,
    /// How many of them changed by it.
    pub modified: u64,
    /// The `_id` of the document that was inserted because none matched.
    pub upserted_id: Option<Bson>,
    /// The log index of the update.
    pub applied_index: u64,
}

impl TryFrom<UpdateResponse> for UpdateResult {
    type Error = Error;

    fn try_from(answer: UpdateResponse) -> Result<Self> {
        Ok(Self {
            matched: answer.matched,
            modified: answer.modified,
            upserted_id: upserted_id(&answer.upserted_id)?,
            applied_index: answer.applied_index,
        })
    }
}

fn upserted_id(bytes: &Bytes) -> Result<Option<Bson>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let document = Document::from_reader(bytes.as_ref())
        .map_err(|error| Error::BadAnswer(format!("the id of an upserted document is no BSON: {error}")))?;
    match document.get("_id") {
        Some(id) => Ok(Some(id.clone())),
        None => Err(Error::BadAnswer("the id of an upserted document is missing".into())),
    }
}

/// Whether `update` is made of operators; an empty one is not.
fn has_operators(update: &Document) -> bool {
    update.keys().next().is_some_and(|first| first.starts_with('$'))
}

/// # Errors
/// [`Error::Invalid`] for a replacement, which would wipe the rest of the document.
pub(crate) fn check_operators(update: &Document) -> Result<()> {
    if has_operators(update) {
        return Ok(());
    }
    Err(Error::Invalid(
        "an update is made of operators such as {\"$set\": …}; to put a whole document in place of another, \
         replace it"
            .into(),
    ))
}

/// # Errors
/// [`Error::Invalid`] for operators.
pub(crate) fn check_replacement(replacement: &Document) -> Result<()> {
    if !has_operators(replacement) {
        return Ok(());
    }
    Err(Error::Invalid("a replacement is a whole document without operators such as $set".into()))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn updates_and_replacements_are_told_apart() {
        assert!(check_operators(&doc! { "$set": { "a": 1 } }).is_ok());
        assert!(check_operators(&doc! { "a": 1 }).is_err());
        assert!(check_operators(&doc! {}).is_err());
        assert!(check_replacement(&doc! { "a": 1 }).is_ok());
        assert!(check_replacement(&doc! {}).is_ok());
        assert!(check_replacement(&doc! { "$set": { "a": 1 } }).is_err());
    }

    #[test]
    fn an_upserted_id_is_read() {
        let bytes = doc! { "_id": 7 }.to_vec().unwrap().into();
        let answer = UpdateResponse { upserted_id: bytes, ..UpdateResponse::default() };
        assert_eq!(UpdateResult::try_from(answer).unwrap().upserted_id, Some(Bson::Int32(7)));
        let answer = UpdateResponse { upserted_id: vec![1, 2].into(), ..UpdateResponse::default() };
        assert!(matches!(UpdateResult::try_from(answer), Err(Error::BadAnswer(_))));
    }
}
