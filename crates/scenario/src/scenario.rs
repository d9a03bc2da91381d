//! The event a pipeline is planned for.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tidegate_expr::Variable;

use crate::input::InputValue;
use crate::world::CacheState;

/// `CI_PIPELINE_SOURCE`: what caused the pipeline (reference `compose.md` §9.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum PipelineSource {
    /// `git push`.
    Push,
    /// The web form "Run pipeline".
    Web,
    /// A trigger token.
    Trigger,
    /// A schedule.
    Schedule,
    /// The pipelines API.
    Api,
    /// An external CI service.
    External,
    /// A multi-project trigger job.
    Pipeline,
    /// A chat command.
    Chat,
    /// The Web IDE.
    WebIde,
    /// A merge request.
    MergeRequestEvent,
    /// A pull request of an external repository.
    ExternalPullRequestEvent,
    /// A trigger job of a parent pipeline.
    ParentPipeline,
    /// An on-demand DAST scan.
    OnDemandDastScan,
    /// An on-demand DAST validation.
    OnDemandDastValidation,
    /// A security orchestration policy.
    SecurityOrchestrationPolicy,
}

impl PipelineSource {
    /// All sources, in GitLab's order.
    pub const ALL: [PipelineSource; 15] = [
        PipelineSource::Push,
        PipelineSource::Web,
        PipelineSource::Trigger,
        PipelineSource::Schedule,
        PipelineSource::Api,
        PipelineSource::External,
        PipelineSource::Pipeline,
        PipelineSource::Chat,
        PipelineSource::WebIde,
        PipelineSource::MergeRequestEvent,
        PipelineSource::ExternalPullRequestEvent,
        PipelineSource::ParentPipeline,
        PipelineSource::OnDemandDastScan,
        PipelineSource::OnDemandDastValidation,
        PipelineSource::SecurityOrchestrationPolicy,
    ];

    /// The name GitLab uses, the value of `CI_PIPELINE_SOURCE`.
    pub fn name(self) -> &'static str {
        match self {
            PipelineSource::Push => "push",
            PipelineSource::Web => "web",
            PipelineSource::Trigger => "trigger",
            PipelineSource::Schedule => "schedule",
            PipelineSource::Api => "api",
            PipelineSource::External => "external",
            PipelineSource::Pipeline => "pipeline",
            PipelineSource::Chat => "chat",
            PipelineSource::WebIde => "webide",
            PipelineSource::MergeRequestEvent => "merge_request_event",
            PipelineSource::ExternalPullRequestEvent => "external_pull_request_event",
            PipelineSource::ParentPipeline => "parent_pipeline",
            PipelineSource::OnDemandDastScan => "ondemand_dast_scan",
            PipelineSource::OnDemandDastValidation => "ondemand_dast_validation",
            PipelineSource::SecurityOrchestrationPolicy => "security_orchestration_policy",
        }
    }

    /// The source of a name, or `None` for a name GitLab does not know.
    pub fn from_name(name: &str) -> Option<PipelineSource> {
        PipelineSource::ALL
            .into_iter()
            .find(|source| source.name() == name)
    }
}

/// What the pipeline runs for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ref {
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A merge request.
    MergeRequest(Box<MergeRequest>),
}

/// Which commit a merge request pipeline runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MergeRequestKind {
    /// The head of the source branch (`detached`).
    Detached,
    /// The result of merging into the target (`merged_result`).
    MergedResult,
    /// The merge train (`merge_train`).
    Train,
}

/// The merge request of a merge request pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MergeRequest {
    /// Number inside the project.
    pub iid: u64,
    /// Source branch.
    pub source_branch: String,
    /// Target branch.
    pub target_branch: String,
    /// Full path of the project the source branch lives in; `None` for the same project.
    pub source_project: Option<String>,
    /// Which commit the pipeline runs on.
    pub kind: MergeRequestKind,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Marked as draft.
    pub draft: bool,
    /// Labels.
    pub labels: Vec<String>,
    /// Assignees' logins.
    pub assignees: Vec<String>,
    /// Milestone's title.
    pub milestone: Option<String>,
    /// Approved.
    pub approved: bool,
    /// Squash when merged.
    pub squash: bool,
    /// Source branch is protected.
    pub source_protected: bool,
    /// Target branch is protected.
    pub target_protected: bool,
    /// Merge base of source and target, where known.
    pub diff_base_sha: Option<String>,
}

/// Role of the pipeline's user in the project.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Role {
    /// Guest.
    Guest,
    /// Reporter.
    Reporter,
    /// Developer.
    #[default]
    Developer,
    /// Maintainer.
    Maintainer,
    /// Owner.
    Owner,
}

/// The user a pipeline runs for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct User {
    /// `GITLAB_USER_ID`.
    pub id: u64,
    /// `GITLAB_USER_LOGIN`.
    pub login: String,
    /// `GITLAB_USER_NAME`.
    pub name: String,
    /// `GITLAB_USER_EMAIL`.
    pub email: String,
    /// Role in the project.
    pub role: Role,
}

/// The project the pipeline belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Project {
    /// `CI_PROJECT_ID`.
    pub id: u64,
    /// Full path, `group/sub/name`.
    pub path: String,
    /// Display name; `None`: the last part of the path.
    pub title: Option<String>,
    /// Description.
    pub description: String,
    /// `private`, `internal` or `public`.
    pub visibility: String,
    /// `CI_DEFAULT_BRANCH`.
    pub default_branch: String,
    /// Path of the configuration file, relative to the project root.
    pub config_path: String,
    /// A cluster is connected (`only: kubernetes`).
    pub kubernetes_active: bool,
    /// Counter of "Clear runner caches", appended to cache keys when above 0.
    pub cache_counter: u64,
    /// Protected refs use caches of their own ("separate caches for protected branches").
    pub separate_protected_caches: bool,
}

/// The server the pipeline pretends to run on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Protocol, `https` or `http`.
    pub protocol: String,
    /// Host name without port.
    pub host: String,
    /// Port.
    pub port: u16,
    /// GitLab's version, `18.11.2`.
    pub version: String,
    /// GitLab's revision.
    pub revision: String,
}

/// The commit the pipeline runs on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Commit {
    /// Full id; empty in a directory that is no repository.
    pub sha: String,
    /// `CI_COMMIT_BEFORE_SHA`; `None` is GitLab's forty zeros.
    pub before_sha: Option<String>,
    /// Whole message.
    pub message: String,
    /// `Name <email>`.
    pub author: String,
    /// ISO 8601.
    pub timestamp: String,
    /// Message of the tag, for annotated tags.
    pub tag_message: Option<String>,
}

/// A variable of the settings of instance, group or project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingVariable {
    /// The variable; its source says which level.
    pub variable: Variable,
    /// Only for protected refs.
    pub protected: bool,
    /// Environment scope pattern, `*` for all.
    pub environment_scope: String,
}

/// The pipeline and job that caused this one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upstream {
    /// `CI_UPSTREAM_PIPELINE_ID`.
    pub pipeline_id: u64,
    /// `CI_UPSTREAM_PROJECT_ID`.
    pub project_id: u64,
    /// `CI_UPSTREAM_JOB_ID`.
    pub job_id: u64,
    /// How many parent/child steps lead here; 1 for a child of a top-level pipeline.
    pub depth: u32,
}

/// Facts stated by the user in place of what the world would answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// Changed paths: `None` asks the world; `Some(None)` states that they cannot be determined.
    pub changed_paths: Option<Option<Vec<String>>>,
    /// States of caches by final key.
    pub caches: BTreeMap<String, CacheState>,
}

/// Everything a pipeline's creation depends on besides files.
///
/// All fields are facts as GitLab would know them at creation; what a repository says is filled in by `world`.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// What caused the pipeline.
    pub source: PipelineSource,
    /// What it runs for.
    pub git_ref: Ref,
    /// Branch, or source branch, is protected; protected tag for tags.
    pub protected: bool,
    /// The push creates the branch, so nothing is known about what came before.
    pub new_branch: bool,
    /// The commit.
    pub commit: Commit,
    /// The project.
    pub project: Project,
    /// The server.
    pub server: Server,
    /// The user.
    pub user: User,
    /// Pipeline variables: given by API, trigger, schedule, bridge, web form or `--variable`.
    pub variables: Vec<Variable>,
    /// Variables of the settings.
    pub settings: Vec<SettingVariable>,
    /// Further predefined variables the situation brings, or values that replace computed ones.
    pub predefined: IndexMap<String, String>,
    /// Inputs given.
    pub inputs: IndexMap<String, InputValue>,
    /// Description of the schedule, for scheduled pipelines.
    pub schedule: Option<String>,
    /// `CI_OPEN_MERGE_REQUESTS`, for branch pipelines with open merge requests.
    pub open_merge_requests: Option<String>,
    /// Push options below `ci`, such as `skip` or `no_pipeline`, with their values.
    pub push_options: BTreeMap<String, String>,
    /// The only job wanted, for chat commands.
    pub chat_job: Option<String>,
    /// The pipeline and job that caused this one, for downstream pipelines.
    pub upstream: Option<Upstream>,
    /// `CI_PIPELINE_IID`: the number the pipeline gets in its project; `None`: not known.
    pub iid: Option<u64>,
    /// `CI_PIPELINE_CREATED_AT`, ISO 8601; time enters only here.
    pub created_at: Option<String>,
    /// Facts stated by the user.
    pub overrides: Overrides,
}

impl Server {
    /// Host, with the port where it is not the protocol's own: `CI_SERVER_FQDN`.
    pub fn fqdn(&self) -> String {
        let usual = match self.protocol.as_str() {
            "http" => 80,
            _ => 443,
        };
        if self.port == usual {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// `CI_SERVER_URL`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.protocol, self.fqdn())
    }
}

impl Scenario {
    /// A push to the default branch `main` of the project `group/project`, the situation cases start from.
    pub fn push(branch: &str) -> Scenario {
        Scenario {
            source: PipelineSource::Push,
            git_ref: Ref::Branch(branch.to_owned()),
            protected: false,
            new_branch: false,
            commit: Commit::default(),
            project: Project {
                id: 1,
                path: "group/project".to_owned(),
                title: None,
                description: String::new(),
                visibility: "private".to_owned(),
                default_branch: "main".to_owned(),
                config_path: ".gitlab-ci.yml".to_owned(),
                kubernetes_active: false,
                cache_counter: 0,
                separate_protected_caches: true,
            },
            server: Server {
                protocol: "https".to_owned(),
                host: "gitlab.com".to_owned(),
                port: 443,
                version: "18.11.2".to_owned(),
                revision: String::new(),
            },
            user: User {
                id: 1,
                ..User::default()
            },
            variables: Vec::new(),
            settings: Vec::new(),
            predefined: IndexMap::new(),
            inputs: IndexMap::new(),
            schedule: None,
            open_merge_requests: None,
            push_options: BTreeMap::new(),
            chat_job: None,
            upstream: None,
            iid: None,
            created_at: None,
            overrides: Overrides::default(),
        }
    }

    /// `CI_COMMIT_REF_NAME`: branch, tag, or the merge request's source branch.
    pub fn ref_name(&self) -> &str {
        match &self.git_ref {
            Ref::Branch(name) | Ref::Tag(name) => name,
            Ref::MergeRequest(request) => &request.source_branch,
        }
    }

    /// The branch of a branch pipeline.
    pub fn branch(&self) -> Option<&str> {
        match &self.git_ref {
            Ref::Branch(name) => Some(name),
            _ => None,
        }
    }

    /// The tag of a tag pipeline.
    pub fn tag(&self) -> Option<&str> {
        match &self.git_ref {
            Ref::Tag(name) => Some(name),
            _ => None,
        }
    }

    /// The merge request of a merge request pipeline.
    pub fn merge_request(&self) -> Option<&MergeRequest> {
        match &self.git_ref {
            Ref::MergeRequest(request) => Some(request),
            _ => None,
        }
    }
}
