//! What the replica set's own records are about.

/// The kinds of system records. The numbers stand in commands and on disk: never use one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum SystemKind {
    /// What the owner set about their key: one record.
    Settings = 1,
    /// What the members are to do with their keys: one record.
    Targets = 2,
    /// What a member said of its keys: one record for each.
    MemberKeys = 3,
    /// An alert and its history.
    Alert = 4,
    /// How far a member's audit log reached: one record for each.
    AuditHead = 5,
}

impl SystemKind {
    /// The kind of a number in a command; `None` for one that this feature version does not have.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Settings, Self::Targets, Self::MemberKeys, Self::Alert, Self::AuditHead]
            .into_iter()
            .find(|kind| kind.number() == number)
    }

    /// The number in commands.
    pub fn number(self) -> u32 {
        self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_their_kinds_and_others_are_unknown() {
        for number in 1..=5 {
            assert_eq!(SystemKind::from_number(number).map(SystemKind::number), Some(number));
        }
        assert_eq!((SystemKind::from_number(0), SystemKind::from_number(6)), (None, None));
    }
}
