//! Addition as `$inc` has it: the result has the widest type of the two, int32 widens to int64 rather than overflow.

use std::cmp::Ordering;

use bson::Bson;

use super::{
    Decimal, Number,
    decimal::{COEFFICIENT_END, MAX_EXPONENT, PRECISION, digit_count},
};

/// The sum of two numbers, or None when both are integers and the sum does not fit an int64. Values that are not
/// numbers count as no sum either; callers have checked.
pub(crate) fn add(a: &Bson, b: &Bson) -> Option<Bson> {
    match (a, b) {
        (Bson::Int32(a), Bson::Int32(b)) => Some(match a.checked_add(*b) {
            Some(sum) => Bson::Int32(sum),
            None => Bson::Int64(i64::from(*a) + i64::from(*b)),
        }),
        _ => match (Number::of(a)?, Number::of(b)?) {
            (Number::Int(a), Number::Int(b)) => a.checked_add(b).map(Bson::Int64),
            (a @ Number::Decimal(_), b) | (a, b @ Number::Decimal(_)) => {
                Some(Bson::Decimal128(add_decimals(to_decimal(a), to_decimal(b)).to_bson()))
            }
            (a, b) => Some(Bson::Double(to_double(a) + to_double(b))),
        },
    }
}

fn to_decimal(number: Number) -> Decimal {
    match number {
        Number::Int(number) => Decimal::from_int(number),
        Number::Double(number) => Decimal::from_double_15_digits(number),
        Number::Decimal(number) => number,
    }
}

fn to_double(number: Number) -> f64 {
    match number {
        Number::Int(number) => number as f64,
        Number::Double(number) => number,
        Number::Decimal(_) => f64::NAN,
    }
}

/// IEEE 754-2008 addition, ties to even; an exact result keeps the lower exponent of the two where 34 digits allow it
/// (5.4.1, preferred exponent).
fn add_decimals(a: Decimal, b: Decimal) -> Decimal {
    let (a, b) = match (a, b) {
        (Decimal::NaN, _) | (_, Decimal::NaN) => return Decimal::NaN,
        (Decimal::Infinite { negative: a }, Decimal::Infinite { negative: b }) => {
            return if a == b { Decimal::Infinite { negative: a } } else { Decimal::NaN };
        }
        (infinite @ Decimal::Infinite { .. }, _) | (_, infinite @ Decimal::Infinite { .. }) => {
            return infinite;
        }
        (
            Decimal::Finite { negative: an, coefficient: ac, exponent: ae },
            Decimal::Finite { negative: bn, coefficient: bc, exponent: be },
        ) => ((an, ac, ae), (bn, bc, be)),
    };
    let (high, low) = if a.2 >= b.2 { (a, b) } else { (b, a) };
    let (high_negative, high_coefficient, high_exponent) = high;
    let (low_negative, mut low_coefficient, mut low_exponent) = low;
    if high_coefficient == 0 {
        let negative = low_negative && (low_coefficient != 0 || high_negative);
        return Decimal::Finite { negative, coefficient: low_coefficient, exponent: low_exponent };
    }
    let mut distance = high_exponent - low_exponent;
    if low_coefficient == 0 {
        let shift = distance.min((PRECISION - digit_count(high_coefficient)) as i32);
        return Decimal::Finite {
            negative: high_negative,
            coefficient: high_coefficient * 10u128.pow(shift as u32),
            exponent: high_exponent - shift,
        };
    }
    // Farther than this the lower number is below a hundredth of the last digit that is kept: any such number rounds
    // the same, so the smallest stands for it.
    const FAR: i32 = 2 * PRECISION as i32 + 2;
    if distance > FAR {
        distance = FAR;
        low_coefficient = 1;
        low_exponent = high_exponent - FAR;
    }
    let mut high_digits = digits(high_coefficient);
    high_digits.splice(0..0, std::iter::repeat_n(0, distance as usize));
    let low_digits = digits(low_coefficient);
    if high_negative == low_negative {
        return round(high_negative, add_digits(&high_digits, &low_digits), low_exponent);
    }
    match compare_digits(&high_digits, &low_digits) {
        Ordering::Equal => Decimal::Finite { negative: false, coefficient: 0, exponent: low_exponent },
        Ordering::Greater => round(high_negative, subtract_digits(&high_digits, &low_digits), low_exponent),
        Ordering::Less => round(low_negative, subtract_digits(&low_digits, &high_digits), low_exponent),
    }
}

/// The decimal digits of `value`, the least significant first, no zero at the end.
fn digits(mut value: u128) -> Vec<u8> {
    let mut digits = Vec::with_capacity(PRECISION as usize);
    while value > 0 {
        digits.push((value % 10) as u8);
        value /= 10;
    }
    digits
}

fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn add_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut sum = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0;
    for i in 0..a.len().max(b.len()) {
        let digit = a.get(i).unwrap_or(&0) + b.get(i).unwrap_or(&0) + carry;
        sum.push(digit % 10);
        carry = digit / 10;
    }
    if carry > 0 {
        sum.push(carry);
    }
    sum
}

/// `a - b` for `a` above `b`.
fn subtract_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut difference = Vec::with_capacity(a.len());
    let mut borrow = 0;
    for (i, digit) in a.iter().enumerate() {
        let taken = b.get(i).unwrap_or(&0) + borrow;
        borrow = u8::from(*digit < taken);
        difference.push(digit + 10 * borrow - taken);
    }
    while difference.last() == Some(&0) {
        difference.pop();
    }
    difference
}

/// The decimal nearest to `digits * 10^exponent`, ties to even. `exponent` is not below the least.
fn round(negative: bool, digits: Vec<u8>, mut exponent: i32) -> Decimal {
    let dropped = digits.len().saturating_sub(PRECISION as usize);
    let mut coefficient =
        digits[dropped..].iter().rev().fold(0u128, |sum, digit| sum * 10 + u128::from(*digit));
    if dropped > 0 {
        exponent += dropped as i32;
        let rest_above_half = digits[..dropped - 1].iter().any(|digit| *digit != 0);
        let up = match digits[dropped - 1].cmp(&5) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => rest_above_half || coefficient % 2 == 1,
        };
        coefficient += u128::from(up);
        if coefficient == COEFFICIENT_END {
            coefficient /= 10;
            exponent += 1;
        }
    }
    // Only a sum of numbers at the very top gets here: both have the greatest exponent, and the sum took a digit more.
    if exponent > MAX_EXPONENT {
        return Decimal::Infinite { negative };
    }
    Decimal::Finite { negative, coefficient, exponent }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use bson::Decimal128;
    use rand::RngExt;

    use super::*;
    use crate::{compare::compare, testing::seeded};

    fn decimal(text: &str) -> Bson {
        Bson::Decimal128(Decimal128::from_str(text).unwrap())
    }

    #[test]
    fn integers_widen_and_then_stop() {
        let max = Bson::Int32(i32::MAX);
        assert_eq!(add(&max, &Bson::Int32(1)), Some(Bson::Int64(1 << 31)));
        assert_eq!(add(&Bson::Int32(2), &Bson::Int32(3)), Some(Bson::Int32(5)));
        assert_eq!(add(&Bson::Int64(2), &Bson::Int32(3)), Some(Bson::Int64(5)));
        assert_eq!(add(&Bson::Int64(i64::MAX), &Bson::Int32(1)), None);
        assert_eq!(add(&Bson::Int64(i64::MIN), &Bson::Int64(-1)), None);
    }

    #[test]
    fn doubles_take_over_integers_and_decimals_both() {
        assert_eq!(add(&Bson::Int32(2), &Bson::Double(0.5)), Some(Bson::Double(2.5)));
        assert_eq!(
            add(&Bson::Int64(i64::MAX), &Bson::Double(1.0)),
            Some(Bson::Double(9_223_372_036_854_775_808.0))
        );
        assert_eq!(add(&decimal("1"), &Bson::Double(0.1)), Some(decimal("1.100000000000000")));
        assert_eq!(add(&Bson::Int64(i64::MAX), &decimal("1")), Some(decimal("9223372036854775808")));
    }

    #[test]
    fn decimals_are_exact_to_34_digits() {
        for (a, b, sum) in [
            ("0.1", "0.2", "0.3"),
            ("1.5", "-0.50", "1.00"),
            ("1", "-1.00", "0.00"),
            ("-0", "0", "0"),
            ("-0", "-0", "-0"),
            ("5", "0E-3", "5.000"),
            ("9999999999999999999999999999999999", "1", "1.000000000000000000000000000000000E+34"),
            // A tie goes to the even digit, anything above it goes up.
            ("1000000000000000000000000000000000", "0.5", "1000000000000000000000000000000000"),
            ("1000000000000000000000000000000001", "0.5", "1000000000000000000000000000000002"),
            ("1000000000000000000000000000000000", "0.51", "1000000000000000000000000000000001"),
            ("1E+6000", "1", "1.000000000000000000000000000000000E+6000"),
            ("1E+6000", "-1E-6000", "1.000000000000000000000000000000000E+6000"),
            ("9999999999999999999999999999999999E+6111", "1E+6111", "Infinity"),
            ("-9999999999999999999999999999999999E+6111", "-1E+6111", "-Infinity"),
            ("Infinity", "-Infinity", "NaN"),
            ("Infinity", "1", "Infinity"),
            ("NaN", "1", "NaN"),
            ("1E-6176", "1E-6176", "2E-6176"),
        ] {
            assert_eq!(add(&decimal(a), &decimal(b)), Some(decimal(sum)), "{a} + {b}");
            assert_eq!(add(&decimal(b), &decimal(a)), Some(decimal(sum)), "{b} + {a}");
        }
    }

    /// Sums that fit 34 digits are exact, whatever the exponents of the operands.
    #[test]
    fn sums_are_those_of_integers() {
        let mut random = seeded();
        for _ in 0..20_000 {
            let mut operand = || {
                let exponent = random.random_range(-12..4);
                let coefficient: i64 = random.random_range(-1_000_000..1_000_000);
                (decimal(&format!("{coefficient}E{exponent}")), coefficient, exponent)
            };
            let (a, a_coefficient, a_exponent) = operand();
            let (b, b_coefficient, b_exponent) = operand();
            let scaled = |coefficient: i64, exponent: i32| {
                i128::from(coefficient) * 10i128.pow((exponent + 12) as u32)
            };
            let expected = scaled(a_coefficient, a_exponent) + scaled(b_coefficient, b_exponent);
            let sum = add(&a, &b).unwrap();
            assert_eq!(
                compare(&sum, &decimal(&format!("{expected}E-12"))),
                Ordering::Equal,
                "{a} + {b} = {sum}"
            );
        }
    }

    /// Sums that are rounded are the same for either sign, and not below their operands.
    #[test]
    fn rounding_is_symmetric() {
        let mut random = seeded();
        for _ in 0..5_000 {
            let mut operand = || {
                let coefficient: u64 = random.random();
                let more: u32 = random.random_range(1..1_000_000_000);
                format!("{coefficient}{more}E{}", random.random_range(-60..60))
            };
            let (a, b) = (operand(), operand());
            let sum = add(&decimal(&a), &decimal(&b));
            let negated = add(&decimal(&format!("-{a}")), &decimal(&format!("-{b}")));
            let (Some(Bson::Decimal128(sum)), Some(Bson::Decimal128(negated))) = (sum, negated) else {
                panic!("a sum of decimals is a decimal")
            };
            assert_eq!(format!("-{sum}"), negated.to_string(), "{a} + {b}");
            assert!(compare(&Bson::Decimal128(sum), &decimal(&a)).is_ge(), "{a} + {b} = {sum}");
            assert!(compare(&Bson::Decimal128(sum), &decimal(&b)).is_ge(), "{a} + {b} = {sum}");
        }
    }
}
