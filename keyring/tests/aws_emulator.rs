//! The AWS provider and the keyring against an emulator of KMS, STS and IAM: the whole path from the key in the service
//! to the keystore on disk, and what becomes of it when its owner takes access away.

use aws_credential_types::Credentials;
use coffer_keyring::health::{ProbeOutcome, Verdict, probe};
use coffer_keyring::kms::aws::{AssumeRole, AwsKms, AwsKmsConfig};
use coffer_keyring::kms::policy::{self, Policies, PolicyRequest, policies};
use coffer_keyring::kms::{
    EncryptionContext, Finding, IamArn, KeyArn, KeyState, Kms, KmsErrorClass, Region, validate,
};
use coffer_keyring::{ClusterId, DatabaseId, KeyOwner, Keyring, KeystoreParams, MemberId, SealedKeystore};

#[path = "emulator/emulator.rs"]
#[allow(dead_code, reason = "the process tests take the same file in, and use other parts of it")]
mod emulator;

use emulator::{AccessKey, Emulator, Owner};

/// The account of the key.
const OWNER: &str = "111122223333";
/// Another account.
const STRANGER: &str = "444455556666";

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn root() -> Credentials {
    Credentials::new(OWNER, "unused", None, None, "test")
}

fn of(key: &AccessKey) -> Credentials {
    Credentials::new(&key.id, &key.secret, None, None, "test")
}

#[tokio::test]
async fn a_member_lives_under_a_key_in_kms() {
    let emulator = Emulator::start();
    let (home, away, gone) = (region("eu-central-1"), region("eu-west-1"), region("us-east-1"));

    // The owner makes a multi-Region key with a replica.
    let owner = emulator.owner(OWNER);
    let cmk = KeyArn::parse(&owner.create_key("eu-central-1", true)).unwrap();
    assert!(cmk.is_multi_region());
    let replica = owner.replicate_key(&cmk.to_string(), "eu-west-1");
    assert_eq!(replica, cmk.in_region(&away).unwrap().to_string());

    // A port that nobody listens on stands for a Region that is out.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let endpoints = [(home.clone(), emulator.url()), (away.clone(), emulator.url()), (gone.clone(), nobody)];
    let config = AwsKmsConfig { endpoints: endpoints.into(), ..AwsKmsConfig::default() };
    let kms = AwsKms::with_credentials(config, root()).unwrap();

    // A member wraps its master key and makes its keystore.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyring/keystore.json");
    let (cluster, member) = (ClusterId::generate(), MemberId(1));
    let params = KeystoreParams { cluster: cluster.clone(), member, cmk: cmk.clone(), region: home.clone() };
    let keyring = Keyring::create(&path, params, &kms).await.unwrap();
    keyring.create_database(DatabaseId(7), 7).unwrap();
    let key = *keyring.current(KeyOwner::Database(DatabaseId(7))).unwrap().bytes();
    let wrap = keyring.wrap_info().unwrap();
    drop(keyring);

    // It unseals at home, and through the replica.
    let sealed = SealedKeystore::open(&path, &cluster, member).unwrap().unwrap();
    sealed.vouch(std::slice::from_ref(&cmk)).unwrap();
    for region in [&home, &away] {
        let keyring = sealed.unseal(&kms, region).await.unwrap();
        assert_eq!(keyring.current(KeyOwner::Database(DatabaseId(7))).unwrap().bytes(), &key);
        let outcome = probe(&kms, &wrap, region).await;
        assert_eq!(outcome.verdict, Verdict::Accessible, "{outcome:?}");
        assert_eq!(outcome.key_state, Some(KeyState::Enabled));
    }
    let description = kms.describe(&home, &cmk).await.unwrap();
    assert!(description.symmetric);
    assert_eq!(description.multi_region.unwrap().replicas, std::slice::from_ref(&away));

    // A Region that is out is an outage.
    let error = sealed.unseal(&kms, &gone).await.unwrap_err();
    assert_eq!(error.class(), Some(KmsErrorClass::Unreachable), "{error}");
    assert_eq!(probe(&kms, &wrap, &gone).await.verdict, Verdict::Unreachable);

    // Another context does not open.
    let context = EncryptionContext::node_master_key(&cluster, member);
    let blob = kms.encrypt(&home, &cmk, b"bytes", &context).await.unwrap().ciphertext;
    let other = EncryptionContext::node_master_key(&cluster, MemberId(2));
    let error = kms.decrypt(&home, &cmk, &blob, &other).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.class),
        ("InvalidCiphertextException", KmsErrorClass::Misconfigured)
    );

    // Nor does a damaged ciphertext.
    let mut damaged = blob.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let error = kms.decrypt(&home, &cmk, &damaged, &context).await.unwrap_err();
    assert_eq!(error.code, "InvalidCiphertextException");

    // Another key does not either.
    let single = KeyArn::parse(&owner.create_key("eu-central-1", false)).unwrap();
    let error = kms.decrypt(&home, &single, &blob, &context).await.unwrap_err();
    assert_eq!(error.class, KmsErrorClass::Misconfigured, "{error}");

    // The owner takes the key away: disabled, then on its way to be deleted.
    owner.disable_key(&cmk.to_string());
    let error = sealed.unseal(&kms, &home).await.unwrap_err();
    assert_eq!(error.class(), Some(KmsErrorClass::Denied), "{error}");
    let outcome = probe(&kms, &wrap, &home).await;
    assert_eq!((outcome.verdict, outcome.key_state.clone()), (Verdict::Denied, Some(KeyState::Disabled)));
    assert!(outcome.is_fact_of_key());
    owner.enable_key(&cmk.to_string());
    sealed.unseal(&kms, &home).await.unwrap();

    owner.schedule_key_deletion(&replica);
    let replica = cmk.in_region(&away).unwrap();
    let error = kms.encrypt(&away, &replica, b"x", &context).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("KMSInvalidStateException", KmsErrorClass::Denied));
    assert_eq!(error.key_state, Some(KeyState::PendingDeletion));
    sealed.unseal(&kms, &home).await.expect("home is not concerned");

    // A deletion that was called off leaves the key disabled.
    owner.cancel_key_deletion(&replica.to_string());
    assert_eq!(kms.encrypt(&away, &replica, b"x", &context).await.unwrap_err().code, "DisabledException");
    owner.enable_key(&replica.to_string());

    // New material in the key: what the older encrypted still opens, there and at home.
    owner.rotate_key(&cmk.to_string());
    for region in [&home, &away] {
        sealed.unseal(&kms, region).await.unwrap();
        assert_eq!(probe(&kms, &wrap, region).await.verdict, Verdict::Accessible);
    }
}

/// Members that are users or roles of an account and use a key of [`OWNER`] in two Regions.
struct World {
    emulator: Emulator,
    owner: Owner,
    members: Owner,
    cmk: KeyArn,
    regions: [Region; 2],
    access_key: AccessKey,
    policies: Policies,
    role: IamArn,
    dir: tempfile::TempDir,
    cluster: ClusterId,
}

impl World {
    /// A user of `account` that assumes a role there, with exactly the policies that we print.
    fn new(account: &str) -> Self {
        let emulator = Emulator::start();
        let (owner, members) = (emulator.owner(OWNER), emulator.owner(account));
        let regions = [region("eu-central-1"), region("eu-west-1")];
        let cmk = KeyArn::parse(&owner.create_key("eu-central-1", true)).unwrap();
        owner.replicate_key(&cmk.to_string(), "eu-west-1");
        let identity = IamArn::parse(&members.create_user("member")).unwrap();
        let access_key = members.create_access_key("member");
        let role = IamArn::parse(&format!("arn:aws:iam::{account}:role/coffer")).unwrap();
        let policies = policies(&PolicyRequest {
            cmk: &cmk,
            regions: &regions,
            identity: &identity,
            role: Some(&role),
            external_id: Some("set-7"),
            source_addresses: &["127.0.0.1:27101".to_owned()],
        })
        .unwrap();
        members.set_user_policy("member", "coffer", policies.assume_role.as_ref().unwrap());
        members.create_role("coffer", policies.trust.as_ref().unwrap());
        members.set_role_policy("coffer", "coffer", &policies.key_use);
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterId::generate();
        Self { emulator, owner, members, cmk, regions, access_key, policies, role, dir, cluster }
    }

    fn kms(&self) -> AwsKms {
        let config = AwsKmsConfig {
            endpoints: self.regions.iter().map(|region| (region.clone(), self.emulator.url())).collect(),
            sts_endpoint: Some(self.emulator.url()),
            assume_role: Some(AssumeRole {
                arn: self.role.to_string(),
                external_id: Some("set-7".to_owned()),
                session_name: "coffer-member-1".to_owned(),
            }),
            ..AwsKmsConfig::default()
        };
        AwsKms::with_credentials(config, of(&self.access_key)).unwrap()
    }

    fn context(&self) -> EncryptionContext {
        EncryptionContext::node_master_key(&self.cluster, MemberId(1))
    }

    async fn create(&self, kms: &AwsKms, name: &str) -> Result<Keyring, coffer_keyring::UnsealError> {
        let params = KeystoreParams {
            cluster: self.cluster.clone(),
            member: MemberId(1),
            cmk: self.cmk.clone(),
            region: self.regions[0].clone(),
        };
        Keyring::create(&self.dir.path().join(name).join("keystore.json"), params, kms).await
    }

    fn sealed(&self) -> SealedKeystore {
        let path = self.dir.path().join("first/keystore.json");
        let sealed = SealedKeystore::open(&path, &self.cluster, MemberId(1)).unwrap().unwrap();
        sealed.vouch(std::slice::from_ref(&self.cmk)).unwrap();
        sealed
    }

    async fn validate(&self, kms: &AwsKms) -> Vec<Finding> {
        validate(kms, &self.cmk, &self.regions, &self.context()).await
    }
}

/// Region, help code and service's code of each finding.
fn short(findings: &[Finding]) -> Vec<(&str, &str, &str)> {
    findings
        .iter()
        .map(|finding| {
            let region = finding.region.as_ref().map_or("", Region::as_str);
            (region, finding.help_code, finding.error_code.as_str())
        })
        .collect()
}

#[tokio::test]
async fn exactly_the_policies_that_are_printed_suffice() {
    let world = World::new(OWNER);
    let kms = world.kms();
    assert_eq!(world.validate(&kms).await, []);
    let home = &world.regions[0];
    assert_eq!(kms.check_role_reaches(&world.cmk, home, &world.context()).await, []);
    let wrap = world.create(&kms, "first").await.unwrap().wrap_info().unwrap();
    for region in &world.regions {
        world.sealed().unseal(&kms, region).await.unwrap();
        let outcome = probe(&kms, &wrap, region).await;
        assert_eq!((outcome.verdict, outcome.describe_error), (Verdict::Accessible, None));
    }
    let arn = world.cmk.to_string();

    // Each action is needed, and it shows where it is missing.
    for action in policy::ACTIONS {
        let call = action.strip_prefix("kms:").unwrap();
        let less = world.policies.key_use.replace(&format!("\"{action}\""), "\"kms:ListAliases\"");
        world.members.set_role_policy("coffer", "coffer", &less);
        let findings = world.validate(&kms).await;
        assert_eq!(
            short(&findings),
            [
                ("eu-central-1", "CK0003", "AccessDeniedException"),
                ("eu-west-1", "CK0003", "AccessDeniedException"),
            ],
            "{action}: {findings:#?}"
        );
        assert!(findings[0].problem.starts_with(&format!("{call}: ")), "{}", findings[0]);
        let described = action == "kms:DescribeKey";
        let outcome = probe(&kms, &wrap, home).await;
        assert_eq!(outcome.verdict == Verdict::Denied, !described, "{action}: {outcome:?}");
        assert_eq!(outcome.describe_error.is_some(), described, "{action}: {outcome:?}");
        let unsealed = world.sealed().unseal(&kms, home).await.map(drop).map_err(|error| error.class());
        let needed = action == "kms:Decrypt";
        assert_eq!(unsealed, if needed { Err(Some(KmsErrorClass::Denied)) } else { Ok(()) }, "{action}");
        let made = world.create(&kms, call).await.map(drop).map_err(|error| error.class());
        assert_eq!(made, if described { Ok(()) } else { Err(Some(KmsErrorClass::Denied)) }, "{action}");
    }
    world.members.set_role_policy("coffer", "coffer", &world.policies.key_use);
    assert_eq!(world.validate(&kms).await, []);

    // The replica's ARN has to be in the policy too.
    let away = arn.replace("eu-central-1", "eu-west-1");
    let home_only = world.policies.key_use.replace(&away, &arn);
    world.members.set_role_policy("coffer", "coffer", &home_only);
    assert_eq!(short(&world.validate(&kms).await), [("eu-west-1", "CK0003", "AccessDeniedException")]);

    // Calls from another address than the members' are refused.
    let elsewhere = world.policies.key_use.replace("127.0.0.1/32", "203.0.113.7/32");
    world.members.set_role_policy("coffer", "coffer", &elsewhere);
    let findings = world.validate(&kms).await;
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert!(findings[0].problem.starts_with("Encrypt and DescribeKey: "), "{}", findings[0]);
}

#[tokio::test]
async fn each_way_to_take_access_away_is_seen_and_so_is_its_return() {
    let world = World::new(OWNER);
    let kms = world.kms();
    let wrap = world.create(&kms, "first").await.unwrap().wrap_info().unwrap();
    let home = world.regions[0].clone();
    let ask = async || probe(&kms, &wrap, &home).await;
    let denied = |outcome: ProbeOutcome, code: &str, fact: bool| {
        assert_eq!(outcome.verdict, Verdict::Denied, "{code}: {outcome:?}");
        assert_eq!(outcome.is_fact_of_key(), fact, "{code}: {outcome:?}");
        assert_eq!(outcome.error.map(|error| error.code).as_deref(), Some(code));
    };
    let accessible = async |what: &str| {
        let outcome = ask().await;
        assert_eq!(outcome.verdict, Verdict::Accessible, "{what}: {outcome:?}");
    };
    accessible("at first").await;
    let arn = world.cmk.to_string();

    world.owner.disable_key(&arn);
    denied(ask().await, "DisabledException", true);
    world.owner.enable_key(&arn);
    accessible("enabled again").await;

    world.owner.schedule_key_deletion(&arn);
    denied(ask().await, "KMSInvalidStateException", true);
    world.owner.cancel_key_deletion(&arn);
    denied(ask().await, "DisabledException", true);
    world.owner.enable_key(&arn);
    accessible("deletion called off").await;

    let less = world.policies.key_use.replace("kms:Decrypt", "kms:ListAliases");
    world.members.set_role_policy("coffer", "coffer", &less);
    denied(ask().await, "AccessDeniedException", false);
    world.members.set_role_policy("coffer", "coffer", &world.policies.key_use);
    accessible("kms:Decrypt is back").await;

    world.members.delete_role_policy("coffer", "coffer");
    denied(ask().await, "AccessDeniedException", false);
    world.members.set_role_policy("coffer", "coffer", &world.policies.key_use);
    accessible("the role's policy is back").await;

    // The session that there is would last an hour: only a fresh one shows this.
    let trust = world.policies.trust.as_ref().unwrap();
    world.members.set_trust("coffer", &trust.replace("set-7", "set-8"));
    kms.encrypt(&home, &world.cmk, b"x", &wrap.context).await.expect("the session goes on");
    denied(ask().await, "AccessDenied", false);
    let findings = kms.check_role_reaches(&world.cmk, &home, &world.context()).await;
    assert_eq!(short(&findings), [("eu-central-1", "CK0004", "AccessDenied")]);
    assert!(findings[0].problem.contains("role/coffer could not be assumed"), "{}", findings[0]);
    world.members.set_trust("coffer", trust);
    accessible("the ExternalId is back").await;

    world.members.delete_user_policy("member", "coffer");
    denied(ask().await, "AccessDenied", false);
    world.members.set_user_policy("member", "coffer", world.policies.assume_role.as_ref().unwrap());
    accessible("sts:AssumeRole is back").await;

    // Sessions that ended are renewed, and that is no denial.
    world.emulator.expire_sessions();
    kms.encrypt(&home, &world.cmk, b"x", &wrap.context).await.unwrap();

    world.members.delete_access_key("member", &world.access_key.id);
    denied(ask().await, "InvalidClientTokenId", false);
    let kms = AwsKms::with_credentials(
        AwsKmsConfig { endpoints: [(home.clone(), world.emulator.url())].into(), ..AwsKmsConfig::default() },
        of(&world.access_key),
    );
    denied(probe(&kms.unwrap(), &wrap, &home).await, "UnrecognizedClientException", false);
}

#[tokio::test]
async fn a_key_of_another_account_needs_a_statement_in_its_policy() {
    let world = World::new(STRANGER);
    let kms = world.kms();
    let home = &world.regions[0];
    let findings = kms.check_role_reaches(&world.cmk, home, &world.context()).await;
    assert_eq!(short(&findings), [("eu-central-1", "CK0003", "AccessDeniedException")]);
    let statement = world.policies.key_statement.as_ref().unwrap();
    world.owner.add_key_statement(&world.cmk.to_string(), statement);
    assert_eq!(kms.check_role_reaches(&world.cmk, home, &world.context()).await, []);
    // A key's policy is its Region's own.
    assert_eq!(short(&world.validate(&kms).await), [("eu-west-1", "CK0003", "AccessDeniedException")]);
    let replica = world.cmk.in_region(&world.regions[1]).unwrap();
    world.owner.add_key_statement(&replica.to_string(), statement);
    assert_eq!(world.validate(&kms).await, []);
    world.create(&kms, "first").await.unwrap();
    // And the role's own policy is needed all the same.
    world.members.delete_role_policy("coffer", "coffer");
    assert_eq!(world.validate(&kms).await.len(), 2);
}

#[tokio::test]
async fn a_signature_with_another_secret_is_a_denial() {
    let emulator = Emulator::start();
    let owner = emulator.owner(OWNER);
    let cmk = KeyArn::parse(&owner.create_key("eu-central-1", false)).unwrap();
    owner.create_user("member");
    let key = owner.create_access_key("member");
    let wrong = AccessKey { secret: "another".to_owned(), ..key };
    let home = region("eu-central-1");
    let endpoints = [(home.clone(), emulator.url())].into();
    let config = AwsKmsConfig { endpoints, ..AwsKmsConfig::default() };
    let kms = AwsKms::with_credentials(config, of(&wrong)).unwrap();
    let error = kms.encrypt(&home, &cmk, b"x", &EncryptionContext::default()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("InvalidSignatureException", KmsErrorClass::Denied));
}
