//! Resolves `needs` and `dependencies` once it is known which jobs are in (reference `compose.md` §5, `extensions.md` §4, §5).

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_config::{AnyNeed, IfAbsent, NeedSpec, Needs, PipelineNeed, ProjectNeed};
use tidegate_pipeline::{Alternatives, CrossNeed, JobIdx, Need, NeedEntry, Presence};
use tidegate_source::{Diagnostic, Span};

use crate::seed::{Seed, SeedState};
use crate::trace::{NeedFate, NeedTrial};

/// Which jobs are in, by name.
pub(crate) struct Roster<'a> {
    by_name: FxHashMap<&'a str, usize>,
    indices: Vec<Option<JobIdx>>,
    positions: Vec<usize>,
}

impl<'a> Roster<'a> {
    /// Numbers the jobs that are in, in definition order.
    pub(crate) fn new(seeds: &[Seed<'a>]) -> Roster<'a> {
        let mut positions = Vec::with_capacity(seeds.len());
        let mut indices = Vec::with_capacity(seeds.len());
        for (at, seed) in seeds.iter().enumerate() {
            let next = JobIdx(positions.len() as u32);
            let is_in = seed.planned().is_some();
            indices.push(is_in.then_some(next));
            positions.extend(is_in.then_some(at));
        }
        let named = seeds.iter().enumerate();
        Roster {
            by_name: named.map(|(at, seed)| (&*seed.job.name, at)).collect(),
            indices,
            positions,
        }
    }

    /// The index of the job at this position of the configuration, where it is in.
    pub(crate) fn index(&self, at: usize) -> Option<JobIdx> {
        self.indices.get(at).copied().flatten()
    }

    pub(crate) fn position(&self, job: JobIdx) -> Option<usize> {
        self.positions.get(job.at()).copied()
    }

    /// The job of a name, where it is in.
    fn find(&self, name: &str) -> Option<JobIdx> {
        self.index(*self.by_name.get(name)?)
    }

    /// The same, for jobs of the stage of `seed` or earlier.
    fn reachable(&self, name: &str, seed: &Seed<'_>, seeds: &[Seed<'_>]) -> Option<JobIdx> {
        let at = *self.by_name.get(name)?;
        let index = self.index(at)?;
        (seeds.get(at)?.stage <= seed.stage).then_some(index)
    }
}

/// The needs in force: those of the rule that matched, else the job's; and whether they are the rule's.
fn in_force<'s>(seed: &'s Seed<'_>) -> Option<(&'s Needs, bool)> {
    let (SeedState::In { rule, .. } | SeedState::Skipped { rule, .. }) = &seed.state else {
        return None;
    };
    let of_rule = rule.and_then(|rule| rule.needs.as_ref());
    // An empty list in a rule has no effect (corpus `rules-needs-empty-list-keeps-job-needs`).
    match of_rule.filter(|needs| !needs.entries.is_empty()) {
        Some(needs) => Some((needs, true)),
        None => seed.job.needs.as_ref().map(|needs| (needs, false)),
    }
}

/// Leaves out every job that needs an absent one with `if_absent: skip`, and those that so need it in turn.
pub(crate) fn leave_out_dependants(seeds: &mut [Seed<'_>]) {
    let skipping = |spec: &NeedSpec| match spec {
        NeedSpec::Job {
            name,
            if_absent: IfAbsent::Skip,
            ..
        } => Some(name.value.clone()),
        _ => None,
    };
    let mut dependants: FxHashMap<Arc<str>, Vec<usize>> = FxHashMap::default();
    for (at, seed) in seeds.iter().enumerate() {
        let Some((needs, _)) = in_force(seed) else {
            continue;
        };
        for name in needs.entries.iter().filter_map(skipping) {
            dependants.entry(name).or_default().push(at);
        }
    }
    if dependants.is_empty() {
        return;
    }
    let present: rustc_hash::FxHashSet<Arc<str>> = seeds
        .iter()
        .filter(|seed| seed.planned().is_some())
        .map(|seed| seed.job.name.clone())
        .collect();
    let mut absent: Vec<Arc<str>> = dependants
        .keys()
        .filter(|name| !present.contains(*name))
        .cloned()
        .collect();
    absent.sort();
    while let Some(need) = absent.pop() {
        for at in dependants.remove(&need).unwrap_or_default() {
            let Some(seed) = seeds.get_mut(at) else {
                continue;
            };
            if let SeedState::In { rule, .. } = seed.state {
                let need = need.clone();
                seed.state = SeedState::Skipped { need, rule };
                seed.circle = None;
                absent.push(seed.job.name.clone());
            }
        }
    }
}

/// What resolving the needs of one job gave.
#[derive(Default)]
pub(crate) struct Resolved {
    pub(crate) needs: Option<Vec<NeedEntry>>,
    pub(crate) dependencies: Option<Vec<JobIdx>>,
    pub(crate) cross_needs: Vec<CrossNeed>,
    pub(crate) trials: Vec<NeedTrial>,
    pub(crate) errors: Vec<Diagnostic>,
}

/// Resolves the needs of a job that is in; trials are only kept where `keep`.
pub(crate) fn resolved(
    seed: &Seed<'_>,
    seeds: &[Seed<'_>],
    roster: &Roster<'_>,
    limit: usize,
    keep: bool,
) -> Resolved {
    let mut resolver = Resolver::new(seed, seeds, roster, keep);
    resolver.check(limit);
    resolver.resolve();
    let dependencies = seed.job.dependencies.as_ref();
    resolver.out.dependencies = dependencies.map(|names| {
        let found = names.iter().filter_map(|name| roster.find(&name.value));
        found.collect()
    });
    resolver.check_satisfied();
    resolver.out
}

/// What became of the needs of a job that one of them leaves out.
pub(crate) fn trials(seed: &Seed<'_>, seeds: &[Seed<'_>], roster: &Roster<'_>) -> Vec<NeedTrial> {
    let mut resolver = Resolver::new(seed, seeds, roster, true);
    resolver.resolve();
    resolver.out.trials
}

struct Resolver<'r, 's> {
    seed: &'r Seed<'s>,
    seeds: &'r [Seed<'s>],
    roster: &'r Roster<'s>,
    keep: bool,
    /// An entry with `if_absent: stage` was dropped.
    drops_to_stage: bool,
    entries: Vec<NeedEntry>,
    out: Resolved,
}

impl<'r, 's> Resolver<'r, 's> {
    fn new(
        seed: &'r Seed<'s>,
        seeds: &'r [Seed<'s>],
        roster: &'r Roster<'s>,
        keep: bool,
    ) -> Resolver<'r, 's> {
        Resolver {
            seed,
            seeds,
            roster,
            keep,
            drops_to_stage: false,
            entries: Vec::new(),
            out: Resolved::default(),
        }
    }

    /// GitLab's checks look at the job-level list, even where a rule replaces it.
    fn check(&mut self, limit: usize) {
        let Some(needs) = &self.seed.job.needs else {
            return;
        };
        let name = &self.seed.job.name;
        let count: usize = needs.entries.iter().map(same_pipeline_jobs).sum();
        if count > limit {
            let text = format!(
                "{name}: one job can only need {limit} others, but you have listed {count}. \
                 See needs keyword documentation for more details"
            );
            let error = Diagnostic::error("too-many-needs", text).at(needs.span);
            self.out.errors.push(error);
            return;
        }
        for entry in &needs.entries {
            if let NeedSpec::Job {
                name: need,
                if_absent: IfAbsent::Fail,
                ..
            } = entry
                && self.reachable(&need.value).is_none()
            {
                let text = absent_message(name, &need.value);
                let error = Diagnostic::error("need-not-in-pipeline", text).at(need.span);
                self.out.errors.push(error);
            }
        }
    }

    fn reachable(&self, name: &str) -> Option<JobIdx> {
        self.roster.reachable(name, self.seed, self.seeds)
    }

    fn resolve(&mut self) {
        let Some((needs, of_rule)) = in_force(self.seed) else {
            return;
        };
        let needs = needs.clone();
        for (at, entry) in needs.entries.iter().enumerate() {
            self.entry(at, entry, of_rule);
        }
        let written = self.seed.job.needs.as_ref();
        let job_level = written.is_some_and(|needs| !needs.entries.iter().any(is_mirror));
        let by_needs = job_level || of_rule;
        let dropped = self.drops_to_stage && self.entries.is_empty();
        if by_needs && !dropped {
            self.out.needs = Some(std::mem::take(&mut self.entries));
        }
    }

    fn entry(&mut self, at: usize, entry: &NeedSpec, of_rule: bool) {
        match entry {
            NeedSpec::Job {
                name,
                artifacts,
                if_absent,
            } => {
                let found = self.reachable(&name.value);
                let fate = match (found, if_absent, of_rule) {
                    (Some(job), _, _) => self.present(job),
                    (None, IfAbsent::Ignore, _) => NeedFate::AbsentOptional,
                    (None, IfAbsent::Stage, _) => NeedFate::Dropped,
                    (None, IfAbsent::Skip, _) => NeedFate::LeavesOut,
                    (None, IfAbsent::Fail, true) => NeedFate::Ignored,
                    (None, IfAbsent::Fail, false) => NeedFate::AbsentError,
                };
                self.drops_to_stage |= fate == NeedFate::Dropped;
                let artifacts = *artifacts;
                self.entries
                    .extend(found.map(|job| NeedEntry::Job(Need { job, artifacts })));
                let optional = *if_absent == IfAbsent::Ignore;
                self.trial(&name.value, name.span, artifacts, optional, at, fate);
            }
            NeedSpec::Any(any) => self.any(at, any),
            NeedSpec::Pipeline(need) => {
                let PipelineNeed {
                    pipeline,
                    job,
                    artifacts,
                } = &**need;
                if let Some(job) = job {
                    self.out.cross_needs.push(CrossNeed::Pipeline {
                        pipeline: pipeline.value.clone(),
                        job: job.value.clone(),
                        artifacts: *artifacts,
                    });
                }
                let named = job.as_ref().unwrap_or(pipeline);
                let fate = NeedFate::Elsewhere;
                self.trial(&named.value, named.span, *artifacts, false, at, fate);
            }
            NeedSpec::Project(need) => {
                let ProjectNeed {
                    project,
                    reference,
                    job,
                    artifacts,
                } = &**need;
                self.out.cross_needs.push(CrossNeed::Project {
                    project: project.value.clone(),
                    reference: reference.value.clone(),
                    job: job.value.clone(),
                    artifacts: *artifacts,
                });
                let fate = NeedFate::Elsewhere;
                self.trial(&job.value, job.span, *artifacts, false, at, fate);
            }
        }
    }

    fn any(&mut self, at: usize, need: &AnyNeed) {
        let AnyNeed {
            alternatives,
            min,
            wait,
            pick,
            optional,
            span,
        } = need;
        let mut jobs = Vec::new();
        for (name, artifacts) in alternatives {
            let found = self.reachable(&name.value);
            let fate = match found {
                Some(job) => self.present(job),
                None => NeedFate::AbsentOptional,
            };
            let artifacts = *artifacts;
            jobs.extend(found.map(|job| Need { job, artifacts }));
            self.trial(&name.value, name.span, artifacts, *optional, at, fate);
        }
        if jobs.len() >= *min as usize {
            let (min, wait, pick) = (*min, *wait, *pick);
            let entry = Alternatives {
                jobs,
                min,
                wait,
                pick,
            };
            self.entries.push(NeedEntry::Any(entry));
        } else if !optional {
            let names: Vec<&str> = alternatives.iter().map(|(name, _)| &*name.value).collect();
            let text = format!(
                "'{}' job needs {min} of [{}], but only {} of them exist in the pipeline.",
                self.seed.job.name,
                names.join(", "),
                jobs.len()
            );
            let error = Diagnostic::error("too-few-alternatives", text).at(*span);
            self.out.errors.push(error);
        }
    }

    fn planned(&self, job: JobIdx) -> Option<&Seed<'_>> {
        self.seeds.get(self.roster.position(job)?)
    }

    fn present(&self, job: JobIdx) -> NeedFate {
        let seed = self.planned(job);
        match seed.and_then(|seed| seed.planned()).map(|job| job.presence) {
            Some(Presence::Satisfied) => NeedFate::Satisfied,
            _ => NeedFate::Present,
        }
    }

    /// A job that is out because its cache exists has no artifacts to give (reference `extensions.md` §1, point 7).
    fn check_satisfied(&mut self) {
        if !self.seed.is_included() {
            return;
        }
        let mut wanted: Vec<JobIdx> = Vec::new();
        for entry in self.out.needs.iter().flatten() {
            match entry {
                NeedEntry::Job(need) => wanted.extend(need.artifacts.then_some(need.job)),
                // Another alternative may give them.
                NeedEntry::Any(_) => {}
            }
        }
        match (&self.out.dependencies, self.out.needs.is_some()) {
            (Some(narrowed), true) => wanted.retain(|job| narrowed.contains(job)),
            (Some(named), false) => wanted.extend(named),
            (None, _) => {}
        }
        let mut errors = Vec::new();
        for job in wanted {
            let Some(seed) = self.planned(job) else {
                continue;
            };
            let artifacts = seed
                .job
                .body
                .inheritable
                .artifacts
                .as_ref()
                .map(|a| &a.value);
            let gives = artifacts.is_some_and(|artifacts| {
                let dotenv = artifacts.reports.iter().any(|r| &*r.kind == "dotenv");
                !artifacts.paths.is_empty() || artifacts.untracked || dotenv
            });
            if self.present(job) == NeedFate::Satisfied && gives {
                let (consumer, producer) = (&self.seed.job.name, &seed.job.name);
                let text = format!(
                    "'{consumer}' needs artifacts of '{producer}', but '{producer}' was left out \
                     because its cache exists. Use reuse: or remove artifacts."
                );
                errors.push(Diagnostic::error("artifacts-of-satisfied", text).at(seed.job.span));
            }
        }
        self.out.errors.extend(errors);
    }

    fn trial(
        &mut self,
        name: &Arc<str>,
        span: Span,
        artifacts: bool,
        optional: bool,
        entry: usize,
        fate: NeedFate,
    ) {
        if self.keep {
            self.out.trials.push(NeedTrial {
                name: name.clone(),
                span,
                artifacts,
                optional,
                entry,
                fate,
            });
        }
    }
}

/// How many jobs of this pipeline an entry names.
fn same_pipeline_jobs(spec: &NeedSpec) -> usize {
    match spec {
        NeedSpec::Job { .. } => 1,
        NeedSpec::Any(any) => any.alternatives.len(),
        NeedSpec::Pipeline(_) | NeedSpec::Project(_) => 0,
    }
}

fn is_mirror(spec: &NeedSpec) -> bool {
    matches!(spec, NeedSpec::Pipeline(need) if need.job.is_none())
}

fn absent_message(job: &str, need: &str) -> String {
    format!(
        "'{job}' job needs '{need}' job, but '{need}' does not exist in the pipeline. This might \
         be because of the only, except, or rules keywords. To need a job that sometimes does not \
         exist in the pipeline, use needs:optional."
    )
}
