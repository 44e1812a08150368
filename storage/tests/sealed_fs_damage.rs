//! Damage and tampering under RocksDB: whatever is changed on disk, an error names the file, or
//! the change is without effect; never other data, never a panic.
#![allow(missing_docs, unsafe_code)] // an option that only the C API has

mod sealed_fs_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coffer_storage::sealed_fs::sim::SimDisk;
use librocksdb_sys as ffi;
use rand::RngExt;
use rocksdb::{AsRawPtr, ColumnFamilyDescriptor, DB, DBCompressionType, Options};
use sealed_fs_support::*;

const DIR: &str = "/db";
/// Records in the instance of [`build`].
const RECORDS: u64 = 6_000;

/// An instance with every kind of file: several SSTs, a WAL of synced and unsynced writes.
fn build() -> Image {
    let disk = Arc::new(SimDisk::new(256 << 20));
    let mut options = options(disk.clone(), keys(1));
    // SAFETY: the options are alive.
    unsafe { ffi::rocksdb_options_set_write_identity_file(options.as_raw_ptr(), 1) };
    options.set_disable_auto_compactions(true);
    let db = DB::open(&options, DIR).unwrap();
    load(&db, 0..2_000);
    db.flush().unwrap();
    load(&db, 2_000..4_000);
    db.flush().unwrap();
    for i in 4_000..RECORDS {
        let (key, value) = record(i);
        let how = if i % 200 == 199 { synced() } else { unsynced() };
        db.put_opt(key, value, &how).unwrap();
    }
    db.flush_wal(true).unwrap();
    drop(db);
    image(&disk)
}

/// Opens an image and reads all; the number of records, or the error's text.
fn outcome(image: &Image) -> Result<u64, String> {
    let db = open(disk_of(image), keys(1), Path::new(DIR)).map_err(|e| e.to_string())?;
    verify(&db).map_err(|e| e.to_string())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn position(image: &Image, wanted: &str) -> usize {
    image.iter().position(|(path, _)| kind(path) == wanted).unwrap()
}

fn number(name: &str) -> u64 {
    name.split('.').next().unwrap().parse().unwrap()
}

#[test]
fn any_flipped_byte_is_an_error_or_without_effect() {
    let seed = seed();
    let mut rng = rng(seed);
    let whole = build();
    assert_eq!(outcome(&whole), Ok(RECORDS));
    for (wanted, flips, least_errors) in [
        (".sst", 300, 300),
        ("MANIFEST", 200, 150),
        (".log", 200, 150),
        ("CURRENT", 200, 100),
        ("IDENTITY", 100, 0),
        ("OPTIONS", 100, 0),
    ] {
        let mut errors = 0;
        let places: Vec<usize> = (0..whole.len()).filter(|i| kind(&whole[*i].0) == wanted).collect();
        assert!(!places.is_empty(), "no {wanted}");
        for _ in 0..flips {
            let mut image = whole.clone();
            let (path, content) = &mut image[places[rng.random_range(0..places.len())]];
            let at = rng.random_range(0..content.len());
            content[at] ^= 1 << rng.random_range(0..8u8);
            let path = path.clone();
            match outcome(&image) {
                Ok(count) => assert_eq!(count, RECORDS, "{path:?} at {at}, seed {seed}"),
                Err(error) => {
                    errors += 1;
                    assert!(error.contains(&name(&path)), "{path:?} at {at}, seed {seed}: {error}");
                }
            }
        }
        assert!(errors >= least_errors, "{wanted}: {errors} of {flips}, seed {seed}");
    }
}

#[test]
fn chunks_swapped_within_an_sst() {
    let whole = build();
    let i = position(&whole, ".sst");
    for (a, b) in [(0, 1), (1, 5), (3, 4)] {
        let mut image = whole.clone();
        let chunk = |c: usize| 80 + c * 4124..80 + (c + 1) * 4124;
        let first = image[i].1[chunk(a)].to_vec();
        image[i].1.copy_within(chunk(b), chunk(a).start);
        image[i].1[chunk(b)].copy_from_slice(&first);
        let error = outcome(&image).unwrap_err();
        assert!(error.contains(&name(&image[i].0)), "{error}");
    }
}

#[test]
fn an_sst_cut_at_any_chunk_or_anywhere() {
    let seed = seed();
    let mut rng = rng(seed);
    let whole = build();
    let i = position(&whole, ".sst");
    let len = whole[i].1.len();
    let cuts = (0..len / 4124).map(|c| 80 + c * 4124);
    let mut all: Vec<usize> = cuts.collect();
    all.extend((0..50).map(|_| rng.random_range(0..len)));
    for cut in all {
        let mut image = whole.clone();
        image[i].1.truncate(cut);
        let error = outcome(&image).unwrap_err();
        assert!(error.contains(&name(&image[i].0)), "cut at {cut}, seed {seed}: {error}");
    }
}

/// Two SSTs of exactly one size, put in each other's place.
#[test]
fn ssts_of_one_size_swapped() {
    let disk = Arc::new(SimDisk::new(256 << 20));
    let mut options = options(disk.clone(), keys(1));
    options.set_compression_type(DBCompressionType::None);
    options.set_disable_auto_compactions(true);
    let db = DB::open(&options, DIR).unwrap();
    for n in 0..6u64 {
        load(&db, 1_000 + n * 1_000..2_000 + n * 1_000);
        db.flush().unwrap();
    }
    drop(db);
    let whole = image(&disk);
    let ssts: Vec<usize> = (0..whole.len()).filter(|i| kind(&whole[*i].0) == ".sst").collect();
    let mut same_size = 0;
    for (n, a) in ssts.iter().enumerate() {
        for b in &ssts[n + 1..] {
            let mut image = whole.clone();
            let first = std::mem::take(&mut image[*a].1);
            let second = std::mem::replace(&mut image[*b].1, first);
            image[*a].1 = second;
            same_size += usize::from(image[*a].1.len() == image[*b].1.len());
            let error = outcome(&image).unwrap_err();
            // RocksDB's own check of the unique id names a file by its number.
            let named = [a, b].iter().any(|i| {
                let name = name(&image[**i].0);
                error.contains(&name) || error.contains(&format!("file {}.", number(&name)))
            });
            assert!(named, "{error}");
        }
    }
    assert!(same_size > 0, "no two SSTs had one size");
}

/// One instance's file in another's place: another key, so nothing opens.
#[test]
fn a_file_of_another_instance() {
    let ours = build();
    let disk = Arc::new(SimDisk::new(256 << 20));
    let db = open(disk.clone(), keys(2), Path::new(DIR)).unwrap();
    load(&db, 0..5_000);
    db.flush().unwrap();
    load(&db, 5_000..6_000);
    drop(db);
    let theirs = image(&disk);
    for wanted in [".sst", "MANIFEST", ".log", "CURRENT"] {
        let mut image = ours.clone();
        let i = position(&image, wanted);
        image[i].1 = theirs[position(&theirs, wanted)].1.clone();
        let error = outcome(&image).unwrap_err();
        assert!(error.contains(&name(&image[i].0)), "{wanted}: {error}");
    }
}

/// Frames of equal length swapped or repeated in place: later frames stay where they were and
/// tell. Frames removed or added move all that follows, which is no more than cutting the live
/// end off: what is found is a beginning.
#[test]
fn frames_swapped_removed_and_repeated() {
    let whole = build();
    for wanted in [".log", "MANIFEST"] {
        let i = position(&whole, wanted);
        let content = &whole[i].1;
        let frames = frames(content);
        let mut tried = 0;
        for a in 0..frames.len() - 2 {
            let Some(b) = (a + 1..frames.len() - 2)
                .find(|b| frames[*b].len() == frames[a].len() && frames[a].len() > 44)
            else {
                continue;
            };
            for swap in [true, false] {
                let mut image = whole.clone();
                let first = content[frames[a].clone()].to_vec();
                let second = content[frames[b].clone()].to_vec();
                image[i].1[frames[a].clone()].copy_from_slice(&second);
                if swap {
                    image[i].1[frames[b].clone()].copy_from_slice(&first);
                }
                let error = outcome(&image).unwrap_err();
                assert!(error.contains(&name(&image[i].0)), "{wanted} {a} {b}: {error}");
            }
            tried += 1;
            if tried == 20 {
                break;
            }
        }
        assert!(tried > 0, "{wanted}: no two frames of one length");
    }
    let i = position(&whole, ".log");
    let frames = frames(&whole[i].1);
    for n in (0..frames.len()).step_by(frames.len() / 20) {
        for repeat in [true, false] {
            let mut image = whole.clone();
            let content = &mut image[i].1;
            if repeat {
                let frame = content[frames[n].clone()].to_vec();
                content.splice(frames[n].start..frames[n].start, frame);
            } else {
                content.drain(frames[n].clone());
            }
            if let Ok(count) = outcome(&image) {
                assert!((4_000..=RECORDS).contains(&count), "frame {n}: {count}");
            }
        }
    }
}

/// An older WAL that is gone, cut or blank is noticed, although nothing in the file itself tells.
#[test]
fn a_closed_wal_removed_cut_or_blanked() {
    let families = || ["default", "other"].map(|name| ColumnFamilyDescriptor::new(name, Options::default()));
    let disk = Arc::new(SimDisk::new(256 << 20));
    let open = |disk: Arc<SimDisk>| {
        let mut options = options(disk, keys(1));
        options.create_missing_column_families(true);
        DB::open_cf_descriptors(&options, DIR, families())
    };
    let db = open(disk.clone()).unwrap();
    let other = db.cf_handle("other").unwrap();
    for i in 0..500 {
        db.put_cf(&other, record(i).0, record(i).1).unwrap();
    }
    // The first WAL stays, for the other family's sake, and a second one goes on.
    load(&db, 0..500);
    db.flush().unwrap();
    for i in 500..1_000 {
        db.put_cf(&other, record(i).0, record(i).1).unwrap();
    }
    db.flush_wal(true).unwrap();
    drop(db);
    let whole = image(&disk);
    let wals: Vec<usize> = (0..whole.len()).filter(|i| kind(&whole[*i].0) == ".log").collect();
    assert_eq!(wals.len(), 2, "a closed and a live one");
    drop(open(disk_of(&whole)).unwrap());
    let closed = wals[0];
    let middle = {
        let frames = frames(&whole[closed].1);
        frames[frames.len() / 2].start
    };
    let mut removed = whole.clone();
    removed.remove(closed);
    let mut cut = whole.clone();
    cut[closed].1.truncate(middle);
    let mut emptied = whole.clone();
    emptied[closed].1.clear();
    let mut blank = whole.clone();
    blank[closed].1.fill(0);
    for image in [removed, cut, emptied, blank] {
        assert!(open(disk_of(&image)).is_err());
    }
}

/// What is left of a torn WAL is opened, a synced part that is gone is not missed silently.
#[test]
fn a_wal_with_a_blank_middle() {
    let whole = build();
    let i = position(&whole, ".log");
    let path: PathBuf = whole[i].0.clone();
    let len = whole[i].1.len();
    for from in (80..len - 5_000).step_by(len / 25) {
        let mut image = whole.clone();
        image[i].1[from..from + 4_096].fill(0);
        let error = outcome(&image).unwrap_err();
        assert!(error.contains(&name(&path)), "{error}");
    }
}
