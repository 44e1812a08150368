//! Replica sets of real `cofferd` processes in a temporary folder, what can be done to them, and what must hold
//! afterwards.
//!
//! ```text
//! ClusterBuilder ─▶ Cluster ─▶ Member ─▶ Process       kill, freeze, restart, wait, ask
//!                     │  ├──▶ DevKms                    disable, enable, put a Region out
//!                     │  └──▶ kms::AwsKmsService        the same against the AWS SDK, an emulator behind a proxy per Region
//!                     └─────▶ Cli, coffer_client::Client
//! workload::Load ─▶ Ledger ─▶ invariants::*             what was acknowledged, and is it there
//! ```
//!
//! Invariants:
//! - A test waits for conditions with a deadline, never for a time.
//! - A test that fails keeps its folder (data, configurations and logs of all members) and prints its path.
//! - One replica set runs at a time on a machine: see [`machine_lock`].
//! - What was random can be repeated: see [`seed`].

pub mod binaries;
pub mod cli;
pub mod cluster;
pub mod cluster_builder;
mod config_file;
pub mod dev_kms;
pub mod files;
pub mod folder;
mod ground;
pub mod invariants;
pub mod keystore_file;
pub mod kms;
pub mod live_keys;
pub mod machine_lock;
pub mod member;
pub mod memory_scan;
pub mod own_kms;
pub mod ports;
pub mod process;
pub mod sealed_headers;
pub mod seed;
pub mod settings;
pub mod stream_file;
pub mod supervisor;
pub mod wait;
pub mod workload;

pub use cluster::Cluster;
pub use cluster_builder::ClusterBuilder;
pub use member::Member;
pub use own_kms::own_kms;
pub use seed::seeded;
pub use supervisor::restart_revoked;
pub use wait::wait_for;
