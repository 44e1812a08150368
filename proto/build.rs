//! Compiles the contracts with protox, so that no `protoc` has to be installed.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 6] = [
    "coffer/v1/documents.proto",
    "coffer/v1/admin.proto",
    "coffer/v1/key_admin.proto",
    "coffer/internal/v1/raft.proto",
    "coffer/internal/v1/members.proto",
    "coffer/internal/v1/record.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Reflection serves the public contracts only.
    let public = protox::compile(&FILES[..3], ["proto"])?;
    fs::write(out.join("public.bin"), prost::Message::encode_to_vec(&public))?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
