//! Checks across jobs, GitLab's warnings, cycles (reference `config.md` §10.2, §11).

mod cycle;

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_pipeline::EnvironmentAction;
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::Node;

use crate::nearest::nearest;
use crate::typed::{is_blank, specified, string};
use crate::{Config, EnvironmentSpec, IfAbsent, Job, NeedSpec, Needs, Text};

const MOST_CHARACTERS: usize = 255;

/// Checks each job against the others.
///
/// # Errors
/// The first fault: GitLab stops there.
pub(crate) fn check(config: &Config) -> Result<(), Diagnostic> {
    let checker = Checker::new(config);
    for job in config.jobs.values() {
        checker.check_job(job)?;
    }
    cycle::check(config)
}

struct Checker<'c> {
    config: &'c Config,
    stages: FxHashMap<&'c str, usize>,
}

impl<'c> Checker<'c> {
    fn new(config: &'c Config) -> Checker<'c> {
        let mut stages = FxHashMap::default();
        for (at, stage) in config.stages.iter().enumerate() {
            stages.entry(&*stage.value).or_insert(at);
        }
        Checker { config, stages }
    }

    fn check_job(&self, job: &Job) -> Result<(), Diagnostic> {
        let stage = self.check_stage(job)?;
        for dependency in job.dependencies.iter().flatten() {
            self.check_named(job, stage, dependency, "dependency", false)?;
        }
        if let Some(needs) = &job.needs {
            self.check_needs(job, stage, needs)?;
        }
        for rule in job.body.rules.as_deref().unwrap_or_default() {
            if let Some(needs) = &rule.needs {
                self.check_needs(job, stage, needs)?;
            }
        }
        for dependency in included_artifacts(job) {
            self.check_named(job, stage, &dependency, "dependency", false)?;
        }
        if let Some(environment) = &job.body.environment {
            self.check_on_stop(job, environment)?;
        }
        check_publish(job)
    }

    fn check_stage(&self, job: &Job) -> Result<usize, Diagnostic> {
        let stage = &job.body.stage;
        if let Some(at) = self.stages.get(&*stage.value) {
            return Ok(*at);
        }
        let names = self.config.stages.iter().map(|stage| &*stage.value);
        let list: Vec<_> = names.clone().collect();
        let text = format!(
            "{} job: chosen stage {} does not exist; available stages are {}",
            job.name,
            stage.value,
            list.join(", ")
        );
        let place = if stage.span.is_some() {
            stage.span
        } else {
            job.span
        };
        let mut diagnostic = Diagnostic::error("undefined-stage", text).at(place);
        if let Some(near) = nearest(&stage.value, names) {
            diagnostic = diagnostic.suggest(format!("did you mean `{near}`?"), stage.span, near);
        }
        Err(diagnostic)
    }

    fn check_needs(&self, job: &Job, stage: usize, needs: &Needs) -> Result<(), Diagnostic> {
        let mut names: Vec<&Text> = Vec::with_capacity(needs.entries.len());
        for need in &needs.entries {
            match need {
                NeedSpec::Job {
                    name, if_absent, ..
                } => {
                    self.check_named(job, stage, name, "need", *if_absent != IfAbsent::Fail)?;
                    names.push(name);
                }
                NeedSpec::Any(any) => {
                    for (name, _) in &any.alternatives {
                        self.check_named(job, stage, name, "need", any.optional)?;
                        names.push(name);
                    }
                }
                NeedSpec::Pipeline(_) | NeedSpec::Project(_) => {}
            }
        }
        let mut seen = BTreeSet::new();
        let mut repeated: Vec<&Text> = Vec::new();
        for name in names {
            let known = repeated.iter().any(|known| known.value == name.value);
            if !seen.insert(&*name.value) && !known {
                repeated.push(name);
            }
        }
        let Some(first) = repeated.first() else {
            return Ok(());
        };
        let list: Vec<_> = repeated.iter().map(|name| &*name.value).collect();
        let list = list.join(", ");
        let text = format!("{} has the following needs duplicated: {list}.", job.name);
        Err(Diagnostic::error("duplicate-need", text).at(first.span))
    }

    fn check_named(
        &self,
        job: &Job,
        stage: usize,
        wanted: &Text,
        kind: &str,
        optional: bool,
    ) -> Result<(), Diagnostic> {
        let name = &wanted.value;
        let Some(other) = self.config.jobs.get(name) else {
            return match optional {
                true => Ok(()),
                false => Err(self.undefined(job, wanted, kind)),
            };
        };
        if kind == "need" && name.chars().count() > MOST_CHARACTERS {
            let text = format!(
                "{} job: need `{name}` name is too long (maximum is 255 characters)",
                job.name
            );
            return Err(Diagnostic::error("long-name", text).at(wanted.span));
        }
        let at = self.stages.get(&*other.body.stage.value);
        if at.is_some_and(|at| *at <= stage) {
            return Ok(());
        }
        let text = format!(
            "{} job: {kind} {name} is not defined in current or prior stages",
            job.name
        );
        let there = format!("`{name}` runs in stage {}", other.body.stage.value);
        let here = format!("`{}` runs in stage {}", job.name, job.body.stage.value);
        Err(Diagnostic::error("later-stage", text)
            .at(wanted.span)
            .context(other.span, there)
            .context(job.span, here))
    }

    fn undefined(&self, job: &Job, wanted: &Text, kind: &str) -> Diagnostic {
        let name = &wanted.value;
        let text = format!("{} job: undefined {kind}: {name}", job.name);
        let diagnostic = Diagnostic::error("undefined-need", text)
            .at(wanted.span)
            .context(job.span, format!("of job `{}`", job.name));
        if self.config.hidden.contains(name) {
            return diagnostic.note("hidden jobs are templates and never run");
        }
        let names = self.config.jobs.keys().map(|name| &**name);
        match nearest(name, names) {
            Some(near) => diagnostic.suggest(format!("did you mean `{near}`?"), wanted.span, near),
            None => diagnostic,
        }
    }

    fn check_on_stop(&self, job: &Job, own: &EnvironmentSpec) -> Result<(), Diagnostic> {
        let Some(on_stop) = &own.on_stop else {
            return Ok(());
        };
        let refuse = |what: &str, other: Option<&Job>| {
            let text = format!("{} job: on_stop job {} {what}", job.name, on_stop.value);
            let span = other.map_or(Span::NONE, |other| other.span);
            let diagnostic = Diagnostic::error("on-stop", text).at(on_stop.span);
            Err(diagnostic.context(span, "the job that stops it"))
        };
        let Some(other) = self.config.jobs.get(&on_stop.value) else {
            return refuse("is not defined", None);
        };
        let Some(environment) = &other.body.environment else {
            return refuse("does not have environment defined", Some(other));
        };
        if environment.name.value != own.name.value {
            return refuse("have different environment name", Some(other));
        }
        if environment.action != Some(EnvironmentAction::Stop) {
            return refuse("needs to have action stop defined", Some(other));
        }
        Ok(())
    }
}

/// The jobs whose artifacts a trigger includes configuration from.
fn included_artifacts(job: &Job) -> Vec<Text> {
    let Some(include) = job
        .body
        .keyword("trigger")
        .and_then(Node::as_map)
        .and_then(|map| specified(map, "include"))
    else {
        return Vec::new();
    };
    let items = include.as_seq().unwrap_or_default().iter();
    let maps = items.filter_map(Node::as_map);
    maps.filter(|map| specified(map, "artifact").is_some())
        .filter_map(|map| string(specified(map, "job")?))
        .collect()
}

fn check_publish(job: &Job) -> Result<(), Diagnostic> {
    let given = |node: Option<&Node>| node.filter(|node| !is_blank(node)).map(|node| node.span);
    let own = given(job.body.keyword("publish"));
    let pages = job.body.keyword("pages").and_then(Node::as_map);
    let of_pages = given(pages.and_then(|map| specified(map, "publish")));
    let (Some(own), Some(of_pages)) = (own, of_pages) else {
        return Ok(());
    };
    let name = &job.name;
    let text = format!("{name} job: use either {name}:publish or {name}:pages:publish");
    Err(Diagnostic::error("publish", text)
        .at(own)
        .context(of_pages, "and here"))
}

/// The names a job needs, alternatives included.
fn needed_names(job: &Job) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    for need in job.needs.iter().flat_map(|needs| &needs.entries) {
        match need {
            NeedSpec::Job { name, .. } => names.push(name.value.clone()),
            NeedSpec::Any(any) => {
                names.extend(any.alternatives.iter().map(|(name, _)| name.value.clone()));
            }
            NeedSpec::Pipeline(_) | NeedSpec::Project(_) => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn the_first_fault_across_jobs_is_told() {
        check(
            "stages: [test, .pre, a, .post, b]\na: {script: x, stage: foo}",
            &[
                "a job: chosen stage foo does not exist; available stages are .pre, test, a, b, .post",
            ],
        );
        check(
            "j: {script: x, environment: {name: a, on_stop: zz}}",
            &["j job: on_stop job zz is not defined"],
        );
        check(
            "a: {script: x, environment: {name: e, on_stop: b}}\nb: {script: x}",
            &["a job: on_stop job b does not have environment defined"],
        );
        check(
            "a: {script: x, environment: {name: e, on_stop: b}}\nb: {script: x, environment: f}",
            &["a job: on_stop job b have different environment name"],
        );
        check(
            "a: {script: x, environment: {name: e, on_stop: b}}\nb: {script: x, environment: e}",
            &["a job: on_stop job b needs to have action stop defined"],
        );
        check(
            "j: {script: x, needs: [zz]}",
            &["j job: undefined need: zz"],
        );
        check(
            "a: {script: x}\nb: {script: x, needs: [a, a]}",
            &["b has the following needs duplicated: a."],
        );
        check(
            "a: {script: x}\nb: {script: x, needs: [a, {job: a, artifacts: false}]}",
            &["b has the following needs duplicated: a."],
        );
        check(
            "a: {script: x, stage: deploy}\nb: {script: x, stage: build, needs: [a]}",
            &["b job: need a is not defined in current or prior stages"],
        );
        check(
            "a: {script: x, stage: deploy}\nb: {script: x, stage: build, dependencies: [a]}",
            &["b job: dependency a is not defined in current or prior stages"],
        );
        check(
            "a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}",
            &["The pipeline has circular dependencies: topological sort failed: [\"a\", \"b\"]"],
        );
        check(
            "a: {script: x, needs: [b]}\nb: {script: x, needs: [c]}\nc: {script: x, needs: [a]}\nd: {script: x}",
            &[
                "The pipeline has circular dependencies: topological sort failed: [\"a\", \"b\", \"c\"]",
            ],
        );
        check(
            "j: {script: x, needs: [{job: j, parallel: {matrix: [{A: b}]}}]}",
            &["The pipeline has circular dependencies: self-dependency: j"],
        );
        check(
            "b: {script: x, rules: [{when: always, needs: [zz]}]}",
            &["b job: undefined need: zz"],
        );
        check(
            "a: {script: x, parallel: {matrix: [{A: [b, c]}]}}\nb: {script: x, needs: [{job: a, parallel: {matrix: [{A: z}]}}]}",
            &["b job: undefined need: a: [z]"],
        );
        check(
            "MyJob: {script: x, needs: [Zz]}",
            &["MyJob job: undefined need: Zz"],
        );
        check(
            "a: {script: x, parallel: {matrix: [{A: [b, c]}]}, needs: [{job: a, parallel: {matrix: [{B: ['$[[ matrix.Q ]]']}]}}]}",
            &["a job: 'Q' does not exist in matrix configuration"],
        );
        check(
            "a: {script: x, stage: .pre, needs: [b]}\nb: {script: x}",
            &["a job: need b is not defined in current or prior stages"],
        );
    }
}
