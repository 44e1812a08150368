//! The keystore and the keyring over the local KMS.

mod audit_keys;
mod audit_scene;
mod audit_verify;
mod audit_write;
mod crash;
mod crash_disk;
mod damage;
mod form;
mod golden;
mod identity;
mod lifecycle;
mod local_kms;
mod model;
mod plain;
mod probe;
mod rotation;
mod seed;
mod validate;
mod world;
