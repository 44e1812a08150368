//! Stream and block files on a disk that fails.

use super::*;

#[test]
fn a_failed_write_or_sync_ends_the_file() {
    for (op, kind) in
        [(OpKind::Write, FaultKind::Eio), (OpKind::Write, FaultKind::Enospc), (OpKind::Sync, FaultKind::Eio)]
    {
        for path in [STREAM, BLOCK] {
            let disk = disk();
            let fs = fs(&disk);
            let file = fs.create(Path::new(path)).unwrap();
            file.append(&bytes(5000)).unwrap();
            file.sync().unwrap();
            let path_contains = path.to_owned();
            disk.inject(Fault { kind, op: Some(op), path_contains, after: 0, times: 1 });
            let result = file.append(&bytes(5000)).and_then(|()| file.sync());
            assert!(matches!(result, Err(SealedFsError::Io { .. })), "{result:?}");
            let result = file.append(b"x");
            assert!(matches!(result, Err(SealedFsError::Poisoned { .. })), "{result:?}");
            assert!(file.sync().is_err() && file.flush().is_err() && file.close().is_err());
            drop(file);
            if path == STREAM {
                // Synced bytes are there; of the rest a beginning.
                let read = read_stream(&fs, path).unwrap();
                assert!([5000, 10_000].contains(&read.len()), "{}", read.len());
                assert_eq!(read[..5000], bytes(5000));
            }
        }
    }
}

#[test]
fn short_writes_are_completed() {
    let disk = disk();
    disk.inject(Fault {
        kind: FaultKind::ShortWrite,
        op: None,
        path_contains: String::new(),
        after: 0,
        times: u64::MAX,
    });
    let fs = fs(&disk);
    for path in [STREAM, BLOCK] {
        let file = fs.create(Path::new(path)).unwrap();
        file.append(&bytes(10_000)).unwrap();
        file.sync().unwrap();
        file.close().unwrap();
        assert_eq!(read_stream(&fs, path).unwrap(), bytes(10_000));
    }
}

#[test]
fn appends_and_syncs_from_several_threads() {
    let disk = disk();
    let fs = fs(&disk);
    let file: Arc<dyn Writable> = fs.create(Path::new(STREAM)).unwrap().into();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let file = file.clone();
            scope.spawn(move || (0..200).for_each(|_| file.sync().unwrap()));
        }
        for id in 0..2u8 {
            let file = file.clone();
            scope.spawn(move || {
                for _ in 0..200 {
                    file.append(&[id; 10]).unwrap();
                    file.flush().unwrap();
                }
            });
        }
    });
    file.sync().unwrap();
    let read = read_stream(&fs, STREAM).unwrap();
    assert_eq!(read.len(), 4000);
    assert!(read.chunks(10).all(|piece| piece.iter().all(|b| *b == piece[0])));
}

#[test]
fn a_power_loss_keeps_what_was_synced() {
    for seed in 0..500u64 {
        let disk = disk();
        let file = fs(&disk).create(Path::new(STREAM)).unwrap();
        let (mut all, mut synced) = (Vec::new(), 0);
        for i in 0..20u64 {
            let piece = vec![i as u8; ((seed * 7 + i * 31) % 900) as usize];
            file.append(&piece).unwrap();
            file.flush().unwrap();
            all.extend(piece);
            if (seed + i).is_multiple_of(5) {
                file.sync().unwrap();
                synced = all.len();
            }
        }
        let found = disk.power_loss(seed);
        assert!(file.append(b"x").and_then(|()| file.sync()).is_err(), "the power is off");
        let read = match read_stream(&fs(&found), STREAM) {
            Err(SealedFsError::Io { .. }) if synced == 0 => continue, // the name was lost too
            read => read.unwrap_or_else(|e| panic!("seed {seed}: {e}")),
        };
        assert!(all.starts_with(&read) && read.len() >= synced, "seed {seed}: {}", read.len());
        // And it can be written on.
        let file = fs(&found).reopen(Path::new(STREAM)).unwrap();
        file.append(b"more").unwrap();
        file.sync().unwrap();
        let again = found.power_loss(seed + 1);
        let expected = [&read[..], b"more"].concat();
        assert_eq!(read_stream(&fs(&again), STREAM).unwrap(), expected, "seed {seed}");
    }
}

#[test]
fn a_wal_waits_for_the_ones_before_it() {
    for plain in [false, true] {
        for seed in 0..100 {
            let disk = disk();
            let fs = if plain { FileSystem::new(Arc::new(disk.clone()), None) } else { fs(&disk) };
            let second = "/d/000005.log";
            let old = fs.create(Path::new(STREAM)).unwrap();
            old.append(&bytes(9_000)).unwrap();
            old.flush().unwrap();
            let new = fs.create(Path::new(second)).unwrap();
            new.append(&bytes(9_000)).unwrap();
            new.flush().unwrap();
            let found = disk.power_loss(seed);
            let fs = if plain { FileSystem::new(Arc::new(found.clone()), None) } else { self::fs(&found) };
            assert_eq!(read_stream(&fs, STREAM).unwrap(), bytes(9_000), "seed {seed}");
        }
    }
}
