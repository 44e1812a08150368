//! The simulated disk keeps the promises of a real one, and none beyond them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::super::disk::{Disk, OpenMode, read_full, write_full};
use super::{Fault, FaultKind, OpKind, SimDisk};

fn disk() -> SimDisk {
    let disk = SimDisk::new(1 << 20);
    disk.create_dir(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

fn put(disk: &SimDisk, path: &str, data: &[u8], sync: bool) {
    let file = disk.open(Path::new(path), OpenMode::Create).unwrap();
    write_full(&*file, data, 0).unwrap();
    if sync {
        file.sync().unwrap();
    }
}

/// What a file can be found to hold, over many power losses.
fn outcomes(make: impl Fn() -> SimDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..300).map(|seed| make().power_loss(seed).read_file(Path::new(path)).ok()).collect()
}

#[test]
fn synced_content_and_its_name_stay() {
    let make = || {
        let disk = disk();
        put(&disk, "/d/f", b"safe", true);
        disk
    };
    assert_eq!(outcomes(make, "/d/f"), BTreeSet::from([Some(b"safe".to_vec())]));
}

#[test]
fn what_was_not_synced_may_go_or_stay() {
    let make = || {
        let disk = disk();
        put(&disk, "/d/f", b"lost", false);
        disk.sync_dir(Path::new("/d")).unwrap();
        disk
    };
    let found = outcomes(make, "/d/f");
    assert!(found.contains(&Some(Vec::new())) && found.contains(&Some(b"lost".to_vec())));
    assert!(found.contains(&Some(vec![0; 4])), "a size without its bytes");
    assert!(!found.contains(&None), "the name was synced");
}

#[test]
fn pages_are_lost_one_by_one() {
    let make = || {
        let disk = disk();
        put(&disk, "/d/f", &[1; 8192], true);
        let file = disk.open(Path::new("/d/f"), OpenMode::Edit).unwrap();
        write_full(&*file, &[2; 8192], 0).unwrap();
        disk
    };
    let heads: BTreeSet<_> =
        outcomes(make, "/d/f").into_iter().map(|found| found.map(|f| (f[0], f[8191], f.len()))).collect();
    for (first, last) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        assert!(heads.contains(&Some((first, last, 8192))), "{first} {last}");
    }
}

#[test]
fn a_rename_is_whole_or_not_at_all() {
    let make = || {
        let disk = disk();
        put(&disk, "/d/new", b"new", true);
        put(&disk, "/d/f", b"old", true);
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.rename(Path::new("/d/new"), Path::new("/d/f")).unwrap();
        disk
    };
    let mut seen = BTreeSet::new();
    for seed in 0..50 {
        let found = make().power_loss(seed);
        let target = found.read_file(Path::new("/d/f")).unwrap();
        let source = found.read_file(Path::new("/d/new")).ok();
        assert_eq!(source.is_some(), target == b"old", "seed {seed}");
        seen.insert(target);
    }
    assert_eq!(seen.len(), 2);
    let synced = || {
        let disk = make();
        disk.sync_dir(Path::new("/d")).unwrap();
        disk
    };
    assert_eq!(outcomes(synced, "/d/f"), BTreeSet::from([Some(b"new".to_vec())]));
}

#[test]
fn a_removal_may_be_undone_until_it_is_synced() {
    let make = |sync: bool| {
        move || {
            let disk = disk();
            put(&disk, "/d/f", b"x", true);
            disk.remove(Path::new("/d/f")).unwrap();
            if sync {
                disk.sync_dir(Path::new("/d")).unwrap();
            }
            disk
        }
    };
    assert_eq!(outcomes(make(false), "/d/f").len(), 2);
    assert_eq!(outcomes(make(true), "/d/f"), BTreeSet::from([None]));
}

#[test]
fn a_failed_sync_loses_its_pages_for_good() {
    let make = || {
        let disk = disk();
        put(&disk, "/d/f", &[1; 100], true);
        let file = disk.open(Path::new("/d/f"), OpenMode::Edit).unwrap();
        write_full(&*file, &[2; 100], 0).unwrap();
        let op = Some(OpKind::Sync);
        disk.inject(Fault { kind: FaultKind::Eio, op, path_contains: "f".into(), after: 0, times: 1 });
        file.sync().unwrap_err();
        file.sync().unwrap();
        disk
    };
    assert_eq!(make().read_file(Path::new("/d/f")).unwrap(), [2; 100], "it is still seen");
    assert_eq!(outcomes(make, "/d/f"), BTreeSet::from([Some(vec![1; 100])]));
}

#[test]
fn a_disk_without_power_fails_and_a_killed_process_loses_nothing() {
    let disk = disk();
    put(&disk, "/d/f", b"written", false);
    let _lock = disk.lock(Path::new("/d/LOCK")).unwrap();
    assert_eq!(disk.lock(Path::new("/d/LOCK")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let file = disk.open(Path::new("/d/f"), OpenMode::Edit).unwrap();
    let found = disk.kill();
    assert!(file.sync().is_err() && file.read_at(&mut [0], 0).is_err() && file.size().is_err());
    assert!(disk.list(Path::new("/d")).is_err() && disk.metadata(Path::new("/d")).is_err());
    assert_eq!(found.read_file(Path::new("/d/f")).unwrap(), b"written");
    found.lock(Path::new("/d/LOCK")).unwrap();
}

#[test]
fn the_same_seed_finds_the_same_disk() {
    let find = |seed| {
        let disk = disk();
        for i in 0..20 {
            put(&disk, &format!("/d/{i}"), &[i; 5000], i % 3 == 0);
        }
        let found = disk.power_loss(seed);
        found.files().into_iter().map(|p| found.read_file(&p).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(find(7), find(7));
    assert_ne!(find(7), find(8));
}

#[test]
fn space_ends_and_comes_back() {
    let disk = disk();
    put(&disk, "/d/f", &[1; 1 << 20], false);
    let file = disk.open(Path::new("/d/g"), OpenMode::Create).unwrap();
    assert_eq!(file.write_at(&[1], 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.remove(Path::new("/d/f")).unwrap();
    assert_eq!(disk.free_space(Path::new("/d")).unwrap(), 1 << 20);
    file.write_at(&[1], 0).unwrap();
}

#[test]
fn faults_strike_when_they_are_due() {
    let disk = disk();
    let fault = |kind, after| Fault { kind, op: None, path_contains: "/d/f".into(), after, times: 1 };
    disk.inject(fault(FaultKind::ShortWrite, 1));
    let file = disk.open(Path::new("/d/f"), OpenMode::Create).unwrap();
    assert_eq!(file.write_at(b"1234", 0).unwrap(), 4);
    assert_eq!(file.write_at(b"1234", 4).unwrap(), 2);
    assert_eq!(file.write_at(b"34", 6).unwrap(), 2);
    disk.inject(fault(FaultKind::Enospc, 0));
    assert_eq!(file.write_at(b"5678", 8).unwrap_err().kind(), io::ErrorKind::StorageFull);
    let mut all = [0; 20];
    let n = read_full(&*file, &mut all, 0).unwrap();
    assert_eq!(all[..n], *b"1234123456", "a failed write may have written a part");
    disk.inject(fault(FaultKind::Eio, 0));
    disk.heal();
    file.sync().unwrap();
    disk.cut_power_at(disk.mutations() + 1);
    file.sync().unwrap();
    assert!(file.sync().is_err());
}

#[test]
fn directories_move_with_what_is_in_them() {
    let disk = disk();
    put(&disk, "/d/f", b"x", true);
    disk.rename(Path::new("/d"), Path::new("/e")).unwrap();
    assert_eq!(disk.read_file(Path::new("/e/f")).unwrap(), b"x");
    assert!(disk.metadata(Path::new("/d")).is_err());
    assert_eq!(disk.list(Path::new("/e")).unwrap(), ["f"]);
    assert_eq!(disk.remove_dir(Path::new("/e")).unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
    disk.link(Path::new("/e/f"), Path::new("/e/g")).unwrap();
    assert_eq!(disk.metadata(Path::new("/e/f")).unwrap().links, 2);
}
