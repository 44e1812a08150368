//! Tables for people.

use coffer_keyring::Timestamp;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

/// A table with this header. `numbers` names the columns whose cells stand to the right.
pub fn table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header.to_vec());
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A number with a thin mark after each three digits: 7,910.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that suits them: 1.5 MiB.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A time span in its two largest units: 2h 5m.
pub fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// How long ago a moment of RFC 3339 was; `None` where it is none.
pub fn age(moment: &str) -> Option<String> {
    let then = Timestamp::try_from(moment.to_owned()).ok()?;
    Some(span(Timestamp::now().unix().saturating_sub(then.unix()).try_into().unwrap_or_default()))
}

/// Ids as people list them: 1, 2 and 3.
pub fn ids(ids: &[u64]) -> String {
    listed(&ids.iter().map(u64::to_string).collect::<Vec<_>>())
}

/// Names as people list them: a, b and c.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_people_do() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([0, 1, 2, 3].map(|count| listed(&names[..count])), ["", "a", "a and b", "a, b and c"]);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 7910, 1_234_567].map(grouped), ["0", "999", "1,000", "7,910", "1,234,567"]);
        assert_eq!(
            [0, 1023, 1536, 1024 * 1024 - 1, 5 << 30, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.5 KiB", "1.0 MiB", "5.0 GiB", "16384.0 PiB"]
        );
        assert_eq!([5, 65, 7500, 200_000].map(span), ["5s", "1m 5s", "2h 5m", "2d 7h"]);
    }
}
