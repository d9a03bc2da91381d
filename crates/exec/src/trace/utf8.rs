//! Replaces what is not UTF-8.

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Hands valid UTF-8 on and puts U+FFFD for the rest, also where a character is cut by the border
/// of a piece.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// Beginning of a character.
    cut: Vec<u8>,
}

impl Utf8 {
    pub(super) fn push(&mut self, bytes: &[u8], clean: &mut dyn FnMut(&[u8])) {
        if self.cut.is_empty() {
            self.cut = replace(bytes, clean);
            return;
        }
        let mut joined = std::mem::take(&mut self.cut);
        // Three more bytes end any character; only those are copied.
        let (head, tail) = bytes.split_at(bytes.len().min(3));
        joined.extend_from_slice(head);
        let rest = replace(&joined, clean);
        if tail.is_empty() {
            self.cut = rest;
        } else if rest.is_empty() {
            self.cut = replace(tail, clean);
        } else {
            let mut joined = rest;
            joined.extend_from_slice(tail);
            self.cut = replace(&joined, clean);
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.cut).is_empty() {
            out.extend_from_slice(REPLACEMENT);
        }
    }
}

/// Returns the beginning of a character at the very end, which only the next piece can judge.
fn replace(mut bytes: &[u8], clean: &mut dyn FnMut(&[u8])) -> Vec<u8> {
    loop {
        match std::str::from_utf8(bytes) {
            Ok(_) => {
                clean(bytes);
                return Vec::new();
            }
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                clean(valid);
                match error.error_len() {
                    None => return rest.to_vec(),
                    Some(length) => {
                        clean(REPLACEMENT);
                        bytes = rest.get(length..).unwrap_or_default();
                    }
                }
            }
        }
    }
}
