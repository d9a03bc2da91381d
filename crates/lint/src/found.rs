//! Collects findings; the same lines in several jobs are one finding.

use rustc_hash::{FxHashMap, FxHashSet};
use tidegate_source::{Code, Diagnostic, Span};

/// Findings in the order they were made.
#[derive(Default)]
pub(crate) struct Found {
    items: Vec<(Diagnostic, Vec<String>)>,
    of_jobs: FxHashMap<(Code, Span), usize>,
    /// Which jobs each finding names already, by its place in `items`.
    named: FxHashSet<(usize, Box<str>)>,
}

/// More jobs than this are counted, not named.
const NAMED: usize = 3;

impl Found {
    /// Adds a finding that no single job is concerned by.
    pub(crate) fn add(&mut self, finding: Diagnostic) {
        self.items.push((finding, Vec::new()));
    }

    /// Adds a finding about `job`; a place that was found under this code before only gets the job's name added.
    pub(crate) fn add_for(&mut self, job: &str, finding: Diagnostic) {
        let key = finding.primary().map(|span| (finding.code, span));
        let known = key.and_then(|key| self.of_jobs.get(&key)).copied();
        if let Some(at) = known
            && let Some((_, jobs)) = self.items.get_mut(at)
        {
            if self.named.insert((at, job.into())) {
                jobs.push(job.to_owned());
            }
            return;
        }
        self.named.insert((self.items.len(), job.into()));
        if let Some(key) = key {
            self.of_jobs.insert(key, self.items.len());
        }
        self.items.push((finding, vec![job.to_owned()]));
    }

    /// All findings, each with a note that names its jobs.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let noted = |(finding, jobs): (Diagnostic, Vec<String>)| match concerned(&jobs) {
            Some(note) => finding.note(note),
            None => finding,
        };
        self.items.into_iter().map(noted).collect()
    }
}

fn concerned(jobs: &[String]) -> Option<String> {
    let quoted: Vec<String> = jobs.iter().map(|job| format!("`{job}`")).collect();
    Some(match quoted.as_slice() {
        [] => return None,
        [job] => format!("this concerns job {job}"),
        [first @ .., last] if quoted.len() <= NAMED => {
            format!("this concerns jobs {} and {last}", first.join(", "))
        }
        all => {
            let named = all.get(..NAMED).unwrap_or_default().join(", ");
            format!("this concerns jobs {named} and {} more", all.len() - NAMED)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_source::FileId;

    #[test]
    fn one_place_in_many_jobs_is_one_finding() {
        let mut found = Found::default();
        for job in ["a", "b", "b", "c", "d"] {
            let finding = Diagnostic::finding("L005", "x").at(Span::new(FileId(0), 1, 2));
            found.add_for(job, finding);
        }
        let all = found.into_diagnostics();
        assert_eq!(all.len(), 1);
        assert_eq!(
            all[0].notes,
            ["this concerns jobs `a`, `b`, `c` and 1 more"]
        );
    }
}
