//! Compiles the C++ side of the sealed file system against the headers of the RocksDB that is
//! linked.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=ROCKSDB_LIB_DIR");
    println!("cargo:rerun-if-env-changed=COFFER_ALLOW_FOREIGN_ROCKSDB");
    // The adapter derives from RocksDB's classes: a library built from other sources than these
    // headers would be undefined behaviour at the first call.
    if env::var_os("ROCKSDB_LIB_DIR").is_some() && env::var_os("COFFER_ALLOW_FOREIGN_ROCKSDB").is_none() {
        panic!(
            "ROCKSDB_LIB_DIR links a RocksDB that may not match the adapter's headers; unset it \
             (or set COFFER_ALLOW_FOREIGN_ROCKSDB=1 if it was built from this very version)"
        );
    }
    let root = env::var_os("DEP_ROCKSDB_CARGO_MANIFEST_DIR")
        .expect("librocksdb-sys, a direct dependency, exports its manifest directory");
    let include = PathBuf::from(root).join("rocksdb").join("include");
    // Standard and NDEBUG must be those of RocksDB's own build: they change its classes.
    cc::Build::new()
        .cpp(true)
        .file("cpp/adapter.cc")
        .include("cpp")
        .include(include)
        .flag("-std=c++20")
        .define("NDEBUG", None)
        .opt_level(2)
        .warnings(true)
        .flag_if_supported("-Wno-unused-parameter")
        .compile("coffer_rocksdb_adapter");
}
