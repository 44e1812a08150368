//! When a call has to be answered.
//!
//! gRPC clients send their deadline as the header `grpc-timeout`
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). tonic ends a call at that moment with a bare
//! status; the answer here comes a little earlier, and says what became of the write.

use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::MetadataMap;

use super::refusal::Refusal;
use crate::member::Limits;

/// The header.
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// How much earlier the answer is given at most, so that it still reaches the client, over a long line or from a busy
/// machine.
const MARGIN: Duration = Duration::from_millis(250);

/// Longer than any call is let run.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// The moment by which a call has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    /// Whether the client set it.
    pub from_client: bool,
}

impl Deadline {
    /// The deadline of a call: the client's, shortened to the longest that is allowed, or the default.
    ///
    /// # Errors
    /// The header cannot be read.
    pub fn of(metadata: &MetadataMap, limits: &Limits) -> Result<Self, Refusal> {
        let asked = match metadata.get(GRPC_TIMEOUT) {
            None => None,
            Some(value) => {
                let parsed = value.to_str().ok().and_then(parse);
                Some(parsed.ok_or_else(|| {
                    Refusal::argument(
                        "the header grpc-timeout is not digits followed by one of H, M, S, m, u, n",
                    )
                })?)
            }
        };
        let allowed = asked.map(with_margin).unwrap_or(limits.default_deadline).min(limits.max_deadline);
        Ok(Self { from_client: asked.is_some(), ..Self::after(allowed) })
    }

    /// A deadline from now; a moment that cannot be told is as good as [`FAR`].
    pub fn after(time: Duration) -> Self {
        let now = Instant::now();
        Self { at: now.checked_add(time).unwrap_or_else(|| now + FAR), from_client: false }
    }

    /// The moment.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// What is left.
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }
}

fn with_margin(asked: Duration) -> Duration {
    asked - MARGIN.min(asked / 10)
}

/// Reads a `grpc-timeout`: at most 8 digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(value * 3600)),
        'M' => Some(Duration::from_secs(value * 60)),
        'S' => Some(Duration::from_secs(value)),
        'm' => Some(Duration::from_millis(value)),
        'u' => Some(Duration::from_micros(value)),
        'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            max_concurrent_writes: 1,
            max_queued_writes: 1,
            max_concurrent_reads: 1,
            max_queued_reads: 1,
            max_open_cursors: 1,
            default_deadline: Duration::from_secs(10),
            max_deadline: Duration::from_secs(60),
        }
    }

    fn of(header: Option<&'static str>) -> Result<Deadline, Refusal> {
        let mut metadata = MetadataMap::new();
        if let Some(header) = header {
            metadata.insert(GRPC_TIMEOUT, header.parse().unwrap());
        }
        Deadline::of(&metadata, &limits())
    }

    #[test]
    fn units_are_those_of_the_protocol() {
        for (text, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("450m", Duration::from_millis(450)),
            ("7u", Duration::from_micros(7)),
            ("99999999n", Duration::from_nanos(99_999_999)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for bad in ["", "S", "1", "1s", "123456789S", "-1S", "+1S", "1.5S", "1ü", "ü"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    /// Whether the time left is that much, but for the moment that passed since.
    fn is_about(deadline: Deadline, expected: Duration) -> bool {
        let left = deadline.left();
        left <= expected && left + Duration::from_secs(1) > expected
    }

    #[test]
    fn the_clients_deadline_counts_within_bounds() {
        let default = of(None).unwrap();
        assert!(is_about(default, Duration::from_secs(10)));
        assert!(!default.from_client);
        let asked = of(Some("5S")).unwrap();
        assert!(is_about(asked, Duration::from_millis(4750)));
        assert!(asked.from_client);
        assert!(is_about(of(Some("5H")).unwrap(), Duration::from_secs(60)));
        assert!(of(Some("0S")).unwrap().is_over());
        assert!(of(Some("soon")).is_err());
    }

    #[test]
    fn no_length_is_too_much() {
        assert!(is_about(Deadline::after(Duration::MAX), FAR));
        let metadata = MetadataMap::new();
        let endless = Limits { default_deadline: Duration::MAX, max_deadline: Duration::MAX, ..limits() };
        assert!(is_about(Deadline::of(&metadata, &endless).unwrap(), FAR));
        assert!(is_about(of(Some("99999999H")).unwrap(), Duration::from_secs(60)));
    }

    #[test]
    fn the_answer_comes_before_the_client_gives_up() {
        assert_eq!(with_margin(Duration::from_millis(100)), Duration::from_millis(90));
        assert_eq!(with_margin(Duration::from_secs(10)), Duration::from_millis(9750));
    }
}
