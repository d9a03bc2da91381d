//! What a successful job leaves besides artifacts: deployments, releases, sites.

use std::sync::Arc;

use serde_json::Value;
use tidegate_exec::JobVariables;
use tidegate_expr::{Variable, expand_as_runner};
use tidegate_pipeline::{
    Environment, EnvironmentResult, Job, JobResult, PagesResult, ReleaseResult,
};

/// What a job will leave if it succeeds, unexpanded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promised {
    environment: Option<Arc<Environment>>,
    release: Option<Value>,
    pages: Option<(Arc<str>, Value)>,
}

impl Promised {
    pub(crate) fn of(job: &Job) -> Promised {
        let Some(build) = job.build() else {
            return Promised::default();
        };
        let keyword = |name: &str| {
            let found = build.further.iter().find(|(key, _)| **key == *name);
            found.and_then(|(_, json)| serde_json::from_str::<Value>(json).ok())
        };
        let pages = build.publish.clone();
        Promised {
            environment: job.environment.clone(),
            release: keyword("release"),
            pages: pages.map(|folder| (folder, keyword("pages").unwrap_or_default())),
        }
    }

    /// The results, with `variables` of the job and those its dotenv reports added; masked values are hidden.
    pub(crate) fn kept(&self, variables: &JobVariables, dotenv: &[Variable]) -> Vec<JobResult> {
        let texts = Texts { variables, dotenv };
        let environment = self.environment.as_deref();
        let environment = environment.map(|it| JobResult::Environment(environment_of(it, &texts)));
        let release = self.release.as_ref();
        let release = release.map(|it| JobResult::Release(release_of(it, &texts)));
        let pages = self.pages.as_ref().map(|(folder, written)| {
            JobResult::Pages(PagesResult {
                folder: texts.expanded(folder),
                path_prefix: texts.of(written, "path_prefix"),
                expire_in: texts.of(written, "expire_in"),
            })
        });
        [environment, release, pages]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn environment_of(written: &Environment, texts: &Texts<'_>) -> EnvironmentResult {
    let expanded = |text: &Option<Arc<str>>| text.as_ref().map(|text| texts.expanded(text));
    EnvironmentResult {
        name: texts.hidden(written.expanded_name.to_string()),
        action: written.action.name().to_owned(),
        url: expanded(&written.url),
        on_stop: written.on_stop.as_ref().map(ToString::to_string),
        auto_stop_in: expanded(&written.auto_stop_in),
        deployment_tier: expanded(&written.deployment_tier),
    }
}

fn release_of(written: &Value, texts: &Texts<'_>) -> ReleaseResult {
    let of = |key: &str| texts.of(written, key);
    let milestones = match &written["milestones"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let links = written["assets"]["links"].as_array();
    let link = |link: &Value| Some((texts.of(link, "name")?, texts.of(link, "url")?));
    ReleaseResult {
        tag_name: of("tag_name").unwrap_or_default(),
        description: of("description").unwrap_or_default(),
        name: of("name"),
        ref_name: of("ref"),
        tag_message: of("tag_message"),
        released_at: of("released_at"),
        milestones: milestones
            .into_iter()
            .map(|it| texts.expanded(it))
            .collect(),
        links: links.into_iter().flatten().filter_map(link).collect(),
    }
}

/// Expands texts and hides what must not be shown.
struct Texts<'v> {
    variables: &'v JobVariables,
    dotenv: &'v [Variable],
}

impl Texts<'_> {
    fn expanded(&self, text: &str) -> String {
        let value = |name: &str| {
            let late = self.dotenv.iter().rfind(|variable| &*variable.key == name);
            let late = late.and_then(|variable| variable.value.as_deref());
            late.or_else(|| self.variables.get(name)).map(Into::into)
        };
        self.hidden(expand_as_runner(text, value).into_string())
    }

    /// The text, or number, under a key.
    fn of(&self, map: &Value, key: &str) -> Option<String> {
        match map.get(key)? {
            Value::String(text) => Some(self.expanded(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn hidden(&self, text: String) -> String {
        let masked = self.variables.masked_values();
        let masked = masked.filter(|value| !value.is_empty());
        masked.fold(text, |text, value| text.replace(value, "[MASKED]"))
    }
}
