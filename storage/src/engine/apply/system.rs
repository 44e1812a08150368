//! Commands on the replica set's own records, which the admin database holds: compare the revision, store the bytes.

use coffer_document::DocumentError;
use coffer_proto::internal::v1::{CommandError, CommandResult, PutSystemRecord, SystemRecord};
use prost::Message;

use super::{Execution, refused};
use crate::{
    engine::{SystemKind, system_record},
    error::StorageError,
    instance::Key,
    raft::{LogId, wire},
};

/// Bytes of a record's value at most: settings and reports of a replica set have a few KiB. The same on all members, as
/// are the limits below, or they would differ in what they refuse.
pub const MAX_VALUE_BYTES: usize = 64 << 10;

/// Bytes of a record's id at most.
pub const MAX_ID_BYTES: usize = 256;

/// Records of all kinds at most: together with the limit of a value, what a member can be made to keep.
pub const MAX_RECORDS: usize = 4096;

/// MongoDB's number for two writers that met.
const WRITE_CONFLICT: i32 = 112;

impl Execution {
    pub(super) fn put_system_record(
        &mut self,
        log_id: &LogId,
        action: &PutSystemRecord,
    ) -> Result<CommandResult, StorageError> {
        if let Some(error) = malformed(action) {
            return Ok(refused(error));
        }
        let key = Key::system(action.kind, &action.id);
        let bytes = self.instance.get(&key)?;
        let present = bytes.map(|bytes| system_record::decode(&self.instance, &bytes)).transpose()?;
        let revision = present.map_or(0, |record| record.revision);
        if !action.unconditional && action.expected_revision != revision {
            let error = CommandError {
                code: WRITE_CONFLICT,
                code_name: "RevisionConflict".to_owned(),
                message: format!(
                    "the record has revision {revision}, and {} was expected: read it again",
                    action.expected_revision
                ),
            };
            return Ok(CommandResult { error: Some(error), revision, ..CommandResult::default() });
        }
        if action.remove {
            self.batch.delete(key);
            return Ok(CommandResult::default());
        }
        if revision == 0 && self.system_records_reach(MAX_RECORDS)? {
            return Ok(refused(DocumentError::illegal_operation(format!(
                "there are {MAX_RECORDS} system records, which is the limit: old ones have to go first"
            ))));
        }
        let record =
            SystemRecord { format: wire::FORMAT, revision: log_id.index, value: action.value.clone() };
        self.batch.put(key, record.encode_to_vec());
        Ok(CommandResult { revision: log_id.index, ..CommandResult::default() })
    }

    /// Whether there are `limit` records. Counted anew: new records are rare, and a count kept apart could be wrong.
    fn system_records_reach(&self, limit: usize) -> Result<bool, StorageError> {
        let mut count = 0;
        for item in system_record::iterate(&self.instance, Key::SYSTEM_RECORDS.to_vec()).take(limit) {
            item.map_err(|error| self.instance.engine(error))?;
            count += 1;
        }
        Ok(count == limit)
    }
}

fn malformed(action: &PutSystemRecord) -> Option<DocumentError> {
    let why = if SystemKind::from_number(action.kind).is_none() {
        format!("there is no kind {} of system records", action.kind)
    } else if action.id.len() > MAX_ID_BYTES {
        format!("the record's id has {} bytes, {MAX_ID_BYTES} is the limit", action.id.len())
    } else if action.value.len() > MAX_VALUE_BYTES {
        format!("the record has {} bytes, {MAX_VALUE_BYTES} is the limit", action.value.len())
    } else if action.remove && !action.value.is_empty() {
        "a record that is removed has no value".to_owned()
    } else {
        return None;
    };
    Some(DocumentError::bad_value(why))
}
