//! What stands for AWS when members are to run against the AWS SDK: an emulator of KMS, STS and IAM, and in front of it a
//! proxy per Region that can be put out in every way that a Region is.
//!
//! ```text
//! cofferd ─▶ FaultProxy eu-central-1 ─┐
//!         ─▶ FaultProxy eu-west-1    ─┼─▶ Emulator ◀─ Owner    disable, enable, policies, roles
//!         ─▶ FaultProxy STS          ─┘
//! ```
//!
//! Invariant: what the proxy forwards it does not change, so that signatures still verify behind it.

mod aws_kms_service;
#[path = "../../../keyring/tests/emulator/emulator.rs"]
pub mod emulator;
mod fault;
mod fault_proxy;
mod http;

pub use aws_kms_service::{AwsKmsOptions, AwsKmsService};
pub use fault::{Fault, Service};
pub use fault_proxy::FaultProxy;
