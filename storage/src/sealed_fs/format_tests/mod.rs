//! The formats under truncation, flips, moved pieces, power loss and disk faults.

use std::path::Path;
use std::sync::Arc;

mod block;
mod faults;
mod keys;
mod stream;
mod torn;

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
        Arc::new(SealingKey::new(version, Zeroizing::new([self.salt ^ version as u8; 32])).unwrap())
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
