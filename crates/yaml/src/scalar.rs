//! What a plain scalar means: Psych 5.1.2's tests, in its order (reference `config.md` §1.3).

use std::borrow::Cow;

use crate::number;

/// A scalar with its type; texts are still those of the input.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Typed<'a> {
    Null,
    Bool(bool),
    Int(i64),
    BigInt(String),
    Float(f64),
    Text(Cow<'a, str>),
    Symbol(Cow<'a, str>),
}

/// Why a scalar has no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// It stands for a class that is not permitted.
    Class(Cow<'static, str>),
    /// It has the form of a type but not a value of it (Ruby: an argument error).
    Unsuitable,
}

/// How a number was written, where that is easily misread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Notation {
    Octal,
    Sexagesimal,
}

/// Types `text` as an untagged plain scalar.
pub(crate) fn resolve(text: &str) -> Result<Typed<'_>, Refused> {
    let is_text = || Ok(Typed::Text(Cow::Borrowed(text)));
    if text.is_empty() {
        return Ok(Typed::Null);
    }
    if looks_like_text(text) {
        return Ok(word(text).unwrap_or(Typed::Text(Cow::Borrowed(text))));
    }
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'0'..=b'9' | b'-' | b'+' | b'.') => {}
        Some(b':') if text.chars().nth(1).is_some() => {
            return Ok(Typed::Symbol(Cow::Borrowed(symbol(text))));
        }
        _ => return is_text(),
    }
    if is_timestamp(text) {
        return Err(Refused::Class("Time".into()));
    }
    if is_date(text) {
        return Err(Refused::Class("Date".into()));
    }
    if let Some(special) = special_float(text) {
        return Ok(Typed::Float(special));
    }
    if let Some(sexagesimal) = number::sexagesimal(text) {
        return Ok(sexagesimal);
    }
    if number::has_float_form(text) {
        return match number::float(text) {
            Some(float) => Ok(Typed::Float(float)),
            None if matches!(text, "." | "+." | "-.") => is_text(),
            None => Err(Refused::Unsuitable),
        };
    }
    match number::integer(text) {
        Some(integer) => Ok(integer),
        None => is_text(),
    }
}

/// How `text` is written when it is an octal or sexagesimal number.
pub(crate) fn notation(text: &str) -> Option<Notation> {
    let first = text.as_bytes().first()?;
    if !matches!(first, b'0'..=b'9' | b'+' | b'-') {
        return None;
    }
    if text.contains(':') {
        return number::sexagesimal(text).map(|_| Notation::Sexagesimal);
    }
    number::is_octal(text).then_some(Notation::Octal)
}

/// Whether Psych dates `text` when nothing is forbidden, which decides about quotes when it writes.
pub(crate) fn is_real_date_or_time(text: &str) -> bool {
    if is_timestamp(text) {
        return is_real_time(text);
    }
    is_date(text) && is_real_date(text)
}

/// Psych's quick test: a first character that no number, date or symbol can have, perhaps after another such character.
fn looks_like_text(text: &str) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    if is_wordy(first) || text.contains('\n') {
        return true;
    }
    let may_lead = !matches!(first, '0'..='9' | '.' | ':' | '-');
    may_lead && chars.next().is_some_and(is_wordy)
}

fn is_wordy(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '_' | ' ' | '\t'..='\r' => true,
        '!' | '@' | '#' | '$' | '%' | '^' | '&' | '*' | '(' | ')' | '{' | '}' => true,
        '<' | '>' | '|' | '/' | '\\' | '~' | ';' | '=' => true,
        _ => !c.is_ascii() && c.is_alphabetic(),
    }
}

/// Null and booleans. Psych's patterns are per line, so a folded `no` + empty line + `no` is false too.
fn word(text: &str) -> Option<Typed<'static>> {
    if text.len() > 5 {
        return None;
    }
    let has_other_start = text.split('\n').enumerate().any(|(at, line)| {
        match line.chars().next().map(|c| c.to_ascii_lowercase()) {
            Some(c) => !matches!(c, 'y' | 't' | 'o' | 'n' | 'f' | '~'),
            // An empty line starts with its line break, unless the text ends there.
            None => text.split('\n').count() > at + 1,
        }
    });
    if has_other_start {
        return None;
    }
    let is = |words: &[&str]| {
        text.split('\n')
            .any(|line| words.iter().any(|word| line.eq_ignore_ascii_case(word)))
    };
    if text == "~" || is(&["null"]) {
        Some(Typed::Null)
    } else if is(&["yes", "true", "on"]) {
        Some(Typed::Bool(true))
    } else if is(&["no", "false", "off"]) {
        Some(Typed::Bool(false))
    } else {
        None
    }
}

/// The name in `:name`, `:"name"` or `:'name'`.
fn symbol(text: &str) -> &str {
    let name = text.strip_prefix(':').unwrap_or(text);
    for quote in ['"', '\''] {
        let Some(inner) = name.strip_prefix(quote) else {
            continue;
        };
        if let Some((inner, _)) = inner.rsplit_once(quote) {
            return inner.strip_prefix(':').unwrap_or(inner);
        }
    }
    name
}

fn special_float(text: &str) -> Option<f64> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is(".inf") || is("+.inf") {
        Some(f64::INFINITY)
    } else if is("-.inf") {
        Some(f64::NEG_INFINITY)
    } else if is(".nan") {
        Some(f64::NAN)
    } else {
        None
    }
}

/// A cursor over the bytes of a fixed form.
struct Form<'a>(&'a [u8]);

impl Form<'_> {
    /// Takes between `least` and `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.iter().take(most).take_while(|b| b.is_ascii_digit());
        let count = count.count();
        let taken = self.0.get(..count)?;
        if count < least {
            return None;
        }
        self.0 = self.0.get(count..)?;
        Some(
            taken
                .iter()
                .fold(0, |n, digit| n * 10 + u32::from(digit - b'0')),
        )
    }

    fn byte(&mut self, accepted: impl Fn(u8) -> bool) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !accepted(*first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    fn spaces(&mut self) -> usize {
        let before = self.0.len();
        while self.byte(is_space).is_some() {}
        before - self.0.len()
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

/// Year, month, day, hour, minute, second of a timestamp; any digits will do.
fn timestamp(text: &str) -> Option<[u32; 6]> {
    let mut form = Form(text.as_bytes());
    form.byte(|b| b == b'-');
    let year = form.digits(4, 4)?;
    form.byte(|b| b == b'-')?;
    let month = form.digits(1, 2)?;
    form.byte(|b| b == b'-')?;
    let day = form.digits(1, 2)?;
    if form.byte(|b| b == b'T' || b == b't').is_none() && form.spaces() == 0 {
        return None;
    }
    let hour = form.digits(1, 2)?;
    form.byte(|b| b == b':')?;
    let minute = form.digits(2, 2)?;
    form.byte(|b| b == b':')?;
    let second = form.digits(2, 2)?;
    if form.byte(|b| b == b'.').is_some() {
        while form.byte(|b| b.is_ascii_digit()).is_some() {}
    }
    let spaces = form.spaces();
    if form.0.is_empty() {
        return (spaces == 0).then_some([year, month, day, hour, minute, second]);
    }
    if form.byte(|b| b == b'Z').is_none() {
        form.byte(|b| b == b'+' || b == b'-')?;
        form.digits(1, 2)?;
        form.byte(|b| b == b':');
        form.digits(2, 2);
    }
    form.0
        .is_empty()
        .then_some([year, month, day, hour, minute, second])
}

fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

fn date(text: &str) -> Option<[u32; 3]> {
    let mut form = Form(text.as_bytes());
    let year = form.digits(4, 4)?;
    form.byte(|b| b == b'-')?;
    let month = form.digits(1, 2)?;
    form.byte(|b| b == b'-')?;
    let day = form.digits(1, 2)?;
    (form.0.is_empty() && month <= 12 && day <= 31).then_some([year, month, day])
}

fn is_date(text: &str) -> bool {
    date(text).is_some()
}

fn is_real_date(text: &str) -> bool {
    let Some([year, month, day]) = date(text) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=12).contains(&month) && (1..=last).contains(&day)
}

fn is_real_time(text: &str) -> bool {
    let Some([_, month, day, hour, minute, second]) = timestamp(text) else {
        return false;
    };
    let whole = hour == 24 && minute == 0 && second == 0;
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (hour < 24 || whole)
        && minute < 60
        && second <= 60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Typed<'_>, Refused> {
        Ok(Typed::Text(text.into()))
    }

    #[test]
    fn words_are_null_and_booleans_in_any_case() {
        for null in ["", "~", "null", "NULL", "nUlL"] {
            assert_eq!(resolve(null), Ok(Typed::Null), "{null:?}");
        }
        for yes in ["yes", "true", "on", "YES", "yEs", "On"] {
            assert_eq!(resolve(yes), Ok(Typed::Bool(true)), "{yes:?}");
        }
        for no in ["no", "false", "off", "NO", "oFF", "no\nno"] {
            assert_eq!(resolve(no), Ok(Typed::Bool(false)), "{no:?}");
        }
        for word in [
            "y", "n", "Y", "N", "nil", "None", "=", "<<", "yess", "~~", "no\nx",
        ] {
            assert_eq!(resolve(word), text(word));
        }
    }

    #[test]
    fn integers_come_in_four_bases_with_separators() {
        for (written, value) in [
            ("0", 0),
            ("-0", 0),
            ("+12", 12),
            ("1_000", 1000),
            ("1,2,3", 123),
            ("007", 7),
            ("0777", 511),
            ("0,7", 7),
            ("-010", -8),
            ("0b101", 5),
            ("-0b1_1", -3),
            ("0x1F", 31),
            ("0x_f", 15),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(resolve(written), Ok(Typed::Int(value)), "{written:?}");
        }
        for word in [
            "08", "09", "0o17", "0XFF", "1__0", "1_", "_1", "0x", "0b", "0_", "1_,0", "--1", "0b2",
            "0xg", "1 000",
        ] {
            assert_eq!(resolve(word), text(word));
        }
    }

    #[test]
    fn large_integers_keep_all_digits() {
        for (written, digits) in [
            ("9223372036854775808", "9223372036854775808"),
            ("-1_000_000_000_000_000_000_000", "-1000000000000000000000"),
            ("0xffffffffffffffffffff", "1208925819614629174706175"),
            ("01000000000000000000000000", "4722366482869645213696"),
            ("100000000000000000000:30", "360000000000000000001800"),
            ("-100000000000000000000:30", "-359999999999999999998200"),
        ] {
            assert_eq!(resolve(written), Ok(Typed::BigInt(digits.into())));
        }
    }

    #[test]
    fn sexagesimal_weights_are_odd() {
        for (written, value) in [
            ("12:30", 45_000),
            ("1:2", 3720),
            ("22:22", 80_520),
            ("12:30:45", 45_045),
            ("0:5", 300),
            ("-1:30", -1800),
            ("1_0:0", 36_000),
        ] {
            assert_eq!(resolve(written), Ok(Typed::Int(value)), "{written:?}");
        }
        assert_eq!(resolve("190:20:30.15"), Ok(Typed::Float(685_230.15)));
        assert_eq!(resolve("1:30.5"), Ok(Typed::Float(5430.0)));
        for word in ["99:99", "1:60", "1:2:3:4", "a:1", "1:", "1:2:"] {
            assert_eq!(resolve(word), text(word));
        }
    }

    #[test]
    fn floats_need_a_point_and_a_signed_exponent() {
        for (written, value) in [
            (".5", 0.5),
            ("-.5", -0.5),
            ("1.", 1.0),
            ("3.10", 3.1),
            ("1.5e+3", 1500.0),
            ("1.e+1", 10.0),
            ("1,000.5", 1000.5),
            ("1_0.5", 10.5),
            ("+1.0", 1.0),
            (".inf", f64::INFINITY),
            ("+.INF", f64::INFINITY),
            ("-.inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(resolve(written), Ok(Typed::Float(value)), "{written:?}");
        }
        assert!(matches!(resolve(".NaN"), Ok(Typed::Float(value)) if value.is_nan()));
        for word in ["1e3", "1.5e3", "1e+3", ".", "-.", "0.1_0", "1.2.3"] {
            assert_eq!(resolve(word), text(word));
        }
        assert_eq!(resolve(".e+3"), Err(Refused::Unsuitable));
    }

    #[test]
    fn a_leading_colon_makes_a_symbol() {
        for (written, name) in [
            (":foo", "foo"),
            (":\"foo bar\"", "foo bar"),
            (":'x'", "x"),
            ("::a", ":a"),
            (":1", "1"),
        ] {
            assert_eq!(resolve(written), Ok(Typed::Symbol(name.into())));
        }
        assert_eq!(resolve(":"), text(":"));
    }

    #[test]
    fn dates_and_times_are_refused_even_when_impossible() {
        for date in ["2020-01-01", "2020-1-1", "2020-02-31", "0000-00-00"] {
            assert_eq!(
                resolve(date),
                Err(Refused::Class("Date".into())),
                "{date:?}"
            );
        }
        for time in [
            "2020-01-01 10:00:00",
            "2020-01-01T10:00:00Z",
            "2020-1-1t1:00:00.5 +01:30",
            "-2020-01-01 10:00:00",
        ] {
            assert_eq!(
                resolve(time),
                Err(Refused::Class("Time".into())),
                "{time:?}"
            );
        }
        for word in [
            "2001-13-01",
            "2001-01-32",
            "20-01-01",
            "2020-01-01 10:00",
            "2020-01",
        ] {
            assert_eq!(resolve(word), text(word));
        }
    }

    #[test]
    fn only_misleading_notations_are_named() {
        assert_eq!(notation("1:30"), Some(Notation::Sexagesimal));
        assert_eq!(notation("010"), Some(Notation::Octal));
        for plain in ["10", "0", "08", "0x10", "a:1", "1.5", ""] {
            assert_eq!(notation(plain), None);
        }
    }
}
