//! Randomised tests print their seed and take it back.

pub fn seed() -> u64 {
    let seed = match std::env::var("COFFER_TEST_SEED") {
        Ok(seed) => seed.parse().expect("COFFER_TEST_SEED is a number"),
        Err(_) => rand::random::<u64>(),
    };
    eprintln!("repeat with COFFER_TEST_SEED={seed}");
    seed
}
