//! One sealed file system: a disk and the keys of one instance. All that RocksDB asks of its
//! FileSystem ends here; [`super::adapter`] only translates.
//!
//! Without a key source files are plain, as RocksDB writes them (encryption off): the seam to the
//! disk and the info log stay.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block_layout;
use super::block_reader::BlockReader;
use super::block_writer::BlockWriter;
use super::cipher::FileCipher;
use super::disk::{Disk, DiskFile, OpenMode, read_full, write_full};
use super::error::{Result, SealedFsError};
use super::file_traits::{Cursor, RandomRead, SequentialRead, Writable};
use super::header::{FileHeader, HEADER_LEN, MAGIC};
use super::key_source::KeySource;
use super::kind::FileKind;
use super::plain_file::{PlainReader, PlainWriter};
use super::stream_image::{MAX_IMAGE, StreamImage};
use super::stream_reader::{StreamReader, find_mark, logical_len};
use super::stream_writer::StreamWriter;
use super::wal_order::WalOrder;
use super::window::Window;

/// A disk and the keys of one instance.
pub(super) struct FileSystem {
    disk: Arc<dyn Disk>,
    keys: Option<Arc<dyn KeySource>>,
    wals: Arc<WalOrder>,
}

/// What the first bytes of a file say.
pub(super) enum Beginning {
    /// A stream file of which no header, and so nothing, was ever synced.
    Empty,
    /// A good header.
    Header(FileHeader),
}

/// Reads and judges the first bytes of a sealed file, without a key.
pub(super) fn read_beginning(file: &dyn DiskFile, path: &Path) -> Result<Beginning> {
    let mut bytes = [0u8; HEADER_LEN];
    let got = read_full(file, &mut bytes, 0).map_err(|e| SealedFsError::io("read", path, e))?;
    let blank = bytes.iter().all(|b| *b == 0);
    if got == HEADER_LEN && !blank {
        return Ok(Beginning::Header(FileHeader::parse(path, bytes)?));
    }
    let magic = got.min(MAGIC.len());
    if !blank && bytes[..magic] != MAGIC[..magic] {
        return Err(SealedFsError::NotSealed { path: path.to_owned() });
    }
    // A crash or power loss before the first sync leaves a short or blank header. A block file is
    // read only after it was synced, so there it is damage; so it is if a later frame tells of a
    // sync.
    let lost =
        FileKind::for_new(path) == FileKind::Block || find_mark(file, path, &mut Window::default(), 0)?;
    if lost {
        return Err(SealedFsError::damaged(path, 0, "the header is missing"));
    }
    Ok(Beginning::Empty)
}

impl FileSystem {
    /// Without `keys`, files are plain.
    pub(super) fn new(disk: Arc<dyn Disk>, keys: Option<Arc<dyn KeySource>>) -> Self {
        Self { disk, keys, wals: Arc::default() }
    }

    /// The disk underneath, for what is done to names and not to contents.
    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        let op = if mode == OpenMode::Create { "create" } else { "open" };
        self.disk.open(path, mode).map_err(|e| SealedFsError::io(op, path, e))
    }

    /// With encryption off: refuses a sealed file rather than hand out its bytes.
    fn refuse_sealed(file: &dyn DiskFile, path: &Path) -> Result<()> {
        let mut magic = [0u8; MAGIC.len()];
        read_full(file, &mut magic, 0).map_err(|e| SealedFsError::io("read", path, e))?;
        if magic == MAGIC {
            return Err(SealedFsError::SealedButPlain { path: path.to_owned() });
        }
        Ok(())
    }

    /// Reads the header and makes the cipher of an existing file; `None` for an empty stream.
    fn unlock(
        keys: &dyn KeySource,
        file: &dyn DiskFile,
        path: &Path,
    ) -> Result<Option<(FileKind, FileCipher)>> {
        let Beginning::Header(header) = read_beginning(file, path)? else { return Ok(None) };
        let key = keys.version(header.key_version).ok_or_else(|| SealedFsError::UnknownKeyVersion {
            path: path.to_owned(),
            version: header.key_version,
        })?;
        Ok(Some((header.kind, header.cipher(path, &key)?)))
    }

    fn block(file: Arc<dyn DiskFile>, cipher: FileCipher, path: PathBuf) -> Result<BlockReader> {
        let physical = file.size().map_err(|e| SealedFsError::io("size", &path, e))?;
        BlockReader::new(file, cipher, path, physical)
    }

    /// Opens a file to be read in order.
    pub(super) fn open_sequential(&self, path: &Path) -> Result<Box<dyn SequentialRead>> {
        let file = self.open(path, OpenMode::Read)?;
        let Some(keys) = &self.keys else {
            Self::refuse_sealed(&*file, path)?;
            return Ok(Box::new(Cursor::new(PlainReader::new(file, path.to_owned()))));
        };
        Ok(match Self::unlock(&**keys, &*file, path)? {
            Some((FileKind::Block, cipher)) => {
                Box::new(Cursor::new(Self::block(file, cipher, path.to_owned())?))
            }
            Some((FileKind::Stream, cipher)) => {
                Box::new(StreamReader::new(file, Some(cipher), path.to_owned()))
            }
            None => Box::new(StreamReader::new(file, None, path.to_owned())),
        })
    }

    /// Opens a file to be read at random.
    pub(super) fn open_random(&self, path: &Path) -> Result<Box<dyn RandomRead>> {
        let file = self.open(path, OpenMode::Read)?;
        let Some(keys) = &self.keys else {
            Self::refuse_sealed(&*file, path)?;
            return Ok(Box::new(PlainReader::new(file, path.to_owned())));
        };
        Ok(match Self::unlock(&**keys, &*file, path)? {
            Some((FileKind::Block, cipher)) => Box::new(Self::block(file, cipher, path.to_owned())?),
            Some((FileKind::Stream, cipher)) => {
                let mut reader = StreamReader::new(file, Some(cipher), path.to_owned());
                Box::new(StreamImage(reader.read_all(MAX_IMAGE)?))
            }
            None => Box::new(StreamImage(Vec::new())),
        })
    }

    /// Makes a file, or empties it, to be written in order.
    pub(super) fn create(&self, path: &Path) -> Result<Box<dyn Writable>> {
        let file = self.create_any(path)?;
        let is_wal = path.extension().is_some_and(|e| e == "log");
        Ok(if is_wal { Box::new(self.wals.admit(file)) } else { file })
    }

    fn create_any(&self, path: &Path) -> Result<Box<dyn Writable>> {
        let Some(keys) = &self.keys else {
            let file = self.open(path, OpenMode::Create)?;
            return Ok(Box::new(PlainWriter::new(file, path.to_owned(), 0)));
        };
        let no_key = || SealedFsError::NoCurrentKey { path: path.to_owned() };
        keys.current().ok_or_else(no_key)?;
        let kind = FileKind::for_new(path);
        let (salt, prefix) = (random::<32>(path)?, random::<8>(path)?);
        let file = self.open(path, OpenMode::Create)?;
        // Chosen when the name is there, and in the header at once: who lists the directory after a rotation sees every
        // file whose key was chosen before it, and by which key, or that it does not say so yet.
        let key = keys.current().ok_or_else(no_key)?;
        let (header, cipher) = FileHeader::create(path, kind, &key, salt)?;
        write_full(&*file, header.bytes(), 0).map_err(|e| SealedFsError::io("write", path, e))?;
        let path = path.to_owned();
        Ok(match kind {
            FileKind::Block => Box::new(BlockWriter::new(file, cipher, path, prefix)),
            FileKind::Stream => Box::new(StreamWriter::create(file, cipher, path, prefix)),
        })
    }

    /// Opens a stream file to be written on; makes it if it is not there.
    pub(super) fn reopen(&self, path: &Path) -> Result<Box<dyn Writable>> {
        let file = match self.disk.open(path, OpenMode::Edit) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return self.create(path),
            Err(e) => return Err(SealedFsError::io("open", path, e)),
        };
        let Some(keys) = &self.keys else {
            Self::refuse_sealed(&*file, path)?;
            let end = file.size().map_err(|e| SealedFsError::io("size", path, e))?;
            return Ok(Box::new(PlainWriter::new(file, path.to_owned(), end)));
        };
        match Self::unlock(&**keys, &*file, path)? {
            Some((FileKind::Block, _)) => Err(SealedFsError::Unsupported {
                path: path.to_owned(),
                what: "writing on at the end of a block file",
            }),
            Some((FileKind::Stream, cipher)) => {
                let reader = StreamReader::new(file.clone(), Some(cipher), path.to_owned());
                let (end, cipher) = reader.into_end()?;
                let cipher = cipher.expect("the reader was given one");
                let prefix = random::<8>(path)?;
                Ok(Box::new(StreamWriter::reopen(file, cipher, path.to_owned(), prefix, end)?))
            }
            None => self.create(path),
        }
    }

    /// Logical size of a file: of what RocksDB wrote, not of what stands on disk.
    pub(super) fn logical_len(&self, path: &Path) -> Result<u64> {
        let meta = self.disk.metadata(path).map_err(|e| SealedFsError::io("stat", path, e))?;
        if self.keys.is_none() || meta.is_dir || meta.len == 0 {
            return Ok(meta.len);
        }
        let file = self.open(path, OpenMode::Read)?;
        match read_beginning(&*file, path)? {
            Beginning::Empty => Ok(0),
            Beginning::Header(header) if header.kind == FileKind::Block => {
                Ok(block_layout::sizes(meta.len).1)
            }
            Beginning::Header(_) => logical_len(&*file, path),
        }
    }
}

/// Fresh random bytes from the operating system.
fn random<const N: usize>(path: &Path) -> Result<[u8; N]> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| SealedFsError::io("random bytes", path, std::io::Error::other(e)))?;
    Ok(bytes)
}
