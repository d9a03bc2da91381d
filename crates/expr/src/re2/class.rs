//! Character classes and escapes of RE2, written as sets of the `regex` crate.

use std::fmt::Write as _;

use super::{Outcome, Translator};
use crate::pattern::{PatternError, PatternErrorCode};

/// A class no character is in.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);

/// Reads `[…]` and returns it as one set.
pub(super) fn bracketed(input: &mut Translator<'_>) -> Outcome<String> {
    let start = input.position;
    input.eat("[");
    let negated = input.eat("^");
    let mut items = String::new();
    let mut first = true;
    loop {
        match input.peek() {
            None => return input.error(PatternErrorCode::MissingBracket, start),
            Some(']') if !first => break,
            Some('[') if input.rest().starts_with("[:") => {
                if let Some(class) = posix(input)? {
                    items.push_str(&class);
                } else {
                    range(input, start, &mut items)?;
                }
            }
            Some('\\') => match escaped(input)? {
                Some(class) => items.push_str(&class),
                None => range(input, start, &mut items)?,
            },
            Some(_) => range(input, start, &mut items)?,
        }
        first = false;
    }
    input.eat("]");
    Ok(match (items.is_empty(), negated) {
        // Only surrogates were listed, which no text holds.
        (true, false) => NOTHING.to_owned(),
        (true, true) => r"[\x{0}-\x{10FFFF}]".to_owned(),
        (false, true) => format!("[^{items}]"),
        (false, false) => format!("[{items}]"),
    })
}

/// Reads `\d`, `\W`, `\pL`, `\p{Greek}` and their like as items of a set.
///
/// `None`, with the cursor unmoved, for any other escape.
pub(super) fn escaped(input: &mut Translator<'_>) -> Outcome<Option<String>> {
    let perl = match input.rest().get(..2) {
        Some("\\d") => "0-9",
        Some("\\D") => "[^0-9]",
        Some("\\s") => r"\t\n\f\r\x{20}",
        Some("\\S") => r"[^\t\n\f\r\x{20}]",
        Some("\\w") => "0-9A-Za-z_",
        Some("\\W") => "[^0-9A-Za-z_]",
        Some("\\p" | "\\P") => return unicode(input).map(Some),
        _ => return Ok(None),
    };
    input.position += 2;
    Ok(Some(perl.to_owned()))
}

/// Reads an escape that stands for one code point; `None` for a surrogate.
pub(super) fn escaped_code_point(input: &mut Translator<'_>) -> Outcome<Option<char>> {
    escaped_number(input).map(char::from_u32)
}

/// Adds `a` or `a-z` at the cursor to `items`.
fn range(input: &mut Translator<'_>, class: usize, items: &mut String) -> Outcome<()> {
    let start = input.position;
    let low = member(input, class)?;
    let mut high = low;
    let rest = input.rest();
    if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
        input.position += 1;
        high = member(input, class)?;
        if high < low {
            return input.error(PatternErrorCode::BadClassRange, start);
        }
    }
    // The `regex` crate knows no surrogates, and no text holds any.
    for (low, high) in [
        (low, high.min(SURROGATES.0 - 1)),
        (low.max(SURROGATES.1 + 1), high),
    ] {
        if low <= high {
            // Writing to a string cannot fail.
            let _ = write!(items, "\\x{{{low:X}}}-\\x{{{high:X}}}");
        }
    }
    Ok(())
}

fn member(input: &mut Translator<'_>, class: usize) -> Outcome<u32> {
    match input.peek() {
        None => input.error(PatternErrorCode::MissingBracket, class),
        Some('\\') => escaped_number(input),
        Some(c) => {
            input.position += c.len_utf8();
            Ok(u32::from(c))
        }
    }
}

fn escaped_number(input: &mut Translator<'_>) -> Outcome<u32> {
    let start = input.position;
    input.eat("\\");
    let Some(c) = input.next() else {
        let code = PatternErrorCode::TrailingBackslash;
        return Err(PatternError::new(code, ""));
    };
    let octal = |c: Option<char>| c.and_then(|c| c.to_digit(8));
    Ok(match c {
        '0'..='7' => {
            // A single digit that is not zero would be a back-reference.
            if c != '0' && octal(input.peek()).is_none() {
                return input.error(PatternErrorCode::BadEscape, start);
            }
            let mut number = octal(Some(c)).unwrap_or(0);
            for _ in 0..2 {
                if let Some(digit) = octal(input.peek()) {
                    number = number * 8 + digit;
                    input.position += 1;
                }
            }
            number
        }
        'x' => hexadecimal(input, start)?,
        'a' => 7,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
        _ => return input.error(PatternErrorCode::BadEscape, start),
    })
}

fn hexadecimal(input: &mut Translator<'_>, start: usize) -> Outcome<u32> {
    let braced = input.eat("{");
    let mut number: u32 = 0;
    let mut digits = 0;
    while braced || digits < 2 {
        let digit = match input.next() {
            Some('}') if braced && digits > 0 => return Ok(number),
            Some(c) => c.to_digit(16),
            None => None,
        };
        let Some(digit) = digit else {
            return input.error(PatternErrorCode::BadEscape, start);
        };
        number = number * 16 + digit;
        digits += 1;
        if number > 0x0010_FFFF {
            return input.error(PatternErrorCode::BadEscape, start);
        }
    }
    Ok(number)
}

/// Reads `[:name:]`; `None` where no `:]` follows, so that the bracket is a literal.
fn posix(input: &mut Translator<'_>) -> Outcome<Option<String>> {
    let start = input.position;
    let Some(length) = input.rest().get(2..).and_then(|rest| rest.find(":]")) else {
        return Ok(None);
    };
    input.position += length + 4;
    let name = input.since(start + 2).trim_end_matches(":]");
    let (name, negated) = match name.strip_prefix('^') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let set = match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x{0}-\x{7F}",
        "blank" => r"\t\x{20}",
        "cntrl" => r"\x{0}-\x{1F}\x{7F}",
        "digit" => "0-9",
        "graph" => r"\x{21}-\x{7E}",
        "lower" => "a-z",
        "print" => r"\x{20}-\x{7E}",
        "punct" => r"\x{21}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{60}\x{7B}-\x{7E}",
        "space" => r"\t\n\x{B}\f\r\x{20}",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => return input.error(PatternErrorCode::BadClassRange, start),
    };
    Ok(Some(if negated {
        format!("[^{set}]")
    } else {
        set.to_owned()
    }))
}

/// Reads `\pL`, `\p{Lu}`, `\p{^Greek}`, `\P…`.
fn unicode(input: &mut Translator<'_>) -> Outcome<String> {
    let start = input.position;
    let mut negated = input.rest().starts_with("\\P");
    input.position += 2;
    let name = match input.next() {
        None => return input.error(PatternErrorCode::BadClassRange, start),
        Some('{') => {
            let Some(length) = input.rest().find('}') else {
                input.position = input.source.len();
                return input.error(PatternErrorCode::BadClassRange, start);
            };
            let name = input.rest().get(..length).unwrap_or_default();
            input.position += length + 1;
            name
        }
        Some(c) => input.since(input.position - c.len_utf8()),
    };
    let name = match name.strip_prefix('^') {
        Some(rest) => {
            negated = !negated;
            rest
        }
        None => name,
    };
    let set = match name {
        "Any" => r"\x{0}-\x{10FFFF}".to_owned(),
        // Without the unassigned, unlike Unicode's own C.
        "C" => r"\p{Cc}\p{Cf}\p{Co}".to_owned(),
        "Cs" => NOTHING.to_owned(),
        name if CATEGORIES.contains(&name) => format!("\\p{{{name}}}"),
        name if SCRIPTS.contains(&name) => format!("\\p{{Script={name}}}"),
        _ => return input.error(PatternErrorCode::BadClassRange, start),
    };
    Ok(if negated { format!("[^{set}]") } else { set })
}

const CATEGORIES: &[&str] = &[
    "Cc", "Cf", "Co", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl",
    "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl",
    "Zp", "Zs",
];

#[rustfmt::skip]
const SCRIPTS: &[&str] = &[
    "Adlam", "Ahom", "Anatolian_Hieroglyphs", "Arabic", "Armenian", "Avestan", "Balinese",
    "Bamum", "Bassa_Vah", "Batak", "Bengali", "Bhaiksuki", "Bopomofo", "Brahmi", "Braille",
    "Buginese", "Buhid", "Canadian_Aboriginal", "Carian", "Caucasian_Albanian", "Chakma", "Cham",
    "Cherokee", "Chorasmian", "Common", "Coptic", "Cuneiform", "Cypriot", "Cypro_Minoan",
    "Cyrillic", "Deseret", "Devanagari", "Dives_Akuru", "Dogra", "Duployan",
    "Egyptian_Hieroglyphs", "Elbasan", "Elymaic", "Ethiopic", "Georgian", "Glagolitic", "Gothic",
    "Grantha", "Greek", "Gujarati", "Gunjala_Gondi", "Gurmukhi", "Han", "Hangul",
    "Hanifi_Rohingya", "Hanunoo", "Hatran", "Hebrew", "Hiragana", "Imperial_Aramaic", "Inherited",
    "Inscriptional_Pahlavi", "Inscriptional_Parthian", "Javanese", "Kaithi", "Kannada",
    "Katakana", "Kawi", "Kayah_Li", "Kharoshthi", "Khitan_Small_Script", "Khmer", "Khojki",
    "Khudawadi", "Lao", "Latin", "Lepcha", "Limbu", "Linear_A", "Linear_B", "Lisu", "Lycian",
    "Lydian", "Mahajani", "Makasar", "Malayalam", "Mandaic", "Manichaean", "Marchen",
    "Masaram_Gondi", "Medefaidrin", "Meetei_Mayek", "Mende_Kikakui", "Meroitic_Cursive",
    "Meroitic_Hieroglyphs", "Miao", "Modi", "Mongolian", "Mro", "Multani", "Myanmar", "Nabataean",
    "Nag_Mundari", "Nandinagari", "New_Tai_Lue", "Newa", "Nko", "Nushu", "Nyiakeng_Puachue_Hmong",
    "Ogham", "Ol_Chiki", "Old_Hungarian", "Old_Italic", "Old_North_Arabian", "Old_Permic",
    "Old_Persian", "Old_Sogdian", "Old_South_Arabian", "Old_Turkic", "Old_Uyghur", "Oriya",
    "Osage", "Osmanya", "Pahawh_Hmong", "Palmyrene", "Pau_Cin_Hau", "Phags_Pa", "Phoenician",
    "Psalter_Pahlavi", "Rejang", "Runic", "Samaritan", "Saurashtra", "Sharada", "Shavian",
    "Siddham", "SignWriting", "Sinhala", "Sogdian", "Sora_Sompeng", "Soyombo", "Sundanese",
    "Syloti_Nagri", "Syriac", "Tagalog", "Tagbanwa", "Tai_Le", "Tai_Tham", "Tai_Viet", "Takri",
    "Tamil", "Tangsa", "Tangut", "Telugu", "Thaana", "Thai", "Tibetan", "Tifinagh", "Tirhuta",
    "Toto", "Ugaritic", "Vai", "Vithkuqi", "Wancho", "Warang_Citi", "Yezidi", "Yi",
    "Zanabazar_Square",
];
