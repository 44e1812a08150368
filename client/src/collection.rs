//! A collection: where documents are written and read.

use std::sync::Arc;

use bson::Document;
use coffer_proto::v1::{
    CountRequest, CreateCollectionRequest, DeleteRequest, DropCollectionRequest, FindRequest, InsertRequest,
    UpdateRequest,
};

use crate::batch::{Encoded, MAX_BATCH_BYTES, MAX_BATCH_DOCUMENTS, batch_length, encode, encode_with_id};
use crate::call::Caller;
use crate::update::{check_operators, check_replacement};
use crate::{
    Count, CountOptions, Cursor, DeleteResult, Error, FindOptions, InsertManyOptions, InsertManyResult,
    InsertOneResult, Result, UpdateOptions, UpdateResult, WriteError,
};

/// What became of a collection that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionDropped {
    /// How many documents were in it.
    pub documents: u64,
    /// The log index of the drop.
    pub applied_index: u64,
}

/// A handle on a collection, whether it exists or not: the first write makes it. All calls fail as
/// [`Error`] describes.
#[derive(Clone, Debug)]
pub struct Collection {
    caller: Arc<Caller>,
    database: String,
    name: String,
}

impl Collection {
    pub(crate) fn new(caller: Arc<Caller>, database: String, name: String) -> Self {
        Self { caller, database, name }
    }

    /// Its name, without the database's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inserts one document, with a new ObjectId as its `_id` where it has none.
    ///
    /// # Errors
    /// [`Error::Refused`] with code 11000 where the `_id` is taken already.
    pub async fn insert_one(&self, document: Document) -> Result<InsertOneResult> {
        let encoded = encode_with_id(document, 0)?;
        let id = encoded.id.clone();
        let answer = self.insert_batch(&[encoded], false).await?;
        match answer.errors.into_iter().next() {
            None => Ok(InsertOneResult { id, applied_index: answer.applied_index }),
            Some(WriteError { code, code_name, message, .. }) => {
                Err(Error::Refused { code, code_name, message, help_code: None })
            }
        }
    }

    /// Inserts documents, in batches of at most [`MAX_BATCH_BYTES`] and [`MAX_BATCH_DOCUMENTS`], each of which is
    /// one write. What was refused is in the result.
    ///
    /// # Errors
    /// [`Error::Partial`] where an earlier batch was inserted before the call failed.
    pub async fn insert_many(
        &self,
        documents: impl IntoIterator<Item = Document>,
        options: InsertManyOptions,
    ) -> Result<InsertManyResult> {
        let encoded = documents
            .into_iter()
            .enumerate()
            .map(|(position, document)| encode_with_id(document, position))
            .collect::<Result<Vec<_>>>()?;
        let mut result = InsertManyResult {
            ids: encoded.iter().map(|document| document.id.clone()).collect(),
            ..InsertManyResult::default()
        };
        let mut start = 0;
        while start < encoded.len() {
            let length = batch_length(&encoded[start..], MAX_BATCH_BYTES, MAX_BATCH_DOCUMENTS);
            let batch = &encoded[start..start + length];
            let answer = match self.insert_batch(batch, options.unordered).await {
                Ok(answer) => answer,
                Err(source) if result.inserted > 0 => {
                    return Err(Error::Partial { done: result.inserted, source: Box::new(source) });
                }
                Err(source) => return Err(source),
            };
            result.inserted += answer.inserted;
            result.applied_index = result.applied_index.max(answer.applied_index);
            result.errors.extend(
                answer.errors.into_iter().map(|error| WriteError { index: error.index + start, ..error }),
            );
            if !options.unordered && !result.errors.is_empty() {
                break;
            }
            start += length;
        }
        Ok(result)
    }

    async fn insert_batch(&self, batch: &[Encoded], unordered: bool) -> Result<InsertManyResult> {
        let answer = self
            .caller
            .write(
                |token| InsertRequest {
                    database: self.database.clone(),
                    collection: self.name.clone(),
                    documents: batch.iter().map(|document| document.bytes.clone()).collect(),
                    unordered,
                    retry_token: Some(token),
                },
                |mut client, request| async move { client.insert(request).await },
            )
            .await?;
        let errors = answer
            .errors
            .into_iter()
            .map(|error| WriteError {
                index: usize::try_from(error.index).unwrap_or(usize::MAX),
                code: error.code,
                code_name: error.code_name,
                message: error.message,
            })
            .collect::<Vec<_>>();
        if errors.iter().any(|error| error.index >= batch.len()) {
            return Err(Error::BadAnswer("a write error names a document that was not sent".into()));
        }
        Ok(InsertManyResult {
            inserted: answer.inserted,
            ids: Vec::new(),
            errors,
            applied_index: answer.applied_index,
        })
    }

    /// Queries documents. All of them are of one snapshot of the database. The deadline of the call is for the
    /// first batch, and again for each that follows.
    ///
    /// # Errors
    /// Failures up to the first batch are tried again like any read; a later one ends the cursor.
    pub async fn find(&self, filter: &Document, options: FindOptions) -> Result<Cursor> {
        let optional = |what, document: &Option<Document>| {
            document.as_ref().map(|document| encode(what, document)).transpose()
        };
        let request = FindRequest {
            database: self.database.clone(),
            collection: self.name.clone(),
            filter: encode("filter", filter)?,
            projection: optional("projection", &options.projection)?.unwrap_or_default(),
            sort: optional("sort", &options.sort)?.unwrap_or_default(),
            skip: options.skip,
            limit: options.limit,
            batch_size: options.batch_size,
            read_concern: options.read_concern.wire().into(),
        };
        Cursor::open(&self.caller, options.read_concern.plan(), request).await
    }

    /// The first document that a query finds.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn find_one(&self, filter: &Document, options: FindOptions) -> Result<Option<Document>> {
        use futures::TryStreamExt;
        let mut cursor = self.find(filter, FindOptions { limit: 1, ..options }).await?;
        cursor.try_next().await
    }

    /// Counts documents.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn count(&self, filter: &Document, options: CountOptions) -> Result<Count> {
        let request = CountRequest {
            database: self.database.clone(),
            collection: self.name.clone(),
            filter: encode("filter", filter)?,
            skip: options.skip,
            limit: options.limit,
            read_concern: options.read_concern.wire().into(),
        };
        let answer = self
            .caller
            .read(options.read_concern.plan(), request, |mut client, request| async move {
                client.count(request).await
            })
            .await?;
        Ok(Count { count: answer.count, applied_index: answer.applied_index })
    }

    /// Changes the first matching document, in the order of `_id`, by operators.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_one(
        &self,
        filter: &Document,
        update: &Document,
        options: UpdateOptions,
    ) -> Result<UpdateResult> {
        check_operators(update)?;
        self.update(filter, update, false, options).await
    }

    /// Changes every matching document by operators.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_many(
        &self,
        filter: &Document,
        update: &Document,
        options: UpdateOptions,
    ) -> Result<UpdateResult> {
        check_operators(update)?;
        self.update(filter, update, true, options).await
    }

    /// Puts a document in place of the first matching one, which keeps its `_id`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_one(
        &self,
        filter: &Document,
        replacement: &Document,
        options: UpdateOptions,
    ) -> Result<UpdateResult> {
        check_replacement(replacement)?;
        self.update(filter, replacement, false, options).await
    }

    async fn update(
        &self,
        filter: &Document,
        update: &Document,
        multi: bool,
        options: UpdateOptions,
    ) -> Result<UpdateResult> {
        let filter = encode("filter", filter)?;
        let update = encode("update", update)?;
        let answer = self
            .caller
            .write(
                |token| UpdateRequest {
                    database: self.database.clone(),
                    collection: self.name.clone(),
                    filter,
                    update,
                    multi,
                    upsert: options.upsert,
                    retry_token: Some(token),
                },
                |mut client, request| async move { client.update(request).await },
            )
            .await?;
        answer.try_into()
    }

    /// Deletes the first matching document, in the order of `_id`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_one(&self, filter: &Document) -> Result<DeleteResult> {
        self.delete(filter, false).await
    }

    /// Deletes every matching document.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_many(&self, filter: &Document) -> Result<DeleteResult> {
        self.delete(filter, true).await
    }

    async fn delete(&self, filter: &Document, multi: bool) -> Result<DeleteResult> {
        let filter = encode("filter", filter)?;
        let answer = self
            .caller
            .write(
                |token| DeleteRequest {
                    database: self.database.clone(),
                    collection: self.name.clone(),
                    filter,
                    multi,
                    retry_token: Some(token),
                },
                |mut client, request| async move { client.delete(request).await },
            )
            .await?;
        Ok(DeleteResult { deleted: answer.deleted, applied_index: answer.applied_index })
    }

    /// Creates the collection, empty, and its database where that does not exist. Returns the log index.
    ///
    /// # Errors
    /// [`Error::Refused`] where it exists already.
    pub async fn create(&self) -> Result<u64> {
        let answer = self
            .caller
            .write(
                |token| CreateCollectionRequest {
                    database: self.database.clone(),
                    collection: self.name.clone(),
                    retry_token: Some(token),
                },
                |mut client, request| async move { client.create_collection(request).await },
            )
            .await?;
        Ok(answer.applied_index)
    }

    /// Drops the collection with all of its documents.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn drop(&self) -> Result<CollectionDropped> {
        let answer = self
            .caller
            .write(
                |token| DropCollectionRequest {
                    database: self.database.clone(),
                    collection: self.name.clone(),
                    retry_token: Some(token),
                },
                |mut client, request| async move { client.drop_collection(request).await },
            )
            .await?;
        Ok(CollectionDropped { documents: answer.documents, applied_index: answer.applied_index })
    }
}
