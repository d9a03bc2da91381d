//! Quoting of one word for the shells scripts are written for.

/// How words are quoted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quoting {
    /// `$'…'`, which bash and busybox understand and dash does not.
    AnsiC,
    /// `"…"`, which every shell understands (`FF_POSIXLY_CORRECT_ESCAPES`).
    Posix,
}

impl Quoting {
    /// Returns `text` as one word of shell source.
    ///
    /// A text of harmless characters is left as it is. Source: reference `runner.md` §2.2. The
    /// runner's POSIX form leaves more characters bare, a newline and `;` among them; quoting those
    /// too changes no result that was right before.
    pub fn quote(self, text: &str) -> String {
        if text.is_empty() {
            return "''".to_owned();
        }
        if text.bytes().all(is_harmless) {
            return text.to_owned();
        }
        match self {
            Quoting::AnsiC => ansi_c(text),
            Quoting::Posix => posix(text),
        }
    }
}

fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'.' | b'/' | b'@' | b'_' | b'-')
}

fn ansi_c(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + text.len() / 4 + 3);
    quoted.push_str("$'");
    for byte in text.bytes() {
        match byte {
            0x07 => quoted.push_str("\\a"),
            0x08 => quoted.push_str("\\b"),
            b'\t' => quoted.push_str("\\t"),
            b'\n' => quoted.push_str("\\n"),
            0x0b => quoted.push_str("\\v"),
            0x0c => quoted.push_str("\\f"),
            b'\r' => quoted.push_str("\\r"),
            b'\'' => quoted.push_str("\\'"),
            b'\\' => quoted.push_str("\\\\"),
            0x20..=0x7e => quoted.push(char::from(byte)),
            _ => {
                const HEX: [char; 16] = [
                    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
                ];
                quoted.push_str("\\x");
                quoted.push(HEX[usize::from(byte >> 4)]);
                quoted.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    quoted.push('\'');
    quoted
}

fn posix(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + text.len() / 4 + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '`' | '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::Quoting;

    #[test]
    fn harmless_text_stays_bare_and_the_empty_text_is_a_word() {
        for quoting in [Quoting::AnsiC, Quoting::Posix] {
            assert_eq!(quoting.quote("a,b./c@D_-9"), "a,b./c@D_-9");
            assert_eq!(quoting.quote(""), "''");
        }
    }

    #[test]
    fn ansi_c_escapes_what_is_not_printable_ascii() {
        let quoted = Quoting::AnsiC.quote("a b\t\n'\\\u{1b}é\u{7}");
        assert_eq!(quoted, r"$'a b\t\n\'\\\x1b\xc3\xa9\a'");
    }

    #[test]
    fn posix_escapes_what_double_quotes_leave_alive() {
        assert_eq!(
            Quoting::Posix.quote("a $b `c` \"d\" \\"),
            r#""a \$b \`c\` \"d\" \\""#
        );
        assert_eq!(Quoting::Posix.quote("a;b"), "\"a;b\"");
    }
}
