//! The contracts of Coffer: the public gRPC services, the protocol between members, and every record that is kept.
//!
//! The `.proto` files under `proto/` are the documentation; the code here is generated from them.

/// The public services `Documents` and `Admin`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("coffer.v1");

    /// Encoded `FileDescriptorSet` of this package, for server reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/public.bin"));
}

/// What members say to each other and what they keep; may change with any version.
pub mod internal {
    /// The first version of it.
    #[allow(missing_docs, clippy::all)]
    pub mod v1 {
        tonic::include_proto!("coffer.internal.v1");
    }
}

pub mod help;
pub mod wire;
