//! Durations in words: `1h 30m`, `2 hours and 5 minutes`, `1:30` (reference `config.md` §9.4).

use std::time::Duration;

use tidegate_yaml::{Node, Value};

/// A length of time in seconds; fractions only where the text has them, as GitLab stores it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Seconds {
    /// A whole number.
    Whole(i64),
    /// A sum with a fraction in it.
    Fraction(f64),
}

impl Seconds {
    /// The same as a number.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Seconds::Whole(value) => value as f64,
            Seconds::Fraction(value) => value,
        }
    }

    /// The same as a duration; what is no length of time is none.
    pub(crate) fn as_duration(self) -> Duration {
        match self {
            Seconds::Whole(value) => Duration::from_secs(value.max(0).unsigned_abs()),
            Seconds::Fraction(value) => Duration::try_from_secs_f64(value).unwrap_or_default(),
        }
    }

    fn plus(self, other: Seconds) -> Seconds {
        match (self, other) {
            (Seconds::Whole(a), Seconds::Whole(b)) => Seconds::Whole(a.saturating_add(b)),
            (a, b) => Seconds::Fraction(a.as_f64() + b.as_f64()),
        }
    }
}

/// One week, the limit of `start_in`.
pub(crate) const WEEK: f64 = 604_800.0;

/// One month as Rails counts it, the limit of `timeout`.
pub(crate) const MONTH: f64 = 2_629_746.0;

const UNITS: [(&str, i64); 29] = [
    ("s", 1),
    ("sec", 1),
    ("secs", 1),
    ("second", 1),
    ("seconds", 1),
    ("m", 60),
    ("min", 60),
    ("mins", 60),
    ("minute", 60),
    ("minutes", 60),
    ("h", HOUR),
    ("hr", HOUR),
    ("hrs", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("d", DAY),
    ("dy", DAY),
    ("day", DAY),
    ("days", DAY),
    ("w", 7 * DAY),
    ("wk", 7 * DAY),
    ("wks", 7 * DAY),
    ("week", 7 * DAY),
    ("weeks", 7 * DAY),
    ("mo", 30 * DAY),
    ("mos", 30 * DAY),
    ("month", 30 * DAY),
    ("months", 30 * DAY),
    ("y", YEAR),
];
const MORE_UNITS: [(&str, i64); 4] = [("yr", YEAR), ("yrs", YEAR), ("year", YEAR), ("years", YEAR)];
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 31_557_600;

/// Units of the colon form from its right end; weeks have no place in it.
const COLON_UNITS: [&str; 6] = ["seconds", "minutes", "hours", "days", "months", "years"];

const FILLERS: [&str; 3] = ["and", "with", "plus"];

/// The length `text` names, or `None` where it is no duration or nothing at all.
pub(crate) fn parse(text: &str) -> Option<Seconds> {
    let text = colon_form(&numbers_from_words(&text.to_lowercase()))?;
    let spaced = space_numbers(&text);
    let mut words = Vec::new();
    for word in spaced.split_ascii_whitespace() {
        if starts_number(word) {
            words.push(Word::Number(word));
            continue;
        }
        let stripped = word.strip_prefix(',').unwrap_or(word);
        let stripped = stripped.strip_suffix(',').unwrap_or(stripped);
        match unit(stripped) {
            Some(seconds) => words.push(Word::Unit(seconds)),
            None if FILLERS.contains(&stripped) => {}
            None => return None,
        }
    }
    if let Some(Word::Unit(_)) = words.first() {
        words.insert(0, Word::Number("1"));
    }
    total(&words).filter(|seconds| seconds.as_f64() != 0.0)
}

/// The length a string names; other types name none.
pub(crate) fn parse_node(node: &Node) -> Option<Seconds> {
    match &node.value {
        Value::Str(text) => parse(text),
        _ => None,
    }
}

enum Word<'a> {
    Number(&'a str),
    Unit(i64),
}

fn total(words: &[Word<'_>]) -> Option<Seconds> {
    let mut sum = Seconds::Whole(0);
    for (at, word) in words.iter().enumerate() {
        let Word::Number(number) = word else { continue };
        let unit = match words.get(at + 1) {
            Some(Word::Unit(seconds)) => *seconds,
            None => 1,
            // A number after a number is not a unit; the first of them counts for nothing.
            Some(Word::Number(_)) => 0,
        };
        sum = sum.plus(product(number, unit)?);
    }
    Some(sum)
}

fn product(number: &str, unit: i64) -> Option<Seconds> {
    let value: f64 = number.parse().ok()?;
    if value.fract() > 0.0 {
        return Some(Seconds::Fraction(value * unit as f64));
    }
    let whole = number.split('.').next().unwrap_or_default();
    let whole: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().unwrap_or(i64::MAX)
    };
    Some(Seconds::Whole(whole.saturating_mul(unit)))
}

fn unit(word: &str) -> Option<i64> {
    let mut all = UNITS.iter().chain(&MORE_UNITS);
    all.find(|(name, _)| *name == word)
        .map(|(_, seconds)| *seconds)
}

/// `a:b:c` with its units written out; other texts as they are. `None`: more parts than there are units.
fn colon_form(text: &str) -> Option<String> {
    let tight: String = text.chars().filter(|c| *c != ' ').collect();
    if !has_colon_form(&tight) {
        return Some(text.to_owned());
    }
    let parts: Vec<_> = tight.split(':').collect();
    let mut written = Vec::new();
    for (at, part) in parts.iter().rev().enumerate() {
        written.push(format!("{part} {}", COLON_UNITS.get(at)?));
    }
    written.reverse();
    Some(written.join(" "))
}

fn has_colon_form(tight: &str) -> bool {
    let mut parts = tight.split(':');
    let Some(mut before) = parts.next() else {
        return false;
    };
    for part in parts {
        if before.ends_with(|c: char| c.is_ascii_digit()) && starts_number(part) {
            return true;
        }
        before = part;
    }
    false
}

fn starts_number(text: &str) -> bool {
    let text = text.strip_prefix('.').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Puts spaces around each number.
fn space_numbers(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = number_length(rest);
        if length > 0 {
            let (number, after) = rest.split_at(length);
            spaced.push(' ');
            spaced.push_str(number);
            spaced.push(' ');
            rest = after;
        } else {
            spaced.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    spaced
}

/// Length of the number `text` starts with: digits, and digits behind one point.
fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix('.').map_or(0, digits);
    if fraction > 0 {
        whole + 1 + fraction
    } else {
        whole
    }
}

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

/// Number words as digits: `one hour` is `1 hour`, `twenty five` is `25`.
fn numbers_from_words(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut number: Option<i64> = None;
    for word in text.split(' ') {
        number = match (number, number_word(word), word) {
            (Some(known), Some(value), _) => Some(known.saturating_add(value)),
            (None, Some(value), _) => Some(value),
            (Some(known), None, "hundred") => Some(known.saturating_mul(100)),
            (Some(known), None, "thousand") => Some(known.saturating_mul(1000)),
            (known, None, _) => {
                out.extend(known.map(|known| known.to_string()));
                out.push(word.to_owned());
                None
            }
        };
    }
    out.extend(number.map(|number| number.to_string()));
    out.join(" ")
}

fn number_word(word: &str) -> Option<i64> {
    if let Some((tens, ones)) = word.split_once('-') {
        return Some(number_word(tens)?.saturating_add(number_word(ones)?));
    }
    let small = SMALL.iter().position(|name| *name == word);
    let tens = TENS.iter().position(|name| *name == word);
    let value = small.or(tens.map(|at| (at + 2) * 10))?;
    i64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_colons_are_lengths() {
        let whole = |text| match parse(text) {
            Some(Seconds::Whole(seconds)) => Some(seconds),
            _ => None,
        };
        assert_eq!(whole("1h 30m"), Some(5400));
        assert_eq!(whole("one hour"), Some(3600));
        assert_eq!(whole("hour"), Some(3600));
        assert_eq!(whole("2 hours and 5 minutes"), Some(7500));
        assert_eq!(whole("1h, 2m"), Some(3720));
        assert_eq!(whole("1h30"), Some(3630));
        assert_eq!(whole("1:30"), Some(90));
        assert_eq!(whole("90"), Some(90));
        assert_eq!(whole("3 mos 2 days"), Some(92 * DAY));
        assert_eq!(whole(" 1 H "), Some(3600));
        assert_eq!(whole("twenty five minutes"), Some(1500));
    }

    #[test]
    fn fractions_stay_fractions() {
        assert_eq!(parse("1.5 hours"), Some(Seconds::Fraction(5400.0)));
        assert_eq!(parse(".5h"), Some(Seconds::Fraction(1800.0)));
        assert_eq!(parse("1.0h"), Some(Seconds::Whole(3600)));
    }

    #[test]
    fn lengths_beyond_all_numbers_do_not_overflow() {
        let many = format!("one {} years", "thousand ".repeat(20));
        assert!(parse(&many).is_some());
        assert!(parse(&format!("{} years", "9".repeat(40))).is_some());
        assert!(parse(&"nine-".repeat(50)).is_none());
    }

    #[test]
    fn nothing_and_unknown_words_are_no_length() {
        for text in [
            "",
            "0",
            "foo",
            "half hour",
            "an hour",
            "-1h",
            "1:2:3:4:5:6:7",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
