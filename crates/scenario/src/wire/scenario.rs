//! The event a plan was made for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::facts::CacheStateRecord;
use super::input::InputRecord;
use super::variable::{SettingRecord, VariableRecord};
use super::{UnreadableRecord, words};
use crate::scenario::{
    Commit, MergeRequest, MergeRequestKind, Overrides, PipelineSource, Project, Ref, Role,
    Scenario, Server, Upstream, User,
};

/// A scenario. Maps whose order counts are lists of pairs.
#[derive(Serialize, Deserialize, Debug, Clone)]
pub struct ScenarioRecord {
    source: String,
    #[serde(rename = "ref")]
    git_ref: RefRecord,
    protected: bool,
    new_branch: bool,
    commit: CommitRecord,
    project: ProjectRecord,
    server: ServerRecord,
    user: UserRecord,
    variables: Vec<VariableRecord>,
    settings: Vec<SettingRecord>,
    predefined: Vec<(String, String)>,
    inputs: Vec<(String, InputRecord)>,
    schedule: Option<String>,
    open_merge_requests: Option<String>,
    push_options: BTreeMap<String, String>,
    chat_job: Option<String>,
    upstream: Option<UpstreamRecord>,
    /// Recordings of older versions do not have it.
    #[serde(default)]
    iid: Option<u64>,
    created_at: Option<String>,
    overrides: OverridesRecord,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case")]
enum RefRecord {
    Branch(String),
    Tag(String),
    MergeRequest(Box<MergeRequestRecord>),
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct MergeRequestRecord {
    iid: u64,
    source_branch: String,
    target_branch: String,
    source_project: Option<String>,
    kind: KindRecord,
    title: String,
    description: String,
    draft: bool,
    labels: Vec<String>,
    assignees: Vec<String>,
    milestone: Option<String>,
    approved: bool,
    squash: bool,
    source_protected: bool,
    target_protected: bool,
    diff_base_sha: Option<String>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct CommitRecord {
    sha: String,
    before_sha: Option<String>,
    message: String,
    author: String,
    timestamp: String,
    tag_message: Option<String>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct ProjectRecord {
    id: u64,
    path: String,
    title: Option<String>,
    description: String,
    visibility: String,
    default_branch: String,
    config_path: String,
    kubernetes_active: bool,
    cache_counter: u64,
    separate_protected_caches: bool,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct ServerRecord {
    protocol: String,
    host: String,
    port: u16,
    version: String,
    revision: String,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct UserRecord {
    id: u64,
    login: String,
    name: String,
    email: String,
    role: RoleRecord,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct UpstreamRecord {
    pipeline_id: u64,
    project_id: u64,
    job_id: u64,
    depth: u32,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct OverridesRecord {
    changed_paths: StatedPaths,
    caches: BTreeMap<String, CacheStateRecord>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename_all = "snake_case")]
enum StatedPaths {
    NotStated,
    Unknown,
    Paths(Vec<String>),
}

words! { KindRecord of MergeRequestKind { Detached, MergedResult, Train } }
words! { RoleRecord of Role { Guest, Reporter, Developer, Maintainer, Owner } }

impl ScenarioRecord {
    /// The record of a scenario.
    pub fn of(scenario: &Scenario) -> ScenarioRecord {
        let inputs = scenario.inputs.iter();
        let predefined = scenario.predefined.iter();
        ScenarioRecord {
            source: scenario.source.name().to_owned(),
            git_ref: RefRecord::of(&scenario.git_ref),
            protected: scenario.protected,
            new_branch: scenario.new_branch,
            commit: CommitRecord::of(&scenario.commit),
            project: ProjectRecord::of(&scenario.project),
            server: ServerRecord::of(&scenario.server),
            user: UserRecord::of(&scenario.user),
            variables: scenario.variables.iter().map(VariableRecord::of).collect(),
            settings: scenario.settings.iter().map(SettingRecord::of).collect(),
            predefined: predefined
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            inputs: inputs
                .map(|(key, value)| (key.clone(), InputRecord::of(value)))
                .collect(),
            schedule: scenario.schedule.clone(),
            open_merge_requests: scenario.open_merge_requests.clone(),
            push_options: scenario.push_options.clone(),
            chat_job: scenario.chat_job.clone(),
            upstream: scenario.upstream.as_ref().map(UpstreamRecord::of),
            iid: scenario.iid,
            created_at: scenario.created_at.clone(),
            overrides: OverridesRecord::of(&scenario.overrides),
        }
    }

    /// The scenario.
    ///
    /// # Errors
    /// The record holds a word this version does not know.
    pub fn scenario(self) -> Result<Scenario, UnreadableRecord> {
        let source = PipelineSource::from_name(&self.source)
            .ok_or_else(|| UnreadableRecord(format!("no event is called `{}`", self.source)))?;
        let input = |(key, value): (String, InputRecord)| Ok((key, value.value()?));
        let variables = self.variables.into_iter();
        let inputs: Result<_, UnreadableRecord> = self.inputs.into_iter().map(input).collect();
        Ok(Scenario {
            source,
            git_ref: self.git_ref.git_ref(),
            protected: self.protected,
            new_branch: self.new_branch,
            commit: self.commit.commit(),
            project: self.project.project(),
            server: self.server.server(),
            user: self.user.user(),
            variables: variables.map(VariableRecord::variable).collect(),
            settings: self
                .settings
                .into_iter()
                .map(SettingRecord::setting)
                .collect(),
            predefined: self.predefined.into_iter().collect(),
            inputs: inputs?,
            schedule: self.schedule,
            open_merge_requests: self.open_merge_requests,
            push_options: self.push_options,
            chat_job: self.chat_job,
            upstream: self.upstream.map(UpstreamRecord::upstream),
            iid: self.iid,
            created_at: self.created_at,
            overrides: self.overrides.overrides(),
        })
    }
}

impl RefRecord {
    fn of(git_ref: &Ref) -> RefRecord {
        match git_ref {
            Ref::Branch(name) => RefRecord::Branch(name.clone()),
            Ref::Tag(name) => RefRecord::Tag(name.clone()),
            Ref::MergeRequest(request) => {
                RefRecord::MergeRequest(Box::new(MergeRequestRecord::of(request)))
            }
        }
    }

    fn git_ref(self) -> Ref {
        match self {
            RefRecord::Branch(name) => Ref::Branch(name),
            RefRecord::Tag(name) => Ref::Tag(name),
            RefRecord::MergeRequest(request) => Ref::MergeRequest(Box::new(request.request())),
        }
    }
}

/// A struct of the format and one of the model with the same fields.
macro_rules! fields {
    ($record:ident, $model:ident, $back:ident { $($field:ident),* } $(converted { $($other:ident: $with:ident),* })?) => {
        impl $record {
            fn of(model: &$model) -> $record {
                let $model { $($field,)* $($($other,)*)? } = model.clone();
                $record { $($field,)* $($($other: $with::of($other),)*)? }
            }

            fn $back(self) -> $model {
                let $record { $($field,)* $($($other,)*)? } = self;
                $model { $($field,)* $($($other: $other.model(),)*)? }
            }
        }
    };
}

fields!(MergeRequestRecord, MergeRequest, request {
    iid, source_branch, target_branch, source_project, title, description, draft, labels, assignees,
    milestone, approved, squash, source_protected, target_protected, diff_base_sha
} converted { kind: KindRecord });
fields!(
    CommitRecord,
    Commit,
    commit {
        sha,
        before_sha,
        message,
        author,
        timestamp,
        tag_message
    }
);
fields!(
    ProjectRecord,
    Project,
    project {
        id,
        path,
        title,
        description,
        visibility,
        default_branch,
        config_path,
        kubernetes_active,
        cache_counter,
        separate_protected_caches
    }
);
fields!(
    ServerRecord,
    Server,
    server {
        protocol,
        host,
        port,
        version,
        revision
    }
);
fields!(UserRecord, User, user { id, login, name, email } converted { role: RoleRecord });
fields!(
    UpstreamRecord,
    Upstream,
    upstream {
        pipeline_id,
        project_id,
        job_id,
        depth
    }
);

impl OverridesRecord {
    fn of(overrides: &Overrides) -> OverridesRecord {
        let caches = overrides.caches.iter();
        OverridesRecord {
            changed_paths: match &overrides.changed_paths {
                None => StatedPaths::NotStated,
                Some(None) => StatedPaths::Unknown,
                Some(Some(paths)) => StatedPaths::Paths(paths.clone()),
            },
            caches: caches
                .map(|(key, state)| (key.clone(), CacheStateRecord::of(*state)))
                .collect(),
        }
    }

    fn overrides(self) -> Overrides {
        let caches = self.caches.into_iter();
        Overrides {
            changed_paths: match self.changed_paths {
                StatedPaths::NotStated => None,
                StatedPaths::Unknown => Some(None),
                StatedPaths::Paths(paths) => Some(Some(paths)),
            },
            caches: caches.map(|(key, state)| (key, state.model())).collect(),
        }
    }
}
