//! Points in time as the X-Ray API writes them: seconds since the epoch, with a fraction.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Timestamp(u64);

impl Timestamp {
    /// Of a clock; one that stands before 1970 counts as the epoch.
    pub(super) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_millis().try_into().unwrap_or(u64::MAX))
    }

    pub(super) fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0)).unwrap_or(UNIX_EPOCH)
    }

    pub(super) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }

    /// Whether no more than `time` lies between the two, whichever is first: a clock may be set back.
    pub(super) fn is_within(self, time: Duration, other: Self) -> bool {
        self.0.abs_diff(other.0) <= millis(time)
    }

    /// The start of the window of this length that holds it.
    pub(super) fn window(self, length: Duration) -> Self {
        Self(self.0 - self.0 % millis(length).max(1))
    }

    /// The first whole second after it.
    pub(super) fn next_second(self) -> Self {
        self.window(Duration::from_secs(1)).plus(Duration::from_secs(1))
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

impl Serialize for Timestamp {
    /// Always with a decimal point, as AWS does: some SDKs read nothing else as a time.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are exact for 285,000 years")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

/// Whether a value is a point in time as a request may have it: a number of seconds, or a text of ISO 8601.
pub(super) fn is_time(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => {
            DateTime::parse_from_rfc3339(text).is_ok()
                || text.parse::<NaiveDateTime>().is_ok()
                || text.parse::<NaiveDate>().is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::of(UNIX_EPOCH + Duration::from_millis(millis))
    }

    #[test]
    fn it_is_a_number_with_a_decimal_point() {
        for (millis, text) in [
            (0, "0.0"),
            (1_500_000_000_000, "1500000000.0"),
            (1_500_000_000_123, "1500000000.123"),
            (1, "0.001"),
        ] {
            assert_eq!(serde_json::to_string(&at(millis)).unwrap(), text);
        }
        assert_eq!(Timestamp::of(UNIX_EPOCH - Duration::from_secs(1)), at(0));
        assert_eq!(at(1_234).to_system_time(), UNIX_EPOCH + Duration::from_millis(1_234));
    }

    #[test]
    fn windows_seconds_and_distances() {
        let ten = Duration::from_secs(10);
        assert_eq!((at(19_999).window(ten), at(20_000).window(ten)), (at(10_000), at(20_000)));
        assert_eq!((at(1_999).next_second(), at(2_000).next_second()), (at(2_000), at(3_000)));
        assert!(at(30_000).is_within(ten, at(20_000)) && at(20_000).is_within(ten, at(30_000)));
        assert!(!at(30_001).is_within(ten, at(20_000)));
    }

    #[test]
    fn a_request_may_have_numbers_and_iso_8601() {
        for good in [
            json!(1_500_000_000),
            json!(1.5e9),
            json!("2026-11-25T03:25:35Z"),
            json!("2026-11-25T03:25:35.5+01:00"),
            json!("2026-11-25T03:25:35"),
            json!("2026-11-25"),
        ] {
            assert!(is_time(&good), "{good}");
        }
        for bad in [
            json!("yesterday"),
            json!(""),
            json!("2026-13-25T00:00:00Z"),
            json!(true),
            json!([]),
            json!(null),
        ] {
            assert!(!is_time(&bad), "{bad}");
        }
    }
}
