//! Lengths of time and points in time, as people read them.

/// A length of time with three significant digits: `21.5µs`, `842ms`, `1.31s`, `2.50h`.
pub(crate) fn duration(seconds: f64, ascii: bool) -> String {
    let micro = if ascii { "us" } else { "µs" };
    let units = [(1e-6, micro), (1e-3, "ms"), (1.0, "s"), (60.0, "m"), (3600.0, "h"), (86_400.0, "d")];
    // From these many of its own on, the next larger unit is read more easily.
    let limits = [999.5, 999.5, 99.95, 99.95, 99.95, f64::INFINITY];
    // Clocks are precise to a microsecond at best.
    if !seconds.is_finite() || seconds < 5e-8 {
        return format!("0{micro}");
    }
    for ((unit, name), limit) in units.into_iter().zip(limits) {
        let value = seconds / unit;
        if value < limit {
            return match value {
                value if value < 9.995 => format!("{value:.2}{name}"),
                value if value < 99.95 => format!("{value:.1}{name}"),
                value => format!("{value:.0}{name}"),
            };
        }
    }
    String::new()
}

/// A Unix time as the time of day in UTC, to a tenth of a second: `21:14:33.1`.
pub(crate) fn time_of_day(unix: f64) -> String {
    let tenths = (unix * 10.0).floor() as u64;
    let (second, tenth) = (tenths / 10 % 86_400, tenths % 10);
    format!("{:02}:{:02}:{:02}.{tenth}", second / 3600, second / 60 % 60, second % 60)
}

/// A Unix time as RFC 3339 in UTC, to a millisecond: `2020-01-24T19:12:12.000Z`.
pub(crate) fn rfc3339(unix: f64) -> String {
    let millis = (unix * 1000.0).round() as u64;
    let (second, milli) = (millis / 1000, millis % 1000);
    let (year, month, day) = civil((second / 86_400) as i64);
    let second = second % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{milli:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of a count of days since 1970, in the proleptic Gregorian calendar: years begin in March, so
/// that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits_in_every_unit() {
        let cases = [
            (0.0, "0µs"),
            (f64::NAN, "0µs"),
            (-1.0, "0µs"),
            (1e-6, "1.00µs"),
            (21.54e-6, "21.5µs"),
            (999.4e-6, "999µs"),
            (999.6e-6, "1.00ms"),
            (0.0123, "12.3ms"),
            (0.842, "842ms"),
            (0.9996, "1.00s"),
            (1.314, "1.31s"),
            (65.24, "65.2s"),
            (100.0, "1.67m"),
            (6000.0, "1.67h"),
            (400_000.0, "4.63d"),
            (8e8, "9259d"),
        ];
        for (seconds, expected) in cases {
            assert!(
                duration(seconds, false).starts_with(expected),
                "{seconds}: {}",
                duration(seconds, false)
            );
        }
        assert_eq!(duration(21.54e-6, true), "21.5us");
    }

    #[test]
    fn dates_over_leap_years() {
        assert_eq!(rfc3339(0.0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_579_893_132.12), "2020-01-24T19:12:12.120Z");
        assert_eq!(rfc3339(951_782_400.0), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(253_402_300_799.0), "9999-12-31T23:59:59.000Z");
        assert_eq!(time_of_day(1_579_893_132.19), "19:12:12.1");
    }
}
