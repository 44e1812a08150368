//! The body of a number's key: the nearest double toward zero, and the exact decimal where that is not all.

use std::cmp::Ordering;

use crate::number::{Decimal, Number, Scientific, compare_magnitude};

const SIGN: u64 = 1 << 63;
/// `more`: the double is the number.
const EXACT: u8 = 0x00;
/// `more`: a decimal follows.
const DECIMAL: u8 = 0x01;
/// Added to an exponent, which is within ±6,210, to make it positive.
const EXPONENT_BIAS: i32 = 0x4000;

/// Appends the body of `number`.
pub(super) fn write_number(bytes: &mut Vec<u8>, number: Number) {
    if number.is_nan() {
        bytes.extend([0; 9]);
        return;
    }
    if number.is_zero() {
        write_parts(bytes, false, 0.0, None);
        return;
    }
    match number {
        Number::Double(double) => write_parts(bytes, double < 0.0, double.abs(), None),
        Number::Int(int) => {
            let magnitude = int.unsigned_abs();
            // A double holds 53 bits; the bits below them are cut off.
            let cut = (u64::BITS - magnitude.leading_zeros()).saturating_sub(f64::MANTISSA_DIGITS);
            let kept = magnitude >> cut << cut;
            let rest = (kept != magnitude).then(|| Scientific::new(u128::from(magnitude), 0));
            write_parts(bytes, int < 0, kept as f64, rest);
        }
        Number::Decimal(Decimal::Infinite { negative }) => write_parts(bytes, negative, f64::INFINITY, None),
        Number::Decimal(Decimal::Finite { negative, coefficient, exponent }) => {
            let (double, exact) = toward_zero(coefficient, exponent);
            let rest = (!exact).then(|| Scientific::new(coefficient, exponent));
            write_parts(bytes, negative, double, rest);
        }
        Number::Decimal(Decimal::NaN) => bytes.extend([0; 9]),
    }
}

/// The greatest double not above `coefficient * 10^exponent` (above zero), and whether it is equal.
fn toward_zero(coefficient: u128, exponent: i32) -> (f64, bool) {
    // Parsing rounds to the nearest double, which is the one wanted or the one after it.
    let nearest: f64 =
        format!("{coefficient}e{exponent}").parse().expect("digits and an exponent are a decimal literal");
    if nearest.is_infinite() {
        return (f64::MAX, false);
    }
    if nearest == 0.0 {
        return (0.0, false);
    }
    match compare_magnitude(nearest, coefficient, exponent) {
        Ordering::Less => (nearest, false),
        Ordering::Equal => (nearest, true),
        Ordering::Greater => (nearest.next_down(), false),
    }
}

fn write_parts(bytes: &mut Vec<u8>, negative: bool, magnitude: f64, rest: Option<Scientific>) {
    let start = bytes.len();
    bytes.extend((magnitude.to_bits() | SIGN).to_be_bytes());
    match rest {
        None => bytes.push(EXACT),
        Some(rest) => {
            bytes.push(DECIMAL);
            bytes.extend(((rest.exponent + EXPONENT_BIAS) as u16).to_be_bytes());
            let mut digits = rest.digits;
            let mut divisor = 10u128.pow(32);
            while digits > 0 {
                bytes.push((digits / divisor) as u8 + 1);
                digits %= divisor;
                divisor /= 100;
            }
            bytes.push(0);
        }
    }
    if negative {
        for byte in &mut bytes[start..] {
            *byte = !*byte;
        }
    }
}
