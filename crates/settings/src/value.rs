//! Values with a unit.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A time span: `90s`, `1h 30m`, `7d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(pub Duration);

/// An amount of bytes: `4MiB`, `20GB`, `65536`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

/// A version of GitLab: `18.11` or `18.11.2`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct GitlabVersion {
    /// Major number.
    pub major: u16,
    /// Minor number.
    pub minor: u16,
    /// Patch level; 0 where none is given.
    pub patch: u16,
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Period, String> {
        let wrong =
            || format!("`{text}` is no time span; write it like `90s`, `10m`, `1h 30m` or `7d`");
        let mut total = Duration::ZERO;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let (number, after) = leading_number(rest).ok_or_else(wrong)?;
            let end = after
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let seconds = match unit {
                "s" => 1,
                "m" | "min" => 60,
                "h" => 3600,
                "d" => 86_400,
                "w" => 604_800,
                _ => return Err(wrong()),
            };
            let part = number.checked_mul(seconds).map(Duration::from_secs);
            total = part
                .and_then(|part| total.checked_add(part))
                .ok_or_else(wrong)?;
            rest = after.trim_start();
        }
        Ok(Period(total))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let wrong =
            || format!("`{text}` is no size; write it like `65536`, `512KiB`, `4MiB` or `20GB`");
        let (number, unit) = leading_number(text.trim()).ok_or_else(wrong)?;
        let factor = match unit.trim() {
            "" | "B" => 1,
            "KiB" | "K" => 1 << 10,
            "MiB" | "M" => 1 << 20,
            "GiB" | "G" => 1 << 30,
            "TiB" | "T" => 1 << 40,
            "kB" | "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(factor).map(Size).ok_or_else(wrong)
    }
}

impl FromStr for GitlabVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<GitlabVersion, String> {
        let wrong = || format!("`{text}` is no version of GitLab; write it like `18.11`");
        let numbers: Result<Vec<u16>, _> = text.split('.').map(str::parse).collect();
        match numbers.map_err(|_| wrong())?[..] {
            [major, minor] => Ok(GitlabVersion {
                major,
                minor,
                patch: 0,
            }),
            [major, minor, patch] => Ok(GitlabVersion {
                major,
                minor,
                patch,
            }),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Period, String> {
        text.parse()
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Size, String> {
        text.parse()
    }
}

impl TryFrom<String> for GitlabVersion {
    type Error = String;

    fn try_from(text: String) -> Result<GitlabVersion, String> {
        text.parse()
    }
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_add_up() {
        let seconds = |text: &str| text.parse::<Period>().map(|period| period.0.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h 30m"), Ok(5400));
        assert_eq!(seconds("1w2d"), Ok(9 * 86_400));
        for wrong in [
            "",
            "5",
            "x",
            "1y",
            "-1s",
            "99999999999999999999s",
            "18446744073709551615w",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("4MiB"), Ok(4 << 20));
        assert_eq!(bytes("20 GB"), Ok(20_000_000_000));
        for wrong in ["", "MiB", "1XB", "1.5MiB", "99999999TiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn versions_have_two_or_three_numbers() {
        let version = |text: &str| {
            let version = text.parse::<GitlabVersion>();
            version.map(|version| (version.major, version.minor, version.patch))
        };
        assert_eq!(version("18.11"), Ok((18, 11, 0)));
        assert_eq!(version("18.11.2"), Ok((18, 11, 2)));
        for wrong in ["", "18", "18.x", "1.2.3.4", "v18.11"] {
            assert!(version(wrong).is_err(), "{wrong}");
        }
    }
}
