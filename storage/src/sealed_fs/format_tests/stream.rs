//! Stream files of all sizes, cut, flipped and followed.

use super::*;

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
fn a_file_opened_for_creation_is_emptied() {
    let disk = disk();
    synced_stream(&disk);
    let file = fs(&disk).create(Path::new(STREAM)).unwrap();
    file.append(b"new").unwrap();
    file.close().unwrap();
    assert_eq!(read_stream(&fs(&disk), STREAM).unwrap(), b"new");
    assert!(disk.open(Path::new("/d/none"), OpenMode::Edit).is_err());
}
