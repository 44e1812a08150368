//! What the tests of the sealed file system share.
#![allow(dead_code, missing_docs)] // each test file uses a part

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use coffer_storage::sealed_fs::{
    Disk, InstanceState, KeySource, SealingKey, allow_missing_wal, check_instance, harden_options,
    sealed_env, sim::SimDisk,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rocksdb::{BlockBasedOptions, DB, Options, WriteOptions};
use zeroize::Zeroizing;

/// The keys of an instance, or none: encryption off.
pub type OptionalKeys = Option<Arc<dyn KeySource>>;

/// Versions 1 to `current` of one database's key.
pub struct TestKeys {
    pub id: u8,
    pub current: u32,
}

impl TestKeys {
    fn key(&self, version: u32) -> Arc<SealingKey> {
        let mut secret = [self.id; 32];
        secret[..4].copy_from_slice(&version.to_le_bytes());
        Arc::new(SealingKey::new(version, Zeroizing::new(secret)).unwrap())
    }
}

impl KeySource for TestKeys {
    fn current(&self) -> Option<Arc<SealingKey>> {
        Some(self.key(self.current))
    }

    fn version(&self, version: u32) -> Option<Arc<SealingKey>> {
        (1..=self.current).contains(&version).then(|| self.key(version))
    }
}

/// The keys of database `id`, version 1.
pub fn keys(id: u8) -> Option<Arc<dyn KeySource>> {
    keys_at(id, 1)
}

pub fn keys_at(id: u8, current: u32) -> Option<Arc<dyn KeySource>> {
    Some(Arc::new(TestKeys { id, current }))
}

/// Small buffers and files, so that little data makes every kind of file.
pub fn options(disk: Arc<dyn Disk>, keys: Option<Arc<dyn KeySource>>) -> Options {
    let env = sealed_env(disk, keys, 16).expect("the adapter fits the library");
    let mut options = Options::default();
    harden_options(&mut options);
    options.set_env(&env);
    options.create_if_missing(true);
    options.set_write_buffer_size(1 << 20);
    options.set_max_open_files(64);
    let mut table = BlockBasedOptions::default();
    table.disable_cache(); // reads reach the files
    options.set_block_based_table_factory(&table);
    options
}

pub fn open(disk: Arc<dyn Disk>, keys: OptionalKeys, dir: &Path) -> Result<DB, rocksdb::Error> {
    open_with(disk, keys, dir, |_| {})
}

/// As [`open`], with other options.
pub fn open_with(
    disk: Arc<dyn Disk>,
    keys: OptionalKeys,
    dir: &Path,
    change: impl Fn(&mut Options),
) -> Result<DB, rocksdb::Error> {
    let mut options = options(disk.clone(), keys.clone());
    change(&mut options);
    if matches!(check_instance(disk, keys, dir), Ok(InstanceState::WithoutWal)) {
        allow_missing_wal(&mut options);
    }
    DB::open(&options, dir)
}

pub fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

pub fn unsynced() -> WriteOptions {
    WriteOptions::default()
}

/// A key and a value that belong together and can be recognised in a file.
pub fn record(i: u64) -> (Vec<u8>, Vec<u8>) {
    let key = format!("plaintext-key-{i:08}").into_bytes();
    let mut value = format!("plaintext-value-{i:08}-").into_bytes();
    let mut rng = ChaCha8Rng::seed_from_u64(i);
    value.extend((0..100).map(|_| rng.random::<u8>()));
    (key, value)
}

pub fn load(db: &DB, range: std::ops::Range<u64>) {
    for i in range {
        let (key, value) = record(i);
        db.put_opt(key, value, &unsynced()).expect("a put");
    }
}

/// Reads everything; every record must be right. Returns how many, or the error on the way.
pub fn verify(db: &DB) -> Result<u64, rocksdb::Error> {
    let mut count = 0;
    for entry in db.iterator(rocksdb::IteratorMode::Start) {
        let (key, value) = entry?;
        let text = std::str::from_utf8(&key).expect("a key that was written");
        let i: u64 = text.strip_prefix("plaintext-key-").expect("such a key").parse().expect("n");
        assert_eq!(*value, *record(i).1, "record {i} has another value");
        count += 1;
    }
    Ok(count)
}

/// The seed of this run: COFFER_TEST_SEED, or a random one. Printed, so that a failure repeats.
pub fn seed() -> u64 {
    let seed = match std::env::var("COFFER_TEST_SEED") {
        Ok(text) => text.parse().expect("COFFER_TEST_SEED is a number"),
        Err(_) => rand::rng().random(),
    };
    eprintln!("COFFER_TEST_SEED={seed}");
    seed
}

pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// All files of a simulated disk.
pub type Image = Vec<(PathBuf, Vec<u8>)>;

/// Copies a simulated disk's files.
pub fn image(disk: &SimDisk) -> Image {
    disk.files().into_iter().map(|p| (p.clone(), disk.read_file(&p).expect("it is listed"))).collect()
}

/// A simulated disk that holds these files.
pub fn disk_of(image: &Image) -> Arc<SimDisk> {
    let disk = SimDisk::new(256 << 20);
    for (path, content) in image {
        disk.write_file(path, content.clone());
    }
    Arc::new(disk)
}

/// The kind of a file by its name.
pub fn kind(path: &Path) -> &'static str {
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    ["CURRENT", "MANIFEST", "OPTIONS", "IDENTITY", "LOCK", ".sst", ".log"]
        .into_iter()
        .find(|kind| name.starts_with(kind) || name.ends_with(kind))
        .unwrap_or("other")
}

/// Physical ranges of the frames of a sealed stream file.
pub fn frames(content: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut at, mut out) = (80, Vec::new());
    while at < content.len() {
        let len = u32::from_le_bytes(content[at..at + 4].try_into().expect("4 bytes")) as usize;
        out.push(at..at + 44 + len);
        at += 44 + len;
    }
    out
}

/// Runs `work` for 0 to `rounds`, several at a time: after an I/O error RocksDB's background jobs
/// wait a second before they try again, and most rounds of a crash test have one.
pub fn rounds(rounds: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= rounds {
                        break;
                    }
                    work(round);
                }
            });
        }
    });
}
