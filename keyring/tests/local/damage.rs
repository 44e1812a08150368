//! No byte of the file can be changed unnoticed, and none makes the reader panic.

use std::io;
use std::path::Path;
use std::sync::Arc;

use coffer_keyring::keystore::{Disk, MAX_LEN};
use coffer_keyring::{DatabaseId, KeyOwner, Keyring, KeyringReport, SealedKeystore};

use crate::world::World;

/// A disk whose one file holds these bytes.
struct OneFile(Vec<u8>);

impl Disk for OneFile {
    fn read(&self, _: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let limit = usize::try_from(limit).unwrap();
        Ok(Some(self.0[..self.0.len().min(limit)].to_vec()))
    }
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn write_synced(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

async fn read(world: &World, bytes: Vec<u8>) -> Result<Keyring, String> {
    let disk = Arc::new(OneFile(bytes));
    let sealed = SealedKeystore::open_on(&world.path(), &world.cluster, world.member, disk);
    let sealed = sealed.map_err(|error| error.to_string())?.ok_or("missing")?;
    sealed.vouch(std::slice::from_ref(&world.cmk)).map_err(|error| error.to_string())?;
    sealed.unseal(&world.kms, &world.home).await.map_err(|error| error.to_string())
}

fn content(keyring: &Keyring) -> (KeyringReport, Vec<[u8; 32]>) {
    let owners = keyring.databases().into_iter().map(KeyOwner::Database).chain([KeyOwner::Raft]);
    let keys = owners.map(|owner| *keyring.current(owner).unwrap().bytes()).collect();
    (keyring.report(), keys)
}

async fn sample(world: &World) -> (Vec<u8>, Keyring) {
    let keyring = world.create().await;
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(DatabaseId(7), 7).unwrap();
    keyring.drop_database(DatabaseId(8), 9).unwrap();
    (std::fs::read(world.path()).unwrap(), keyring)
}

/// Either the error names the file, or the content is the same to the last key.
fn judge(world: &World, outcome: Result<Keyring, String>, right: &Keyring, what: &str) {
    match outcome {
        Ok(keyring) => assert_eq!(content(&keyring), content(right), "{what}"),
        Err(error) => {
            let path = world.path();
            assert!(error.contains(path.to_str().unwrap()), "{what}: {error}");
        }
    }
}

#[tokio::test]
async fn any_changed_byte_is_an_error_or_without_effect() {
    let world = World::new();
    let (bytes, right) = sample(&world).await;
    assert_eq!(content(&read(&world, bytes.clone()).await.unwrap()), content(&right));
    let mut refused = 0;
    for at in 0..bytes.len() {
        for mask in [0x01, 0x02, 0x10, 0x20, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            let outcome = read(&world, changed).await;
            refused += usize::from(outcome.is_err());
            judge(&world, outcome, &right, &format!("byte {at} ^ {mask:#x}"));
        }
    }
    // Bits without effect are few: case of hexadecimal digits and the final newline.
    let tried = bytes.len() * 6;
    assert!(refused * 100 > tried * 90, "{refused} of {tried}");
}

#[tokio::test]
async fn any_cut_or_doubled_part_is_an_error_or_without_effect() {
    let world = World::new();
    let (bytes, right) = sample(&world).await;
    for at in 0..bytes.len() {
        judge(&world, read(&world, bytes[..at].to_vec()).await, &right, &format!("cut at {at}"));
        let mut grown = bytes.clone();
        grown.insert(at, bytes[at]);
        judge(&world, read(&world, grown).await, &right, &format!("byte {at} doubled"));
    }
}

#[tokio::test]
async fn fields_that_are_doubled_unknown_or_missing_are_refused() {
    let world = World::new();
    let (bytes, _) = sample(&world).await;
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        ("\"member\":2", "\"member\":2,\"member\":2"),
        ("\"member\":2", "\"member\":2,\"colour\":\"red\""),
        ("\"generation\":1,", ""),
        ("{\"format\":2", "{\"format\":2,\"format\":1"),
        ("\"kind\":\"hmac-sha256\"", "\"kind\":\"none\""),
        ("\"kind\":\"hmac-sha256\"", "\"kind\":\"sha256\""),
        ("\"master\":1", "\"master\":null"),
        ("\"master\":1", "\"master\":2"),
        ("\"generation\":1", "\"generation\":-1"),
        ("\"generation\":1", "\"generation\":1.0"),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = text.replacen(from, to, 1);
        let error = read(&world, changed.into_bytes()).await.map(|_| ()).unwrap_err();
        assert!(error.contains("keystore.json"), "{to}: {error}");
    }
}

#[tokio::test]
async fn an_older_file_of_another_master_key_does_not_pass() {
    let world = World::new();
    let (bytes, _) = sample(&world).await;
    std::fs::remove_file(world.path()).unwrap();
    let (other, _) = sample(&world).await;
    // The body of one and the seal of the other.
    let (bytes, other) = (String::from_utf8(bytes).unwrap(), String::from_utf8(other).unwrap());
    let body = bytes.split("\"seal\"").next().unwrap();
    let seal = other.split("\"seal\"").nth(1).unwrap();
    let error = read(&world, format!("{body}\"seal\"{seal}").into_bytes()).await.map(|_| ()).unwrap_err();
    assert!(error.contains("its MAC does not fit"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_read() {
    let world = World::new();
    let limit = usize::try_from(MAX_LEN).unwrap();
    let error = read(&world, vec![b' '; limit + 5]).await.map(|_| ()).unwrap_err();
    assert!(error.contains("larger than") && error.contains("keystore.json"), "{error}");
}
