//! The configuration of a member under test: the daemon's defaults, with shorter clocks.

use std::path::Path;

use crate::dev_kms::DevKms;
use crate::kms::AwsKmsService;
use crate::settings::Settings;

/// Who holds the CMK.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeySource<'a> {
    /// Nobody: encryption is off.
    None,
    /// A directory.
    Dev(&'a DevKms),
    /// An emulator of AWS.
    Aws(&'a AwsKmsService),
}

/// The settings of member `id` of the replica set `cluster_id`, whose first members are `first`.
pub(crate) fn settings(
    cluster_id: &str,
    id: u64,
    address: &str,
    first: &[(u64, String)],
    data_dir: &Path,
    kms: KeySource<'_>,
) -> Settings {
    let members: Vec<String> =
        first.iter().map(|(id, address)| format!("{{ id = {id}, address = \"{address}\" }}")).collect();
    let mut settings = Settings::default();
    settings
        .text("cluster.id", cluster_id)
        .raw("cluster.member_id", id)
        .raw("cluster.members", format!("[{}]", members.join(", ")))
        .text("listen.address", address)
        .text("storage.data_dir", &data_dir.display().to_string())
        // A member notices a dead leader within a second, on a machine that is busy with other members too.
        .text("raft.heartbeat_interval", "100ms")
        .text("raft.election_timeout_min", "500ms")
        .text("raft.election_timeout_max", "1s")
        .text("log.format", "json")
        .text("log.level", "info");
    match kms {
        KeySource::Dev(kms) => {
            settings
                .text("encryption.provider", "local")
                .text("encryption.cmk_arn", &kms.cmk().to_string())
                .text("encryption.local_dir", &kms.dir().display().to_string());
        }
        KeySource::Aws(kms) => settings.merge(&kms.settings()),
        KeySource::None => {
            settings.raw("encryption.enabled", false);
            return settings;
        }
    }
    // From a revocation to a stopped member in some seconds.
    settings
        .text("health.interval", "1s")
        .text("health.confirm", "1s")
        .text("health.retry_min", "100ms")
        .text("health.retry_max", "500ms");
    settings
}
