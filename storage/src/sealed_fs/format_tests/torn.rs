//! What is a torn tail, and what is damage.

use super::*;

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
