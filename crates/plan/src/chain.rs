//! The creation chain: GitLab's steps in GitLab's order, any of which can end it (reference `compose.md` §0).

use std::sync::{Arc, LazyLock};

use regex::Regex;
use tidegate_config::Config;
use tidegate_expr::VariableSource;
use tidegate_pipeline::{Job, Pipeline, StageIdx};
use tidegate_scenario::{PipelineSource, Recorder, Scenario, World, WorldError};
use tidegate_source::Diagnostic;

use crate::decision::{Decision, LeftOut, Verdict};
use crate::detail::Detail;
use crate::environment;
use crate::needs::{Roster, leave_out_dependants, resolved, trials};
use crate::plan::{Outcome, Plan, SkipReason, WorkflowDecision};
use crate::quirks;
use crate::seed::{Seed, SeedState, rule_error, seed};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::workflow;

const FILTERED: &str =
    "The pipeline did not run. Review the workflow:rules configuration for the pipeline.";
const EMPTY: &str = "The resulting pipeline would have been empty. Review the rules configuration \
                     for the relevant jobs.";
const NO_PIPELINE: &str =
    "The pipeline did not run. The commit was pushed with the `ci.no_pipeline` option.";

/// Plans a pipeline with GitLab's default settings; see [`plan_with`].
///
/// # Errors
/// The outside is broken: a damaged repository or store.
pub fn plan(
    config: &Config,
    scenario: &Scenario,
    world: &dyn World,
    detail: &Detail,
) -> Result<Plan, WorldError> {
    plan_with(config, scenario, world, detail, &Settings::default())
}

/// Decides which jobs of a valid configuration enter the pipeline of this situation, in what shape, and why.
///
/// Pure: the same inputs and answers give the same plan; the answers are in [`Plan::facts`]. `detail` says for which
/// jobs everything that was looked at is kept; it changes no decision.
///
/// # Errors
/// The outside is broken: a damaged repository or store. What cannot be found out is no error.
pub fn plan_with(
    config: &Config,
    scenario: &Scenario,
    world: &dyn World,
    detail: &Detail,
    settings: &Settings,
) -> Result<Plan, WorldError> {
    let recorder = Recorder::new(world);
    let mut draft = created(config, scenario, &recorder, detail, settings)?;
    draft.facts = recorder.into_facts();
    draft.masked_values = masked_values(scenario);
    Ok(draft)
}

fn ended(outcome: Outcome, diagnostics: Vec<Diagnostic>) -> Plan {
    Plan {
        outcome,
        diagnostics,
        workflow: WorkflowDecision::default(),
        decisions: Vec::new(),
        facts: tidegate_scenario::Facts::default(),
        masked_values: Arc::default(),
    }
}

fn masked_values(scenario: &Scenario) -> Arc<[Arc<str>]> {
    let settings = scenario.settings.iter().map(|setting| &setting.variable);
    let masked = settings
        .chain(&scenario.variables)
        .filter(|variable| variable.masked);
    masked
        .filter_map(|variable| variable.value.clone())
        .collect()
}

fn failed(diagnostics: Vec<Diagnostic>) -> Plan {
    ended(Outcome::Failed, diagnostics)
}

fn created(
    config: &Config,
    scenario: &Scenario,
    world: &dyn World,
    detail: &Detail,
    settings: &Settings,
) -> Result<Plan, WorldError> {
    if let Some(stopped) = stopped_before_loading(scenario, settings) {
        return Ok(stopped);
    }
    let shared = Shared::new(config, scenario, world, settings);
    let judged = workflow::judge(&config.workflow, &shared)?;
    let mut plan = ended(Outcome::Failed, Vec::new());
    plan.workflow = judged.decision;
    let shared = match judged.rule {
        Some(rule) => shared.with_workflow_variables(rule),
        None => shared,
    };
    plan.workflow.variables = shared.root().clone();
    if !judged.allowed {
        let message = FILTERED.to_owned();
        plan.outcome = Outcome::Filtered { message };
        return Ok(plan);
    }
    plan.workflow.auto_cancel = workflow::auto_cancel(&config.workflow, judged.rule);
    plan.workflow.name = workflow::name(&config.workflow, &shared);
    let mut seeds = seeds(&shared, detail)?;
    leave_out_dependants(&mut seeds);
    let cast = cast(seeds, &shared);
    plan.decisions = cast.decisions;
    plan.diagnostics = cast.errors;
    if plan.diagnostics.is_empty() {
        plan.diagnostics = exceeded(&cast.jobs, &plan.decisions, &shared);
    }
    if !plan.diagnostics.is_empty() {
        return Ok(plan);
    }
    let edge = |job: &Job| {
        let stage = config.stages.get(job.stage.at());
        stage.is_some_and(|stage| matches!(&*stage.value, ".pre" | ".post"))
    };
    if cast.jobs.iter().all(edge) {
        let message = EMPTY.to_owned();
        plan.outcome = Outcome::Empty { message };
        return Ok(plan);
    }
    let name = plan.workflow.name.as_ref().map(|name| &name.expanded);
    let most = settings.limits.name_length;
    if name.is_some_and(|name| name.chars().count() > most) {
        let text = format!(
            "Failed to build pipeline metadata! Name is too long (maximum is {most} characters)"
        );
        let span = config.workflow.name.as_ref().map(|name| name.span);
        let error = Diagnostic::error("pipeline-name-too-long", text);
        plan.diagnostics = vec![match span {
            Some(span) => error.at(span),
            None => error,
        }];
        return Ok(plan);
    }
    let name = name.filter(|name| !name.trim().is_empty());
    plan.outcome = Outcome::Created(Arc::new(Pipeline {
        name: name.map(|name| name.as_str().into()),
        stages: config.stages.iter().map(|s| s.value.clone()).collect(),
        jobs: cast.jobs,
        auto_cancel: plan.workflow.auto_cancel.value,
        ..Pipeline::default()
    }));
    Ok(plan)
}

/// The plan of a pipeline that ends before its configuration is even looked at: skipped, or given too much. `None` goes on.
///
/// GitLab takes these steps before it reads the file, so a broken file does not matter then; [`plan_with`] takes them too.
pub fn stopped_before_loading(scenario: &Scenario, settings: &Settings) -> Option<Plan> {
    if let Some(error) = duplicate_variables(scenario) {
        return Some(failed(vec![error]));
    }
    if let Some(stopped) = skipped(scenario) {
        return Some(ended(stopped, Vec::new()));
    }
    let most = settings.limits.inputs;
    if scenario.inputs.len() > most {
        let text = format!("There cannot be more than {most} inputs");
        return Some(failed(vec![Diagnostic::error("too-many-inputs", text)]));
    }
    None
}

fn duplicate_variables(scenario: &Scenario) -> Option<Diagnostic> {
    let mut seen: Vec<&str> = Vec::new();
    let mut twice: Vec<&str> = Vec::new();
    for variable in &scenario.variables {
        if variable.source != VariableSource::Given {
            continue;
        }
        let key = &*variable.key;
        if !seen.contains(&key) {
            seen.push(key);
        } else if !twice.contains(&key) {
            twice.push(key);
        }
    }
    let word = match twice.len() {
        0 => return None,
        1 => "name",
        _ => "names",
    };
    let text = format!("Duplicate variable {word}: {}", twice.join(", "));
    Some(Diagnostic::error("duplicate-variable", text))
}

fn skipped(scenario: &Scenario) -> Option<Outcome> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\[(?:ci[ _-]skip|skip[ _-]ci)\]").expect("the pattern is fixed")
    });
    let option = |name: &str| {
        let given = scenario.push_options.get(name);
        given.is_some_and(|value| value != "false")
    };
    if option("no_pipeline") {
        let message = NO_PIPELINE.to_owned();
        return Some(Outcome::Filtered { message });
    }
    if runs_anyway(scenario.source) {
        return None;
    }
    if let Some(mark) = MARK.find(&scenario.commit.message) {
        let mark = mark.as_str().to_owned();
        let why = SkipReason::CommitMessage { mark };
        return Some(Outcome::Skipped { why });
    }
    let why = SkipReason::PushOption;
    option("skip").then_some(Outcome::Skipped { why })
}

/// Whether marks in the commit message are ignored.
fn runs_anyway(source: PipelineSource) -> bool {
    matches!(
        source,
        PipelineSource::Schedule
            | PipelineSource::Trigger
            | PipelineSource::Pipeline
            | PipelineSource::ParentPipeline
            | PipelineSource::Api
            | PipelineSource::Web
    )
}

fn seeds<'a>(shared: &'a Shared<'a>, detail: &Detail) -> Result<Vec<Seed<'a>>, WorldError> {
    let mut stages: rustc_hash::FxHashMap<&str, StageIdx> = rustc_hash::FxHashMap::default();
    for (at, stage) in shared.config.stages.iter().enumerate() {
        // A stage written twice counts by its first place.
        stages.entry(&*stage.value).or_insert(StageIdx(at as u32));
    }
    let stage_of = |name: &str| stages.get(name).copied().unwrap_or(StageIdx(0));
    shared
        .config
        .jobs
        .values()
        .map(|job| seed(shared, job, stage_of(&job.body.stage.value), detail))
        .collect()
}

/// Every job with its needs resolved, what is wrong, and all decisions.
struct Cast {
    jobs: Vec<Job>,
    errors: Vec<Diagnostic>,
    decisions: Vec<Decision>,
}

fn cast(mut seeds: Vec<Seed<'_>>, shared: &Shared<'_>) -> Cast {
    let roster = Roster::new(&seeds);
    let limit = shared.settings.limits.needs;
    let mut occupied = vec![false; shared.config.stages.len()];
    for seed in seeds.iter().filter(|seed| seed.planned().is_some()) {
        if let Some(stage) = occupied.get_mut(seed.stage.at()) {
            *stage = true;
        }
    }
    let mut errors: Vec<(StageIdx, Diagnostic)> = Vec::new();
    let mut all = Vec::with_capacity(seeds.len());
    let mut of_skipped = Vec::new();
    for at in 0..seeds.len() {
        let Some(seed) = seeds.get(at) else { continue };
        let mut found = None;
        if seed.planned().is_some() {
            let resolved = resolved(seed, &seeds, &roster, limit, seed.trace.is_some());
            found = Some(resolved);
        } else if seed.trace.is_some() && matches!(seed.state, SeedState::Skipped { .. }) {
            of_skipped.push((at, trials(seed, &seeds, &roster)));
        }
        let in_occupied_stage = occupied.get(seed.stage.at()).copied().unwrap_or_default();
        if in_occupied_stage {
            let of_seed = seed_errors(seed, found.as_mut().map(|f| std::mem::take(&mut f.errors)));
            errors.extend(of_seed.into_iter().map(|error| (seed.stage, error)));
        }
        all.push(found);
    }
    // GitLab collects stage by stage.
    errors.sort_by_key(|(stage, _)| *stage);
    let quirks = quirks::of(&seeds, &all, &roster, shared);
    for ((seed, resolved), quirks) in seeds.iter_mut().zip(&mut all).zip(quirks) {
        let Some(trace) = seed.trace.as_deref_mut() else {
            continue;
        };
        trace.quirks = quirks;
        if let Some(resolved) = resolved {
            trace.needs = std::mem::take(&mut resolved.trials);
        }
    }
    for (at, trials) in of_skipped {
        let trace = seeds.get_mut(at).and_then(|seed| seed.trace.as_deref_mut());
        if let Some(trace) = trace {
            trace.needs = trials;
        }
    }
    let mut jobs = Vec::with_capacity(seeds.len());
    let mut decisions = Vec::with_capacity(seeds.len());
    for ((at, seed), resolved) in seeds.into_iter().enumerate().zip(all) {
        let (verdict, origins) = match seed.state {
            SeedState::Out(why) => (Verdict::LeftOut(why), Default::default()),
            SeedState::Skipped { need, .. } => {
                let why = LeftOut::NeedAbsent { need };
                (Verdict::LeftOut(why), Default::default())
            }
            SeedState::In {
                mut planned,
                origins,
                ..
            } => {
                let resolved = resolved.unwrap_or_default();
                planned.needs = resolved.needs;
                planned.dependencies = resolved.dependencies;
                planned.cross_needs = resolved.cross_needs;
                let index = roster.index(at).unwrap_or(tidegate_pipeline::JobIdx(0));
                let verdict = match planned.presence {
                    tidegate_pipeline::Presence::Included => Verdict::Included(index),
                    tidegate_pipeline::Presence::Satisfied => Verdict::Satisfied(index),
                };
                jobs.push(*planned);
                (verdict, origins)
            }
        };
        decisions.push(Decision {
            name: seed.job.name.clone(),
            span: seed.job.span,
            stage: seed.job.body.stage.value.clone(),
            verdict,
            basis: seed.basis,
            origins,
            trace: seed.trace,
        });
    }
    Cast {
        jobs,
        errors: errors.into_iter().map(|(_, error)| error).collect(),
        decisions,
    }
}

/// What is wrong with one job: a rule that could not be judged, else its needs, then circles.
fn seed_errors(seed: &Seed<'_>, needs: Option<Vec<Diagnostic>>) -> Vec<Diagnostic> {
    let name = &seed.job.name;
    if let SeedState::Out(LeftOut::RuleError { rule, message }) = &seed.state {
        let rules = seed.job.body.rules.as_deref().unwrap_or_default();
        let span = rules.get(*rule as usize).map(|rule| rule.span);
        let error = Diagnostic::error("rule-not-parsed", rule_error(name, message));
        return vec![match span {
            Some(span) => error.at(span),
            None => error,
        }];
    }
    let mut errors = needs.unwrap_or_default();
    if let Some(circle) = &seed.circle {
        let text = format!("{name}: {circle}");
        errors.push(Diagnostic::error("circular-variables", text).at(seed.job.span));
    }
    errors
}

/// The limits on the pipeline as a whole (reference `compose.md` §11).
fn exceeded(jobs: &[Job], decisions: &[Decision], shared: &Shared<'_>) -> Vec<Diagnostic> {
    let limits = &shared.settings.limits;
    if let Some(most) = limits.jobs.filter(|most| jobs.len() > *most) {
        let server = &shared.scenario.server;
        let text = format!(
            "The number of jobs has exceeded the limit of {most}. Try splitting the configuration \
             with parent-child-pipelines {}/help/ci/debugging.md\
             #pipeline-with-many-jobs-fails-to-start",
            server.url()
        );
        return vec![Diagnostic::error("too-many-jobs", text)];
    }
    let deploying = decisions.iter().zip(shared.config.jobs.values());
    let deploying = deploying.filter(|(decision, job)| {
        let environment = job.body.environment.as_deref();
        decision.job().is_some() && environment.is_some_and(environment::deploys)
    });
    let (count, most) = (deploying.count(), limits.deployments);
    if count > most {
        let text = format!(
            "Pipeline has too many deployments! Requested {count}, but the limit is {most}."
        );
        return vec![Diagnostic::error("too-many-deployments", text)];
    }
    Vec::new()
}
