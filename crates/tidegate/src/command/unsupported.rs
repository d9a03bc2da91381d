//! Keywords that are valid and cannot be carried out yet: named with their line, never ignored.

use tidegate_config::{Config, Job, NeedSpec};
use tidegate_pipeline::{Build, NotRunnable, Pipeline};
use tidegate_run::{Providers, Unprovided};
use tidegate_source::{Diagnostic, Span};

use super::run::will_run;
use crate::cli::Executor;
use crate::downstream::directory_of;
use crate::project::Project;

/// What there is to run a pipeline with.
pub(crate) struct Means<'a> {
    /// What the jobs are run by; `None`: nobody said.
    pub(crate) executor: Option<Executor>,
    /// Where secrets come from.
    pub(crate) providers: &'a Providers,
    /// It is a downstream pipeline: jobs of the pipelines above can be needed.
    pub(crate) downstream: bool,
    /// Its project; its settings say where others are.
    pub(crate) project: &'a Project,
}

impl Means<'_> {
    /// Whether a project is on this machine. What a path with variables means is only known when its job starts.
    fn has(&self, path: &str) -> bool {
        let Project {
            settings,
            checkout,
            scenario,
            ..
        } = self.project;
        path.contains('$') || directory_of(settings, checkout, scenario, path).is_some()
    }
}

/// What the jobs of a pipeline ask for that a run cannot give.
///
/// An image or a service needs a container engine, which is not used yet; who asks for the shell executor does without.
///
pub(crate) fn problems(config: &Config, pipeline: &Pipeline, means: &Means<'_>) -> Vec<Diagnostic> {
    let jobs = config
        .jobs
        .values()
        .filter(|job| will_run(pipeline, &job.name));
    let build = |job: &Job| {
        pipeline
            .find(&job.name)
            .and_then(|at| pipeline.job(at).build())
    };
    let all = jobs.flat_map(|job| {
        let of_build = build(job).map(|build| of_build(job, build, means.providers));
        of_job(job, means)
            .into_iter()
            .chain(of_build.into_iter().flatten())
    });
    let mut problems: Vec<Diagnostic> = Vec::new();
    for problem in all {
        // Instances of a parallel job share their keywords.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

fn of_job(job: &Job, means: &Means<'_>) -> Vec<Diagnostic> {
    let body = &job.body;
    let mut problems = Vec::new();
    let mut say = |keyword: &str, span: Span, what: &str| {
        let text = format!(
            "`{keyword}` of the job `{}` cannot be carried out yet: {what}",
            job.base
        );
        problems.push(Diagnostic::error("not-built-yet", text).at(span));
    };
    if means.executor.is_none() {
        let hint =
            "containers are not run; `--executor shell` runs the job in the shell of this machine";
        if let Some(image) = &body.inheritable.image {
            say("image", image.span, hint);
        }
        if let Some(service) = body.inheritable.services.first() {
            say("services", service.span, hint);
        }
    }
    for need in job.needs.iter().flat_map(|needs| &needs.entries) {
        match need {
            NeedSpec::Pipeline(need) if need.job.is_some() && !means.downstream => {
                let what = "there is no pipeline above this one that could be meant";
                say("needs:pipeline", need.pipeline.span, what);
            }
            NeedSpec::Project(need) if !means.has(&need.project.value) => {
                let what = "`[includes.projects]` of tidegate.toml maps no directory to the project, whose runs could have artifacts";
                say("needs:project", need.project.span, what);
            }
            NeedSpec::Project(_)
            | NeedSpec::Pipeline(_)
            | NeedSpec::Job { .. }
            | NeedSpec::Any(_) => {}
        }
    }
    for (keyword, _) in &body.further {
        match &*keyword.value {
            "identity" => {
                let what = "nothing here can sign in at Google Cloud as GitLab's server does";
                say("identity", keyword.span, what);
            }
            "dast_configuration" => {
                let what = "its profiles are kept by GitLab's server";
                say("dast_configuration", keyword.span, what);
            }
            _ => {}
        }
    }
    problems
}

/// What a job that runs scripts asks for in vain.
fn of_build(job: &Job, build: &Build, providers: &Providers) -> Vec<Diagnostic> {
    let span = |wanted: &str| {
        let mut keywords = job.body.further.iter().map(|(keyword, _)| keyword);
        let found = keywords.find(|keyword| *keyword.value == *wanted);
        found.map_or(Span::NONE, |keyword| keyword.span)
    };
    let mut problems = Vec::new();
    for missing in providers.unprovided(build) {
        let Unprovided {
            keyword,
            variable,
            key,
        } = missing;
        let text = format!(
            "`{keyword}` of the job `{}`: nothing says where `{variable}` comes from",
            job.base
        );
        let help = format!(
            "add to `[{keyword}]` in tidegate.toml, or in your own settings: \"{key}\" = {{ variable = \"…\" }}, or `file`, or `command`"
        );
        problems.push(
            Diagnostic::error("not-provided", text)
                .at(span(keyword))
                .help(help),
        );
    }
    let (keyword, what) = match build.not_runnable() {
        None => return problems,
        Some(NotRunnable::Function { step }) => {
            let what = format!("the step `{step}` is a function; only steps with `script` are run");
            ("run", what)
        }
        Some(NotRunnable::Expression { text }) => {
            let keyword = match build.is_stepwise() {
                true => "run",
                false => "inputs",
            };
            let what =
                format!("`{text}` is no declared input; other expressions are not evaluated");
            (keyword, what)
        }
    };
    let text = format!(
        "`{keyword}` of the job `{}` cannot be carried out yet: {what}",
        job.base
    );
    problems.push(Diagnostic::error("not-built-yet", text).at(span(keyword)));
    problems
}
