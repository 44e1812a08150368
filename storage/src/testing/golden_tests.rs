//! One of each record as version 1 wrote it: it must still be read, and still be written the same.
//!
//! A new format version gets new files; the old ones stay. `COFFER_WRITE_GOLDEN=1` writes files that are missing, and
//! never replaces one.

use std::path::PathBuf;

use coffer_proto::internal::v1::*;
use prost::Message;

fn log_id() -> Option<RecordLogId> {
    Some(RecordLogId { term: 7, index: 1234 })
}

fn vote() -> Option<RecordVote> {
    Some(RecordVote { term: 7, member_id: 3, committed: true })
}

fn membership() -> RecordMembership {
    RecordMembership {
        configs: vec![RecordVoters { ids: vec![1, 2, 3] }, RecordVoters { ids: vec![2, 3, 4] }],
        members: (1..=4).map(|id| RecordMember { id, address: format!("127.0.0.1:2710{id}") }).collect(),
    }
}

fn error() -> Option<CommandError> {
    Some(CommandError {
        code: 11000,
        code_name: "DuplicateKey".to_owned(),
        message: "duplicate key".to_owned(),
    })
}

fn result() -> CommandResult {
    CommandResult {
        format: 1,
        applied_index: 1234,
        error: error(),
        database_id: 5,
        matched: 6,
        modified: 7,
        inserted: 8,
        deleted: 9,
        upserted_id: vec![1, 2].into(),
        failures: vec![DocumentFailure { index: 2, error: error() }],
        resume_after: vec![3, 4].into(),
        revision: 0,
        replayed: false,
    }
}

fn command(action: command::Action) -> Command {
    Command {
        format: 1,
        feature: 1,
        time_ms: 1_790_000_000_000,
        retry: Some(RetryId { session_id: vec![9; 16].into(), sequence: 4, part: 1 }),
        action: Some(action),
    }
}

fn window() -> Option<ScanWindow> {
    Some(ScanWindow { after: vec![5, 6].into(), max_documents: 100, max_bytes: 200 })
}

fn check<M: Message + Default + PartialEq + std::fmt::Debug>(name: &str, record: &M) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/records/v1/{name}.bin"));
    if std::env::var_os("COFFER_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, record.encode_to_vec()).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&M::decode(golden.as_slice()).unwrap(), record, "{name} is read as something else");
    assert_eq!(record.encode_to_vec(), golden, "{name} is written differently");
}

#[test]
fn records_of_version_one_are_still_read_and_written() {
    check("stored_vote", &StoredVote { format: 1, vote: vote() });
    check("stored_log_id", &StoredLogId { format: 1, log_id: log_id() });
    check("applied", &AppliedRecord { format: 1, log_id: log_id() });
    let stored = RecordStoredMembership { format: 1, log_id: log_id(), membership: Some(membership()) };
    check("stored_membership", &stored);
    check("database", &DatabaseRecord { format: 1, id: 5, name: "shop".to_owned() });
    check("collection", &CollectionRecord { format: 1, id: 2, name: "orders".to_owned(), documents: 77 });
    let peer = PeerRecord { format: 1, member_id: 2, incarnation: 4, vote: vote(), flushed: log_id() };
    check("peer", &peer);
    let databases = vec![CheckpointDatabase { database_id: 5, writes_end: 1200 }];
    check("checkpoint", &CheckpointRecord { format: 1, through: log_id(), databases, installed: true });
    check("result", &result());
    let retry =
        RetryRecord { format: 1, sequence: 4, first: Some(result()), parts: 2, time_ms: 1_790_000_000_000 };
    check("retry", &retry);
    check("system_record", &SystemRecord { format: 1, revision: 1234, value: vec![4, 5].into() });
    let header = SnapshotHeader {
        format: 1,
        vote: vote(),
        last_log_id: log_id(),
        membership: Some(stored),
        feature: 1,
        databases: 2,
    };
    check("snapshot_header", &header);
}

#[test]
fn entries_and_commands_of_version_one_are_still_read_and_written() {
    let entry = |payload| LogEntry { format: 1, log_id: log_id(), payload: Some(payload) };
    check("entry_blank", &entry(log_entry::Payload::Blank(Blank {})));
    check("entry_membership", &entry(log_entry::Payload::Membership(membership())));
    check("entry_command", &entry(log_entry::Payload::Command(vec![1, 2, 3].into())));

    use command::Action;
    let (database_id, name) = (5, "shop".to_owned());
    let collection = "orders".to_owned();
    check("create_database", &command(Action::CreateDatabase(CreateDatabase { name: name.clone() })));
    check("drop_database", &command(Action::DropDatabase(DropDatabase { name, database_id })));
    let name = collection.clone();
    check(
        "create_collection",
        &command(Action::CreateCollection(CreateCollection { database_id, name: name.clone() })),
    );
    check("drop_collection", &command(Action::DropCollection(DropCollection { database_id, name })));
    let insert = InsertDocuments {
        database_id,
        collection: collection.clone(),
        documents: vec![vec![5, 0, 0, 0, 0].into()],
        ordered: true,
    };
    check("insert", &command(Action::Insert(insert)));
    let empty: prost::bytes::Bytes = vec![5, 0, 0, 0, 0].into();
    let update = UpdateDocuments {
        database_id,
        collection: collection.clone(),
        filter: empty.clone(),
        update: empty.clone(),
        multi: true,
        upsert: true,
        window: window(),
        generated_id: vec![7; 12].into(),
    };
    check("update", &command(Action::Update(update)));
    let delete = DeleteDocuments { database_id, collection, filter: empty, multi: true, window: window() };
    check("delete", &command(Action::Delete(delete)));
    let put = PutSystemRecord {
        kind: 3,
        id: "2".to_owned(),
        expected_revision: 77,
        unconditional: true,
        value: vec![4, 5].into(),
        remove: true,
    };
    check("put_system_record", &Command { feature: 2, ..command(Action::PutSystemRecord(put)) });
}
