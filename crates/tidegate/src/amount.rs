//! Sizes and ages as people read them.

use std::time::SystemTime;

use tidegate_settings::Size;

/// Bytes with a decimal unit: `512 B`, `3.4 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = "kB";
    for next in ["MB", "GB", "TB"] {
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// How long ago a moment was: `now`, `5 min ago`, `3 h ago`, `12 d ago`.
pub(crate) fn age(moment: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(moment).unwrap_or_default().as_secs();
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// Seconds since 1970, for programs.
pub(crate) fn unix(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Reads a size as settings write it: `20GB` is 1000³ bytes a GB, `20GiB` and `20G` are 1024³.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    text.parse::<Size>().map(|size| size.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn sizes_are_short() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(500_000_000), "500.0 MB");
        assert_eq!(bytes(12_345_678_901_234), "12.3 TB");
    }

    #[test]
    fn sizes_can_be_read() {
        assert_eq!(parse_bytes("20GB"), Ok(20_000_000_000));
        assert_eq!(parse_bytes("5 M"), Ok(5 << 20));
        assert_eq!(parse_bytes("5KiB"), Ok(5 << 10));
        assert_eq!(parse_bytes("7"), Ok(7));
        assert!(parse_bytes("GB").is_err());
        assert!(parse_bytes("1 parsec").is_err());
        assert!(parse_bytes("99999999TB").is_err());
    }

    #[test]
    fn ages_are_rough() {
        let then = SystemTime::UNIX_EPOCH;
        let after = |seconds| age(then, then + Duration::from_secs(seconds));
        assert_eq!(after(59), "now");
        assert_eq!(after(60), "1 min ago");
        assert_eq!(after(7200), "2 h ago");
        assert_eq!(after(172_800), "2 d ago");
    }
}
