//! The formats under truncation, flips, moved pieces, power loss and disk faults.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::disk::{Disk, OpenMode};
use super::error::SealedFsError;
use super::file_system::FileSystem;
use super::file_traits::{SequentialRead, Writable};
use super::sim::{Fault, FaultKind, OpKind, SimDisk};
use super::{KeySource, SealingKey, check_header, check_instance, header_key_versions};

/// Keys 1 to `current`, each made of one byte.
struct Keys {
    current: u32,
    salt: u8,
}

impl Keys {
    fn key(&self, version: u32) -> Arc<SealingKey> {
        Arc::new(SealingKey::new(version, Zeroizing::new([self.salt ^ version as u8; 32])))
    }
}

impl KeySource for Keys {
    fn current(&self) -> Option<Arc<SealingKey>> {
        Some(self.key(self.current))
    }

    fn version(&self, version: u32) -> Option<Arc<SealingKey>> {
        (1..=self.current).contains(&version).then(|| self.key(version))
    }
}

const STREAM: &str = "/d/000003.log";
const BLOCK: &str = "/d/000004.sst";

fn disk() -> SimDisk {
    let disk = SimDisk::new(64 << 20);
    disk.create_dir(Path::new("/d")).unwrap();
    disk
}

fn keyed(disk: &SimDisk, current: u32, salt: u8) -> FileSystem {
    FileSystem::new(Arc::new(disk.clone()), Some(Arc::new(Keys { current, salt })))
}

fn fs(disk: &SimDisk) -> FileSystem {
    keyed(disk, 1, 9)
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn read_stream(fs: &FileSystem, path: &str) -> Result<Vec<u8>, SealedFsError> {
    let mut file = fs.open_sequential(Path::new(path))?;
    read_rest(&mut *file)
}

fn read_rest(file: &mut dyn SequentialRead) -> Result<Vec<u8>, SealedFsError> {
    let (mut all, mut buf) = (Vec::new(), [0u8; 1000]);
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(all),
            n => all.extend_from_slice(&buf[..n]),
        }
    }
}

fn read_block(fs: &FileSystem, path: &str) -> Result<Vec<u8>, SealedFsError> {
    let file = fs.open_random(Path::new(path))?;
    let mut all = vec![0u8; file.len()? as usize + 10];
    let n = file.read_at(0, &mut all)?;
    all.truncate(n);
    Ok(all)
}

/// Frames of 1 to 9 bytes, all synced as they come.
fn synced_stream(disk: &SimDisk) -> Vec<u8> {
    let file = fs(disk).create(Path::new(STREAM)).unwrap();
    let mut all = Vec::new();
    for i in 1..10u8 {
        let piece = vec![i; usize::from(i)];
        file.append(&piece).unwrap();
        file.sync().unwrap();
        all.extend(piece);
    }
    file.close().unwrap();
    all
}

#[test]
fn block_files_of_all_sizes() {
    for len in [0, 1, 4095, 4096, 4097, 8192, 8193, 300_000] {
        let disk = disk();
        let fs = fs(&disk);
        let content = bytes(len);
        let file = fs.create(Path::new(BLOCK)).unwrap();
        for (i, piece) in content.chunks(7001).enumerate() {
            file.append(piece).unwrap();
            assert_eq!(file.len(), (i * 7001 + piece.len()) as u64);
            if i % 3 == 1 {
                file.sync().unwrap(); // seals a last chunk that then grows
            }
        }
        file.sync().unwrap();
        file.close().unwrap();
        assert_eq!(read_block(&fs, BLOCK).unwrap(), content, "{len}");
        assert_eq!(read_stream(&fs, BLOCK).unwrap(), content, "{len}");
        assert_eq!(fs.logical_len(Path::new(BLOCK)).unwrap(), len as u64);
        let file = fs.open_random(Path::new(BLOCK)).unwrap();
        for (from, n) in [(0, 10), (4090, 10), (4096, 1), (100_000, 99_999), (len, 5)] {
            let mut part = vec![0; n];
            let got = file.read_at(from as u64, &mut part).unwrap();
            let end = (from + n).min(len);
            assert_eq!(part[..got], content[from.min(end)..end], "{len} {from} {n}");
        }
    }
}

#[test]
fn a_block_file_cut_anywhere_is_an_error() {
    for len in [0, 1, 4096, 4100] {
        let disk = disk();
        let file = fs(&disk).create(Path::new(BLOCK)).unwrap();
        file.append(&bytes(len)).unwrap();
        file.close().unwrap();
        let whole = disk.read_file(Path::new(BLOCK)).unwrap();
        for cut in 0..whole.len() {
            disk.write_file(Path::new(BLOCK), whole[..cut].to_vec());
            let error = read_block(&fs(&disk), BLOCK).map(|all| all.len()).unwrap_err();
            assert!(error.is_corruption(), "{len} cut at {cut}: {error}");
            assert!(error.to_string().contains(BLOCK), "{error}");
        }
    }
}

#[test]
fn a_block_file_flipped_anywhere_is_an_error() {
    let disk = disk();
    let file = fs(&disk).create(Path::new(BLOCK)).unwrap();
    file.append(&bytes(5000)).unwrap();
    file.close().unwrap();
    let whole = disk.read_file(Path::new(BLOCK)).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        disk.write_file(Path::new(BLOCK), flipped);
        let error = read_block(&fs(&disk), BLOCK).map(|all| all.len()).unwrap_err();
        assert!(error.is_corruption(), "flip at {at}: {error}");
    }
}

#[test]
fn chunks_cannot_be_moved_or_lent_to_another_file() {
    let disk = disk();
    let fs = fs(&disk);
    let other = "/d/000005.sst";
    for path in [BLOCK, other] {
        let file = fs.create(Path::new(path)).unwrap();
        file.append(&bytes(3 * 4096)).unwrap();
        file.close().unwrap();
    }
    let whole = disk.read_file(Path::new(BLOCK)).unwrap();
    let chunk = |i: usize| whole[80 + i * 4124..80 + (i + 1) * 4124].to_vec();
    let swapped = [whole[..80].to_vec(), chunk(1), chunk(0), chunk(2)].concat();
    let doubled = [whole[..80].to_vec(), chunk(0), chunk(0), chunk(2)].concat();
    let shorter = [whole[..80].to_vec(), chunk(0), chunk(2)].concat();
    let theirs = disk.read_file(Path::new(other)).unwrap();
    let lent = [whole[..80].to_vec(), theirs[80..].to_vec()].concat();
    for forged in [swapped, doubled, shorter, lent] {
        disk.write_file(Path::new(BLOCK), forged);
        assert!(read_block(&fs, BLOCK).unwrap_err().is_corruption());
    }
}

#[test]
fn stream_files_of_all_sizes() {
    let disk = disk();
    let fs = fs(&disk);
    for len in [0, 1, 100, 262_143, 262_144, 262_145, 900_000] {
        let content = bytes(len);
        let file = fs.create(Path::new(STREAM)).unwrap();
        for piece in content.chunks(300_000) {
            file.append(piece).unwrap();
        }
        assert_eq!(file.len(), len as u64);
        file.flush().unwrap();
        assert_eq!(fs.logical_len(Path::new(STREAM)).unwrap(), len as u64);
        file.sync().unwrap();
        file.sync().unwrap();
        file.close().unwrap();
        assert_eq!(read_stream(&fs, STREAM).unwrap(), content);
        assert_eq!(read_block(&fs, STREAM).unwrap(), content);
        assert_eq!(fs.logical_len(Path::new(STREAM)).unwrap(), len as u64);
        let mut file = fs.open_sequential(Path::new(STREAM)).unwrap();
        file.skip(50).unwrap();
        assert_eq!(read_rest(&mut *file).unwrap(), content[50.min(len)..]);
    }
}

#[test]
fn a_sync_without_news_writes_nothing() {
    let disk = disk();
    let file = fs(&disk).create(Path::new(STREAM)).unwrap();
    file.append(b"news").unwrap();
    file.sync().unwrap();
    let size = disk.read_file(Path::new(STREAM)).unwrap().len();
    for _ in 0..5 {
        file.sync().unwrap();
    }
    assert_eq!(disk.read_file(Path::new(STREAM)).unwrap().len(), size);
}

#[test]
fn a_stream_cut_anywhere_ends_at_a_frame() {
    let disk = disk();
    let all = synced_stream(&disk);
    let whole = disk.read_file(Path::new(STREAM)).unwrap();
    let ends: Vec<usize> = (0..10).map(|n| n * (n + 1) / 2).collect();
    for cut in 0..=whole.len() {
        disk.write_file(Path::new(STREAM), whole[..cut].to_vec());
        // A mark that survives tells of frames before it only, and those are all there.
        let read = read_stream(&fs(&disk), STREAM).unwrap();
        assert!(all.starts_with(&read) && ends.contains(&read.len()), "cut at {cut}");
        assert_eq!(fs(&disk).logical_len(Path::new(STREAM)).unwrap(), read.len() as u64);
    }
}

#[test]
fn a_synced_stream_flipped_anywhere_is_an_error_or_unharmed() {
    let disk = disk();
    let all = synced_stream(&disk);
    let whole = disk.read_file(Path::new(STREAM)).unwrap();
    let mut errors = 0;
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            disk.write_file(Path::new(STREAM), flipped);
            match read_stream(&fs(&disk), STREAM) {
                Ok(read) => assert_eq!(read, all, "flip at {at}"),
                Err(error) => {
                    assert!(error.is_corruption(), "flip at {at}: {error}");
                    errors += 1;
                }
            }
        }
    }
    // Only the last mark, 44 bytes, can be harmed without harm.
    assert_eq!(errors, (whole.len() - 44) * 3);
}

#[test]
fn an_unsynced_stream_flipped_anywhere_yields_a_beginning_of_it() {
    let disk = disk();
    let file = fs(&disk).create(Path::new(STREAM)).unwrap();
    for i in 1..10u8 {
        file.append(&vec![i; usize::from(i)]).unwrap();
        file.flush().unwrap();
    }
    file.close().unwrap();
    let all = read_stream(&fs(&disk), STREAM).unwrap();
    let whole = disk.read_file(Path::new(STREAM)).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        disk.write_file(Path::new(STREAM), flipped);
        if let Ok(read) = read_stream(&fs(&disk), STREAM) {
            assert!(all.starts_with(&read), "flip at {at}");
        }
    }
}

/// Physical ranges of the frames of a stream file.
fn frames(whole: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut at, mut out) = (80, Vec::new());
    while at < whole.len() {
        let len = u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
        out.push(at..at + 44 + len);
        at += 44 + len;
    }
    out
}

#[test]
fn frames_cannot_be_swapped_removed_or_repeated() {
    let disk = disk();
    let file = fs(&disk).create(Path::new(STREAM)).unwrap();
    for i in 0..6u8 {
        file.append(&[i; 5]).unwrap();
        file.sync().unwrap();
    }
    file.close().unwrap();
    let whole = disk.read_file(Path::new(STREAM)).unwrap();
    let frames = frames(&whole);
    assert_eq!(frames.len(), 12, "a mark follows each sync");
    let build = |order: &[usize]| {
        let mut out = whole[..80].to_vec();
        for i in order {
            out.extend_from_slice(&whole[frames[*i].clone()]);
        }
        out
    };
    let order: Vec<usize> = (0..12).collect();
    disk.write_file(Path::new(STREAM), build(&order));
    assert_eq!(read_stream(&fs(&disk), STREAM).unwrap().len(), 30);
    // In place of one another (equal lengths), so that the file's later marks keep their places.
    for (a, b) in [(0, 2), (2, 4), (0, 8)] {
        let mut order = order.clone();
        order.swap(a, b);
        disk.write_file(Path::new(STREAM), build(&order));
        assert!(read_stream(&fs(&disk), STREAM).unwrap_err().is_corruption(), "swap {a} {b}");
        order[a] = order[b];
        disk.write_file(Path::new(STREAM), build(&order));
        assert!(read_stream(&fs(&disk), STREAM).unwrap_err().is_corruption(), "repeat {b}");
    }
    // Removed or inserted: all behind it is out of place, so what is read is a beginning at most.
    let all = read_all_of(&disk, build(&order));
    for i in 0..12 {
        let mut fewer = order.clone();
        fewer.remove(i);
        let mut more = order.clone();
        more.insert(i, i);
        for forged in [fewer, more] {
            disk.write_file(Path::new(STREAM), build(&forged));
            if let Ok(read) = read_stream(&fs(&disk), STREAM) {
                assert!(all.starts_with(&read), "frame {i}");
            }
        }
    }
}

fn read_all_of(disk: &SimDisk, whole: Vec<u8>) -> Vec<u8> {
    disk.write_file(Path::new(STREAM), whole);
    read_stream(&fs(disk), STREAM).unwrap()
}

#[test]
fn what_was_not_synced_may_be_torn_in_any_order() {
    let disk = disk();
    let file = fs(&disk).create(Path::new(STREAM)).unwrap();
    file.append(b"safe").unwrap();
    file.sync().unwrap();
    for i in 0..5u8 {
        file.append(&[i; 600]).unwrap();
        file.flush().unwrap();
    }
    file.close().unwrap();
    let whole = disk.read_file(Path::new(STREAM)).unwrap();
    let frames = frames(&whole);
    assert_eq!(frames.len(), 7);
    for (i, frame) in frames.iter().enumerate().skip(2) {
        // One frame became zeros, those behind it are there.
        let mut torn = whole.clone();
        torn[frame.clone()].fill(0);
        disk.write_file(Path::new(STREAM), torn);
        assert_eq!(read_stream(&fs(&disk), STREAM).unwrap().len(), 4 + (i - 2) * 600);
    }
    let mut torn = whole.clone();
    torn[frames[0].clone()].fill(0);
    disk.write_file(Path::new(STREAM), torn);
    let error = read_stream(&fs(&disk), STREAM).unwrap_err();
    assert!(matches!(error, SealedFsError::Damaged { offset: 80, .. }), "{error}");
    // Zeros behind the end, as a file system leaves them, are the end.
    let mut longer = whole.clone();
    longer.resize(whole.len() + 5000, 0);
    disk.write_file(Path::new(STREAM), longer);
    assert_eq!(read_stream(&fs(&disk), STREAM).unwrap().len(), 3004);
}

#[test]
fn a_header_that_was_never_synced_is_an_empty_stream() {
    let disk = disk();
    let fs = fs(&disk);
    for content in [vec![], b"COFFER".to_vec(), vec![0; 80], vec![0; 5000]] {
        disk.write_file(Path::new(STREAM), content);
        assert_eq!(read_stream(&fs, STREAM).unwrap(), b"");
        assert_eq!(fs.logical_len(Path::new(STREAM)).unwrap(), 0);
        assert_eq!(read_block(&fs, STREAM).unwrap(), b"");
    }
    // But not when a later frame says that it was synced.
    synced_stream(&disk);
    let mut whole = disk.read_file(Path::new(STREAM)).unwrap();
    whole[..80].fill(0);
    disk.write_file(Path::new(STREAM), whole);
    assert!(read_stream(&fs, STREAM).unwrap_err().is_corruption());
    assert!(fs.logical_len(Path::new(STREAM)).is_err());
}

#[test]
fn reopening_cuts_the_torn_tail_and_repeats_no_nonce() {
    let disk = disk();
    let fs = fs(&disk);
    let mut all = synced_stream(&disk);
    let mut whole = disk.read_file(Path::new(STREAM)).unwrap();
    let good = whole.len();
    whole.extend_from_slice(&[7; 100]);
    disk.write_file(Path::new(STREAM), whole);
    let file = fs.reopen(Path::new(STREAM)).unwrap();
    assert_eq!(disk.read_file(Path::new(STREAM)).unwrap().len(), good);
    assert_eq!(file.len(), all.len() as u64);
    file.append(b"more").unwrap();
    file.sync().unwrap();
    file.close().unwrap();
    all.extend(b"more");
    assert_eq!(read_stream(&fs, STREAM).unwrap(), all);
    let whole = disk.read_file(Path::new(STREAM)).unwrap();
    let mut nonces: Vec<_> =
        frames(&whole).iter().map(|f| whole[f.start + 16..f.start + 28].to_vec()).collect();
    let count = nonces.len();
    assert_ne!(nonces[0][..8], nonces[count - 1][..8], "a new prefix for each opening");
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), count);
    // Damage is not cut away.
    let mut whole = disk.read_file(Path::new(STREAM)).unwrap();
    whole[130] ^= 1;
    disk.write_file(Path::new(STREAM), whole);
    assert!(fs.reopen(Path::new(STREAM)).map(|_| ()).unwrap_err().is_corruption());
    // A file that is not there, or empty, is made.
    for path in ["/d/new", "/d/empty"] {
        if path == "/d/empty" {
            disk.write_file(Path::new(path), Vec::new());
        }
        let file = fs.reopen(Path::new(path)).unwrap();
        file.append(b"x").unwrap();
        file.close().unwrap();
        assert_eq!(read_stream(&fs, path).unwrap(), b"x");
    }
}

#[test]
fn a_reader_follows_a_file_that_grows() {
    let disk = disk();
    let fs = fs(&disk);
    let file = fs.create(Path::new(STREAM)).unwrap();
    file.append(b"one").unwrap();
    file.flush().unwrap();
    let mut reader = fs.open_sequential(Path::new(STREAM)).unwrap();
    assert_eq!(read_rest(&mut *reader).unwrap(), b"one");
    file.append(b"two").unwrap();
    assert_eq!(read_rest(&mut *reader).unwrap(), b"");
    file.sync().unwrap();
    assert_eq!(read_rest(&mut *reader).unwrap(), b"two");
}

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
fn keys_are_told_apart() {
    let disk = disk();
    for path in [STREAM, BLOCK, "/d/CURRENT"] {
        let file = keyed(&disk, 2, 9).create(Path::new(path)).unwrap();
        file.append(b"MANIFEST-000001\n").unwrap();
        file.sync().unwrap();
        file.close().unwrap();
        assert_eq!(read_block(&keyed(&disk, 3, 9), path).unwrap(), b"MANIFEST-000001\n");
        let error = read_block(&keyed(&disk, 2, 8), path).unwrap_err();
        assert!(matches!(error, SealedFsError::WrongKey { version: 2, .. }), "{error}");
        let error = read_block(&keyed(&disk, 1, 9), path).unwrap_err();
        assert!(matches!(error, SealedFsError::UnknownKeyVersion { version: 2, .. }), "{error}");
        let plain = FileSystem::new(Arc::new(disk.clone()), None);
        let error = read_block(&plain, path).unwrap_err();
        assert!(matches!(error, SealedFsError::SealedButPlain { .. }), "{error}");
        let keys = Keys { current: 2, salt: 9 };
        assert_eq!(check_header(&disk, &keys, Path::new(path)).unwrap(), Some(2));
    }
    let keys = |salt| -> Option<Arc<dyn KeySource>> { Some(Arc::new(Keys { current: 2, salt })) };
    let at = |disk: &SimDisk| -> Arc<dyn Disk> { Arc::new(disk.clone()) };
    use super::InstanceState::{Absent, Present, WithoutWal};
    assert_eq!(check_instance(at(&disk), keys(9), Path::new("/d")).unwrap(), Present);
    assert_eq!(check_instance(at(&disk), keys(9), Path::new("/e")).unwrap(), Absent);
    assert!(check_instance(at(&disk), keys(8), Path::new("/d")).unwrap_err().is_corruption());
    disk.remove(Path::new(STREAM)).unwrap();
    assert_eq!(check_instance(at(&disk), keys(9), Path::new("/d")).unwrap(), WithoutWal);
    let file = keyed(&disk, 3, 9).create(Path::new("/d/x")).unwrap();
    file.close().unwrap();
    let versions = header_key_versions(&disk, Path::new("/d")).unwrap();
    assert_eq!(versions.into_iter().collect::<Vec<_>>(), [(2, 2), (3, 1)]);
    disk.write_file(Path::new("/d/CURRENT"), b"MANIFEST-000001\n".to_vec());
    let error = check_instance(at(&disk), keys(9), Path::new("/d")).unwrap_err();
    assert!(matches!(error, SealedFsError::NotSealed { .. }), "{error}");
    assert_eq!(check_instance(at(&disk), None, Path::new("/d")).unwrap(), WithoutWal);
}

#[test]
fn plain_files_are_what_was_written() {
    let disk = disk();
    let fs = FileSystem::new(Arc::new(disk.clone()), None);
    let file = fs.create(Path::new(STREAM)).unwrap();
    file.append(b"as it is").unwrap();
    file.sync().unwrap();
    file.close().unwrap();
    assert_eq!(disk.read_file(Path::new(STREAM)).unwrap(), b"as it is");
    let file = fs.reopen(Path::new(STREAM)).unwrap();
    file.append(b", on").unwrap();
    file.close().unwrap();
    assert_eq!(read_stream(&fs, STREAM).unwrap(), b"as it is, on");
    assert_eq!(fs.logical_len(Path::new(STREAM)).unwrap(), 12);
}

#[test]
fn a_file_opened_for_creation_is_emptied() {
    let disk = disk();
    synced_stream(&disk);
    let file = fs(&disk).create(Path::new(STREAM)).unwrap();
    file.append(b"new").unwrap();
    file.close().unwrap();
    assert_eq!(read_stream(&fs(&disk), STREAM).unwrap(), b"new");
    assert!(disk.open(Path::new("/d/none"), OpenMode::Edit).is_err());
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
