//! An alert as clients see it.

use coffer_keyring::Timestamp;
use coffer_proto::internal::v1::AlertRecord;
use coffer_proto::v1::{Alert, AlertSeverity};

/// An alert as clients see it.
pub(crate) fn to_public(record: &AlertRecord) -> Alert {
    let severity = if record.critical { AlertSeverity::Critical } else { AlertSeverity::Warning };
    Alert {
        id: record.id.clone(),
        kind: record.kind.clone(),
        severity: severity.into(),
        help_code: record.help_code.clone(),
        member_id: record.member_id,
        text: record.text.clone(),
        raised: date(record.raised_ms),
        acknowledged: date(record.acknowledged_ms),
        acknowledged_by: record.acknowledged_by.clone(),
        resolved: date(record.resolved_ms),
    }
}

/// RFC 3339; empty for 0.
fn date(ms: i64) -> String {
    if ms == 0 {
        return String::new();
    }
    Timestamp::from_unix(ms.div_euclid(1_000)).map(|date| date.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_are_not_there_are_empty() {
        let record = AlertRecord { critical: true, raised_ms: 1_795_504_366_999, ..AlertRecord::default() };
        let alert = to_public(&record);
        assert_eq!(alert.severity(), AlertSeverity::Critical);
        assert_eq!((alert.raised.as_str(), alert.resolved.as_str()), ("2026-11-24T07:12:46Z", ""));
        assert_eq!(to_public(&AlertRecord::default()).severity(), AlertSeverity::Warning);
    }
}
