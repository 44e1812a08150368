//! A key is tried, and all that is wrong with it is listed.

use async_trait::async_trait;
use coffer_keyring::kms::{
    EncryptionContext, Finding, KeyArn, KeyDescription, Kms, KmsError, Region, Unwrapped, Wrapped,
    parse_names, validate,
};

use crate::world::World;

/// The local KMS, with calls that fail in a Region, and with what it says of a key.
struct Bent<'a> {
    world: &'a World,
    fail: Vec<(&'static str, Region, &'static str)>,
    describe: fn(&mut KeyDescription),
}

impl Bent<'_> {
    fn check(&self, call: &str, region: &Region) -> Result<(), KmsError> {
        let found = self.fail.iter().find(|(what, there, _)| *what == call && there == region);
        found.map_or(Ok(()), |(_, _, code)| Err(KmsError::from_code(code, "told so")))
    }
}

#[async_trait]
impl Kms for Bent<'_> {
    async fn encrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        self.check("Encrypt", region)?;
        self.world.kms.encrypt(region, key, plaintext, context).await
    }

    async fn decrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        self.check("Decrypt", region)?;
        self.world.kms.decrypt(region, key, ciphertext, context).await
    }

    async fn describe(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError> {
        self.check("DescribeKey", region)?;
        let mut description = self.world.kms.describe(region, key).await?;
        (self.describe)(&mut description);
        Ok(description)
    }

    async fn refresh_credentials(&self, region: &Region) -> Result<(), KmsError> {
        self.check("credentials", region).map_err(KmsError::of_credentials)
    }
}

fn context() -> EncryptionContext {
    EncryptionContext::default().with("coffer:purpose", "validation")
}

async fn try_key(world: &World, cmk: &KeyArn, regions: &[&Region]) -> Vec<Finding> {
    let regions: Vec<_> = regions.iter().map(|region| (*region).clone()).collect();
    validate(&world.kms, cmk, &regions, &context()).await
}

/// Region, help code, error code and whether it is a warning, of each finding.
fn short(findings: &[Finding]) -> Vec<(&str, &str, &str, bool)> {
    findings
        .iter()
        .map(|finding| {
            let region = finding.region.as_ref().map_or("", Region::as_str);
            (region, finding.help_code, finding.error_code.as_str(), finding.warning)
        })
        .collect()
}

#[tokio::test]
async fn a_key_that_works_everywhere_has_no_findings() {
    let world = World::new();
    assert_eq!(try_key(&world, &world.cmk, &[&world.home, &world.away]).await, []);
    assert_eq!(try_key(&world, &world.cmk, &[&world.away, &world.home]).await, []);
    assert_eq!(try_key(&world, &world.cmk, &[]).await, []);
}

#[tokio::test]
async fn all_that_is_wrong_is_listed_over_all_regions() {
    let world = World::new();
    let nowhere = Region::parse("us-east-1").unwrap();
    let out = Region::parse("ap-south-1").unwrap();
    world.admin.outage(&out).unwrap();
    world.admin.disable(&world.cmk).unwrap();
    let replica = world.cmk.in_region(&world.away).unwrap();
    world.admin.schedule_deletion(&replica, 7).unwrap();
    let findings = try_key(&world, &world.cmk, &[&world.home, &world.away, &nowhere, &out]).await;
    assert_eq!(
        short(&findings),
        [
            ("eu-central-1", "CK0001", "DisabledException", false),
            ("eu-west-1", "CK0002", "KMSInvalidStateException", false),
            ("us-east-1", "CK0024", "", true),
            ("ap-south-1", "CK0024", "", true),
            ("ap-south-1", "CK0010", "DispatchFailure", true),
        ],
        "{findings:#?}"
    );
    assert!(findings[0].problem.starts_with("Encrypt: KMS: DisabledException"), "{}", findings[0]);
    assert!(
        findings[2].problem.contains("its primary is in eu-central-1, replicas: eu-west-1"),
        "{}",
        findings[2]
    );
}

#[tokio::test]
async fn an_outage_of_home_is_an_error() {
    let world = World::new();
    world.admin.outage(&world.home).unwrap();
    let findings = try_key(&world, &world.cmk, &[&world.home, &world.away]).await;
    assert_eq!(short(&findings), [("eu-central-1", "CK0010", "DispatchFailure", false)]);
    assert!(findings[0].problem.starts_with("Encrypt and DescribeKey: "), "{}", findings[0]);
}

#[tokio::test]
async fn a_single_region_key_and_a_missing_one_are_told() {
    let world = World::new();
    let single = world.admin.create(&world.home, false).unwrap();
    let findings = try_key(&world, &single, &[&world.home, &world.away]).await;
    assert_eq!(short(&findings), [("eu-west-1", "CK0022", "", false)]);

    let none =
        KeyArn::parse(&single.to_string().replace(single.id(), "1234abcd-12ab-34cd-56ef-1234567890ab"));
    let findings = try_key(&world, &none.unwrap(), &[&world.home]).await;
    assert_eq!(short(&findings), [("eu-central-1", "CK0006", "NotFoundException", false)]);

    // A multi-Region key whose home has no replica of it.
    let here = Region::parse("us-east-1").unwrap();
    let findings = try_key(&world, &world.cmk, &[&here, &world.away]).await;
    assert_eq!(short(&findings), [("us-east-1", "CK0024", "", false)]);
}

#[tokio::test]
async fn a_policy_that_lost_one_action_is_told_by_the_call() {
    let world = World::new();
    for (call, text) in [
        ("Encrypt", "Encrypt: KMS: AccessDeniedException: told so"),
        ("Decrypt", "Decrypt: KMS: AccessDeniedException: told so"),
        ("DescribeKey", "DescribeKey: KMS: AccessDeniedException: told so"),
    ] {
        let fail = vec![(call, world.home.clone(), "AccessDeniedException")];
        let bent = Bent { world: &world, fail, describe: |_| {} };
        let findings = validate(&bent, &world.cmk, std::slice::from_ref(&world.home), &context()).await;
        assert_eq!(short(&findings), [("eu-central-1", "CK0003", "AccessDeniedException", false)]);
        assert!(findings[0].problem.starts_with(text), "{}", findings[0]);
        assert_eq!(findings[0].problem.contains("Decrypt could not be tried"), call == "Encrypt");
    }
    // With what home encrypted, Decrypt is tried in the other Region even where Encrypt is denied there.
    let denied = |call| (call, world.away.clone(), "AccessDeniedException");
    let fail = vec![denied("Encrypt"), denied("Decrypt")];
    let bent = Bent { world: &world, fail, describe: |_| {} };
    let regions = [world.home.clone(), world.away.clone()];
    let findings = validate(&bent, &world.cmk, &regions, &context()).await;
    assert_eq!(short(&findings), [("eu-west-1", "CK0003", "AccessDeniedException", false)]);
    assert!(findings[0].problem.starts_with("Encrypt and Decrypt: "), "{}", findings[0]);
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_told_beside_what_else_is_wrong() {
    let world = World::new();
    let fail = vec![
        ("credentials", world.home.clone(), "AccessDenied"),
        ("Decrypt", world.home.clone(), "AccessDeniedException"),
    ];
    let bent = Bent { world: &world, fail, describe: |_| {} };
    let findings = validate(&bent, &world.cmk, &[], &context()).await;
    assert_eq!(
        short(&findings),
        [
            ("eu-central-1", "CK0004", "AccessDenied", false),
            ("eu-central-1", "CK0003", "AccessDeniedException", false),
        ]
    );
    assert!(findings[0].to_string().contains("ExternalId"), "{}", findings[0]);
}

#[tokio::test]
async fn a_key_of_the_wrong_kind_is_refused() {
    let world = World::new();
    let fail = vec![("Encrypt", world.home.clone(), "ValidationException")];
    let bent = Bent { world: &world, fail, describe: |key| key.symmetric = false };
    let findings = validate(&bent, &world.cmk, &[], &context()).await;
    assert_eq!(short(&findings), [("eu-central-1", "CK0021", "", false)], "{findings:?}");

    let bent = Bent { world: &world, fail: Vec::new(), describe: |key| key.custom_key_store = true };
    let findings = validate(&bent, &world.cmk, &[], &context()).await;
    assert_eq!(short(&findings), [("eu-central-1", "CK0014", "", false)], "{findings:?}");
}

#[test]
fn names_are_read_and_all_that_is_wrong_with_them_is_listed() {
    let world = World::new();
    let cmk = world.cmk.to_string();
    let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(parse_names(&cmk, &[]).unwrap(), (world.cmk.clone(), vec![world.home.clone()]));
    let (_, regions) = parse_names(&cmk, &text(&["eu-west-1", "eu-central-1"])).unwrap();
    assert_eq!(regions, [world.away.clone(), world.home.clone()]);

    for bare in ["mrk-0123456789abcdef0123456789abcdef", "1234abcd-12ab-34cd-56ef-1234567890ab", "alias/mine"]
    {
        let findings = parse_names(bare, &[]).unwrap_err();
        assert_eq!(short(&findings), [("", "CK0023", "", false)]);
        assert!(findings[0].problem.contains("give it in full"), "{}", findings[0]);
    }
    let findings = parse_names("nonsense", &text(&["EU", "eu-west-1", "eu-west-1"])).unwrap_err();
    assert_eq!(findings.len(), 3, "{findings:?}");

    let single = world.admin.create(&world.home, false).unwrap().to_string();
    let findings = parse_names(&single, &text(&["eu-central-1", "eu-west-1", "us-east-1"])).unwrap_err();
    assert_eq!(short(&findings), [("eu-west-1", "CK0022", "", false), ("us-east-1", "CK0022", "", false)]);
}
