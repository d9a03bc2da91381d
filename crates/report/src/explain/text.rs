//! An explanation for people: verdict, reason, then every rule, file, key and need that was looked at.

mod clause;
mod key;
mod unmet;

use super::record::{Explanation, JobRecord, OriginRecord, WorkflowRecord};
use crate::look::{Ink, Look, Mark};
use crate::one_line::{one_line, padding, quoted, shortened, width, wrapped};

/// Columns that sentences are broken at.
const WIDTH: usize = 100;
/// Longest value shown whole.
const VALUE: usize = 120;

/// Renders everything, an empty line between jobs.
pub(crate) fn render(explanation: &Explanation, look: Look) -> String {
    let mut page = Page {
        look,
        text: String::new(),
    };
    page.no_pipeline(explanation);
    for job in &explanation.jobs {
        page.gap();
        page.job(job);
    }
    for name in &explanation.unknown {
        page.gap();
        let mark = look.mark(Mark::No);
        page.line(0, &format!("{mark} no job is called {}", quoted(name)));
        page.line(2, "hint: `tidegate list --all` shows all jobs");
    }
    page.text
}

struct Page {
    look: Look,
    text: String,
}

impl Page {
    fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        let heading = self.look.ink(Ink::Heading, text);
        self.line(2, &heading);
    }

    fn dim(&self, text: &str) -> String {
        self.look.ink(Ink::Dim, text)
    }

    /// A text on one line, cut where it is very long.
    fn value(&self, text: &str) -> String {
        shortened(&one_line(text), VALUE, self.look.ellipsis()).into_owned()
    }

    fn no_pipeline(&mut self, explanation: &Explanation) {
        let Some(hint) = explanation.hint else {
            return;
        };
        for message in &explanation.messages {
            let said = self.look.ink(Ink::Bad, "no pipeline:");
            self.line(0, &format!("{said} {}", one_line(message)));
        }
        for line in wrapped(&format!("hint: {hint}"), WIDTH) {
            self.line(0, &line);
        }
        self.workflow(&explanation.workflow);
    }

    fn workflow(&mut self, workflow: &WorkflowRecord) {
        if workflow.rules.is_empty() {
            return;
        }
        self.heading("workflow rules");
        for rule in &workflow.rules {
            self.rule(rule, workflow.matched);
        }
        if let Some(error) = &workflow.error {
            let mark = self.look.mark(Mark::Note);
            let text = "they could not be judged, which GitLab takes for never without saying so:";
            self.line(4, &format!("{mark} {text}"));
            self.line(6, &one_line(error));
        }
    }

    fn job(&mut self, job: &JobRecord) {
        self.verdict(job);
        if !job.rules.is_empty() {
            self.heading("rules");
            for rule in &job.rules {
                self.rule(rule, job.because.rule);
            }
        }
        if !job.policies.is_empty() {
            self.heading("conditions");
            job.policies.iter().for_each(|policy| self.policy(policy));
        }
        if !job.caches.is_empty() {
            self.heading("cache");
            job.caches.iter().for_each(|cache| self.cache(cache));
        }
        if !job.needs.is_empty() {
            self.heading("needs");
            self.needs(job);
        }
        if !job.attributes.is_empty() {
            self.heading("result");
            self.attributes(job);
        }
        if !job.notes.is_empty() {
            self.heading("good to know");
            for note in &job.notes {
                self.note(&note.text, note.doc);
            }
        }
        self.what_would_differ(job);
    }

    fn verdict(&mut self, job: &JobRecord) {
        let (mark, ink, said) = match job.state {
            "included" => (Mark::Yes, Ink::Good, "is in the pipeline"),
            "satisfied" => (
                Mark::Yes,
                Ink::Good,
                "is satisfied: it counts as a success and does not run",
            ),
            _ => (Mark::No, Ink::Bad, "is left out"),
        };
        let mark = self.look.mark(mark);
        let name = self.look.ink(Ink::Strong, &one_line(&job.name));
        let said = self.look.ink(ink, said);
        let stage = one_line(&job.stage).into_owned();
        let at = self.place(job.at.as_deref());
        self.line(0, &format!("{mark} {name} {said}, stage {stage}{at}"));
        let because = self.look.ink(Ink::Strong, &self.value(&job.because.text));
        self.line(2, &format!("because {because}"));
    }

    /// Two spaces and where something was written, for the end of a line.
    fn place(&self, at: Option<&str>) -> String {
        at.map_or_else(String::new, |at| format!("  {}", self.dim(&one_line(at))))
    }

    fn origin(&self, origin: Option<&OriginRecord>) -> String {
        let Some(origin) = origin else {
            return String::new();
        };
        let text = match &origin.at {
            Some(at) => format!("  {}, {}", origin.text, one_line(at)),
            None => format!("  {}", origin.text),
        };
        self.dim(&text)
    }

    fn needs(&mut self, job: &JobRecord) {
        let mut last = None;
        let names: Vec<String> = job
            .needs
            .iter()
            .map(|need| {
                let or = if last.replace(need.entry) == Some(need.entry) {
                    "or "
                } else {
                    ""
                };
                format!("{or}{}", self.value(&need.name))
            })
            .collect();
        let columns = names
            .iter()
            .map(|name| width(name))
            .max()
            .unwrap_or(0)
            .min(40);
        for (need, name) in job.needs.iter().zip(&names) {
            let mark = match need.fate {
                "present" | "satisfied" | "elsewhere" => Mark::Yes,
                "absent_error" | "leaves_out" => Mark::No,
                _ => Mark::NotTried,
            };
            let mark = self.look.mark(mark);
            let artifacts = if need.artifacts {
                ""
            } else {
                "; without its artifacts"
            };
            let pad = padding(name, columns);
            let place = self.place(need.at.as_deref());
            self.line(
                4,
                &format!("{mark} {name}{pad}  {}{artifacts}{place}", need.text),
            );
        }
    }

    fn attributes(&mut self, job: &JobRecord) {
        let names = job.attributes.iter().map(|attribute| attribute.name.len());
        let names = names.max().unwrap_or(0);
        let values = job
            .attributes
            .iter()
            .map(|attribute| width(&attribute.value));
        let values = values.filter(|columns| *columns <= 32).max().unwrap_or(0);
        for attribute in &job.attributes {
            let value = self.value(&attribute.value);
            let (after_name, after_value) =
                (padding(attribute.name, names + 2), padding(&value, values));
            let origin = self.origin(attribute.origin.as_ref());
            self.line(
                4,
                &format!("{}{after_name}{value}{after_value}{origin}", attribute.name),
            );
        }
    }

    fn note(&mut self, text: &str, doc: &str) {
        let mark = self.look.mark(Mark::Note);
        for (at, line) in wrapped(&one_line(text), WIDTH - 6).iter().enumerate() {
            let before = if at == 0 {
                format!("{mark} ")
            } else {
                "  ".to_owned()
            };
            self.line(4, &format!("{before}{line}"));
        }
        let doc = self.dim(doc);
        self.line(6, &doc);
    }
}
