//! Files of earlier versions still open: `sealed_fs_golden/` holds an instance with every kind of
//! file, its SST under key version 1 and the rest under version 2.
//!
//! `COFFER_WRITE_GOLDEN=1` makes it anew, which is right only when a format was changed on purpose
//! and the old one is not to be read any more.
#![allow(missing_docs, unsafe_code)] // an option that only the C API has

mod sealed_fs_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coffer_storage::sealed_fs::{RealDisk, check_header, header_key_versions};
use librocksdb_sys as ffi;
use rocksdb::AsRawPtr;
use sealed_fs_support::*;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sealed_fs_golden")
}

fn write_golden(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
    let disk = Arc::new(RealDisk);
    let open_at = |version| {
        open_with(disk.clone(), keys_at(42, version), dir, |options| {
            // SAFETY: the options are alive.
            unsafe { ffi::rocksdb_options_set_write_identity_file(options.as_raw_ptr(), 1) };
        })
        .unwrap()
    };
    let db = open_at(1);
    load(&db, 0..60);
    db.flush().unwrap();
    drop(db);
    // Leave behind what version 1 wrote, but for the SST and IDENTITY.
    drop(open_at(2));
    let db = open_at(2);
    load(&db, 60..80);
    db.flush_wal(true).unwrap();
    drop(db);
    fs::remove_file(dir.join("LOCK")).unwrap();
}

#[test]
fn files_of_earlier_versions_open() {
    let golden = golden();
    if std::env::var_os("COFFER_WRITE_GOLDEN").is_some() {
        write_golden(&golden);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir(&golden).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        *kinds.entry(kind(&path)).or_insert(0) += 1;
        let head = fs::read(&path).unwrap();
        assert_eq!(&head[..9], b"COFFERSF\x01", "{}", path.display());
        let keys = TestKeys { id: 42, current: 2 };
        assert!(check_header(&RealDisk, &keys, &path).unwrap().is_some());
    }
    for kind in ["CURRENT", "IDENTITY", "MANIFEST", "OPTIONS", ".sst", ".log"] {
        assert!(kinds.contains_key(kind), "no {kind} among the golden files");
    }
    let versions = header_key_versions(&RealDisk, dir.path()).unwrap();
    assert_eq!(versions.into_keys().collect::<Vec<_>>(), [1, 2]);
    let disk = Arc::new(RealDisk);
    assert!(open(disk.clone(), keys_at(42, 1), dir.path()).is_err());
    let db = open(disk, keys_at(42, 2), dir.path()).unwrap();
    assert_eq!(verify(&db).unwrap(), 80);
}
