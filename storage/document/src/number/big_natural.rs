//! A natural number without bound, with no more than exact comparison of scaled numbers needs.
//!
//! Invariant: the last limb is not zero, so that the longer number is the greater; zero has no limbs.

use std::cmp::Ordering;

/// A natural number, its 64-bit limbs from the least significant on.
#[derive(PartialEq, Eq)]
pub(super) struct BigNatural {
    limbs: Vec<u64>,
}

impl BigNatural {
    pub(super) fn new(value: u128) -> Self {
        let mut limbs = vec![value as u64, (value >> 64) as u64];
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Self { limbs }
    }

    /// Multiplies by 10^`exponent`.
    pub(super) fn scale_by_ten(&mut self, mut exponent: u32) {
        // The greatest power of ten that a limb holds.
        const STEP: u32 = 19;
        while exponent > 0 {
            let step = exponent.min(STEP);
            self.multiply(10u64.pow(step));
            exponent -= step;
        }
    }

    /// Multiplies by 2^`exponent`.
    pub(super) fn shift_left(&mut self, exponent: u32) {
        if self.limbs.is_empty() {
            return;
        }
        self.multiply(1u64 << (exponent % 64));
        let whole = (exponent / 64) as usize;
        self.limbs.splice(0..0, std::iter::repeat_n(0, whole));
    }

    fn multiply(&mut self, factor: u64) {
        let mut carry = 0u128;
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
        if carry > 0 {
            self.limbs.push(carry as u64);
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.limbs
            .len()
            .cmp(&other.limbs.len())
            .then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_as_machine_integers_do() {
        for value in [0u128, 1, 7, u128::from(u64::MAX)] {
            for exponent in 0..=15 {
                let mut ten = BigNatural::new(value);
                ten.scale_by_ten(exponent);
                assert!(ten == BigNatural::new(value * 10u128.pow(exponent)));
                let mut two = BigNatural::new(value);
                two.shift_left(exponent);
                assert!(two == BigNatural::new(value << exponent));
            }
        }
    }

    #[test]
    fn a_power_of_ten_is_five_times_two() {
        let mut left = BigNatural::new(1);
        left.scale_by_ten(400);
        let mut right = BigNatural::new(1);
        for _ in 0..400 {
            right.multiply(5);
        }
        right.shift_left(400);
        assert_eq!(left.compare(&right), Ordering::Equal);
        right.multiply(2);
        assert_eq!(left.compare(&right), Ordering::Less);
    }
}
