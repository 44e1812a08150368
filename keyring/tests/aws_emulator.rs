//! The AWS provider and the keyring against LocalStack's KMS provider: the whole path from the key
//! in the service to the keystore on disk. The emulator is started from a Python environment.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use aws_credential_types::Credentials;
use aws_sdk_kms::config::BehaviorVersion;
use coffer_keyring::health::{Verdict, probe};
use coffer_keyring::kms::aws::{AwsKms, AwsKmsConfig};
use coffer_keyring::kms::{EncryptionContext, KeyArn, KeyState, Kms, KmsErrorClass, Region};
use coffer_keyring::{ClusterId, DatabaseId, KeyOwner, Keyring, KeystoreParams, MemberId, SealedKeystore};

/// A running emulator; it ends when this is dropped, or when the test dies.
struct Emulator {
    process: Child,
    url: String,
}

impl Emulator {
    fn start() -> Self {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("COFFER_EMULATOR_PYTHON")
            .map_or_else(|| here.join("../.venv/bin/python"), PathBuf::from);
        assert!(
            python.exists(),
            "the KMS emulator's Python environment is missing ({}): run `make test`, which makes it",
            python.display()
        );
        let mut process = Command::new(&python)
            .arg(here.join("tests/emulator/serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator's Python starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port =
            lines.next().and_then(Result::ok).expect("the emulator prints its port, see its errors above");
        let port = port.strip_prefix("port ").expect("the emulator prints its port").to_owned();
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }

    /// What the owner of the key uses.
    fn console(&self, region: &Region) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_sdk_kms::config::Region::new(region.to_string()))
            .endpoint_url(&self.url)
            .credentials_provider(credentials())
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        aws_sdk_kms::Client::from_conf(config.build())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "test")
}

#[tokio::test]
async fn a_member_lives_under_a_key_in_kms() {
    let emulator = Emulator::start();
    let home = Region::parse("eu-central-1").unwrap();
    let away = Region::parse("eu-west-1").unwrap();
    let gone = Region::parse("us-east-1").unwrap();

    // The owner makes a multi-Region key with a replica.
    let console = emulator.console(&home);
    let made = console.create_key().multi_region(true).send().await.unwrap();
    let cmk = KeyArn::parse(made.key_metadata().unwrap().arn().unwrap()).unwrap();
    assert!(cmk.is_multi_region());
    console.replicate_key().key_id(cmk.to_string()).replica_region(away.as_str()).send().await.unwrap();

    // A port that nobody listens on stands for a Region that is out.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let endpoints =
        [(home.clone(), emulator.url.clone()), (away.clone(), emulator.url.clone()), (gone.clone(), nobody)];
    let config = AwsKmsConfig { endpoints: endpoints.into(), ..AwsKmsConfig::default() };
    let kms = AwsKms::with_credentials(config, credentials()).unwrap();

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

    // Another key does not either.
    let made = console.create_key().send().await.unwrap();
    let single = KeyArn::parse(made.key_metadata().unwrap().arn().unwrap()).unwrap();
    let error = kms.decrypt(&home, &single, &blob, &context).await.unwrap_err();
    assert_eq!(error.class, KmsErrorClass::Misconfigured, "{error}");

    // The owner takes the key away: disabled, then on its way to be deleted.
    console.disable_key().key_id(cmk.to_string()).send().await.unwrap();
    let error = sealed.unseal(&kms, &home).await.unwrap_err();
    assert_eq!(error.class(), Some(KmsErrorClass::Denied), "{error}");
    let outcome = probe(&kms, &wrap, &home).await;
    assert_eq!((outcome.verdict, outcome.key_state.clone()), (Verdict::Denied, Some(KeyState::Disabled)));
    assert!(outcome.is_fact_of_key());
    console.enable_key().key_id(cmk.to_string()).send().await.unwrap();
    sealed.unseal(&kms, &home).await.unwrap();

    let replica = cmk.in_region(&away).unwrap();
    let there = emulator.console(&away);
    let deletion = there.schedule_key_deletion().key_id(replica.to_string()).pending_window_in_days(7);
    deletion.send().await.unwrap();
    let error = kms.encrypt(&away, &replica, b"x", &context).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("KMSInvalidStateException", KmsErrorClass::Denied));
    assert_eq!(error.key_state, Some(KeyState::PendingDeletion));
    sealed.unseal(&kms, &home).await.expect("home is not concerned");
}
