//! What a member answers when it is asked what it remembers of another.

use coffer_proto::internal::v1 as pb;

/// What this member remembers of another one.
#[derive(Clone, Debug, PartialEq)]
pub enum Recall {
    /// Nothing was ever heard of that member.
    NeverSeen {
        /// Whether this member belongs to a replica set that was started: then nobody may start it again.
        has_cluster: bool,
    },
    /// The highest that was heard.
    Remembered(pb::PeerStamp),
    /// What is remembered lies in the log, which is not open yet: the caller asks again.
    NotOpen {
        /// Why it is not open, for a person.
        reason: String,
    },
}

impl From<Recall> for pb::RecallResponse {
    fn from(recall: Recall) -> Self {
        use pb::recall_response::Answer;
        let answer = match recall {
            Recall::NeverSeen { has_cluster } => Answer::NeverSeen(pb::NeverSeen { has_cluster }),
            Recall::Remembered(stamp) => Answer::Remembered(stamp),
            Recall::NotOpen { reason } => Answer::StillSealed(pb::StillSealed { reason }),
        };
        Self { answer: Some(answer) }
    }
}
