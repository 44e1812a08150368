//! Numbers that lie close to each other across types, which is where comparison and encoding can err.

use bson::{Bson, Decimal128};
use rand::{RngExt, seq::IndexedRandom};

/// A number of a random type.
pub(super) fn random_number(random: &mut impl RngExt) -> Bson {
    match random.random_range(0..10) {
        0 => Bson::Int32(random.random_range(-3..=3)),
        1 => Bson::Int64(near_power_of_two(random)),
        2 => Bson::Double(near_power_of_two(random) as f64),
        3 => Bson::Double(random.random_range(-40..40) as f64 / 8.0),
        4 => Bson::Double(f64::from_bits(random.random())),
        5 => decimal_text(random),
        6 => decimal_near_int(random),
        7 | 8 => tenths(random),
        _ => special(random),
    }
}

/// An integer within 3 of a power of two, of either sign.
fn near_power_of_two(random: &mut impl RngExt) -> i64 {
    let power = 1i64 << random.random_range(0..63);
    let value = power.saturating_add(random.random_range(-3..=3));
    if random.random() { value } else { -value }
}

/// A few tenths, which a decimal holds and a double is a little above or below of; and a decimal between the two.
fn tenths(random: &mut impl RngExt) -> Bson {
    let tenths = random.random_range(-12..12);
    match random.random_range(0..3) {
        0 => Bson::Double(f64::from(tenths) / 10.0),
        1 => decimal(&format!("{tenths}E-1")),
        _ => decimal(&format!("{tenths}0000000000000000{}E-18", random.random_range(1..10))),
    }
}

fn decimal_near_int(random: &mut impl RngExt) -> Bson {
    let fraction = ["", ".0", ".5", ".000000000000001", ".25"].choose(random).unwrap();
    decimal(&format!("{}{fraction}", near_power_of_two(random)))
}

/// A decimal of a few digits, near zero, near the ends of the doubles, or anywhere; and the same value as a double.
fn decimal_text(random: &mut impl RngExt) -> Bson {
    let exponent = match random.random_range(0..4) {
        0 => random.random_range(-3..3),
        1 => random.random_range(-330..-300),
        2 => random.random_range(295..312),
        _ => random.random_range(-6176..6100),
    };
    let text = format!("{}E{exponent}", random.random_range(-130..130));
    if random.random() { decimal(&text) } else { Bson::Double(text.parse().unwrap()) }
}

fn special(random: &mut impl RngExt) -> Bson {
    let doubles = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        f64::MIN,
    ];
    let decimals =
        ["NaN", "Infinity", "-Infinity", "0", "-0", "0E+6111", "1E-6176", "-1E-6176", "5E-324", "1.8E+308"];
    match random.random_range(0..4) {
        0 => Bson::Double(*doubles.choose(random).unwrap()),
        1 => decimal(decimals.choose(random).unwrap()),
        2 => Bson::Int64(*[i64::MIN, i64::MAX, 0].choose(random).unwrap()),
        // Any bits, canonical or not.
        _ => Bson::Decimal128(Decimal128::from_bytes(random.random())),
    }
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().expect("at most 34 digits"))
}
