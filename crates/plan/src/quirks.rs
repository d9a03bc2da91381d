//! Finds where GitLab's surprises bite (reference `compose.md` §12), for jobs asked about.

use tidegate_config::{Clause, Rule};
use tidegate_expr::{
    NodeKind, Outcome, Pattern, TraceNode, Value, VariableSource, nested_references,
};
use tidegate_pipeline::{CacheKey, Job, NeedEntry, StageIdx, When};
use tidegate_scenario::{Fact, PipelineSource, Place};

use crate::decision::{Basis, LeftOut, OriginKind, Origins};
use crate::needs::{Resolved, Roster};
use crate::quirk::Quirk;
use crate::seed::{Seed, SeedState};
use crate::shared::Shared;
use crate::trace::{
    ChangesTrace, ChangesVerdict, ClauseTrace, ExistsTrace, ExistsVerdict, NeedFate, PolicyAtom,
};

/// The surprises of each job, in order; none for jobs nobody asked about.
pub(crate) fn of(
    seeds: &[Seed<'_>],
    resolved: &[Option<Resolved>],
    roster: &Roster<'_>,
    shared: &Shared<'_>,
) -> Vec<Vec<Quirk>> {
    let first = seeds
        .iter()
        .filter(|seed| seed.planned().is_some())
        .map(|seed| seed.stage)
        .min();
    let of_job = |(seed, resolved): (&Seed<'_>, &Option<Resolved>)| {
        let mut found = Found {
            quirks: Vec::new(),
            shared,
        };
        if seed.trace.is_some() {
            found.conditions(seed);
            if let (
                SeedState::In {
                    planned,
                    origins,
                    rule,
                },
                Some(resolved),
            ) = (&seed.state, resolved)
            {
                found.attributes(planned, origins, *rule);
                found.needs(seed, planned, resolved, first);
                found.needed_jobs(seeds, resolved, roster);
            }
            found.caches(seed);
        }
        found.quirks
    };
    seeds.iter().zip(resolved).map(of_job).collect()
}

struct Found<'f> {
    quirks: Vec<Quirk>,
    shared: &'f Shared<'f>,
}

impl Found<'_> {
    fn add(&mut self, quirk: Quirk) {
        if !self.quirks.contains(&quirk) {
            self.quirks.push(quirk);
        }
    }

    /// What the conditions of a job were judged with.
    fn conditions(&mut self, seed: &Seed<'_>) {
        let Some(trace) = &seed.trace else { return };
        for rule in &trace.rules {
            for clause in &rule.clauses {
                match &clause.trace {
                    ClauseTrace::If { tree, .. } => {
                        tree.iter().for_each(|tree| self.expression(tree));
                    }
                    ClauseTrace::Changes(changes) => self.changes(changes),
                    ClauseTrace::Exists(exists) => self.exists(exists),
                    ClauseTrace::Cache { .. } => {}
                }
            }
        }
        for rule in seed.job.body.rules.as_deref().unwrap_or_default() {
            self.own_variables(rule);
        }
        for atom in trace.policies.iter().flat_map(|policy| &policy.atoms) {
            match atom {
                PolicyAtom::Variables { expressions, .. } => {
                    expressions.iter().for_each(|tree| self.expression(tree));
                }
                PolicyAtom::Changes(changes) => self.changes(changes),
                PolicyAtom::Refs {
                    patterns, default, ..
                } => {
                    let branches = |text: &str| text == "branches";
                    let satisfied = patterns.iter().any(|one| one.holds && branches(&one.text));
                    if satisfied && self.shared.scenario.source == PipelineSource::Schedule {
                        self.add(Quirk::ScheduleIsBranch);
                    }
                    if *default && seed.basis == Basis::Policies {
                        self.add(Quirk::OnlyKeepsDefaultRefs);
                    }
                }
                PolicyAtom::Kubernetes { .. } => {}
            }
        }
        let out = matches!(seed.state, SeedState::Out(LeftOut::OnlyNotMet));
        if seed.basis == Basis::DefaultOnly && out {
            self.add(Quirk::ImplicitOnly);
        }
    }

    fn expression(&mut self, tree: &TraceNode) {
        self.operator(tree);
        if let Some(variable) = &tree.variable {
            let value = variable.value.clone().unwrap_or_default();
            let written = variable.source != VariableSource::Pipeline && !variable.raw;
            if written && nested_references(&value).next().is_some() {
                let variable = variable.key.clone();
                self.add(Quirk::NestedValueNotExpanded { variable, value });
            }
        } else if let Some(name) = tree.text.strip_prefix('$')
            && tree.outcome == Outcome::Value(Value::Nil)
            && only_when_running(name)
        {
            let variable = name.into();
            self.add(Quirk::RuntimeOnlyVariable { variable });
        }
        tree.operands
            .iter()
            .for_each(|operand| self.expression(operand));
    }

    fn operator(&mut self, tree: &TraceNode) {
        let [left, right] = tree.operands.as_slice() else {
            return;
        };
        let is_empty = |node: &TraceNode| matches!(&node.outcome, Outcome::Value(Value::Text(text)) if text.is_empty());
        match tree.text.as_str() {
            "&&" | "||" => {
                if let (true, Some(variable)) = (is_empty(left), &left.variable) {
                    let variable = variable.key.clone();
                    self.add(Quirk::EmptyStringInLogic { variable });
                }
            }
            "==" | "!=" => {
                for (one, other) in [(left, right), (right, left)] {
                    let undefined = one.outcome == Outcome::Value(Value::Nil);
                    let name = one.text.strip_prefix('$').filter(|_| undefined);
                    if let Some(name) = name.filter(|_| is_empty(other)) {
                        let variable = name.into();
                        self.add(Quirk::UndefinedIsNotEmpty { variable });
                    }
                }
            }
            "=~" | "!~" => {
                if let Outcome::Value(Value::Text(text)) = &right.outcome
                    && !Pattern::looks_like_literal(text)
                {
                    let right = text.clone();
                    self.add(Quirk::ReversedMatch { right });
                }
            }
            _ => {}
        }
        if left.text == "!" && !matches!(tree.text.as_str(), "&&" | "||") {
            self.add(Quirk::NotBindsTighter);
        }
    }

    fn changes(&mut self, trace: &ChangesTrace) {
        match &trace.verdict {
            ChangesVerdict::Unknown(_) => self.add(Quirk::ChangesUnknown),
            ChangesVerdict::LimitExceeded { .. } => self.add(Quirk::ComparisonLimit),
            ChangesVerdict::NoMatch { .. } => {
                let less =
                    |glob: &str| glob == "**" || glob.ends_with("/**") || glob.ends_with('/');
                for glob in trace.globs.iter().filter(|glob| less(&glob.expanded)) {
                    let glob = glob.expanded.clone();
                    self.add(Quirk::GlobMatchesLess { glob });
                }
            }
            _ => {}
        }
    }

    fn exists(&mut self, trace: &ExistsTrace) {
        if let ExistsVerdict::LimitExceeded { .. } = trace.verdict {
            self.add(Quirk::ComparisonLimit);
        }
        let (ExistsVerdict::NoMatch { .. }, Some(place)) = (&trace.verdict, &trace.place) else {
            return;
        };
        let place: &Place = place;
        let Ok(files) = self.shared.files.of(place, self.shared.world) else {
            return;
        };
        let Fact::Known(paths) = &files.files else {
            return;
        };
        for glob in &trace.globs {
            if paths.any_below(&format!("{}/", glob.expanded)) {
                let pattern = glob.expanded.clone();
                self.add(Quirk::ExistsNamesDirectory { pattern });
            }
        }
    }

    fn own_variables(&mut self, rule: &Rule) {
        for clause in &rule.clauses {
            let Clause::If(clause) = clause else { continue };
            for node in clause.expression.nodes() {
                let NodeKind::Variable(name) = &node.kind else {
                    continue;
                };
                if rule.variables.iter().any(|own| own.key == *name) {
                    let variable = name.clone();
                    self.add(Quirk::RuleVariableInOwnIf { variable });
                }
            }
        }
    }

    fn attributes(&mut self, planned: &Job, origins: &Origins, rule: Option<&Rule>) {
        let manual = planned.when == When::Manual;
        let defaulted = origins.allow_failure.kind == OriginKind::Default;
        if manual && origins.when.kind == OriginKind::Rule && defaulted {
            self.add(Quirk::ManualInRuleBlocks);
        }
        if !manual && origins.allow_failure.kind == OriginKind::JobLevelManual {
            self.add(Quirk::ManualLeavesAllowFailure);
        }
        let empty = rule.and_then(|rule| rule.needs.as_ref());
        if empty.is_some_and(|needs| needs.entries.is_empty()) {
            self.add(Quirk::EmptyRuleNeedsKeepStage);
        }
    }

    fn needs(
        &mut self,
        seed: &Seed<'_>,
        planned: &Job,
        resolved: &Resolved,
        first: Option<StageIdx>,
    ) {
        let starts_at_once = resolved.needs.as_ref().is_some_and(Vec::is_empty);
        let absent = |fate| fate != NeedFate::Elsewhere;
        if starts_at_once && resolved.trials.iter().any(|trial| absent(trial.fate)) {
            self.add(Quirk::AllNeedsAbsent);
        }
        for trial in &resolved.trials {
            if trial.fate == NeedFate::Ignored {
                let job = trial.name.clone();
                self.add(Quirk::RuleNeedAbsent { job });
            }
        }
        let nothing_before = match &resolved.needs {
            Some(needs) => needs.is_empty(),
            None => Some(seed.stage) == first,
        };
        if planned.when == When::OnFailure && nothing_before {
            self.add(Quirk::OnFailureNeverRuns);
        }
    }

    fn needed_jobs(&mut self, seeds: &[Seed<'_>], resolved: &Resolved, roster: &Roster<'_>) {
        for entry in resolved.needs.iter().flatten() {
            let NeedEntry::Job(need) = entry else {
                continue;
            };
            let needed = roster.position(need.job).and_then(|at| seeds.get(at));
            let Some(needed) = needed.and_then(Seed::planned) else {
                continue;
            };
            if needed.when == When::Manual && needed.allow_failure.always {
                let job = needed.name.clone();
                self.add(Quirk::NeedsOptionalManual { job });
            }
        }
    }

    fn caches(&mut self, seed: &Seed<'_>) {
        let caches = &seed.job.body.inheritable.caches;
        if caches.len() < 2 {
            return;
        }
        for (index, cache) in caches.iter().enumerate() {
            let by_position = matches!(
                cache.value.key,
                CacheKey::Files { prefix: None, .. } | CacheKey::FilesCommits { prefix: None, .. }
            );
            if by_position {
                self.add(Quirk::CacheKeyHoldsPosition { index });
            }
        }
    }
}

/// Whether GitLab or the runner sets the variable only when a job runs (reference `compose.md` §9.6, phase J).
fn only_when_running(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "CI_PIPELINE_ID",
        "CI_PIPELINE_URL",
        "CI_JOB_ID",
        "CI_JOB_URL",
        "CI_JOB_TOKEN",
        "CI_JOB_STARTED_AT",
        "CI_JOB_STATUS",
        "CI_JOB_TIMEOUT",
        "CI_JOB_IMAGE",
        "CI_ENVIRONMENT_SLUG",
        "CI_REGISTRY_USER",
        "CI_REGISTRY_PASSWORD",
        "CI_REPOSITORY_URL",
        "CI_DEPLOY_USER",
        "CI_DEPLOY_PASSWORD",
        "CI_BUILDS_DIR",
        "CI_PROJECT_DIR",
        "CI_CONCURRENT_ID",
        "CI_CONCURRENT_PROJECT_ID",
        "CI_SERVER",
    ];
    name.starts_with("CI_RUNNER_") || NAMES.contains(&name)
}
