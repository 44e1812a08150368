//! Durations as people write them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest: no option has a use for more, and a moment that far from now can always be told.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A duration, written like `200ms`, `15s` or `1h 30m`; one that was read is at most 24 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// The text is no duration that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It is none.
    #[error("`{0}` is not a duration: write a number with its unit, like 200ms, 15s or 1h 30m")]
    Shape(String),
    /// It is too long.
    #[error("`{0}` is too long: 24h is the most")]
    TooLong(String),
}

impl Span {
    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }

    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// Whole milliseconds.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        if !millis.is_multiple_of(1000) && millis < 60_000 && self.0.subsec_nanos().is_multiple_of(1_000_000)
        {
            // 1500ms is read at a glance, 1s 500ms is not.
            return write!(f, "{millis}ms");
        }
        humantime::format_duration(self.0).fmt(f)
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let shown = || text.chars().take(64).collect();
        match humantime::parse_duration(&text) {
            Ok(duration) if duration <= LONGEST => Ok(Self(duration)),
            Ok(_) => Err(SpanError::TooLong(shown())),
            Err(humantime::DurationError::NumberOverflow) => Err(SpanError::TooLong(shown())),
            Err(_) => Err(SpanError::Shape(shown())),
        }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in
            [("200ms", 200), ("1500ms", 1500), ("15s", 15_000), ("1m 30s", 90_000), ("0s", 0)]
        {
            let span = Span::try_from(text.to_owned()).unwrap();
            assert_eq!(span.as_millis(), millis);
            assert_eq!(span.to_string(), text);
        }
        for bad in ["", "15", "fifteen", "-1s", "1 parsec"] {
            assert!(matches!(Span::try_from(bad.to_owned()), Err(SpanError::Shape(_))), "{bad}");
        }
    }

    #[test]
    fn a_day_is_the_longest() {
        assert_eq!(Span::try_from("24h".to_owned()).unwrap().0, LONGEST);
        for long in ["24h 1ns", "1000years", "500000000000years", "99999999999999999999s"] {
            assert!(matches!(Span::try_from(long.to_owned()), Err(SpanError::TooLong(_))), "{long}");
        }
    }
}
