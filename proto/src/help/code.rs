//! The table of codes.

use std::fmt;

macro_rules! table {
    ($($variant:ident $code:literal $slug:literal $title:literal $remedy:literal;)*) => {
        /// What an operator may meet. Each has a page: [`HelpCode::page`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HelpCode {
            $(#[doc = concat!($code, ": ", $title, ".")] $variant,)*
        }

        impl HelpCode {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code itself, such as `CK0013`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Its name in a few words joined by hyphens, for metrics and search.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)* }
            }

            /// What happened, in one line.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What to do, in one line.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }

            /// The whole page, in Markdown.
            pub const fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../../../docs/help/", $code, ".md")),)* }
            }
        }
    };
}

table! {
    // Denied: the owner of the key took access away.
    KeyDisabled "CK0001" "key-disabled" "the customer's key is disabled"
        "enable the key in KMS, in the Region that is named";
    KeyPendingDeletion "CK0002" "key-pending-deletion" "the customer's key is being deleted, or waits for its key material"
        "cancel the deletion (or import the material), then enable the key";
    AccessDenied "CK0003" "access-denied" "KMS denies this member the use of the customer's key"
        "allow kms:Encrypt, kms:Decrypt and kms:DescribeKey on the key's ARN; `coffer kms policy` prints the policies";
    RoleDenied "CK0004" "role-denied" "the role cannot be assumed"
        "let the role's trust policy name this member's identity and the configured ExternalId";
    CredentialsRevoked "CK0005" "credentials-revoked" "the credentials of this member are not accepted"
        "give this member valid credentials, or a role";
    KeyNotFound "CK0006" "key-not-found" "the customer's key does not exist there"
        "check the ARN, its account and its Region; a deleted key cannot be brought back";
    // Not a revocation: members that run go on.
    KmsUnreachable "CK0010" "kms-unreachable" "KMS does not answer"
        "look at the network between this member and KMS; nothing stops meanwhile";
    NoCredentials "CK0011" "no-credentials" "no credentials can be had, or they are expired and cannot be renewed"
        "look at the source of the credentials: instance role, variables, profile, STS";
    Throttled "CK0012" "throttled" "KMS asks to be asked less often"
        "raise the account's request quota of KMS, or find out who uses it up";
    ClockOff "CK0013" "clock-off" "the clock of this machine is off"
        "set the clock, and keep it right with NTP";
    KeyStoreUnavailable "CK0014" "key-store-unavailable" "the custom key store of the customer's key is not available"
        "connect the custom key store again, and look at its cluster or proxy";
    UnknownKmsError "CK0015" "unknown-kms-error" "KMS answered with an error that Coffer does not know"
        "look the service's code up; it is taken for an outage, and stops nothing";
    // Something is set up wrongly: a person must look.
    WrapRefused "CK0020" "wrap-refused" "KMS does not unwrap the master key: wrong encryption context, other key, or damaged"
        "put this member's own keystore back, or let it join under a new id";
    WrongKeyKind "CK0021" "wrong-key-kind" "the customer's key is not a symmetric key for encryption"
        "make a key of the spec SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT, and name that";
    SingleRegionKey "CK0022" "single-region-key" "a single-Region key cannot be used in another Region"
        "name the key's own Region alone, or go over to a multi-Region key (mrk-) with `coffer kms set-cmk`";
    NotAnArn "CK0023" "not-an-arn" "the customer's key is not named by its full ARN"
        "give the full ARN: arn:aws:kms:REGION:ACCOUNT:key/ID";
    NoReplica "CK0024" "no-replica" "a configured Region has no usable replica of the customer's key"
        "make the replica and its key policy in that Region, or take the Region off the list";
    KeystoreUnderOtherKey "CK0025" "keystore-under-other-key" "the keystore is wrapped by another key than the configured one"
        "set encryption.cmk_arn to the cluster's key; if the keystore's key is the right one, say so with `coffer kms set-region --trust-cmk`";
    PublicEndpoint "CK0026" "public-endpoint" "KMS is reached at a public address, and a private network is required"
        "make an interface endpoint for KMS (and STS) in this network, or set encryption.require_private_network = false";
    BadSetting "CK0027" "bad-setting" "a setting has a value that is not allowed"
        "correct the value; the message says which are allowed";
    // What a member does about it.
    Sealed "CK0030" "sealed" "this member is sealed: it waits for the customer's key"
        "look at the verdict in `coffer status`, and at that verdict's page";
    Revoked "CK0031" "revoked" "access to the customer's key was revoked, and this member shut down"
        "give access back if that is meant, and start the member";
    HomeSilent "CK0032" "home-silent" "the home Region was silent for health.max_unreachable"
        "make KMS in the home Region reachable before the time is over";
    ToldByPeer "CK0033" "told-by-peer" "another member saw that the customer's key is disabled or being deleted"
        "look at the key in KMS in the Region that is named";
    DenialPending "CK0034" "denial-pending" "a denial waits to be confirmed, so the change is refused"
        "give access in that Region back, wait for a probe, then try again";
    Override "CK0035" "override" "this member uses another Region than the cluster's settings say"
        "set the Region for the cluster with `coffer kms set-region REGION --all`, or clear the override";
    // Rotation, settings, roles.
    RotationOverdue "CK0040" "rotation-overdue" "the master key is older than the policy allows"
        "see what the rotation waits for with `coffer keys`, or rotate now with `coffer keys rotate-master`";
    OldCmkNeeded "CK0041" "old-cmk-needed" "a replaced customer's key is still needed"
        "keep the old key enabled until `coffer status` says that no member depends on it";
    CmkTooOld "CK0042" "cmk-too-old" "the customer's key is older than the alert period"
        "rotate the key in KMS, or replace it with `coffer kms set-cmk`, or change the period";
    MemberAbsent "CK0043" "member-absent" "a member did not answer, so the settings were not tried from it"
        "bring the member back, or allow its absence by name";
    SettingsChanged "CK0044" "settings-changed" "the settings were changed by somebody else meanwhile"
        "read them again with `coffer kms show`, and repeat the change if it is still wanted";
    RoleRequired "CK0045" "role-required" "a role cannot be taken away again"
        "set another role with `coffer kms set-role`";
    EncryptionOffRefused "CK0046" "encryption-off-refused" "encryption cannot be turned off"
        "allow it in the configuration of every member, if that is really meant";
    KeyWorkRefused "CK0047" "key-work-refused" "a piece of key work was refused"
        "wait for what is under way (`coffer keys`), or ask the leader";
    DatabaseRotationDelayed "CK0048" "database-rotation-delayed" "the old key of a database is still needed by files"
        "end long reads and let a slow member catch up: a pinned view holds old files";
    // Disks and directories.
    KeystoreUnusable "CK0050" "keystore-unusable" "the keystore is missing, damaged, or another member's"
        "put this member's newest keystore back, or let it join under a new id with an empty directory";
    WentBack "CK0051" "went-back" "this member went back in time"
        "remove it and let it join under a new id with an empty directory";
    StateHashDiffers "CK0052" "state-hash-differs" "members do not hold the same data"
        "find the member that differs with `coffer hash`, and let it join again under a new id";
    AuditInvalid "CK0053" "audit-invalid" "the audit log does not verify, or cannot be written"
        "look at the file and line that are named; keep a copy before anything else";
    DirectoryMismatch "CK0054" "directory-mismatch" "the data directory is not this member's"
        "set storage.data_dir and cluster.member_id to what belongs together";
    DiskFailure "CK0055" "disk-failure" "the disk failed, or is full"
        "look at the disk and at the system's log; restart the member once it is sound";
    // The machine, the configuration, the replica set.
    MemoryNotLocked "CK0056" "memory-not-locked" "keys could not be locked into memory"
        "raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit), or switch swap off";
    ConfigInvalid "CK0060" "config-invalid" "the arguments or the configuration are wrong"
        "correct the option that is named; `cofferd --config FILE --check` tells whether it is right";
    AddressInUse "CK0061" "address-in-use" "an address cannot be listened on"
        "stop the process that has it, or configure an address of this machine";
    InternalError "CK0062" "internal-error" "an internal error: a bug of cofferd"
        "keep the log and report it; restart the member";
    NoLeader "CK0063" "no-leader" "nobody leads, so nothing can be written"
        "bring a majority of the members back, and let them reach each other";
    MemberSilent "CK0064" "member-silent" "a member does not answer its leader"
        "see whether it runs, and whether the leader can reach its address";
    AddressDiffers "CK0065" "address-differs" "the replica set knows this member by another address"
        "give the member its address back, or remove it and add it under a new id at the new one";
    SetNotStarted "CK0066" "set-not-started" "the replica set is not started, or this member not added to it"
        "start all members of the first start; add a later one with `coffer member add`";
    EncryptionOff "CK0067" "encryption-off" "encryption is off: everything is readable on disk"
        "turn it on with `coffer encryption enable`";
    LocalProvider "CK0068" "local-provider" "the customer's key is a file: this protects nothing"
        "use it for development only; anything else needs the provider aws";
    NewerVersion "CK0069" "newer-version" "the data were written by a newer cofferd than this one"
        "run the newest version that any member of the replica set has run";
}

impl HelpCode {
    /// The command that shows the page, such as `` `coffer explain CK0013` ``, for messages to an operator.
    pub fn hint(self) -> String {
        format!("`coffer explain {}`", self.as_str())
    }
}

impl fmt::Display for HelpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
