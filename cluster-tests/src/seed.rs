//! Random choices that can be made again.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The environment variable that fixes the seed of a test.
pub const SEED_VARIABLE: &str = "COFFER_TEST_SEED";

/// A random generator for the test `name`, from `COFFER_TEST_SEED` where that is set. Prints the seed, so that a
/// failure can be repeated.
///
/// # Panics
/// Where the variable holds no number.
pub fn seeded(name: &str) -> ChaCha8Rng {
    let seed = match std::env::var(SEED_VARIABLE) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE}={text} is not a number")),
        Err(_) => rand::random::<u64>(),
    };
    eprintln!("{name}: {SEED_VARIABLE}={seed}");
    ChaCha8Rng::seed_from_u64(seed)
}
