//! Durations as Go writes and reads them, for timeouts in variables and in messages.

use std::time::Duration;

/// Why a text is not a usable duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotADuration {
    /// It does not read as a duration.
    Malformed,
    /// It is below zero.
    Negative,
}

const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// Reads `1h30m`, `90m`, `1.5s` (Go's `time.ParseDuration`).
pub(crate) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut seconds = 0.0;
    if rest.is_empty() {
        return Err(NotADuration::Malformed);
    }
    while !rest.is_empty() && rest != "0" {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits]
            .parse()
            .map_err(|_| NotADuration::Malformed)?;
        let after = &rest[digits..];
        let unit = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (_, factor) = UNITS
            .into_iter()
            .find(|(name, _)| *name == &after[..unit])
            .ok_or(NotADuration::Malformed)?;
        seconds += number * factor;
        rest = &after[unit..];
    }
    if negative && seconds > 0.0 {
        return Err(NotADuration::Negative);
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| NotADuration::Malformed)
}

/// Writes `1h0m0s`, `1m30s`, `1.5s`, `200ms` (Go's `Duration.String`).
pub(crate) fn text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000_000 {
        let (unit, scale) = match nanos {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(nanos, scale));
    }
    let minutes = nanos / 60_000_000_000;
    let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn decimal(value: u128, scale: u128) -> String {
    let width = scale.ilog10() as usize;
    let whole = value / scale;
    if width == 0 || value.is_multiple_of(scale) {
        return whole.to_string();
    }
    let fraction = format!("{:0width$}", value % scale);
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let written = |millis| text(Duration::from_millis(millis));
        assert_eq!(written(3_600_000), "1h0m0s");
        assert_eq!(written(90_000), "1m30s");
        assert_eq!(written(1_500), "1.5s");
        assert_eq!(written(200), "200ms");
        assert_eq!(written(0), "0s");
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        assert_eq!(parse("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("0"), Ok(Duration::ZERO));
        assert_eq!(parse("-5m"), Err(NotADuration::Negative));
        for bad in ["", "5", "m", "1x", "5 m"] {
            assert_eq!(parse(bad), Err(NotADuration::Malformed), "{bad}");
        }
    }
}
