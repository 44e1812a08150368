//! Much data in few writes.

use anyhow::Context;
use bson::spec::BinarySubtype;
use bson::{Binary, doc};
use coffer_client::Collection;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Inserts `count` documents of `bytes` random bytes each, which no compression makes smaller, with `_id`s from
/// `first` on.
///
/// # Errors
/// Where an insert fails.
pub async fn bulk(
    collection: &Collection,
    first: i64,
    count: i64,
    bytes: usize,
    rng: &mut ChaCha8Rng,
) -> anyhow::Result<()> {
    for id in first..first + count {
        let mut content = vec![0; bytes];
        rng.fill_bytes(&mut content);
        let content = Binary { subtype: BinarySubtype::Generic, bytes: content };
        collection
            .insert_one(doc! { "_id": id, "content": content })
            .await
            .with_context(|| format!("inserting document {id} of {bytes} bytes"))?;
    }
    Ok(())
}
