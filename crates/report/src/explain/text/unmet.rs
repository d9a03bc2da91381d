//! What would have to differ for a job to be in.

use super::Page;
use crate::explain::record::{
    ClauseRecord, ConditionRecord, JobRecord, NearestRecord, PolicyRecord,
};
use crate::one_line::one_line;

impl Page {
    pub(super) fn what_would_differ(&mut self, job: &JobRecord) {
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

    pub(super) fn nearest(&mut self, nearest: &NearestRecord) {
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
