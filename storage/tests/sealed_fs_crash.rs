//! Power losses, full disks and I/O errors under RocksDB, on a simulated disk.
//!
//! Records are written in order, so what is found afterwards must be the records 0 to n for some n
//! that is at least what had been acknowledged as durable: none lost, none behind a hole.
#![allow(missing_docs)]

mod sealed_fs_support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use coffer_storage::sealed_fs::sim::{Fault, FaultKind, OpKind, SimDisk};
use rand::{Rng, RngExt};
use rocksdb::{DB, WriteOptions};
use sealed_fs_support::*;

const DIR: &str = "/data/db";

/// How an instance uses its WAL.
#[derive(Clone, Copy, PartialEq)]
enum Wal {
    /// Not at all: what is flushed is durable.
    Off,
    /// Each write goes to it at once.
    On,
    /// Writes wait in memory for `flush_wal`.
    Manual,
}

fn open(disk: Arc<SimDisk>, wal: Wal) -> Result<DB, rocksdb::Error> {
    open_with(disk, keys(1), Path::new(DIR), |o| o.set_manual_wal_flush(wal == Wal::Manual))
}

/// How far a run came.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Records written, whatever became of them.
    written: u64,
    /// Records acknowledged as durable.
    durable: u64,
}

fn new_disk() -> Arc<SimDisk> {
    let disk = SimDisk::new(512 << 20);
    disk.write_file(Path::new("/data/marker"), Vec::new()); // the directory above is durable
    Arc::new(disk)
}

/// Writes on from `progress` until the first error, or for `steps`.
fn work(db: &DB, mut progress: Progress, steps: u64, wal: Wal, rng: &mut impl Rng) -> Progress {
    let mut how = WriteOptions::default();
    how.disable_wal(wal == Wal::Off);
    let mut how_synced = WriteOptions::default();
    how_synced.set_sync(true);
    for _ in 0..steps {
        let burst = rng.random_range(1..60);
        for _ in 0..burst {
            let (key, value) = record(progress.written);
            progress.written += 1;
            if db.put_opt(key, value, &how).is_err() {
                return progress;
            }
        }
        let durable = match rng.random_range(0..10) {
            0 => db.flush().is_ok(),
            1..=3 if wal == Wal::On => {
                let (key, value) = record(progress.written);
                progress.written += 1;
                db.put_opt(key, value, &how_synced).is_ok()
            }
            1..=6 if wal != Wal::Off => db.flush_wal(true).is_ok(),
            7 => {
                db.compact_range::<&[u8], &[u8]>(None, None);
                continue;
            }
            _ => continue,
        };
        if !durable {
            return progress;
        }
        progress.durable = progress.written;
    }
    progress
}

/// Opens, checks that records 0 to n are there and right, and returns n.
fn check(disk: &Arc<SimDisk>, wal: Wal, progress: Progress, what: &str) -> (DB, u64) {
    let db = open(disk.clone(), wal).unwrap_or_else(|e| panic!("{what}: does not open: {e}"));
    let count = verify(&db).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(count >= progress.durable, "{what}: {count} records, {progress:?}");
    assert!(count <= progress.written, "{what}: {count} records, {progress:?}");
    if count > 0 {
        assert!(db.get(record(count - 1).0).unwrap().is_some(), "{what}: a hole in {count}");
    }
    (db, count)
}

fn power_losses(wal: Wal, count: u64) {
    let seed = seed();
    let (lost, cuts) = (AtomicU64::new(0), AtomicU64::new(0));
    rounds(count, |round| {
        let mut rng = rng(seed.wrapping_add(round));
        let mut disk = new_disk();
        let mut progress = Progress::default();
        for crash in 0..4 {
            let what = format!("seed {seed} round {round} crash {crash}");
            // In the middle of recovery too.
            if rng.random_bool(0.7) {
                disk.cut_power_at(disk.mutations() + rng.random_range(1..1_500));
                cuts.fetch_add(1, Ordering::Relaxed);
            }
            match open(disk.clone(), wal) {
                Ok(db) => {
                    let steps = rng.random_range(1..60);
                    progress = work(&db, progress, steps, wal, &mut rng);
                    disk = Arc::new(disk.power_loss(rng.random()));
                    drop(db);
                }
                Err(_) => disk = Arc::new(disk.power_loss(rng.random())),
            }
            let (db, count) = check(&disk, wal, progress, &what);
            lost.fetch_add(progress.written - count, Ordering::Relaxed);
            progress = Progress { written: count, durable: count };
            if wal == Wal::Off {
                db.flush().unwrap(); // what was found is to be durable for the next round
            }
            drop(db);
        }
    });
    let (lost, cuts) = (lost.into_inner(), cuts.into_inner());
    assert!(lost > 0, "no power loss ever lost anything: the disk is not simulated");
    assert!(cuts > 0, "no power was cut in the middle");
}

#[test]
fn power_losses_with_a_wal() {
    power_losses(Wal::On, 60);
}

#[test]
fn power_losses_without_a_wal() {
    power_losses(Wal::Off, 40);
}

#[test]
fn power_losses_with_a_wal_flushed_by_hand() {
    power_losses(Wal::Manual, 60);
}

#[test]
fn power_cut_at_every_operation() {
    // Fail at each of the first operations of a new instance, one after the other.
    rounds(300, |cut| {
        let wal = if cut.is_multiple_of(2) { Wal::On } else { Wal::Manual };
        let disk = new_disk();
        disk.cut_power_at(disk.mutations() + cut);
        let mut progress = Progress::default();
        let db = open(disk.clone(), wal);
        if let Ok(db) = &db {
            progress = work(db, progress, 12, wal, &mut rng(7));
        }
        let found = Arc::new(disk.power_loss(cut));
        drop(db);
        drop(check(&found, wal, progress, &format!("cut at {cut}")));
    });
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    let (disk, wal) = (new_disk(), Wal::On);
    let db = open(disk.clone(), wal).unwrap();
    let progress = work(&db, Progress::default(), 40, wal, &mut rng(seed()));
    let found = Arc::new(disk.kill());
    drop(db);
    let (_db, count) = check(&found, wal, progress, "killed");
    assert_eq!(count, progress.written);
}

#[test]
fn full_disks_and_io_errors() {
    let seed = seed();
    let failed = AtomicU64::new(0);
    rounds(80, |round| {
        let mut rng = rng(seed.wrapping_add(round));
        let what = format!("seed {seed} round {round}");
        let (disk, wal) = (new_disk(), Wal::On);
        let db = open(disk.clone(), wal).unwrap();
        let before = work(&db, Progress::default(), 10, wal, &mut rng);
        let ops = [None, Some(OpKind::Write), Some(OpKind::Sync), Some(OpKind::Create), Some(OpKind::Name)];
        let fault = Fault {
            kind: if rng.random_bool(0.5) { FaultKind::Enospc } else { FaultKind::Eio },
            op: ops[rng.random_range(0..ops.len())],
            path_contains: String::new(),
            after: rng.random_range(0..100),
            times: if rng.random_bool(0.5) { 1 } else { u64::MAX },
        };
        disk.inject(fault.clone());
        let power = rng.random_bool(0.5);
        let what = format!("{what} {fault:?} power loss {power}");
        let progress = work(&db, before, 40, wal, &mut rng);
        let refused = db.put_opt(b"plaintext-key-x", b"", &synced()).is_err();
        failed.fetch_add(u64::from(refused), Ordering::Relaxed);
        // Fail-stop must hold against a power loss right after, too: a sync that failed and a
        // later one that did not are no excuse.
        let found = if power {
            Arc::new(disk.power_loss(rng.random()))
        } else {
            drop(db);
            disk.heal();
            let db = open(disk.clone(), wal).unwrap_or_else(|e| panic!("{what}: {e}"));
            drop(db);
            disk
        };
        let db = open(found, wal).unwrap_or_else(|e| panic!("{what}: {e}"));
        db.delete(b"plaintext-key-x").unwrap();
        let count = verify(&db).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(count >= progress.durable && count <= progress.written, "{what}: {count} {progress:?}");
        for i in (0..count).step_by(17) {
            assert!(db.get(record(i).0).unwrap().is_some(), "{what}: hole at {i} of {count}");
        }
    });
    assert!(failed.into_inner() > 0, "no fault ever struck");
}
