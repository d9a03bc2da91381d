//! The content of files: text as it is, anything else as base64.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::UnreadableRecord;

/// A file's content.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum ContentRecord {
    /// UTF-8.
    Text(String),
    /// Anything else, in base64 with padding.
    Base64(String),
}

impl ContentRecord {
    /// The record of some bytes.
    pub fn of(bytes: &[u8]) -> ContentRecord {
        match std::str::from_utf8(bytes) {
            Ok(text) => ContentRecord::Text(text.to_owned()),
            Err(_) => ContentRecord::Base64(encoded(bytes)),
        }
    }

    /// The bytes.
    ///
    /// # Errors
    /// The text is no base64.
    pub fn bytes(&self) -> Result<Arc<[u8]>, UnreadableRecord> {
        match self {
            ContentRecord::Text(text) => Ok(text.as_bytes().into()),
            ContentRecord::Base64(text) => decoded(text)
                .map(Into::into)
                .ok_or_else(|| UnreadableRecord("a file's content is no base64".to_owned())),
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = [0_u8; 3];
        for (slot, byte) in bits.iter_mut().zip(group) {
            *slot = *byte;
        }
        let [a, b, c] = bits.map(u32::from);
        let whole = a << 16 | b << 8 | c;
        for place in 0..4 {
            let sextet = (whole >> (18 - 6 * place) & 0x3f) as usize;
            let written = place <= group.len();
            text.push(match ALPHABET.get(sextet) {
                Some(letter) if written => char::from(*letter),
                _ => '=',
            });
        }
    }
    text
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let letters = text.trim_end_matches('=');
    if text.len() - letters.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in letters.bytes() {
        let sextet = ALPHABET.iter().position(|known| *known == letter)?;
        bits = (bits << 6 | sextet as u32) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_written_as_base64() {
        for (bytes, text) in [
            (&b"\xff"[..], "/w=="),
            (b"\xff\xfe", "//4="),
            (b"\xff\xfe\0", "//4A"),
            (b"\x80a\x80b", "gGGAYg=="),
        ] {
            let record = ContentRecord::of(bytes);
            assert_eq!(record, ContentRecord::Base64(text.to_owned()));
            assert_eq!(record.bytes().as_deref(), Ok(bytes));
        }
        assert_eq!(ContentRecord::of(b"ab"), ContentRecord::Text("ab".into()));
    }

    #[test]
    fn a_text_that_is_no_base64_is_refused() {
        for text in ["a", "ab=c", "a===", "a b="] {
            assert!(
                ContentRecord::Base64(text.into()).bytes().is_err(),
                "{text}"
            );
        }
    }
}
