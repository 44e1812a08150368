//! RocksDB on the sealed file system: everything that an instance does, and that nothing of it can
//! be read on disk.
#![allow(missing_docs)]

mod sealed_fs_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coffer_storage::sealed_fs::{
    InstanceState, RealDisk, SealedFsError, check_instance, header_key_versions,
};
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{DB, IngestExternalFileOptions, SstFileWriter};
use sealed_fs_support::*;

fn disk() -> Arc<RealDisk> {
    Arc::new(RealDisk)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

/// Text that was written, or that RocksDB itself writes, as it stands in any file.
fn markers_found(dir: &Path) -> usize {
    let markers: [&[u8]; 6] =
        [b"plaintext-key", b"plaintext-value", b"rocksdb", b"leveldb", b"MANIFEST-0", b"BytewiseComparator"];
    let mut found = 0;
    for path in files(dir) {
        let content = match fs::read(&path) {
            // A background job removed it since it was listed.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            content => content.unwrap(),
        };
        for marker in markers {
            found += usize::from(content.windows(marker.len()).any(|w| w == marker));
        }
    }
    found
}

#[test]
fn load_flush_compact_reopen_iterate() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(disk(), keys(1), dir.path()).unwrap();
    load(&db, 0..20_000);
    db.flush().unwrap();
    load(&db, 10_000..30_000);
    db.compact_range::<&[u8], &[u8]>(None, None);
    assert_eq!(verify(&db).unwrap(), 30_000);
    load(&db, 30_000..31_000); // stays in the WAL
    db.flush_wal(true).unwrap();
    drop(db);
    let db = open(disk(), keys(1), dir.path()).unwrap();
    assert_eq!(verify(&db).unwrap(), 31_000);
    let (key, value) = record(30_500);
    assert_eq!(db.get(&key).unwrap(), Some(value));
    let some: Vec<_> = (0..31_000).step_by(997).map(|i| record(i).0).collect();
    assert!(db.multi_get(&some).into_iter().all(|r| r.unwrap().is_some()));
    drop(db);
    let read_only = DB::open_for_read_only(&options(disk(), keys(1)), dir.path(), false).unwrap();
    assert_eq!(verify(&read_only).unwrap(), 31_000);
}

#[test]
fn a_second_opener_is_refused_and_the_lock_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(disk(), keys(1), dir.path()).unwrap();
    let error = open(disk(), keys(1), dir.path()).unwrap_err();
    assert!(error.to_string().contains("locked by another"), "{error}");
    drop(db);
    open(disk(), keys(1), dir.path()).unwrap();
}

#[test]
fn checkpoints_are_sealed_instances() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(disk(), keys(1), &dir.path().join("db")).unwrap();
    load(&db, 0..5_000);
    db.flush().unwrap();
    load(&db, 5_000..6_000);
    let checkpoint = Checkpoint::new(&db).unwrap();
    checkpoint.create_checkpoint(dir.path().join("flushed")).unwrap();
    load(&db, 6_000..7_000);
    checkpoint.create_checkpoint_with_log_size(dir.path().join("with-wal"), u64::MAX).unwrap();
    drop(checkpoint);
    drop(db);
    for (name, count) in [("db", 7_000), ("flushed", 6_000), ("with-wal", 7_000)] {
        let db = open(disk(), keys(1), &dir.path().join(name)).unwrap();
        assert_eq!(verify(&db).unwrap(), count, "{name}");
    }
    assert_eq!(markers_found(dir.path()), 0);
}

#[test]
fn external_files_are_ingested() {
    for move_files in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let options = options(disk(), keys(1));
        let db = DB::open(&options, dir.path().join("db")).unwrap();
        load(&db, 0..1_000);
        let mut writer = SstFileWriter::create(&options);
        let file = dir.path().join("external.sst");
        writer.open(&file).unwrap();
        for i in 1_000..20_000 {
            let (key, value) = record(i);
            writer.put(key, value).unwrap();
        }
        writer.finish().unwrap();
        let mut ingest = IngestExternalFileOptions::default();
        ingest.set_move_files(move_files);
        db.ingest_external_file_opts(&ingest, vec![&file]).unwrap();
        assert_eq!(verify(&db).unwrap(), 20_000);
        drop(db);
        let db = DB::open(&options, dir.path().join("db")).unwrap();
        assert_eq!(verify(&db).unwrap(), 20_000);
        assert_eq!(markers_found(dir.path()), 0);
    }
}

/// Writes through every kind of file and returns what a reader of the disk finds.
fn markers_of_a_life(keys: impl Fn() -> sealed_fs_support::OptionalKeys) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = open(disk(), keys(), &path).unwrap();
    load(&db, 0..20_000);
    let mut found = markers_found(&path);
    db.flush().unwrap();
    load(&db, 20_000..21_000);
    db.flush_wal(true).unwrap();
    found += markers_found(&path);
    drop(db);
    let db = open(disk(), keys(), &path).unwrap();
    assert_eq!(verify(&db).unwrap(), 21_000);
    found + markers_found(&path)
}

#[test]
fn nothing_is_readable_on_disk_unless_encryption_is_off() {
    assert_eq!(markers_of_a_life(|| keys(1)), 0);
    // The same scan finds it all in a plain instance.
    assert!(markers_of_a_life(|| None) > 10);
}

#[test]
fn the_info_log_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(disk(), keys(1), dir.path()).unwrap());
    for path in files(dir.path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name == "LOCK" || !name.starts_with("LOG"), "{name}");
        assert_ne!(name, "IDENTITY", "the options leave it out");
    }
}

#[test]
fn a_plain_instance_is_rocksdbs_own() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(disk(), None, dir.path()).unwrap();
    load(&db, 0..3_000);
    db.flush().unwrap();
    load(&db, 3_000..3_500);
    drop(db);
    // Opened without our environment.
    let db = DB::open_default(dir.path()).unwrap();
    assert_eq!(verify(&db).unwrap(), 3_500);
    load(&db, 3_500..4_000);
    drop(db);
    let db = open(disk(), None, dir.path()).unwrap();
    assert_eq!(verify(&db).unwrap(), 4_000);
}

#[test]
fn a_wrong_key_and_a_wrong_mode_have_errors_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    assert_eq!(check_instance(disk(), keys(1), &path).unwrap(), InstanceState::Absent);
    let db = open(disk(), keys_at(1, 3), &path).unwrap();
    load(&db, 0..100);
    drop(db);
    assert_eq!(check_instance(disk(), keys_at(1, 3), &path).unwrap(), InstanceState::Present);
    let error = check_instance(disk(), keys_at(2, 3), &path).unwrap_err();
    assert!(matches!(error, SealedFsError::WrongKey { version: 3, .. }), "{error}");
    let error = check_instance(disk(), keys_at(1, 2), &path).unwrap_err();
    assert!(matches!(error, SealedFsError::UnknownKeyVersion { version: 3, .. }), "{error}");
    let error = check_instance(disk(), None, &path).unwrap_err();
    assert!(matches!(error, SealedFsError::SealedButPlain { .. }), "{error}");
    for keys in [keys_at(2, 3), keys_at(1, 2), None] {
        let error = open(disk(), keys, &path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("CURRENT"), "{error}");
    }
    assert_eq!(verify(&open(disk(), keys_at(1, 3), &path).unwrap()).unwrap(), 100);
    let plain = dir.path().join("plain");
    drop(open(disk(), None, &plain).unwrap());
    let error = check_instance(disk(), keys(1), &plain).unwrap_err();
    assert!(matches!(error, SealedFsError::NotSealed { .. }), "{error}");
    assert!(open(disk(), keys(1), &plain).is_err());
}

#[test]
fn a_new_key_version_replaces_the_old_one_file_by_file() {
    let dir = tempfile::tempdir().unwrap();
    let versions =
        || -> Vec<u32> { header_key_versions(&RealDisk, dir.path()).unwrap().into_keys().collect() };
    let db = open(disk(), keys_at(1, 1), dir.path()).unwrap();
    load(&db, 0..5_000);
    db.flush().unwrap();
    drop(db);
    assert_eq!(versions(), [1]);
    let db = open(disk(), keys_at(1, 2), dir.path()).unwrap();
    load(&db, 5_000..6_000);
    db.flush().unwrap();
    assert_eq!(verify(&db).unwrap(), 6_000);
    assert_eq!(versions(), [1, 2]);
    let mut all = rocksdb::CompactOptions::default();
    all.set_bottommost_level_compaction(rocksdb::BottommostLevelCompaction::Force);
    db.compact_range_opt::<&[u8], &[u8]>(None, None, &all);
    drop(db);
    // One more start leaves behind the OPTIONS files and WALs of before.
    drop(open(disk(), keys_at(1, 2), dir.path()).unwrap());
    drop(open(disk(), keys_at(1, 2), dir.path()).unwrap());
    assert_eq!(versions(), [2]);
}

#[test]
fn two_instances_with_two_keys_share_a_cache() {
    let dir = tempfile::tempdir().unwrap();
    let cache = rocksdb::Cache::new_lru_cache(8 << 20);
    let mut table = rocksdb::BlockBasedOptions::default();
    table.set_block_cache(&cache);
    let all: Vec<DB> = [1u8, 2]
        .iter()
        .map(|id| {
            let mut options = options(disk(), keys(*id));
            options.set_block_based_table_factory(&table);
            let db = DB::open(&options, dir.path().join(id.to_string())).unwrap();
            load(&db, u64::from(*id) * 10_000..u64::from(*id) * 10_000 + 8_000);
            db.flush().unwrap();
            db
        })
        .collect();
    for _ in 0..2 {
        assert!(all.iter().all(|db| verify(db).unwrap() == 8_000));
    }
    assert!(cache.get_usage() > 0);
}

#[test]
fn an_instance_lets_go_of_its_keys_and_disk() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Arc<dyn coffer_storage::sealed_fs::KeySource> = Arc::new(TestKeys { id: 1, current: 1 });
    let disk = disk();
    let db = open(disk.clone(), Some(keys.clone()), dir.path()).unwrap();
    load(&db, 0..1_000);
    db.flush().unwrap();
    assert!(Arc::strong_count(&keys) > 1);
    drop(db);
    assert_eq!(Arc::strong_count(&keys), 1);
    assert_eq!(Arc::strong_count(&disk), 1);
}

#[test]
fn readers_and_writers_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(disk(), keys(1), dir.path()).unwrap();
    load(&db, 0..10_000);
    db.flush().unwrap();
    std::thread::scope(|scope| {
        for t in 0..2u64 {
            let db = &db;
            scope.spawn(move || {
                for i in 0..300 {
                    let (key, value) = record(10_000 + t * 1_000 + i);
                    db.put_opt(key, value, &synced()).unwrap();
                }
            });
            scope.spawn(move || {
                for i in (0..10_000).step_by(7) {
                    let (key, value) = record(i);
                    assert_eq!(db.get(key).unwrap(), Some(value));
                }
            });
        }
        scope.spawn(|| (0..20).for_each(|_| db.flush_wal(true).unwrap()));
        scope.spawn(|| db.flush().unwrap());
    });
    drop(db);
    let db = open(disk(), keys(1), dir.path()).unwrap();
    assert_eq!(verify(&db).unwrap(), 10_600);
}

#[test]
fn blob_files_are_sealed_and_an_instance_can_be_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let mut options = options(disk(), keys(1));
    options.set_enable_blob_files(true);
    options.set_min_blob_size(50);
    let db = DB::open(&options, &path).unwrap();
    load(&db, 0..5_000);
    db.flush().unwrap();
    assert_eq!(verify(&db).unwrap(), 5_000);
    drop(db);
    assert!(files(&path).iter().any(|f| f.extension().is_some_and(|e| e == "blob")));
    assert_eq!(markers_found(&path), 0);
    let db = DB::open(&options, &path).unwrap();
    assert_eq!(verify(&db).unwrap(), 5_000);
    drop(db);
    DB::destroy(&options, &path).unwrap();
    assert!(!path.exists() || files(&path).is_empty());
}

#[test]
fn the_options_file_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(disk(), keys(1), dir.path()).unwrap());
    let env = coffer_storage::sealed_fs::sealed_env(disk(), keys(1), 16).unwrap();
    let cache = rocksdb::Cache::new_lru_cache(1 << 20);
    let (options, families) = rocksdb::Options::load_latest(dir.path(), env, false, cache).unwrap();
    assert_eq!(families.len(), 1);
    drop(options);
}
