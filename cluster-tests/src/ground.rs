//! What a replica set under test stands on.

use crate::binaries::Binaries;
use crate::dev_kms::DevKms;
use crate::folder::TestFolder;
use crate::kms::AwsKmsService;
use crate::machine_lock::MachineLock;

/// Programs, a folder, who holds the CMK, and the machine.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) binaries: Binaries,
    pub(crate) folder: TestFolder,
    pub(crate) kms: DevKms,
    pub(crate) aws: Option<AwsKmsService>,
    pub(crate) lock: MachineLock,
}
