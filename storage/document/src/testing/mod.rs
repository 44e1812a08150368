//! Random values, documents and filters for the tests of this crate, reproducible from a seed.

mod filters;
mod hostile;
mod numbers;
mod values;

use std::hash::{BuildHasher, Hasher, RandomState};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub(crate) use filters::random_filter;
pub(crate) use values::{random_document, random_value};

/// A generator with the seed in `COFFER_TEST_SEED`, or a new one. Prints the seed, which the test harness shows when the
/// test fails.
pub(crate) fn seeded() -> ChaCha8Rng {
    let seed = match std::env::var("COFFER_TEST_SEED") {
        Ok(text) => text.parse().expect("COFFER_TEST_SEED must be a number of 64 bits"),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    println!("run again with COFFER_TEST_SEED={seed}");
    ChaCha8Rng::seed_from_u64(seed)
}
