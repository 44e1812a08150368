//! Writes the files of `tests/golden`: run it when a new format of the keystore is made, and never
//! over the files of an older one.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use coffer_keyring::audit::{AuditAction, AuditEvent, AuditLog};
use coffer_keyring::keystore::FORMAT;
use coffer_keyring::kms::Region;
use coffer_keyring::kms::local::{LocalKms, LocalKmsAdmin};
use coffer_keyring::{
    ClusterId, DatabaseId, FormChange, Generation, KeyOwner, KeyVersion, Keyring, KeystoreParams, MemberId,
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

    // Begun with encryption off, so that the versions of the keys and the directory of the log are not the first ones.
    let params = KeystoreParams { cluster: cluster.clone(), member, cmk: cmk.clone(), region: home.clone() };
    let path = dir.join(format!("keystore-{FORMAT}.json"));
    let keyring = Keyring::create_plain(&path, cluster.clone(), member)?;
    fill(&keyring)?;
    let keyring = FormChange::to_sealed(&keyring, params.clone(), &kms, 3).await?.commit()?;
    keyring.next_incarnation()?;
    keyring.rotate_raft_key()?;
    let staged = [DatabaseId::ADMIN, DatabaseId(17)].map(|id| keyring.stage_database_key(id));
    let staged = staged.into_iter().collect::<Result<_, _>>()?;
    keyring.switch_generation(Generation(3), staged, 40)?;
    keyring.set_settings(b"settings")?;
    keyring.add_database_key(DatabaseId(17), 5)?;
    keyring.rotate_master(&kms, &cmk, &home, 6).await?;
    keyring.order_form_change(false, 7)?;

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
            "database-17-2": key(KeyOwner::Database(DatabaseId(17)), 2)?,
        },
    });
    let text = serde_json::to_string_pretty(&expected)? + "\n";
    std::fs::write(dir.join(format!("expected-{FORMAT}.json")), text)?;
    // A log that the key of this keystore authenticates, after a line of a time without it.
    let audit = AuditLog::open(&dir.join(format!("audit-{FORMAT}")), None)?;
    audit.append(AuditEvent::new(AuditAction::Started { version: "golden".to_owned() }))?;
    audit.set_key(keyring.audit_key());
    audit.append(AuditEvent::new(AuditAction::Unsealed { region: home.to_string() }).by("a person"))?;

    let path = dir.join(format!("plain-{FORMAT}.json"));
    let plain = Keyring::create(&path, params, &kms).await?;
    fill(&plain)?;
    plain.set_settings(b"settings")?;
    FormChange::to_plain(&plain, 4)?.commit()?;
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
