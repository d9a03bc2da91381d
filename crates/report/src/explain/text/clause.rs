//! Rules, policies and their conditions, with what was looked at.

use super::Page;
use crate::explain::record::{
    AskedRecord, ClauseRecord, ConditionRecord, FilesRecord, NodeRecord, PolicyRecord, RuleRecord,
};
use crate::look::Mark;
use crate::one_line::one_line;

impl Page {
    pub(super) fn rule(&mut self, rule: &RuleRecord, decided: Option<u32>) {
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

    pub(super) fn clause(&mut self, indent: usize, clause: &ClauseRecord) {
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
            let wanted = clause.wanted.unwrap_or_default();
            self.line(indent, &format!("{mark} cache: {wanted}{unknown}"));
            caches
                .iter()
                .for_each(|asked| self.asked(indent + 4, asked));
        }
    }

    /// The operands that have something to tell: variables with their values, and parts that decide.
    pub(super) fn tree(&mut self, indent: usize, node: &NodeRecord, root: bool) {
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

    pub(super) fn leaf(&mut self, indent: usize, node: &NodeRecord) {
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

    pub(super) fn files(&mut self, indent: usize, files: &FilesRecord) {
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

    pub(super) fn asked(&mut self, indent: usize, asked: &AskedRecord) {
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

    pub(super) fn policy(&mut self, policy: &PolicyRecord) {
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

    pub(super) fn condition(&mut self, condition: &ConditionRecord) {
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

    pub(super) fn truth(&self, holds: bool) -> String {
        self.look.mark(if holds { Mark::Yes } else { Mark::No })
    }
}
