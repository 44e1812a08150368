//! What the log instance says of itself, and how it is read.

use coffer_proto::internal::v1::{
    CheckpointRecord, PeerRecord, RecordStoredMembership, StoredLogId, StoredVote,
};
use prost::Message;
use rocksdb::{DB, IteratorMode, WriteBatch};

use super::{LogKey, durability::Durability};
use crate::{
    error::StorageError,
    raft::{LogId, StoredMembership, Vote, wire},
};

/// How the log instance is called in messages.
const INSTANCE: &str = "raft";

/// What is known of the log without reading it; behind a mutex, which also puts writes in order.
pub(super) struct State {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) purged_total: u64,
    /// Index of the first entry in the log, or that the next one has.
    pub(super) first: u64,
    pub(super) last: Option<LogId>,
    /// Bytes of all entries ever written, up to and with the last.
    pub(super) total: u64,
    /// One more than the index that the checkpoint record says is in database files.
    pub(super) checkpoint_end: u64,
    /// One more than the index through which drops of databases are shredded.
    pub(super) shredded_end: u64,
    pub(super) membership: Option<StoredMembership>,
    pub(super) durability: Durability,
}

impl State {
    pub(super) fn read(db: &DB, generation: u64) -> Result<Self, StorageError> {
        let vote = read(db, LogKey::VOTE, "vote", |r: &StoredVote| r.format)?
            .and_then(|record| record.vote)
            .map(|vote| wire::vote_from_pb(&vote));
        let purged = read_log_id(db, LogKey::PURGED)?;
        let purged_total = db
            .get(LogKey::PURGED_TOTAL)
            .map_err(engine)?
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_be_bytes);
        let membership = read(db, LogKey::MEMBERSHIP, "membership", |r: &RecordStoredMembership| r.format)?
            .map(|record| wire::stored_membership_from_pb(&record))
            .transpose()
            .map_err(record)?;
        let checkpoint_end =
            read(db, &LogKey::checkpoint(generation), "checkpoint", |r: &CheckpointRecord| r.format)?
                .and_then(|record| record.through)
                .map_or(0, |id| id.index + 1);
        let first = read_first(db, end(purged))?.unwrap_or(end(purged));
        let (last, total) = read_last(db)?.map_or((purged, purged_total), |(id, total)| (Some(id), total));
        Ok(Self {
            vote,
            committed: read_log_id(db, LogKey::COMMITTED)?,
            purged,
            purged_total,
            first,
            last,
            total,
            checkpoint_end,
            shredded_end: end(read_log_id(db, LogKey::SHREDDED)?),
            membership,
            durability: Durability::new(last),
        })
    }
}

/// One more than the index; 0 for none.
pub(super) fn end(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}

pub(super) fn put_purged(batch: &mut WriteBatch, id: &LogId, total: u64) {
    let record = StoredLogId { format: wire::FORMAT, log_id: Some(wire::log_id_to_pb(id)) };
    batch.put(LogKey::PURGED, record.encode_to_vec());
    batch.put(LogKey::PURGED_TOTAL, total.to_be_bytes());
}

pub(super) fn read<M: Message + Default>(
    db: &DB,
    key: &[u8],
    what: &'static str,
    format: impl Fn(&M) -> u32,
) -> Result<Option<M>, StorageError> {
    let Some(bytes) = db.get(key).map_err(engine)? else { return Ok(None) };
    wire::decode(what, &bytes, format).map(Some).map_err(record)
}

pub(super) fn read_log_id(db: &DB, key: &[u8]) -> Result<Option<LogId>, StorageError> {
    let stored = read(db, key, "log id", |r: &StoredLogId| r.format)?;
    Ok(stored.and_then(|stored| stored.log_id).map(|id| wire::log_id_from_pb(&id)))
}

/// Not from 0: the range deletions of all purges would have to be passed.
pub(super) fn read_first(db: &DB, from: u64) -> Result<Option<u64>, StorageError> {
    let mut iterator = db.raw_iterator();
    iterator.seek(LogKey::entry(from));
    let first = iterator.key().and_then(LogKey::index_of);
    iterator.status().map_err(engine)?;
    Ok(first)
}

pub(super) fn read_last(db: &DB) -> Result<Option<(LogId, u64)>, StorageError> {
    let mut iterator = db.raw_iterator();
    iterator.seek_for_prev(LogKey::ENTRIES_END);
    let found = iterator.item().filter(|(key, _)| LogKey::index_of(key).is_some());
    let result = found.map(|(_, value)| super::reader::decode(value)).transpose()?;
    iterator.status().map_err(engine)?;
    Ok(result.map(|(total, entry)| (entry.log_id, total)))
}

pub(super) fn read_peers(db: &DB) -> Result<Vec<PeerRecord>, StorageError> {
    let mut peers = Vec::new();
    for item in db.iterator(IteratorMode::From(LogKey::PEERS, rocksdb::Direction::Forward)) {
        let (key, value) = item.map_err(engine)?;
        if !key.starts_with(LogKey::PEERS) {
            break;
        }
        peers.push(wire::decode("peer record", &value, |r: &PeerRecord| r.format).map_err(record)?);
    }
    Ok(peers)
}

pub(super) fn engine(source: rocksdb::Error) -> StorageError {
    StorageError::Engine { instance: INSTANCE.to_owned(), source }
}

pub(super) fn record(source: wire::WireError) -> StorageError {
    StorageError::Record { instance: INSTANCE.to_owned(), source }
}
