//! Filters and updates as they travel.

use bson::Document;
use bytes::Bytes;
use coffer_document::{Filter, Update, decode_document};

use super::super::refusal::Refusal;

/// An empty BSON document: its length, and the end.
const EMPTY: &[u8] = &[5, 0, 0, 0, 0];

/// A document that may be left out: no bytes stand for the empty one.
///
/// # Errors
/// The bytes are no document.
pub fn optional(what: &'static str, bytes: &[u8]) -> Result<Document, Refusal> {
    if bytes.is_empty() {
        return Ok(Document::new());
    }
    decode_document(bytes).map_err(|error| Refusal::from(error).within(what))
}

/// Checks a filter; answers its bytes, those of an empty document where there are none.
///
/// # Errors
/// It is no filter.
pub fn filter(bytes: Bytes) -> Result<(Bytes, Filter), Refusal> {
    let document = optional("filter", &bytes)?;
    let filter = Filter::parse(&document).map_err(|error| Refusal::from(error).within("filter"))?;
    Ok((if bytes.is_empty() { Bytes::from_static(EMPTY) } else { bytes }, filter))
}

/// Checks an update.
///
/// # Errors
/// It is none, or it replaces documents and `multi` is set.
pub fn update(bytes: &[u8], multi: bool) -> Result<Update, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::argument("an update has to have an update document"));
    }
    let document = optional("update", bytes)?;
    let update = Update::parse(&document)
        .and_then(|update| if multi { update.check_multi().map(|()| update) } else { Ok(update) });
    update.map_err(|error| Refusal::from(error).within("update"))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn no_bytes_are_the_empty_filter() {
        let (bytes, filter) = filter(Bytes::new()).unwrap();
        assert_eq!(bytes, doc! {}.to_vec().unwrap());
        assert!(filter.matches(&doc! { "_id": 1 }));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_part() {
        let refusal = filter(Bytes::from_static(b"x")).err().unwrap();
        assert!(refusal.message.starts_with("filter: "), "{}", refusal.message);
        let replacement = doc! { "a": 1 }.to_vec().unwrap();
        assert!(update(&replacement, false).is_ok());
        let refusal = update(&replacement, true).err().unwrap();
        assert!(refusal.message.starts_with("update: "), "{}", refusal.message);
        assert!(update(&[], false).is_err());
    }
}
