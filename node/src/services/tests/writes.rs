//! Writes and what is read back.

use bson::{Document, doc};
use coffer_proto::{
    v1::{
        CountRequest, CreateCollectionRequest, DeleteRequest, DropCollectionRequest, DropDatabaseRequest,
        ListCollectionsRequest, ListDatabasesRequest, ReadConcern, UpdateRequest,
    },
    wire::{error_metadata, reason as reasons},
};
use tonic::Code;

use super::{ReplicaSet, batches, bson, document, find, insert, reason};

fn update(collection: &str, filter: Document, update: Document) -> UpdateRequest {
    UpdateRequest {
        database: "shop".to_owned(),
        collection: collection.to_owned(),
        filter: bson(filter),
        update: bson(update),
        multi: true,
        ..UpdateRequest::default()
    }
}

fn delete(collection: &str, filter: Document) -> DeleteRequest {
    DeleteRequest {
        database: "shop".to_owned(),
        collection: collection.to_owned(),
        filter: bson(filter),
        multi: true,
        ..DeleteRequest::default()
    }
}

fn count(collection: &str) -> CountRequest {
    CountRequest { database: "shop".to_owned(), collection: collection.to_owned(), ..CountRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_read_linearizably_on_the_leader_and_locally_on_all() {
    let set = ReplicaSet::start().await;
    let mut documents = set.leader().await.documents();
    let request = insert("articles", [doc! { "_id": 2, "a": 1 }, doc! { "b": 1 }, doc! { "c": 1, "_id": 1 }]);
    let inserted = documents.insert(request).await.unwrap().into_inner();
    assert_eq!((inserted.inserted, inserted.ids.len(), inserted.errors.len()), (3, 3, 0));
    let generated = document(&inserted.ids[1]).get_object_id("_id").unwrap();
    let expected = [doc! { "_id": 1, "c": 1 }, doc! { "_id": 2, "a": 1 }, doc! { "_id": generated, "b": 1 }];

    let found = batches(documents.find(find("articles")).await.unwrap().into_inner()).await.unwrap();
    let read: Vec<Document> = found.iter().flat_map(|batch| &batch.documents).map(document).collect();
    assert_eq!(read, expected);
    assert!(found.iter().all(|batch| batch.applied_index >= inserted.applied_index));

    set.applied_everywhere(inserted.applied_index).await;
    for member in &set.members {
        let mut request = find("articles");
        request.read_concern = ReadConcern::Local.into();
        let found = member.documents().find(request).await.unwrap().into_inner();
        let found = batches(found).await.unwrap();
        let read: Vec<Document> = found.iter().flat_map(|batch| &batch.documents).map(document).collect();
        assert_eq!(read, expected, "member {}", member.id);
    }
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_batch_is_split_and_refusals_keep_their_positions() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let mut documents = leader.documents();
    let text = "x".repeat(2000);
    let rows = |from: i32| (from..from + 5000).map(|id| doc! { "_id": id, "text": text.as_str() });
    let before = leader.last_index();
    let inserted = documents.insert(insert("rows", rows(0))).await.unwrap().into_inner();
    assert_eq!((inserted.inserted, inserted.ids.len()), (5000, 5000));
    assert!(leader.last_index() >= before + 5, "ten megabytes are several entries");

    // Half of these exist: unordered goes on after each of them, ordered stops at the first.
    let mut request = insert("rows", rows(2500));
    request.unordered = true;
    let inserted = documents.insert(request).await.unwrap().into_inner();
    assert_eq!(inserted.inserted, 2500);
    let refused: Vec<u32> = inserted.errors.iter().map(|error| error.index).collect();
    assert_eq!(refused, (0..2500).collect::<Vec<u32>>());
    assert!(inserted.errors.iter().all(|error| error.code == 11000));

    let inserted = documents.insert(insert("rows", rows(7400).rev())).await.unwrap().into_inner();
    assert_eq!(inserted.inserted, 4900);
    assert_eq!(inserted.errors.iter().map(|error| error.index).collect::<Vec<_>>(), [4900]);
    let counted = documents.count(count("rows")).await.unwrap().into_inner();
    assert_eq!(counted.count, 12_400);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_and_deletes_of_many_go_on_over_their_windows() {
    let set = ReplicaSet::start().await;
    let mut documents = set.leader().await.documents();
    documents.insert(insert("rows", (0..10_000).map(|id| doc! { "_id": id, "n": 0 }))).await.unwrap();
    let request = update("rows", doc! { "_id": { "$gte": 100 } }, doc! { "$inc": { "n": 1 } });
    let updated = documents.update(request).await.unwrap().into_inner();
    assert_eq!((updated.matched, updated.modified), (9900, 9900));
    let mut request = count("rows");
    request.filter = bson(doc! { "n": 1 });
    assert_eq!(documents.count(request).await.unwrap().into_inner().count, 9900);

    // A match far behind, for one document only.
    let mut request = update("rows", doc! { "n": 1, "_id": 9999 }, doc! { "$set": { "last": true } });
    request.multi = false;
    let updated = documents.update(request).await.unwrap().into_inner();
    assert_eq!((updated.matched, updated.modified), (1, 1));
    let mut request = update("rows", doc! { "last": { "$exists": true } }, doc! { "$inc": { "n": 1 } });
    request.multi = false;
    let updated = documents.update(request).await.unwrap().into_inner();
    assert_eq!((updated.matched, updated.modified), (1, 1));

    let deleted = documents.delete(delete("rows", doc! { "n": { "$gte": 1 } })).await.unwrap().into_inner();
    assert_eq!(deleted.deleted, 9900);
    assert_eq!(documents.count(count("rows")).await.unwrap().into_inner().count, 100);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upserts_insert_once_where_nothing_matches() {
    let set = ReplicaSet::start().await;
    let mut documents = set.leader().await.documents();
    let mut request = update("fresh", doc! { "name": "a" }, doc! { "$set": { "n": 1 } });
    request.upsert = true;
    let upserted = documents.update(request.clone()).await.unwrap().into_inner();
    assert_eq!((upserted.matched, upserted.modified), (0, 0));
    assert!(document(&upserted.upserted_id).get_object_id("_id").is_ok());
    let updated = documents.update(request).await.unwrap().into_inner();
    assert_eq!((updated.matched, updated.modified), (1, 0));
    assert!(updated.upserted_id.is_empty());
    assert_eq!(documents.count(count("fresh")).await.unwrap().into_inner().count, 1);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_or_without_effect_costs_no_entry() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let mut documents = leader.documents();
    documents.insert(insert("rows", [doc! { "_id": 1 }])).await.unwrap();
    let before = leader.last_index();

    let refused = documents
        .update(update("rows", doc! { "a": { "$nonsense": 1 } }, doc! { "$set": { "a": 1 } }))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let (reason_, metadata) = reason(&refused);
    assert_eq!(reason_, reasons::REFUSED);
    assert!(metadata.contains_key(error_metadata::CODE) && metadata.contains_key(error_metadata::CODE_NAME));
    let refused = documents.update(update("rows", doc! {}, doc! { "a": 1 })).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "a replacement of many");
    let mut bad = insert("rows", [doc! { "_id": 2 }]);
    bad.documents.push(bytes::Bytes::from_static(b"junk"));
    assert_eq!(documents.insert(bad).await.unwrap_err().code(), Code::InvalidArgument);
    let mut bad = insert("rows", [doc! { "_id": 2 }]);
    bad.database = "admin".to_owned();
    assert_eq!(documents.insert(bad).await.unwrap_err().code(), Code::InvalidArgument);

    let updated = documents.update(update("none", doc! {}, doc! { "$set": { "a": 1 } })).await.unwrap();
    assert_eq!(updated.into_inner().matched, 0);
    let mut elsewhere = delete("rows", doc! {});
    elsewhere.database = "nowhere".to_owned();
    assert_eq!(documents.delete(elsewhere).await.unwrap().into_inner().deleted, 0);
    assert_eq!(leader.last_index(), before);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_and_databases_come_and_go() {
    let set = ReplicaSet::start().await;
    let mut documents = set.leader().await.documents();
    let create = CreateCollectionRequest {
        database: "shop".to_owned(),
        collection: "empty".to_owned(),
        retry_token: None,
    };
    documents.create_collection(create.clone()).await.unwrap();
    let exists = documents.create_collection(create).await.unwrap_err();
    assert_eq!(
        (exists.code(), reason(&exists).1[error_metadata::CODE].as_str()),
        (Code::AlreadyExists, "48")
    );
    documents.insert(insert("rows", [doc! { "_id": 1 }, doc! { "_id": 2 }])).await.unwrap();

    let list = ListCollectionsRequest { database: "shop".to_owned(), read_concern: 0 };
    let listed = documents.list_collections(list).await.unwrap().into_inner();
    let names: Vec<(&str, u64)> =
        listed.collections.iter().map(|info| (info.name.as_str(), info.documents)).collect();
    assert_eq!(names, [("empty", 0), ("rows", 2)]);
    let listed = documents.list_databases(ListDatabasesRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.databases.len(), 1);
    assert_eq!((listed.databases[0].name.as_str(), listed.databases[0].documents), ("shop", 2));
    let old = listed.databases[0].id;

    let drop = |collection: &str| DropCollectionRequest {
        database: "shop".to_owned(),
        collection: collection.to_owned(),
        retry_token: None,
    };
    let dropped = documents.drop_collection(drop("rows")).await.unwrap().into_inner();
    assert_eq!(dropped.documents, 2);
    let gone = documents.drop_collection(drop("rows")).await.unwrap_err();
    assert_eq!((gone.code(), reason(&gone).1[error_metadata::CODE].as_str()), (Code::NotFound, "26"));

    let drop = DropDatabaseRequest { database: "shop".to_owned(), retry_token: None };
    assert!(documents.drop_database(drop.clone()).await.unwrap().into_inner().dropped);
    assert!(!documents.drop_database(drop).await.unwrap().into_inner().dropped);
    assert_eq!(documents.count(count("rows")).await.unwrap().into_inner().count, 0);
    documents.insert(insert("rows", [doc! { "_id": 1 }])).await.unwrap();
    let listed = documents.list_databases(ListDatabasesRequest::default()).await.unwrap().into_inner();
    assert!(listed.databases[0].id > old, "ids are never used again");
    set.stop().await;
}
