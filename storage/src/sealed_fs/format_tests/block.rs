//! Block files of all sizes, cut, flipped and rearranged.

use super::*;

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
