//! The kinds of alerts.

use coffer_proto::help::HelpCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal $critical:literal $help:ident;)*) => {
        /// What an alert is about. Its page may be a more precise one than [`AlertKind::help`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AlertKind {
            $($(#[$doc])* $variant,)*
        }

        impl AlertKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name as metrics, logs and clients have it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether a person must look now; the others can wait for the morning.
            pub const fn is_critical(self) -> bool {
                match self { $(Self::$variant => $critical,)* }
            }

            /// The page that explains it where nothing more precise is known.
            pub const fn help(self) -> HelpCode {
                match self { $(Self::$variant => HelpCode::$help,)* }
            }
        }
    };
}

kinds! {
    /// A denial was seen and waits to be confirmed; subject: the Region.
    DenialPending "denial_pending" true DenialPending;
    /// The revocation is confirmed: the member shuts down; subject: the Region.
    Revoked "revoked" true Revoked;
    /// KMS gives no answer that says anything of the key; subject: the Region.
    KmsUnreachable "kms_unreachable" true KmsUnreachable;
    /// KMS asks to be asked less often; subject: the Region.
    KmsThrottled "kms_throttled" false Throttled;
    /// The key cannot be used as it is set up; subject: the Region.
    KmsMisconfigured "kms_misconfigured" true WrapRefused;
    /// The key works, but its state cannot be read; subject: the Region.
    DescribeDenied "describe_denied" false AccessDenied;
    /// KMS is reached at a public address against the configuration; subject: the Region.
    PublicEndpoint "public_endpoint" true PublicEndpoint;
    /// The clock of this machine is off.
    Clock "clock" false ClockOff;
    /// Another Region than home is used; subject: that Region.
    FailedOver "failed_over" false KmsUnreachable;
    /// A configured Region cannot be failed over to; subject: the Region.
    ReplicaUnusable "replica_unusable" false NoReplica;
    /// Home is silent, and the member will shut down for it; subject: the Region.
    HomeSilent "home_silent" true HomeSilent;
    /// An operator chose another Region for this member; subject: the Region.
    Override "override" false Override;
    /// The customer's key is older than the owner wants; subject: the key's ARN.
    CmkAge "cmk_age" false CmkTooOld;
    /// A master key is older than the policy allows; subject: the member.
    RotationOverdue "rotation_overdue" false RotationOverdue;
    /// A replaced customer's key is still needed; subject: its ARN.
    OldCmkNeeded "old_cmk_needed" false OldCmkNeeded;
    /// Files still need an old key of a database; subject: the database's id.
    DatabaseRotationDelayed "database_rotation_delayed" false DatabaseRotationDelayed;
    /// A piece of key work fails again and again; subject: what.
    KeyWorkFailed "key_work_failed" false KeyWorkRefused;
    /// Members hold different data; subject: database and collection by id.
    StateHashDiffers "state_hash_differs" true StateHashDiffers;
    /// The audit log cannot be written, or does not verify.
    Audit "audit" true AuditInvalid;
    /// Keys could not be locked into memory.
    MemoryNotLocked "memory_not_locked" false MemoryNotLocked;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: BTreeSet<_> = AlertKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), AlertKind::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')));
    }

    #[test]
    fn the_page_lists_every_kind() {
        let page = include_str!("../../../docs/alerts.md");
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), AlertKind::ALL.len());
        for (row, kind) in rows.iter().zip(AlertKind::ALL) {
            let severity = if kind.is_critical() { "critical" } else { "warning" };
            let code = kind.help();
            let begin = format!("| `{}` | {severity} | [{code}](help/{code}.md) | ", kind.name());
            assert!(row.starts_with(&begin), "{row} is not {begin}");
        }
    }
}
