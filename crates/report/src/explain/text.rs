//! An explanation for people: verdict, reason, then every rule, file, key and need that was looked at.

use super::record::{
    AskedRecord, CacheRecord, ClauseRecord, ConditionRecord, Explanation, FilesRecord, JobRecord,
    NearestRecord, NodeRecord, OriginRecord, PolicyRecord, RuleRecord, WorkflowRecord,
};
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

    fn rule(&mut self, rule: &RuleRecord, decided: Option<u32>) {
        let mark = match rule.end {
            "matched" => Mark::Yes,
            "not_matched" => Mark::No,
            "error" => Mark::Note,
            _ => Mark::NotTried,
        };
        let mark = self.look.mark(mark);
        let at = self.place(rule.at.as_deref());
        let said = match (rule.end, decided) {
            ("matched", _) => " decides",
            ("error", _) => " cannot be judged",
            ("not_tried", Some(_)) => " not tried: an earlier rule decided",
            ("not_tried", None) => " not tried",
            _ => "",
        };
        self.line(4, &format!("{mark} {}{said}{at}", rule.rule));
        if let Some(message) = &rule.message {
            self.line(8, &one_line(message));
        }
        if rule.clauses.is_empty() && rule.end == "matched" {
            self.line(8, "no conditions, so it always matches");
        }
        for clause in &rule.clauses {
            self.clause(8, clause);
        }
    }

    fn clause(&mut self, indent: usize, clause: &ClauseRecord) {
        let mark = match clause.outcome {
            "holds" => Mark::Yes,
            "fails" => Mark::No,
            "not_reached" => Mark::NotTried,
            _ => Mark::Note,
        };
        let mark = self.look.mark(mark);
        let unknown = match (clause.outcome, &clause.reason) {
            ("holds_unknown", Some(why)) => format!(" counts as true: {}", one_line(why)),
            (_, Some(why)) => format!(" {}", one_line(why)),
            _ => String::new(),
        };
        if let Some(expression) = &clause.expression {
            let text = self.value(&expression.text);
            self.line(indent, &format!("{mark} if {text}{unknown}"));
            if let Some(tree) = &expression.tree {
                self.tree(indent + 4, tree, true);
            }
        } else if let Some(files) = &clause.files {
            let said = if clause.outcome == "holds_unknown" {
                unknown
            } else if files.result == "not_reached" {
                String::new()
            } else {
                format!(": {}", one_line(&files.text))
            };
            self.line(indent, &format!("{mark} {}{said}", clause.kind));
            self.files(indent + 4, files);
        } else if let Some(caches) = &clause.caches {
            self.line(indent, &format!("{mark} cache{unknown}"));
            caches
                .iter()
                .for_each(|asked| self.asked(indent + 4, asked));
        }
    }

    /// The operands that have something to tell: variables with their values, and parts that decide.
    fn tree(&mut self, indent: usize, node: &NodeRecord, root: bool) {
        if let Some(error) = &node.error {
            let mark = self.look.mark(Mark::Note);
            self.line(
                indent,
                &format!("{mark} {}: {}", self.value(&node.text), one_line(error)),
            );
            return;
        }
        if node.operands.is_empty() {
            self.leaf(indent, node);
            return;
        }
        let inner = if root { indent } else { indent + 4 };
        if !root {
            let mark = match (node.outcome, node.holds) {
                ("skipped", _) => Mark::NotTried,
                (_, true) => Mark::Yes,
                (_, false) => Mark::No,
            };
            let said = if node.outcome == "skipped" {
                self.dim("  not looked at")
            } else {
                String::new()
            };
            let text = self.value(&node.text);
            self.line(indent, &format!("{} {text}{said}", self.look.mark(mark)));
            if node.outcome == "skipped" {
                return;
            }
        }
        for operand in &node.operands {
            self.tree(inner, operand, false);
        }
    }

    fn leaf(&mut self, indent: usize, node: &NodeRecord) {
        if !node.is_variable {
            return;
        }
        let name = one_line(&node.text);
        let text = match (node.outcome, node.kind, &node.origin) {
            ("skipped", _, _) => format!("{name}{}", self.dim("  not looked at")),
            (_, Some("nil"), None) => format!("{name} is not defined"),
            (_, Some("nil"), Some(origin)) => {
                format!("{name} has no value{}", self.origin(Some(origin)))
            }
            (_, _, origin) => {
                let value = self.value(&node.shown);
                format!("{name} is {value}{}", self.origin(origin.as_ref()))
            }
        };
        self.line(indent, &text);
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

    fn files(&mut self, indent: usize, files: &FilesRecord) {
        if let Some(base) = &files.base {
            let commit = base.commit.as_deref().map(one_line);
            let text = match commit {
                Some(commit) => format!("compared with {commit}, {}", one_line(&base.text)),
                None if base.code == "stated" => one_line(&base.text).into_owned(),
                None => format!("compared with nothing: {}", one_line(&base.text)),
            };
            let at = self.place(base.at.as_deref());
            self.line(indent, &format!("{text}{at}"));
        }
        if let Some(place) = files
            .place
            .as_ref()
            .filter(|place| *place != "this project")
        {
            self.line(indent, &format!("files of {}", one_line(place)));
        }
        for glob in &files.globs {
            let mark = match &files.glob {
                Some(matched) if *matched == glob.expanded => self.look.mark(Mark::Yes),
                _ => " ".to_owned(),
            };
            let written = if glob.written == glob.expanded {
                String::new()
            } else {
                self.dim(&format!("  written {}", one_line(&glob.written)))
            };
            let shown = self.value(&glob.expanded);
            self.line(indent, &format!("{mark} {shown}{written}"));
        }
    }

    fn asked(&mut self, indent: usize, asked: &AskedRecord) {
        let key = match (&asked.key, asked.index) {
            (Some(key), _) => format!("key {}", self.value(key)),
            (None, Some(index)) => format!("cache {}", index + 1),
            (None, None) => "a cache".to_owned(),
        };
        let why = asked
            .reason
            .as_ref()
            .map_or_else(String::new, |why| format!(": {}", one_line(why)));
        self.line(indent, &format!("{key} is {}{why}", asked.state));
        if let Some(fallback) = &asked.fallback {
            self.line(
                indent,
                &format!("its fallback {} is present", self.value(fallback)),
            );
        }
    }

    fn cache(&mut self, cache: &CacheRecord) {
        let (mark, state) = match cache.state {
            "present" => (Mark::Yes, "is present"),
            "missing" => (Mark::No, "is missing"),
            "unknown" => (Mark::Note, "cannot be known"),
            _ => (Mark::NotTried, "was not asked for"),
        };
        let mark = self.look.mark(mark);
        let key = cache
            .key
            .as_ref()
            .map_or_else(String::new, |key| format!(", key {}", self.value(key)));
        let why = cache
            .reason
            .as_ref()
            .map_or_else(String::new, |why| format!(": {}", one_line(why)));
        let at = self.place(cache.at.as_deref());
        self.line(
            4,
            &format!("{mark} cache {}{key} {state}{why}{at}", cache.index + 1),
        );
        if let Some(digest) = &cache.digest {
            for file in &digest.files {
                let id = file.id.as_deref().unwrap_or("does not exist");
                self.line(
                    8,
                    &format!("file      {}  {}", one_line(&file.path), self.dim(id)),
                );
            }
            self.line(8, &format!("digest    {}", digest.digest));
        }
        self.line(8, &format!("created   {}", self.value(&cache.created)));
        if cache.suffixed != cache.created {
            self.line(8, &format!("suffixed  {}", self.value(&cache.suffixed)));
        }
        for reference in &cache.references {
            let value = match &reference.value {
                Some(value) => format!("is {}", self.value(&quoted(value))),
                None => "has no value before the job runs".to_owned(),
            };
            let origin = self.origin(reference.origin.as_ref());
            self.line(
                8,
                &format!("${} {value}{origin}", one_line(&reference.name)),
            );
        }
        if let Some(key) = cache.key.as_ref().filter(|key| **key != cache.suffixed) {
            self.line(8, &format!("final     {}", self.value(key)));
        }
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

    fn policy(&mut self, policy: &PolicyRecord) {
        let negative = policy.keyword.starts_with("except");
        let mark = match (policy.holds, negative) {
            (true, false) | (false, true) => Mark::Yes,
            _ => Mark::No,
        };
        let said = match (policy.holds, negative) {
            (true, false) => "holds",
            (false, false) => "does not hold, so the job stays out",
            (true, true) => "holds, so the job stays out",
            (false, true) => "does not hold",
        };
        let default = if policy.default {
            " (GitLab's default)"
        } else {
            ""
        };
        let mark = self.look.mark(mark);
        let at = self.place(policy.at.as_deref());
        self.line(4, &format!("{mark} {}{default} {said}{at}", policy.keyword));
        policy
            .conditions
            .iter()
            .for_each(|condition| self.condition(condition));
    }

    fn condition(&mut self, condition: &ConditionRecord) {
        let mark = self.truth(condition.holds);
        let said = condition
            .files
            .as_ref()
            .map_or_else(String::new, |files| format!(": {}", one_line(&files.text)));
        self.line(8, &format!("{mark} {}{said}", condition.kind));
        for pattern in &condition.refs {
            let mark = self.truth(pattern.holds);
            let at = self.place(pattern.at.as_deref());
            self.line(12, &format!("{mark} {}{at}", self.value(&pattern.text)));
        }
        for expression in &condition.expressions {
            let mark = self.truth(expression.holds);
            self.line(12, &format!("{mark} {}", self.value(&expression.text)));
            self.tree(16, expression, true);
        }
        if let Some(files) = &condition.files {
            self.files(12, files);
        }
    }

    fn truth(&self, holds: bool) -> String {
        self.look.mark(if holds { Mark::Yes } else { Mark::No })
    }

    fn what_would_differ(&mut self, job: &JobRecord) {
        if job.state != "left_out" {
            return;
        }
        if let Some(nearest) = &job.nearest {
            self.heading("what would have to differ");
            self.nearest(nearest);
            return;
        }
        let wrong = |policy: &&PolicyRecord| policy.holds == policy.keyword.starts_with("except");
        let Some(policy) = job.policies.iter().find(wrong) else {
            return;
        };
        self.heading("what would have to differ");
        let must = if policy.holds {
            "would have to fail"
        } else {
            "would have to hold"
        };
        let wrong = policy
            .conditions
            .iter()
            .filter(|condition| condition.holds == policy.holds);
        let told: Vec<String> = wrong
            .map(|condition| told(condition, policy.holds))
            .collect();
        self.line(
            4,
            &format!("{} {must}: {}", policy.keyword, told.join("; ")),
        );
    }

    fn nearest(&mut self, nearest: &NearestRecord) {
        let failing: Vec<&ClauseRecord> = nearest
            .clauses
            .iter()
            .filter(|clause| !clause.outcome.starts_with("holds"))
            .collect();
        let at = self.place(nearest.at.as_deref());
        let said = match failing.len() {
            0 => "all of its conditions hold".to_owned(),
            1 => "this would have to hold:".to_owned(),
            _ => "these would have to hold:".to_owned(),
        };
        self.line(
            4,
            &format!("rule {} came nearest; {said}{at}", nearest.rule),
        );
        for clause in failing {
            self.clause(8, clause);
        }
        if let Some(rule) = nearest.blocked_by {
            let text = format!(
                "rule {rule} stands before it, matches and says never; it would have to fail"
            );
            self.line(4, &text);
        }
    }
}

/// A condition with what would have to change: the patterns that hold, or all where none does.
fn told(condition: &ConditionRecord, holds: bool) -> String {
    let refs = condition
        .refs
        .iter()
        .filter(|pattern| pattern.holds == holds);
    let expressions = condition
        .expressions
        .iter()
        .filter(|one| one.holds == holds);
    let named = refs
        .map(|pattern| &*pattern.text)
        .chain(expressions.map(|one| &*one.text));
    let named: Vec<String> = named.map(|text| one_line(text).into_owned()).collect();
    if named.is_empty() {
        return condition.kind.to_owned();
    }
    format!("{} {}", condition.kind, named.join(", "))
}
