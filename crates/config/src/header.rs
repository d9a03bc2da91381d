//! A file's header: `spec` with the inputs the file takes (reference `config.md` §3).
//!
//! [`schema`] judges its shape, [`input`] finds the values of the inputs, [`rule`] their `rules`.

pub(crate) mod input;
pub(crate) mod rule;
pub(crate) mod schema;

use tidegate_source::{Diagnostic, Label};

/// At most this many messages of one file are told.
const TOLD: usize = 3;

/// One diagnostic of several, as GitLab words it: the first three messages joined by commas.
pub(crate) fn joined(problems: Vec<Diagnostic>) -> Option<Diagnostic> {
    let mut told = problems.into_iter().take(TOLD);
    let mut all = told.next()?;
    for next in told {
        all.message.push_str(", ");
        all.message.push_str(&next.message);
        let places: Vec<Label> = next.labels;
        all.labels.extend(places);
        all.notes.extend(next.notes);
        all.suggestions.extend(next.suggestions);
    }
    Some(all)
}
