//! A name for a finding that stays the same when lines are added elsewhere in its file.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};
use tidegate_source::{Diagnostic, SourceMap};

/// Names findings; those that are alike in everything are numbered in order.
#[derive(Default)]
pub(super) struct Fingerprints {
    seen: BTreeMap<String, u32>,
}

impl Fingerprints {
    /// The name of the next finding: 40 hexadecimal digits over its code, message, file and the text of its line.
    pub(super) fn next(&mut self, item: &Diagnostic, sources: &SourceMap) -> String {
        let span = item.primary();
        let file = span.and_then(|span| sources.file(span.file()));
        let line = file
            .zip(span)
            .map(|(file, span)| file.line_text(file.line_of(span.start())));
        let parts = [
            item.code.0,
            &item.message,
            file.map_or("", |file| &file.name),
            line.unwrap_or_default().trim(),
        ];
        let text = parts.join("\0");
        let count = self.seen.entry(text.clone()).or_insert(0);
        *count += 1;
        let mut hash = Sha1::new();
        hash.update(text);
        if *count > 1 {
            hash.update(format!("\0{count}"));
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
