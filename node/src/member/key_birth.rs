//! When the customer's key was made.

/// When the customer's key was made in KMS, or new material of it first seen here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBirth {
    key: String,
    at_ms: i64,
}

impl KeyBirth {
    /// Milliseconds since 1970; 0: not known.
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// `key` was made, or got new material, at `at_ms`; 0 where that is not known.
    pub(crate) fn note(&mut self, key: &str, at_ms: i64) {
        let earlier = if self.key == key { self.at_ms } else { 0 };
        self.at_ms = earlier.max(at_ms);
        key.clone_into(&mut self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_material_makes_a_key_younger_and_another_key_has_an_age_of_its_own() {
        let mut birth = KeyBirth::default();
        for (key, at_ms, expected) in
            [("one", 10, 10), ("one", 0, 10), ("one", 30, 30), ("one", 10, 30), ("two", 20, 20)]
        {
            birth.note(key, at_ms);
            assert_eq!(birth.at_ms(), expected, "{key} {at_ms}");
        }
    }
}
