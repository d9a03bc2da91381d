//! `$[[ matrix.NAME ]]` in the needs of matrix jobs (reference `config.md` §10.1).

use std::sync::Arc;

use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::Value;

use crate::keyword::needs::{NeededJob, WrittenNeed, WrittenNeeds};
use crate::ruby::{Keys, inspect};
use crate::typed::INVALID;
use crate::{Spanned, VariableDefinition};

/// Names no job has, in GitLab's words, each once.
#[derive(Default)]
pub(super) struct Unknown {
    faults: Vec<String>,
    spans: Vec<Span>,
}

impl Unknown {
    /// Nothing where no name was unknown.
    ///
    /// # Errors
    /// All unknown names in one text, as GitLab tells them.
    pub(super) fn result(self) -> Result<(), Diagnostic> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let mut diagnostic = Diagnostic::error(INVALID, self.faults.join(", "));
        for span in self.spans {
            diagnostic = diagnostic.at(span);
        }
        Err(diagnostic)
    }

    fn add(&mut self, job: &str, name: &str, span: Span) {
        let fault = format!("{job} job: '{name}' does not exist in matrix configuration");
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
            self.spans.push(span);
        }
    }
}

/// The needs of a job with the values of one instance filled in.
pub(super) fn fill(
    job: &str,
    needs: &WrittenNeeds,
    values: &[(Arc<str>, Arc<str>)],
    variables: &[VariableDefinition],
    unknown: &mut Unknown,
) -> WrittenNeeds {
    let mut filler = Filler {
        job,
        values,
        variables,
        span: needs.span,
        unknown,
    };
    let mut filled = needs.clone();
    for need in &mut filled.entries {
        match need {
            WrittenNeed::Job(needed, _) => filler.fill_job(needed),
            WrittenNeed::Any(any) => {
                for needed in &mut any.alternatives {
                    filler.fill_job(needed);
                }
            }
            WrittenNeed::Pipeline(need) => {
                for text in std::iter::once(&mut need.pipeline).chain(&mut need.job) {
                    text.value = filler.fill_text(&text.value);
                }
            }
            WrittenNeed::Project(need) => {
                for text in [&mut need.project, &mut need.reference, &mut need.job] {
                    text.value = filler.fill_text(&text.value);
                }
            }
            WrittenNeed::Mirror(_) => {}
        }
    }
    filled
}

struct Filler<'a> {
    job: &'a str,
    values: &'a [(Arc<str>, Arc<str>)],
    variables: &'a [VariableDefinition],
    span: Span,
    unknown: &'a mut Unknown,
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
        let variable = self.variables.iter().find(|known| &*known.key == name);
        if let Some(variable) = variable {
            // GitLab prints the inner form of a job's own variables.
            let value = inspect(&Value::Str(variable.value.clone()), Keys::Symbols);
            return format!("{{:value=>{value}}}").into();
        }
        self.unknown.add(self.job, name, self.span);
        "".into()
    }
}

/// The variable a block names, with the text behind the block.
fn matrix_name<'t>((inner, behind): (&'t str, &'t str)) -> Option<(&'t str, &'t str)> {
    let name = inner.trim().strip_prefix("matrix.")?;
    Some((name, behind))
}
