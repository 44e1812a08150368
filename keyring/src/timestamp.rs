//! Dates in the keystore and in the local KMS: whole seconds, written as RFC 3339 in UTC.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment, in whole seconds since 1970 in UTC, written like `2026-11-24T07:12:46Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(OffsetDateTime);

/// The text is no date of RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date as RFC 3339 writes them, like 2026-11-24T07:12:46Z")]
pub struct TimestampError;

impl Timestamp {
    /// This moment by the system's clock.
    pub fn now() -> Self {
        Self::whole_seconds(OffsetDateTime::now_utc())
    }

    /// The moment `seconds` after the start of 1970 in UTC; `None` outside the years 0 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let moment = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        (0..=9999).contains(&moment.year()).then_some(Self(moment))
    }

    /// Seconds since the start of 1970 in UTC.
    pub fn unix(self) -> i64 {
        self.0.unix_timestamp()
    }

    fn whole_seconds(moment: OffsetDateTime) -> Self {
        let moment = moment.to_offset(time::UtcOffset::UTC);
        Self(moment.replace_nanosecond(0).expect("zero is a valid nanosecond"))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> Self {
        moment.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| TimestampError)?;
        // A shift to UTC could leave the years that RFC 3339 can write.
        Self::from_unix(moment.unix_timestamp()).ok_or(TimestampError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_survives_its_text() {
        let moment = Timestamp::from_unix(1_795_504_366).unwrap();
        let text = moment.to_string();
        assert_eq!(text, "2026-11-24T07:12:46Z");
        assert_eq!(Timestamp::try_from(text), Ok(moment));
        assert!(Timestamp::try_from("yesterday".to_owned()).is_err());
        assert!(Timestamp::from_unix(i64::MAX).is_none());
    }
}
