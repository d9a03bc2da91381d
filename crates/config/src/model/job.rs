//! One job, normalised.

use std::sync::Arc;

use tidegate_pipeline::{
    Artifacts, Cache, EnvironmentAction, Image, Pick, Retry, Service, Strategy, Timeout, Wait, When,
};
use tidegate_source::Span;
use tidegate_yaml::{Map, Node};

use super::{Policy, Rule, Spanned, Text, VariableDefinition};

/// A job under its full name. Instances of one parallel job share their [`JobBody`].
#[derive(Clone, Debug)]
pub struct Job {
    /// Full name, with the parallel suffix.
    pub name: Arc<str>,
    /// Name as written.
    pub base: Arc<str>,
    /// Where the name was written.
    pub span: Span,
    /// Which of the parallel instances it is; `None` for jobs without `parallel`.
    pub instance: Option<Box<Instance>>,
    /// Job-level `needs`, names of parallel jobs expanded; `None`: not written.
    pub needs: Option<Needs>,
    /// `dependencies`, names of parallel jobs expanded; `None`: not written.
    pub dependencies: Option<Box<[Text]>>,
    /// Everything the instances share.
    pub body: Arc<JobBody>,
}

/// One instance of a parallel job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// From 1, over all generated jobs.
    pub index: u32,
    /// How many were generated.
    pub total: u32,
    /// Values of the matrix, in key order; empty for `parallel: N`.
    pub matrix: Vec<VariableDefinition>,
}

/// What a job does, as written, before rules.
///
/// There may be very many, so what few jobs have lies elsewhere, and what jobs take from a common base or from `default` is
/// held once.
#[derive(Clone, Debug)]
pub struct JobBody {
    /// Scripts or a trigger.
    pub kind: JobKind,
    /// `stage`.
    pub stage: Text,
    /// Job-level `when`; `None`: not written.
    pub when: Option<Spanned<When>>,
    /// Job-level `start_in`.
    pub start_in: Option<Box<Spanned<Timeout>>>,
    /// Job-level `allow_failure`.
    pub allow_failure: Option<Box<Spanned<AllowFailureSpec>>>,
    /// `rules`; `None`: not written. `Some` of an empty list is `rules: null`, with which the job is always added.
    pub rules: Option<Arc<[Rule]>>,
    /// The positive policy in force, the default included; `None` with `rules` or where nothing applies.
    pub only: Option<Arc<Policy>>,
    /// The negative policy.
    pub except: Option<Arc<Policy>>,
    /// `variables`.
    pub variables: Arc<[VariableDefinition]>,
    /// `inherit:variables`.
    pub inherit_variables: InheritVariables,
    /// `environment`.
    pub environment: Option<Box<EnvironmentSpec>>,
    /// `interruptible`.
    pub interruptible: Option<Spanned<bool>>,
    /// `resource_group`, unexpanded.
    pub resource_group: Option<Box<Text>>,
    /// `script`, flattened.
    pub script: Arc<[Text]>,
    /// The keywords `default` may give too; jobs in which all of them are the same share them.
    pub inheritable: Arc<Inheritable>,
    /// `coverage`, without first and last character.
    pub coverage: Option<Box<Text>>,
    /// `manual_confirmation`.
    pub manual_confirmation: Option<Box<Text>>,
    /// The published folder, for pages jobs.
    pub publish: Option<Box<Text>>,
    /// `release`, `id_tokens`, `secrets`, `inputs`, `run`, `pages`, `identity`, `dast_configuration`: validated, kept as JSON.
    pub further: Box<[(Text, serde_json::Value)]>,
    /// The keywords in force as written; `None` unless [`Settings::keep_written`](crate::Settings::keep_written) asks for them.
    pub written: Option<Box<Written>>,
}

/// The keywords of a job that may also stand in `default`, whether written there, in the job or in a base of it.
///
/// `interruptible` stands in [`JobBody`], since trigger jobs have it too.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inheritable {
    /// `tags`, unexpanded.
    pub tags: Arc<[Text]>,
    /// `retry`.
    pub retry: Option<Box<Spanned<Retry>>>,
    /// `timeout`.
    pub timeout: Option<Box<Spanned<Timeout>>>,
    /// `before_script`, flattened.
    pub before_script: Arc<[Text]>,
    /// `after_script`, flattened.
    pub after_script: Arc<[Text]>,
    /// `hooks:pre_get_sources_script`, flattened.
    pub pre_get_sources_script: Arc<[Text]>,
    /// `image`.
    pub image: Option<Spanned<Arc<Image>>>,
    /// `services`.
    pub services: Arc<[Spanned<Service>]>,
    /// `cache`.
    pub caches: Arc<[Spanned<Cache>]>,
    /// `artifacts`, with the pages folder added for pages jobs.
    pub artifacts: Option<Spanned<Arc<Artifacts>>>,
}

/// The keywords of a job as written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The job's own, those of its bases included.
    pub own: Arc<Map>,
    /// What it takes from `default` and the top level, with the values as written there.
    pub inherited: Vec<(&'static str, Node)>,
}

impl Written {
    /// The value of a keyword in force, which is never null.
    pub fn keyword(&self, name: &str) -> Option<&Node> {
        let own = self.own.get(name).filter(|node| !node.is_null());
        own.or_else(|| {
            let found = self.inherited.iter().find(|(key, _)| *key == name);
            found.map(|(_, node)| node)
        })
    }
}

impl JobBody {
    /// The value of a keyword in force as written, inherited or not; `None` of all where nothing written was kept.
    pub fn keyword(&self, name: &str) -> Option<&Node> {
        self.written.as_ref()?.keyword(name)
    }
}

/// Scripts or a trigger.
#[derive(Clone, Debug)]
pub enum JobKind {
    /// Runs scripts (or `run` steps).
    Build,
    /// Triggers a pipeline.
    Bridge(Box<Trigger>),
}

/// `allow_failure`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AllowFailureSpec {
    /// `true` or `false`.
    Always(bool),
    /// `exit_codes`; the static value is false, even without codes.
    ExitCodes(Vec<i64>),
}

/// `inherit:variables`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InheritVariables {
    /// All or none.
    All(bool),
    /// Only these.
    Only(Arc<[Arc<str>]>),
}

/// A `needs` list.
#[derive(Clone, Debug)]
pub struct Needs {
    /// Where it was written.
    pub span: Span,
    /// Its entries.
    pub entries: Box<[NeedSpec]>,
}

/// One entry of `needs`. All but the kind that nearly every entry is of lie elsewhere, to keep lists of that kind small.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NeedSpec {
    /// A job of this pipeline.
    Job {
        /// Its full name.
        name: Text,
        /// Its artifacts are wanted.
        artifacts: bool,
        /// What happens where it is absent.
        if_absent: IfAbsent,
    },
    /// Some of several jobs (reference `extensions.md` §4).
    Any(Box<AnyNeed>),
    /// A job of another pipeline of the same family.
    Pipeline(Box<PipelineNeed>),
    /// A job of another project.
    Project(Box<ProjectNeed>),
}

/// Some of several jobs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnyNeed {
    /// Names with whether their artifacts are wanted, parallel names expanded.
    pub alternatives: Vec<(Text, bool)>,
    /// How many must be good.
    pub min: u32,
    /// Whether to wait for all.
    pub wait: Wait,
    /// Whose artifacts are taken.
    pub pick: Pick,
    /// The entry may be impossible.
    pub optional: bool,
    /// Where it was written.
    pub span: Span,
}

/// A job of another pipeline of the same family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineNeed {
    /// Pipeline id, unexpanded.
    pub pipeline: Text,
    /// Its job; `None` mirrors the pipeline's status (bridges only).
    pub job: Option<Text>,
    /// Its artifacts are wanted.
    pub artifacts: bool,
}

/// A job of another project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectNeed {
    /// Project path, unexpanded.
    pub project: Text,
    /// Branch or tag, unexpanded.
    pub reference: Text,
    /// Job name, unexpanded.
    pub job: Text,
    /// Its artifacts are wanted.
    pub artifacts: bool,
}

/// What happens where a needed job is absent (reference `extensions.md` §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum IfAbsent {
    /// The pipeline is not created.
    #[default]
    Fail,
    /// The entry is ignored: GitLab's `optional: true`.
    Ignore,
    /// The entry is dropped; a job left without entries runs by stage.
    Stage,
    /// This job is left out too.
    Skip,
}

/// `environment`, unexpanded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvironmentSpec {
    /// `name`.
    pub name: Text,
    /// `url`.
    pub url: Option<Text>,
    /// `action`; `None` where the map form does not write it.
    pub action: Option<EnvironmentAction>,
    /// `on_stop`.
    pub on_stop: Option<Text>,
    /// `auto_stop_in`.
    pub auto_stop_in: Option<Text>,
    /// `deployment_tier`.
    pub deployment_tier: Option<Text>,
    /// `kubernetes`, as JSON.
    pub kubernetes: Option<serde_json::Value>,
}

/// `trigger`.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Where it was written.
    pub span: Span,
    /// What it triggers.
    pub target: TriggerTarget,
    /// `strategy`.
    pub strategy: Option<Strategy>,
    /// `forward:yaml_variables`; `None`: not written.
    pub forward_yaml_variables: Option<bool>,
    /// `forward:pipeline_variables`; `None`: not written.
    pub forward_pipeline_variables: Option<bool>,
    /// `inputs`, as JSON.
    pub inputs: Vec<(Arc<str>, serde_json::Value)>,
}

/// What a trigger job triggers.
#[derive(Clone, Debug)]
pub enum TriggerTarget {
    /// A child pipeline.
    Child(BridgeInclude),
    /// A project's pipeline.
    Project {
        /// `project`, unexpanded.
        project: Text,
        /// `branch`, unexpanded.
        branch: Option<Text>,
    },
    /// No trigger: mirrors the pipeline of a project named in `needs: pipeline`.
    Mirror {
        /// Path of the project.
        project: Text,
    },
}

/// `trigger:include`.
#[derive(Clone, PartialEq, Debug)]
pub struct BridgeInclude {
    /// The value as JSON, handed on to loading the child.
    pub value: serde_json::Value,
    /// Where it was written.
    pub span: Span,
}
