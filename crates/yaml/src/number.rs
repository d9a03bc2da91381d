//! Numbers as Ruby reads them out of YAML.

use std::borrow::Cow;

use crate::scalar::Typed;

/// Digits above which an integer that is not decimal stays a text; nobody writes one, and converting takes quadratic time.
const LONGEST_CONVERTED: usize = 1024;

/// A sexagesimal number, `[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}` with an optional fraction.
///
/// Psych weighs part *i* from the left with 60^|i − 2|, so `12:30` is 45000 (reference `config.md` §1.3).
pub(crate) fn sexagesimal(text: &str) -> Option<Typed<'static>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let mut parts = whole.split(':');
    let first = parts.next()?;
    let minutes = parts.next()?;
    let seconds = parts.next();
    let ok = parts.next().is_none()
        && is_digits(first, b"_")
        && is_sixtieth(minutes)
        && seconds.is_none_or(is_sixtieth)
        && fraction.is_none_or(|f| f.bytes().all(|b| b.is_ascii_digit() || b == b'_'));
    if !ok {
        return None;
    }
    let weights = [3600.0, 60.0, 1.0];
    if fraction.is_some() {
        let sum = text
            .split(':')
            .zip(weights)
            .fold(0.0, |sum, (part, weight)| {
                sum + leading_float(part) * weight
            });
        return Some(Typed::Float(sum));
    }
    let small = |part: &str| part.parse::<i64>().unwrap_or(0);
    let rest = small(minutes) * 60 + seconds.map_or(0, small);
    Some(weighed(
        text.starts_with('-'),
        leading_digits(first).as_bytes(),
        rest,
    ))
}

/// Whether `text` has the form of a float: `[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?`.
pub(crate) fn has_float_form(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some((whole, rest)) = text.split_once('.') else {
        return false;
    };
    let exponent = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let exponent_ok = exponent.is_empty()
        || exponent
            .strip_prefix(['e', 'E'])
            .and_then(|rest| rest.strip_prefix(['-', '+']))
            .is_some_and(|digits| is_digits(digits, b""));
    (whole.is_empty() || is_digits(whole, b"_,")) && exponent_ok
}

/// The value of a text in float form, or `None` where it has no digits before the exponent.
pub(crate) fn float(text: &str) -> Option<f64> {
    let text: Cow<'_, str> = if text.contains(['_', ',']) {
        text.replace(['_', ','], "").into()
    } else {
        text.into()
    };
    text.parse().ok()
}

/// Ruby's strict `Float("…")`, for texts that Psych left texts: underscores only between digits, and no hexadecimal.
pub(crate) fn strict_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let underscores_ok = bytes
        .iter()
        .enumerate()
        .all(|(at, b)| *b != b'_' || (digit(at.checked_sub(1)) && digit(Some(at + 1))));
    let form_ok = bytes
        .iter()
        .all(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !underscores_ok || !form_ok || text.ends_with('.') || text.contains(".e") {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// The value of an integer in base 2, 8, 10 or 16, or `None` where `text` is not one.
pub(crate) fn integer(text: &str) -> Option<Typed<'static>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let negative = text.starts_with('-');
    if let Some(digits) = unsigned.strip_prefix("0b") {
        return in_base(negative, digits, 2);
    }
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return in_base(negative, digits, 16);
    }
    if is_octal(text) {
        return in_base(negative, unsigned, 8);
    }
    if !is_decimal(unsigned) {
        return None;
    }
    let digits: String = unsigned.chars().filter(char::is_ascii_digit).collect();
    Some(decimal(negative, &digits))
}

/// Whether `text` is an octal integer: a zero and at least one more octal digit, with separators.
pub(crate) fn is_octal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.strip_prefix('0').is_some_and(|rest| {
        rest.bytes().any(|b| b.is_ascii_digit())
            && rest.bytes().all(|b| matches!(b, b'0'..=b'7' | b'_' | b','))
    })
}

/// `0`, or digits with single separators between them.
fn is_decimal(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'0') => bytes.len() == 1,
        Some(b'1'..=b'9') => {
            let separator = |b: &u8| matches!(b, b'_' | b',');
            bytes.iter().all(|b| b.is_ascii_digit() || separator(b))
                && !bytes.windows(2).any(|pair| pair.iter().all(separator))
                && !bytes.last().is_some_and(separator)
        }
        _ => false,
    }
}

fn in_base(negative: bool, digits: &str, base: u32) -> Option<Typed<'static>> {
    let is_separator = |c: char| matches!(c, '_' | ',');
    if digits.chars().all(is_separator)
        || !digits.chars().all(|c| c.is_digit(base) || is_separator(c))
    {
        return None;
    }
    let mut big = Decimal::default();
    let digits = digits.chars().filter_map(|c| c.to_digit(base));
    for (at, digit) in digits.skip_while(|digit| *digit == 0).enumerate() {
        if at == LONGEST_CONVERTED {
            return None;
        }
        big.scale(base, digit);
    }
    Some(decimal(negative, &big.digits()))
}

/// `first` × 3600 + `rest`, negated parts as Ruby does: only the first part carries the sign.
fn weighed(negative: bool, first: &[u8], rest: i64) -> Typed<'static> {
    let small = std::str::from_utf8(first)
        .ok()
        .and_then(|digits| digits.parse::<i64>().ok())
        .and_then(|hours| hours.checked_mul(if negative { -3600 } else { 3600 }))
        .and_then(|hours| hours.checked_add(rest));
    if let Some(small) = small {
        return Typed::Int(small);
    }
    // Long multiplication from the right. `rest` is below 3600, so a negative sum borrows from a multiple of 3600.
    let mut carry = if negative { -rest } else { rest };
    let mut digits = Vec::with_capacity(first.len() + 4);
    for digit in first.iter().rev() {
        carry += i64::from(digit - b'0') * 3600;
        digits.push(b'0' + carry.rem_euclid(10) as u8);
        carry = carry.div_euclid(10);
    }
    while carry > 0 {
        digits.push(b'0' + (carry % 10) as u8);
        carry /= 10;
    }
    digits.reverse();
    decimal(negative, &String::from_utf8_lossy(&digits))
}

/// An integer from its decimal digits.
fn decimal(negative: bool, digits: &str) -> Typed<'static> {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Typed::Int(0);
    }
    let signed = format!("{}{digits}", if negative { "-" } else { "" });
    match signed.parse() {
        Ok(small) => Typed::Int(small),
        Err(_) => Typed::BigInt(signed),
    }
}

/// A natural number in limbs of nine decimal digits, least first.
#[derive(Default)]
struct Decimal(Vec<u32>);

impl Decimal {
    const LIMB: u64 = 1_000_000_000;

    fn scale(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.0 {
            let value = u64::from(*limb) * u64::from(factor) + carry;
            *limb = (value % Self::LIMB) as u32;
            carry = value / Self::LIMB;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn digits(&self) -> String {
        self.0
            .iter()
            .rev()
            .map(|limb| format!("{limb:09}"))
            .collect()
    }
}

/// A digit, then digits or any of `separators`.
fn is_digits(text: &str, separators: &[u8]) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || separators.contains(&b))
}

fn is_sixtieth(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
}

/// The digits Ruby's `to_i` takes: up to the first doubled or final underscore.
fn leading_digits(text: &str) -> String {
    text.split("__").next().unwrap_or(text).replace('_', "")
}

/// Ruby's `to_f`: the longest numeric start, underscores between digits skipped.
fn leading_float(text: &str) -> f64 {
    let bytes = text.as_bytes();
    let mut number = String::with_capacity(text.len());
    let mut seen_point = false;
    for (at, b) in bytes.iter().enumerate() {
        let next_is_digit = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        match b {
            b'-' | b'+' if at == 0 => number.push(char::from(*b)),
            b'0'..=b'9' => number.push(char::from(*b)),
            b'_' if next_is_digit && number.ends_with(|c: char| c.is_ascii_digit()) => {}
            b'.' if !seen_point && next_is_digit => {
                seen_point = true;
                number.push('.');
            }
            _ => break,
        }
    }
    number.parse().unwrap_or(0.0)
}
