//! Exact comparison of numbers across types.

use std::cmp::Ordering;

use super::{Decimal, Number, Scientific, big_natural::BigNatural, decimal::digit_count};

/// The order of two numbers by value: a total order with every NaN equal and lowest.
pub(crate) fn compare_numbers(a: Number, b: Number) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.cmp(&b),
        (Number::Double(a), Number::Double(b)) => {
            a.partial_cmp(&b).expect("doubles that are numbers have an order")
        }
        (Number::Int(a), Number::Double(b)) => int_to_double(a, b),
        (Number::Double(a), Number::Int(b)) => int_to_double(b, a).reverse(),
        (Number::Int(a), Number::Decimal(b)) => decimal_to_decimal(Decimal::from_int(a), b),
        (Number::Decimal(a), Number::Int(b)) => decimal_to_decimal(a, Decimal::from_int(b)),
        (Number::Decimal(a), Number::Decimal(b)) => decimal_to_decimal(a, b),
        (Number::Double(a), Number::Decimal(b)) => double_to_decimal(a, b),
        (Number::Decimal(a), Number::Double(b)) => double_to_decimal(b, a).reverse(),
    }
}

fn int_to_double(int: i64, double: f64) -> Ordering {
    // 2^63 is a double; every double from there on is above all int64, and every one below -2^63 is below them.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if double >= END {
        return Ordering::Less;
    }
    if double < -END {
        return Ordering::Greater;
    }
    let whole = double.trunc();
    int.cmp(&(whole as i64)).then_with(|| {
        // Equal whole parts: the fraction, which has the double's sign, decides.
        0.0.partial_cmp(&(double - whole)).expect("the fraction of a finite double is a number")
    })
}

/// -1, 0 or 1: the sign of a decimal that is a number.
fn signum(decimal: Decimal) -> i32 {
    match decimal {
        Decimal::NaN | Decimal::Finite { coefficient: 0, .. } => 0,
        Decimal::Infinite { negative: true } | Decimal::Finite { negative: true, .. } => -1,
        Decimal::Infinite { negative: false } | Decimal::Finite { negative: false, .. } => 1,
    }
}

fn decimal_to_decimal(a: Decimal, b: Decimal) -> Ordering {
    let sign = signum(a);
    let by_sign = sign.cmp(&signum(b));
    if by_sign.is_ne() || sign == 0 {
        return by_sign;
    }
    let magnitudes = match (a, b) {
        (Decimal::Infinite { .. }, Decimal::Infinite { .. }) => Ordering::Equal,
        (Decimal::Infinite { .. }, _) => Ordering::Greater,
        (_, Decimal::Infinite { .. }) => Ordering::Less,
        (
            Decimal::Finite { coefficient: a, exponent: a_exponent, .. },
            Decimal::Finite { coefficient: b, exponent: b_exponent, .. },
        ) => Scientific::new(a, a_exponent).cmp(&Scientific::new(b, b_exponent)),
        (Decimal::NaN, _) | (_, Decimal::NaN) => Ordering::Equal,
    };
    if sign < 0 { magnitudes.reverse() } else { magnitudes }
}

fn double_to_decimal(double: f64, decimal: Decimal) -> Ordering {
    let sign = if double == 0.0 {
        0
    } else if double < 0.0 {
        -1
    } else {
        1
    };
    let by_sign = sign.cmp(&signum(decimal));
    if by_sign.is_ne() || sign == 0 {
        return by_sign;
    }
    let magnitudes = match decimal {
        Decimal::Infinite { .. } if double.is_infinite() => Ordering::Equal,
        Decimal::Infinite { .. } => Ordering::Less,
        _ if double.is_infinite() => Ordering::Greater,
        Decimal::Finite { coefficient, exponent, .. } => {
            compare_magnitude(double.abs(), coefficient, exponent)
        }
        Decimal::NaN => Ordering::Equal,
    };
    if sign < 0 { magnitudes.reverse() } else { magnitudes }
}

/// Compares `double`, finite and above zero, with `coefficient * 10^exponent`, above zero.
pub(crate) fn compare_magnitude(double: f64, coefficient: u128, exponent: i32) -> Ordering {
    // The decimal is in [10^(scale-1), 10^scale). All doubles are below 10^309 and none is below 4.9e-324, so the
    // scales outside decide at once, and bound the size of the numbers below.
    let scale = digit_count(coefficient) as i32 + exponent;
    if scale > 309 {
        return Ordering::Less;
    }
    if scale < -323 {
        return Ordering::Greater;
    }
    let (mantissa, binary_exponent) = decompose(double);
    let mut left = BigNatural::new(u128::from(mantissa));
    let mut right = BigNatural::new(coefficient);
    if exponent >= 0 { &mut right } else { &mut left }.scale_by_ten(exponent.unsigned_abs());
    if binary_exponent >= 0 { &mut left } else { &mut right }.shift_left(binary_exponent.unsigned_abs());
    left.compare(&right)
}

/// A finite double above zero as `mantissa * 2^exponent`.
fn decompose(double: f64) -> (u64, i32) {
    let bits = double.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) & 0x7FF {
        0 => (fraction, -1074),
        exponent => (fraction | (1 << 52), exponent as i32 - 1075),
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use bson::{Bson, Decimal128};

    use super::*;

    fn decimal(text: &str) -> Bson {
        Bson::Decimal128(Decimal128::from_str(text).unwrap())
    }

    fn check(a: &Bson, b: &Bson, expected: Ordering) {
        let a_number = Number::of(a).unwrap();
        let b_number = Number::of(b).unwrap();
        assert_eq!(compare_numbers(a_number, b_number), expected, "{a:?} and {b:?}");
        assert_eq!(compare_numbers(b_number, a_number), expected.reverse(), "{b:?} and {a:?}");
    }

    #[test]
    fn equal_across_types() {
        let ones = [Bson::Int32(1), Bson::Int64(1), Bson::Double(1.0), decimal("1"), decimal("1.000")];
        let zeros =
            [Bson::Int32(0), Bson::Double(-0.0), Bson::Double(0.0), decimal("-0E+10"), decimal("0E-6176")];
        let infinities = [Bson::Double(f64::INFINITY), decimal("Infinity")];
        let nans = [Bson::Double(f64::NAN), Bson::Double(-f64::NAN), decimal("NaN"), decimal("-NaN")];
        for class in [&ones[..], &zeros, &infinities, &nans] {
            for a in class {
                for b in class {
                    check(a, b, Ordering::Equal);
                }
            }
        }
    }

    #[test]
    fn ascending() {
        let ascending = [
            decimal("NaN"),
            Bson::Double(f64::NEG_INFINITY),
            decimal("-1E+6000"),
            Bson::Double(f64::MIN),
            decimal("-9223372036854775808.5"),
            Bson::Int64(i64::MIN),
            Bson::Int64(i64::MIN + 1),
            Bson::Double(-1.5),
            decimal("-1.499999999999999999999999999999999"),
            Bson::Int32(-1),
            Bson::Double(-5e-324),
            decimal("-4E-324"),
            decimal("-1E-6176"),
            Bson::Int32(0),
            decimal("1E-6176"),
            decimal("4.9E-324"),
            Bson::Double(5e-324),
            decimal("4.95E-324"),
            decimal("0.1"),
            Bson::Double(0.1),
            Bson::Int64((1 << 53) - 1),
            Bson::Double(9_007_199_254_740_992.0),
            Bson::Int64((1 << 53) + 1),
            decimal("9007199254740993.5"),
            Bson::Int64(i64::MAX - 1),
            Bson::Int64(i64::MAX),
            decimal("9223372036854775807.5"),
            Bson::Double(9_223_372_036_854_775_808.0),
            decimal("9223372036854775808.000000000000001"),
            decimal("1.7E+308"),
            Bson::Double(f64::MAX),
            decimal("1.797693134862315708145274237317044E+308"),
            decimal("1E+6000"),
            decimal("Infinity"),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                check(a, b, i.cmp(&j));
            }
        }
    }
}
