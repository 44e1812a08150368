//! Decimal128 read from and written to its 128 bits: IEEE 754-2008 section 3.5.2, binary integer decimal encoding, in
//! the little-endian order of BSON.
//!
//! Invariant: a coefficient is below 10^34 and an exponent within [-6176, 6111]. Bits that say otherwise are not
//! canonical and mean zero (IEEE 754-2008 3.5.2, as Intel's library and MongoDB have it).

use bson::Decimal128;

/// Digits of the coefficient.
pub(crate) const PRECISION: u32 = 34;
/// 10^34: one past the greatest coefficient.
pub(crate) const COEFFICIENT_END: u128 = 10u128.pow(PRECISION);
pub(super) const MAX_EXPONENT: i32 = 6111;
const BIAS: i32 = 6176;

/// The value of a Decimal128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// Not a number, of any sign and payload.
    NaN,
    /// An infinity.
    Infinite {
        /// Its sign.
        negative: bool,
    },
    /// `coefficient * 10^exponent`.
    Finite {
        /// Its sign.
        negative: bool,
        /// Below 10^34.
        coefficient: u128,
        /// The power of ten.
        exponent: i32,
    },
}

/// A positive decimal in the one form that equal values share: `digits * 10^(exponent - 33)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scientific {
    /// The power of ten of the first digit.
    pub(crate) exponent: i32,
    /// Exactly 34 digits.
    pub(crate) digits: u128,
}

impl Scientific {
    /// `coefficient * 10^exponent`, which must be neither zero nor of more than 34 digits.
    pub(crate) fn new(coefficient: u128, exponent: i32) -> Self {
        let length = digit_count(coefficient);
        debug_assert!((1..=PRECISION).contains(&length));
        Self { exponent: exponent + length as i32 - 1, digits: coefficient * 10u128.pow(PRECISION - length) }
    }
}

/// Decimal digits of `value`; 0 for zero.
pub(crate) fn digit_count(value: u128) -> u32 {
    value.checked_ilog10().map_or(0, |log| log + 1)
}

impl Decimal {
    pub(crate) fn from_bid(bytes: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(bytes);
        let negative = bits >> 127 == 1;
        // The five bits after the sign select among the special values and the two layouts of finite ones.
        match (bits >> 122) & 0b1_1111 {
            0b1_1111 => return Self::NaN,
            0b1_1110 => return Self::Infinite { negative },
            _ => {}
        }
        if (bits >> 125) & 0b11 == 0b11 {
            // The layout for coefficients of 2^113 and more, all of which are past 10^34: zero.
            let exponent = ((bits >> 111) & 0x3FFF) as i32 - BIAS;
            return Self::Finite { negative, coefficient: 0, exponent };
        }
        let exponent = ((bits >> 113) & 0x3FFF) as i32 - BIAS;
        let coefficient = bits & ((1 << 113) - 1);
        let coefficient = if coefficient < COEFFICIENT_END { coefficient } else { 0 };
        Self::Finite { negative, coefficient, exponent }
    }

    pub(crate) fn to_bson(self) -> Decimal128 {
        let (negative, rest) = match self {
            Self::NaN => (false, 0b1_1111 << 122),
            Self::Infinite { negative } => (negative, 0b1_1110 << 122),
            Self::Finite { negative, coefficient, exponent } => {
                (negative, (((exponent + BIAS) as u128) << 113) | coefficient)
            }
        };
        Decimal128::from_bytes(((u128::from(negative) << 127) | rest).to_le_bytes())
    }

    pub(crate) fn from_int(value: i64) -> Self {
        Self::Finite { negative: value < 0, coefficient: u128::from(value.unsigned_abs()), exponent: 0 }
    }

    /// The nearest decimal of 15 significant digits, which is what MongoDB makes of a double that meets a decimal in
    /// arithmetic (`Decimal128::kRoundTo15Digits`): 0.1 becomes 0.1 and not the 55 digits that the double holds.
    pub(crate) fn from_double_15_digits(value: f64) -> Self {
        let negative = value.is_sign_negative();
        if value.is_nan() {
            return Self::NaN;
        }
        if value.is_infinite() {
            return Self::Infinite { negative };
        }
        if value == 0.0 {
            return Self::Finite { negative, coefficient: 0, exponent: 0 };
        }
        let text = format!("{:.14e}", value.abs());
        let (mantissa, exponent) = text.split_once('e').expect("`e` formatting writes an exponent");
        let coefficient = mantissa
            .bytes()
            .filter(u8::is_ascii_digit)
            .fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'));
        let exponent: i32 = exponent.parse().expect("the exponent is an integer");
        Self::Finite { negative, coefficient, exponent: exponent - 14 }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn parse(text: &str) -> Decimal {
        Decimal::from_bid(Decimal128::from_str(text).unwrap().bytes())
    }

    fn finite(negative: bool, coefficient: u128, exponent: i32) -> Decimal {
        Decimal::Finite { negative, coefficient, exponent }
    }

    #[test]
    fn reads_the_bits() {
        for (text, expected) in [
            ("0", finite(false, 0, 0)),
            ("-0", finite(true, 0, 0)),
            ("1", finite(false, 1, 0)),
            ("-1.50", finite(true, 150, -2)),
            ("9999999999999999999999999999999999E6111", finite(false, COEFFICIENT_END - 1, 6111)),
            ("1E-6176", finite(false, 1, -6176)),
            ("Infinity", Decimal::Infinite { negative: false }),
            ("-Infinity", Decimal::Infinite { negative: true }),
            ("NaN", Decimal::NaN),
        ] {
            assert_eq!(parse(text), expected, "{text}");
            assert_eq!(Decimal::from_bid(expected.to_bson().bytes()), expected, "{text} written and read");
        }
    }

    #[test]
    fn bits_that_are_not_canonical_are_zero() {
        let past_the_end = (6176u128 << 113) | COEFFICIENT_END;
        assert_eq!(Decimal::from_bid(past_the_end.to_le_bytes()), finite(false, 0, 0));
        let second_layout = (0b11u128 << 125) | (6176u128 << 111) | 5;
        assert_eq!(Decimal::from_bid(second_layout.to_le_bytes()), finite(false, 0, 0));
    }

    #[test]
    fn doubles_become_fifteen_digits() {
        assert_eq!(Decimal::from_double_15_digits(0.1), finite(false, 100_000_000_000_000, -15));
        assert_eq!(Decimal::from_double_15_digits(-2.5), finite(true, 250_000_000_000_000, -14));
        assert_eq!(Decimal::from_double_15_digits(-0.0), finite(true, 0, 0));
        assert_eq!(Decimal::from_double_15_digits(f64::NAN), Decimal::NaN);
        assert_eq!(Decimal::from_double_15_digits(f64::NEG_INFINITY), Decimal::Infinite { negative: true });
    }
}
