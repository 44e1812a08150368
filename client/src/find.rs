//! What queries take and answer.

use bson::Document;
use coffer_proto::v1::ReadConcern as WireConcern;

use crate::operation::Plan;

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadConcern {
    /// It sees every write that was acknowledged before it began. The leader answers.
    #[default]
    Linearizable,
    /// It sees what the asked member has applied, which may be old. Any member answers.
    Local,
}

impl ReadConcern {
    pub(crate) fn wire(self) -> WireConcern {
        match self {
            Self::Linearizable => WireConcern::Linearizable,
            Self::Local => WireConcern::Local,
        }
    }

    pub(crate) fn plan(self) -> Plan {
        match self {
            Self::Linearizable => Plan::READ,
            Self::Local => Plan::LOCAL_READ,
        }
    }
}

/// How documents are queried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FindOptions {
    /// Which fields the documents come with; `None`: all.
    pub projection: Option<Document>,
    /// The order, such as `{name: 1, age: -1}`; `None`: the order of `_id`.
    pub sort: Option<Document>,
    /// How many to leave out from the start.
    pub skip: u64,
    /// How many at most; 0: all.
    pub limit: u64,
    /// Documents per message; 0: the member chooses by size.
    pub batch_size: u32,
    /// How fresh they have to be.
    pub read_concern: ReadConcern,
}

/// How documents are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CountOptions {
    /// How many to leave out.
    pub skip: u64,
    /// How many to count at most; 0: all.
    pub limit: u64,
    /// How fresh the count has to be.
    pub read_concern: ReadConcern,
}

/// The answer to a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many documents match.
    pub count: u64,
    /// The log index of the state that was counted.
    pub applied_index: u64,
}
