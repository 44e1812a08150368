//! An open file of a simulated disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::disk::DiskFile;
use super::fault::{FaultKind, OpKind};
use super::inode::Inode;
use super::sim_disk::SimDisk;

/// A handle: works on its file whatever becomes of the name, until the disk loses power.
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
    pub(super) inode: Arc<Inode>,
}

impl DiskFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if let Some(fault) = self.disk.operate(OpKind::Read, &self.path)? {
            return Err(fault.error());
        }
        let content = self.inode.lock();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.data.len());
        let n = buf.len().min(content.data.len() - from);
        buf[..n].copy_from_slice(&content.data[from..from + n]);
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let fault = self.disk.operate(OpKind::Write, &self.path)?;
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // A fault in the middle: the first part is written.
        let part = if fault.is_some() { buf.len() / 2 } else { buf.len() };
        let grows = (offset + part).saturating_sub(self.inode.lock().data.len());
        self.disk.reserve(grows as u64)?;
        self.inode.write(&buf[..part], offset);
        self.inode.lock().modified = self.disk.now();
        match fault {
            None => Ok(part),
            Some(FaultKind::ShortWrite) if part > 0 => Ok(part),
            Some(FaultKind::ShortWrite) => {
                self.disk.reserve(buf.len() as u64)?;
                self.inode.write(buf, offset);
                Ok(buf.len())
            }
            Some(fault) => Err(fault.error()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.syncs.pass(&self.path, || self.disk.check_power().is_ok());
        if let Some(fault) = self.disk.operate(OpKind::Sync, &self.path)? {
            self.inode.lock().lose_dirty_pages();
            return Err(fault.error());
        }
        self.inode.lock().sync();
        self.disk.sync_names_of(&self.inode);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        self.disk.check_power()?;
        Ok(self.inode.lock().data.len() as u64)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        if let Some(fault) = self.disk.operate(OpKind::Truncate, &self.path)? {
            return Err(fault.error());
        }
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let grows = len.saturating_sub(self.inode.lock().data.len());
        self.disk.reserve(grows as u64)?;
        self.inode.truncate(len);
        Ok(())
    }
}
