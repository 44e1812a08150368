//! What an event was.

use serde::Serialize;

use super::MAX_KEYS;
use crate::{DatabaseId, Generation, KeyOwner, KeyVersion};

/// The level of a key in the hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLevel {
    /// The node master key.
    Master,
    /// The key of the Raft log.
    Raft,
    /// The key of the audit log.
    Audit,
    /// The key of a database.
    Database,
}

/// One version of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AuditedKey {
    /// What kind of key it is.
    pub level: KeyLevel,
    /// The database, of a database key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseId>,
    /// Its version.
    pub version: KeyVersion,
}

impl AuditedKey {
    /// A key that seals files.
    pub fn of(owner: KeyOwner, version: KeyVersion) -> Self {
        match owner {
            KeyOwner::Raft => Self { level: KeyLevel::Raft, database: None, version },
            KeyOwner::Database(id) => Self { level: KeyLevel::Database, database: Some(id), version },
        }
    }

    /// A version of the master key.
    pub fn master(version: KeyVersion) -> Self {
        Self { level: KeyLevel::Master, database: None, version }
    }

    /// A version of the audit key.
    pub fn audit(version: KeyVersion) -> Self {
        Self { level: KeyLevel::Audit, database: None, version }
    }
}

/// What happened. The names of the fields and of the variants (in `snake_case`) are what stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[allow(missing_docs)] // The variants say what their fields are; each would only say its name again.
pub enum AuditAction {
    /// Keys were made and stored, wrapped by a version of the master key; a master key itself by the CMK.
    KeysCreated { keys: Vec<AuditedKey> },
    /// KMS wrapped a new master key, proven by an unwrap.
    MasterWrapped { version: KeyVersion },
    /// KMS wrapped the same master key again, under the CMK's present key material.
    MasterRewrapped { version: KeyVersion },
    /// KMS unwrapped the master key.
    MasterUnwrapped { version: KeyVersion },
    /// The keys below the master key were unwrapped.
    KeysUnwrapped { wrapped_by: KeyVersion, count: usize },
    /// A new master key replaced the old one, and so many keys were wrapped again.
    MasterRotated { from: KeyVersion, to: KeyVersion, round: u64, rewrapped: usize },
    /// Keys were destroyed: taken out of the keystore and of memory.
    KeysDestroyed { keys: Vec<AuditedKey> },
    /// A database was dropped by the command at `log_index`, and its keys with it.
    DatabaseDropped { database: DatabaseId, log_index: u64 },
    /// Nothing of a dropped database can be read any more on this member, the Raft log included.
    DatabaseShredded { database: DatabaseId, log_index: u64 },
    /// The data were replaced as a whole, by a snapshot or by a change of form.
    GenerationSwitched { generation: Generation },
    /// The verdict on the customer's key changed.
    VerdictChanged { region: String, from: String, to: String, code: String },
    /// Another Region than home is used from now on.
    FailedOver { from: String, to: String },
    /// The home Region is used again.
    FailedBack { from: String, to: String },
    /// The replica set's key settings changed; `detail` names what.
    SettingsChanged { version: u64, detail: String },
    /// An operator chose the Region or the CMK of this one member.
    OverrideSet { detail: String },
    /// That choice is void again.
    OverrideCleared { detail: String },
    /// The member shuts down because access to the customer's key was taken away.
    ShutDownOnRevocation { region: String, code: String },
    /// The next start shall turn encryption on or off.
    FormChangeOrdered { encryption: bool, round: u64 },
    /// The data are sealed from now on.
    EncryptionTurnedOn { round: u64, generation: Generation },
    /// The data are in the clear from now on.
    EncryptionTurnedOff { round: u64, generation: Generation },
    /// The program started.
    Started { version: String },
    /// The member has its keys.
    Unsealed { region: String },
    /// The member waits for its keys.
    Sealed { reason: String },
    /// The program stops.
    Stopped { reason: String },
    /// Segments of this log were dropped for space, through the line `through` with the hash `hash`.
    SegmentDropped { segment: u64, through: u64, hash: String },
    /// What a crash left of a line that was never acknowledged was cut off.
    TailHealed { bytes: u64 },
    /// So many events could not be written, because the disk failed or was full.
    EventsLost { count: u64 },
}

impl AuditAction {
    /// Events that name `keys`, each at most [`MAX_KEYS`]; none for no keys.
    pub(crate) fn of_keys(keys: &[AuditedKey], action: impl Fn(Vec<AuditedKey>) -> Self) -> Vec<Self> {
        keys.chunks(MAX_KEYS).map(|chunk| action(chunk.to_vec())).collect()
    }

    /// Cuts texts that others wrote to what a line may hold.
    pub(super) fn limited(mut self) -> Self {
        let texts: Vec<&mut String> = match &mut self {
            Self::VerdictChanged { region, from, to, code } => vec![region, from, to, code],
            Self::FailedOver { from, to } | Self::FailedBack { from, to } => vec![from, to],
            Self::SettingsChanged { detail, .. }
            | Self::OverrideSet { detail }
            | Self::OverrideCleared { detail } => vec![detail],
            Self::ShutDownOnRevocation { region, code } => vec![region, code],
            Self::Started { version } => vec![version],
            Self::Unsealed { region } => vec![region],
            Self::Sealed { reason } | Self::Stopped { reason } => vec![reason],
            Self::KeysCreated { .. }
            | Self::MasterWrapped { .. }
            | Self::MasterRewrapped { .. }
            | Self::MasterUnwrapped { .. }
            | Self::KeysUnwrapped { .. }
            | Self::MasterRotated { .. }
            | Self::KeysDestroyed { .. }
            | Self::DatabaseDropped { .. }
            | Self::DatabaseShredded { .. }
            | Self::GenerationSwitched { .. }
            | Self::FormChangeOrdered { .. }
            | Self::EncryptionTurnedOn { .. }
            | Self::EncryptionTurnedOff { .. }
            | Self::SegmentDropped { .. }
            | Self::TailHealed { .. }
            | Self::EventsLost { .. } => Vec::new(),
        };
        texts.into_iter().for_each(super::event::limit);
        self
    }
}
