//! `$[[ matrix.NAME ]]` in the needs of matrix jobs (reference `config.md` §10.1).

use std::sync::Arc;

use tidegate_source::Diagnostic;

use crate::Spanned;
use crate::keyword::needs::{NeededJob, WrittenNeed, WrittenNeeds};
use crate::typed::INVALID;

/// The needs with the values of one instance filled in.
///
/// # Errors
/// A name the job's matrix does not have.
pub(super) fn fill(
    job: &str,
    needs: &WrittenNeeds,
    values: &[(Arc<str>, Arc<str>)],
) -> Result<WrittenNeeds, Diagnostic> {
    let mut filler = Filler {
        values,
        unknown: Vec::new(),
    };
    let mut filled = needs.clone();
    for need in &mut filled.entries {
        match need {
            WrittenNeed::Job(needed, _) => filler.fill_job(needed),
            WrittenNeed::Any { alternatives, .. } => {
                for needed in alternatives {
                    filler.fill_job(needed);
                }
            }
            WrittenNeed::Pipeline { pipeline, job, .. } => {
                pipeline.value = filler.fill_text(&pipeline.value);
                job.value = filler.fill_text(&job.value);
            }
            WrittenNeed::Project {
                project,
                reference,
                job,
                ..
            } => {
                for text in [project, reference, job] {
                    text.value = filler.fill_text(&text.value);
                }
            }
            WrittenNeed::Mirror { .. } => {}
        }
    }
    if filler.unknown.is_empty() {
        return Ok(filled);
    }
    let faults: Vec<_> = filler
        .unknown
        .iter()
        .map(|name| format!("'{name}' does not exist in matrix configuration"))
        .collect();
    let text = format!("{job} job: {}", faults.join(", "));
    Err(Diagnostic::error(INVALID, text).at(needs.span))
}

struct Filler<'a> {
    values: &'a [(Arc<str>, Arc<str>)],
    unknown: Vec<String>,
}

impl Filler<'_> {
    fn fill_job(&mut self, job: &mut NeededJob) {
        job.name = Spanned::new(self.fill_text(&job.name.value), job.name.span);
        let Some(matrix) = &job.matrix else { return };
        let rows = matrix.iter().map(|row| {
            row.iter()
                .map(|(name, values)| {
                    let values = values.iter().map(|value| self.fill_text(value));
                    (name.clone(), values.collect())
                })
                .collect()
        });
        job.matrix = Some(Arc::new(rows.collect()));
    }

    fn fill_text(&mut self, text: &Arc<str>) -> Arc<str> {
        if !text.contains("$[[") {
            return text.clone();
        }
        let mut filled = String::with_capacity(text.len());
        let mut rest = &**text;
        while let Some((before, after)) = rest.split_once("$[[") {
            filled.push_str(before);
            match after.split_once("]]").and_then(matrix_name) {
                Some((name, behind)) => {
                    filled.push_str(&self.value(name));
                    rest = behind;
                }
                None => {
                    filled.push_str("$[[");
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled.into()
    }

    fn value(&mut self, name: &str) -> Arc<str> {
        let known = self.values.iter().find(|(known, _)| &**known == name);
        if let Some((_, value)) = known {
            return value.clone();
        }
        if !self.unknown.iter().any(|known| known == name) {
            self.unknown.push(name.to_owned());
        }
        "".into()
    }
}

/// The variable a block names, with the text behind the block.
fn matrix_name<'t>((inner, behind): (&'t str, &'t str)) -> Option<(&'t str, &'t str)> {
    let name = inner.trim().strip_prefix("matrix.")?;
    Some((name, behind))
}
