//! One job of a planned pipeline.

use std::sync::Arc;

use tidegate_expr::Variables;

use crate::id::{JobIdx, StageIdx};
use crate::keyword::{Artifacts, Cache, Image, Retry, Service, Timeout, When};

/// A job as it entered the pipeline; every attribute is final: defaults, rules and matrix are applied.
#[derive(Clone, Debug)]
pub struct Job {
    /// Full name, with the parallel suffix.
    pub name: Arc<str>,
    /// Its stage.
    pub stage: StageIdx,
    /// When it starts.
    pub when: When,
    /// Delay of `when: delayed`.
    pub start_in: Option<Timeout>,
    /// Whether its failure counts.
    pub allow_failure: AllowFailure,
    /// What it waits for; `None`: everything in earlier stages. `Some` of an empty list starts at once.
    pub needs: Option<Vec<NeedEntry>>,
    /// Whose artifacts it gets, where `dependencies` narrows them; `None`: all it may have.
    pub dependencies: Option<Vec<JobIdx>>,
    /// Jobs of other pipelines and projects whose artifacts it gets; nothing waits for them.
    pub cross_needs: Vec<CrossNeed>,
    /// Jobs that were left out of this run and whose artifacts it gets from an earlier run, in download order.
    pub from_earlier_runs: Vec<Arc<str>>,
    /// Whether it takes part from the start.
    pub presence: Presence,
    /// Automatic retries.
    pub retry: Retry,
    /// May be canceled when a newer pipeline makes it redundant; `None`: not written, which counts as no.
    pub interruptible: Option<bool>,
    /// Key of its resource group, expanded.
    pub resource_group: Option<ResourceGroup>,
    /// Where it deploys to.
    pub environment: Option<Arc<Environment>>,
    /// Whether its caches are asked for again right before it starts (reference `extensions.md` §1, point 8): indices into its caches.
    pub recheck_caches: Vec<u32>,
    /// All variables known at creation, unexpanded, lowest precedence first.
    pub variables: Variables,
    /// Runner tags, expanded.
    pub tags: Vec<Arc<str>>,
    /// What it does.
    pub action: Action,
}

/// Whether a job takes part in the pipeline from the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Presence {
    /// It is a job of the pipeline.
    Included,
    /// It was left out because what it would produce exists: it stands as a success (reference `extensions.md` §1, point 7).
    /// It wakes when a consumer with `on_miss: produce` finds the cache gone.
    Satisfied,
}

/// Whether a failure of the job counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AllowFailure {
    /// A failure never counts.
    pub always: bool,
    /// A failure with one of these exit codes does not count.
    pub exit_codes: Vec<i64>,
}

/// One entry of `needs` that names jobs of this pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NeedEntry {
    /// One job.
    Job(Need),
    /// Some of several jobs (reference `extensions.md` §4).
    Any(Alternatives),
}

/// A needed job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Need {
    /// Which.
    pub job: JobIdx,
    /// Its artifacts are wanted.
    pub artifacts: bool,
}

/// The alternatives of a `needs: any`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alternatives {
    /// Those in the pipeline, in written order.
    pub jobs: Vec<Need>,
    /// How many must be good.
    pub min: u32,
    /// Whether to wait for all of them.
    pub wait: Wait,
    /// Whose artifacts are taken.
    pub pick: Pick,
}

/// A job of another pipeline or project whose artifacts are wanted (reference `compose.md` §5.5); texts are unexpanded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CrossNeed {
    /// A job of a pipeline of the same family.
    Pipeline {
        /// Pipeline id.
        pipeline: Arc<str>,
        /// Name of the job.
        job: Arc<str>,
        /// Its artifacts are wanted.
        artifacts: bool,
    },
    /// The latest successful job of that name in another project.
    Project {
        /// Path of the project.
        project: Arc<str>,
        /// Branch or tag.
        reference: Arc<str>,
        /// Name of the job.
        job: Arc<str>,
        /// Its artifacts are wanted.
        artifacts: bool,
    },
}

/// How long a `needs: any` waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Wait {
    /// Until enough are good.
    #[default]
    First,
    /// Until all are over.
    All,
}

/// Whose artifacts a `needs: any` takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Pick {
    /// Those of the first good one in list order.
    #[default]
    First,
    /// Those of all good ones.
    All,
}

/// A resource group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceGroup {
    /// Its key, expanded.
    pub key: Arc<str>,
}

/// What a job does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs scripts.
    Build(Arc<Build>),
    /// Triggers a pipeline.
    Bridge(Arc<Bridge>),
}

/// The work of a job that runs scripts; texts are unexpanded, as GitLab hands them to a runner.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Build {
    /// `before_script`, flattened.
    pub before_script: Vec<Arc<str>>,
    /// `script`, flattened.
    pub script: Vec<Arc<str>>,
    /// `after_script`, flattened.
    pub after_script: Vec<Arc<str>>,
    /// `hooks:pre_get_sources_script`, flattened.
    pub pre_get_sources_script: Vec<Arc<str>>,
    /// `image`.
    pub image: Option<Image>,
    /// `services`.
    pub services: Vec<Service>,
    /// `cache`, in order.
    pub caches: Vec<Cache>,
    /// Keys of the caches with file digests resolved, without suffixes, unexpanded; runs beside `caches`.
    pub cache_keys: Vec<Arc<str>>,
    /// `artifacts`.
    pub artifacts: Option<Artifacts>,
    /// `timeout`; `None`: the default of the project.
    pub timeout: Option<Timeout>,
    /// `coverage`, the pattern without slashes.
    pub coverage: Option<Arc<str>>,
    /// The folder a pages job publishes, unexpanded.
    pub publish: Option<Arc<str>>,
    /// `release`, `id_tokens`, `secrets`, `inputs`, `run`, `pages` as JSON text, by keyword, where written.
    pub further: Vec<(Arc<str>, Arc<str>)>,
}

/// A trigger job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bridge {
    /// What it triggers.
    pub downstream: Downstream,
    /// How its status follows the triggered pipeline; `None`: success once created.
    pub strategy: Option<Strategy>,
    /// Whether YAML variables are passed on.
    pub forward_yaml_variables: bool,
    /// Whether pipeline variables are passed on.
    pub forward_pipeline_variables: bool,
    /// Inputs passed on, as JSON text, by name.
    pub inputs: Vec<(Arc<str>, Arc<str>)>,
}

/// What a trigger job triggers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Downstream {
    /// A child pipeline; its `include` as JSON text.
    Child {
        /// The value of `trigger:include`.
        include: Arc<str>,
    },
    /// A pipeline of another project.
    Project {
        /// Path, expanded.
        project: Arc<str>,
        /// Branch, expanded; `None`: its default branch.
        branch: Option<Arc<str>>,
    },
    /// Mirrors the status of the latest pipeline of a project (`needs: pipeline` on a job without script).
    Mirror {
        /// Path of the project.
        project: Arc<str>,
    },
}

/// `trigger:strategy`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Strategy {
    /// `depend`.
    Depend,
    /// `mirror`.
    Mirror,
}

/// `environment:action`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EnvironmentAction {
    /// Deploys.
    #[default]
    Start,
    /// Stops the environment.
    Stop,
    /// Prepares a deployment.
    Prepare,
    /// Verifies it.
    Verify,
    /// Accesses it.
    Access,
}

impl EnvironmentAction {
    /// The keyword's word.
    pub fn name(self) -> &'static str {
        match self {
            EnvironmentAction::Start => "start",
            EnvironmentAction::Stop => "stop",
            EnvironmentAction::Prepare => "prepare",
            EnvironmentAction::Verify => "verify",
            EnvironmentAction::Access => "access",
        }
    }
}

/// Where a job deploys to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Environment {
    /// Name as written.
    pub name: Arc<str>,
    /// Name, expanded.
    pub expanded_name: Arc<str>,
    /// URL as written; expanded when the job ends.
    pub url: Option<Arc<str>>,
    /// What happens to it.
    pub action: EnvironmentAction,
    /// Name of the job that stops it.
    pub on_stop: Option<Arc<str>>,
    /// When it is stopped by itself, as written.
    pub auto_stop_in: Option<Arc<str>>,
    /// Its tier, as written.
    pub deployment_tier: Option<Arc<str>>,
}

impl Job {
    /// A job in the first stage that runs no command and waits for everything earlier; what builders and tests start from.
    pub fn named(name: impl Into<Arc<str>>) -> Job {
        Job {
            name: name.into(),
            stage: StageIdx(0),
            when: When::OnSuccess,
            start_in: None,
            allow_failure: AllowFailure::default(),
            needs: None,
            dependencies: None,
            cross_needs: Vec::new(),
            from_earlier_runs: Vec::new(),
            presence: Presence::Included,
            retry: Retry::default(),
            interruptible: None,
            resource_group: None,
            environment: None,
            recheck_caches: Vec::new(),
            variables: Variables::default(),
            tags: Vec::new(),
            action: Action::Build(Arc::new(Build::default())),
        }
    }

    /// The build, where the job runs scripts.
    pub fn build(&self) -> Option<&Build> {
        match &self.action {
            Action::Build(build) => Some(build),
            Action::Bridge(_) => None,
        }
    }

    /// Whether it starts by its needs rather than by stage.
    pub fn is_dag(&self) -> bool {
        self.needs.is_some()
    }

    /// Every job named in its needs, alternatives included, in order.
    pub fn needed_jobs(&self) -> impl Iterator<Item = Need> + '_ {
        self.needs.iter().flatten().flat_map(|entry| match entry {
            NeedEntry::Job(need) => std::slice::from_ref(need).iter().copied(),
            NeedEntry::Any(any) => any.jobs.iter().copied(),
        })
    }
}
