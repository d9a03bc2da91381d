//! Dates and times as Ruby's `DateTime.iso8601` takes them, which is what GitLab asks about `released_at`.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Time of day behind a date, with or without colons, and its zone.
const TIME: &str = r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[,.]\d+)?)?(?:z|[-+]\d{2}(?::?\d{2})?)?";
const BASIC_TIME: &str =
    r"(?P<hour>\d{2})(?P<minute>\d{2})(?:(?P<second>\d{2})(?:[,.]\d+)?)?(?:z|[-+]\d{2}(?:\d{2})?)?";

/// The forms, with a date, with a time, or with both.
static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let dates = [
        // Year, month and day, of which some may be missing; year and day of the year; year, week and day of the week.
        r"[-+]?(?P<year>\d{2,})-(?P<month>\d{2})?(?:-(?P<day>\d{2}))?",
        r"--(?P<month>\d{2})(?:-(?P<day>\d{2}))?",
        r"[-+]?(?P<year>\d{2,})-(?P<yday>\d{3})",
        r"(?P<year>\d{4}|\d{2})-w(?P<week>\d{2})-(?P<wday>\d)",
    ];
    let basic = [
        r"[-+]?(?P<year>\d{4}|\d{2})(?P<month>\d{2})(?P<day>\d{2})",
        r"[-+]?(?P<year>\d{4}|\d{2})(?P<yday>\d{3})",
        r"(?P<year>\d{4}|\d{2})w(?P<week>\d{2})(?P<wday>\d)",
    ];
    let extended = dates.map(|date| format!("{date}(?:t{TIME})?"));
    let basic = basic.map(|date| format!("{date}(?:t?{BASIC_TIME})?"));
    // A time alone has a zone only behind seconds.
    let alone = [
        r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[,.]\d+)?(?:z|[-+]\d{2}(?::?\d{2})?)?)?",
        r"(?P<hour>\d{2})(?P<minute>\d{2})(?:(?P<second>\d{2})(?:[,.]\d+)?(?:z|[-+]\d{2}(?:\d{2})?)?)?",
    ];
    let alone = alone.map(str::to_owned);
    let all = extended.into_iter().chain(basic).chain(alone);
    all.filter_map(|form| Regex::new(&format!(r"(?i-u)^\s*(?:{form})\s*$")).ok())
        .collect()
});

/// Whether the text is a date, a time or both, and such a day and time exist.
pub(super) fn is_datetime(text: &str) -> bool {
    // The first form that fits decides, as in Ruby.
    let fitting = FORMS.iter().find_map(|form| form.captures(text));
    fitting.is_some_and(|found| is_day(&found) && is_time(&found))
}

fn number(found: &Captures<'_>, name: &str) -> Option<u32> {
    found.name(name)?.as_str().parse().ok()
}

fn is_day(found: &Captures<'_>) -> bool {
    let year = number(found, "year").unwrap_or(2000);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (month, day) = (number(found, "month"), number(found, "day"));
    if month.is_some() || day.is_some() {
        let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
        let last = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        return (1..=12).contains(&month) && (1..=last).contains(&day);
    }
    if let Some(day) = number(found, "yday") {
        return (1..=if leap { 366 } else { 365 }).contains(&day);
    }
    match (number(found, "week"), number(found, "wday")) {
        (Some(week), Some(day)) => (1..=53).contains(&week) && (1..=7).contains(&day),
        _ => true,
    }
}

fn is_time(found: &Captures<'_>) -> bool {
    let Some(hour) = number(found, "hour") else {
        return true;
    };
    let minute = number(found, "minute").unwrap_or(0);
    let second = number(found, "second").unwrap_or(0);
    hour < 24 && minute < 60 && second <= 60 || (hour == 24 && minute == 0 && second == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_iso_8601_are_taken() {
        for text in [
            "2021-03-15T08:00:00Z",
            "2024-03-04t05:06:07+02:00",
            "2021-03-15T08:00",
            "2021-03-15T08:00:00.123-0500",
            "2021-03-15",
            "2021-03",
            "2021-074",
            "2021-W11-1",
            "20210315",
            "20210315T080000Z",
            "2021w111",
            "08:00",
            "21--03",
            "--03-15",
            "2021-",
            "2021",
            "2021-03-15T24:00:00",
            " 2021-03-15 ",
            "2024-02-29",
        ] {
            assert!(is_datetime(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_day_or_time_is_refused() {
        for text in [
            "",
            " ",
            "yesterday",
            "1",
            "2021-13-01",
            "2021-02-29",
            "2021-04-31",
            "2021-366",
            "2021-W11",
            "2021-0740",
            "06:00+00",
            "2021-03-15 08:00",
            "2021-03-15T25:00:00Z",
            "2021-03-15T08:60",
            "15.03.2021",
            "$X",
        ] {
            assert!(!is_datetime(text), "{text}");
        }
    }
}
