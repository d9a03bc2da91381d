//! The size limit of a log.

/// Lets bytes through up to a limit, then says so once and drops the rest (reference `runner.md`
/// §6.2).
#[derive(Debug)]
pub(super) struct Limit {
    limit: u64,
    left: u64,
    over: bool,
}

impl Limit {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            left: limit,
            over: false,
        }
    }

    /// `bytes` are valid UTF-8.
    pub(super) fn push(&mut self, bytes: &[u8], kept: &mut dyn FnMut(&[u8])) {
        if self.over || bytes.is_empty() {
            return;
        }
        let length = bytes.len() as u64;
        if length <= self.left {
            self.left -= length;
            kept(bytes);
            return;
        }
        self.over = true;
        kept(up_to_a_character(bytes, self.left));
        let text = format!(
            "\n\u{1b}[33;1mJob's log exceeded limit of {} bytes.\n\
             Job execution will continue but no more output will be collected.\u{1b}[0;m\n",
            self.limit
        );
        kept(text.as_bytes());
    }
}

/// The longest part of `bytes` within `length` that does not cut a character.
fn up_to_a_character(bytes: &[u8], length: u64) -> &[u8] {
    let mut end = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    while end > 0 && bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    bytes.get(..end).unwrap_or_default()
}
