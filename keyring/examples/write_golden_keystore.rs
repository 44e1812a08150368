//! Writes the files of `tests/golden`: run it when a new format of the keystore is made, and never
//! over the files of an older one.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use coffer_keyring::keystore::FORMAT;
use coffer_keyring::kms::Region;
use coffer_keyring::kms::local::{LocalKms, LocalKmsAdmin};
use coffer_keyring::{
    ClusterId, DatabaseId, Generation, KeyOwner, KeyVersion, Keyring, KeystoreParams, MemberId,
};

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: write_golden_keystore DIR")?);
    let cluster = ClusterId::parse("6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11")?;
    let (member, home) = (MemberId(3), Region::parse("eu-central-1")?);
    let admin = LocalKmsAdmin::new(&dir.join(format!("kms-{FORMAT}")));
    let cmk = admin.create(&home, true)?;
    admin.replicate(&cmk, &Region::parse("eu-west-1")?)?;
    let kms = LocalKms::open(&dir.join(format!("kms-{FORMAT}")))?;

    let params = KeystoreParams { cluster: cluster.clone(), member, cmk: cmk.clone(), region: home };
    let path = dir.join(format!("keystore-{FORMAT}.json"));
    let keyring = Keyring::create(&path, params, &kms).await?;
    fill(&keyring)?;
    keyring.next_incarnation()?;
    keyring.rotate_raft_key()?;
    let staged = [DatabaseId::ADMIN, DatabaseId(17)].map(|id| keyring.stage_database_key(id));
    let staged = staged.into_iter().collect::<Result<_, _>>()?;
    keyring.switch_generation(Generation(2), staged, 40)?;

    let key = |owner, version| {
        keyring.get(owner, KeyVersion(version)).map(|key| hex::encode(key.bytes())).ok_or("a key is missing")
    };
    let expected = serde_json::json!({
        "cmk": cmk,
        "keys": {
            "raft-1": key(KeyOwner::Raft, 1)?,
            "raft-2": key(KeyOwner::Raft, 2)?,
            "admin-2": key(KeyOwner::Database(DatabaseId::ADMIN), 2)?,
            "database-17-1": key(KeyOwner::Database(DatabaseId(17)), 1)?,
        },
    });
    let text = serde_json::to_string_pretty(&expected)? + "\n";
    std::fs::write(dir.join(format!("expected-{FORMAT}.json")), text)?;

    let plain = Keyring::create_plain(&dir.join(format!("plain-{FORMAT}.json")), cluster, member)?;
    fill(&plain)?;
    println!("written to {}", dir.display());
    Ok(())
}

fn fill(keyring: &Keyring) -> Result<(), Failure> {
    keyring.create_database(DatabaseId::ADMIN, 0)?;
    keyring.create_database(DatabaseId(9), 9)?;
    keyring.create_database(DatabaseId(12), 12)?;
    keyring.drop_database(DatabaseId(9), 23)?;
    keyring.next_incarnation()?;
    Ok(())
}
