//! GitLab's own form of a loaded configuration: the attributes of its jobs and the job list of its lint API
//! (reference `config.md` §10.3, §13).

mod entries;
mod options;
mod rules;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json, json};

use crate::json::to_json;
use crate::keyword::needs::need_nodes;
use crate::{AllowFailureSpec, Config, IfAbsent, InheritVariables, Job, NeedSpec};

/// The attributes GitLab builds a job from, by full name in definition order.
///
/// Keys that GitLab leaves out are left out. The planner does not read this: it exists to compare with GitLab and for
/// programs that want GitLab's form. `None` where the load did not keep what was written
/// ([`Settings::keep_written`](crate::Settings::keep_written)).
pub fn builds(config: &Config) -> Option<Vec<Json>> {
    let jobs = config.jobs.values();
    jobs.map(|job| job.body.written.as_ref().map(|_| attributes(config, job)))
        .collect()
}

/// The `jobs` of GitLab's lint API for a static check, ordered by stage, then by definition; `None` as with [`builds`].
pub fn lint_jobs(config: &Config) -> Option<Vec<Json>> {
    let mut of_stage: FxHashMap<&str, Vec<Json>> = FxHashMap::default();
    for job in config.jobs.values() {
        job.body.written.as_ref()?;
        let stage = &*job.body.stage.value;
        of_stage.entry(stage).or_default().push(lint_job(job));
    }
    let stages = config.stages.iter();
    // A stage written twice lists its jobs twice, as in GitLab.
    let listed = stages.filter_map(|stage| of_stage.get(&*stage.value));
    Some(listed.flatten().cloned().collect())
}

fn attributes(config: &Config, job: &Job) -> Json {
    let body = &*job.body;
    let mut all = Map::new();
    all.insert(
        "stage_idx".into(),
        json!(config.stage_index(&body.stage.value)),
    );
    all.insert("stage".into(), json!(&*body.stage.value));
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    put("tag_list", body.keyword("tags").map(json_of));
    put("name", Some(json!(&*job.name)));
    put("allow_failure", Some(json!(allows_failure(job))));
    put("when", Some(json!(when(job))));
    let environment = body.environment.as_ref();
    put(
        "environment",
        environment.map(|environment| json!(&*environment.name.value)),
    );
    put(
        "coverage_regex",
        body.coverage.as_ref().map(|text| json!(&*text.value)),
    );
    put("inputs", body.keyword("inputs").map(entries::inputs));
    put("job_variables", Some(entries::variables(job)));
    put(
        "root_variables_inheritance",
        Some(inheritance(&body.inherit_variables)),
    );
    put("needs_attributes", needs_attributes(job));
    put(
        "interruptible",
        body.interruptible.map(|value| json!(value.value)),
    );
    put("only", only(job));
    put("except", except(job));
    put("rules", body.keyword("rules").map(rules::rules));
    put("cache", body.keyword("cache").map(entries::caches));
    let group = body.resource_group.as_ref();
    put("resource_group_key", group.map(|text| json!(&*text.value)));
    put("scheduling_type", Some(json!(scheduling_type(job))));
    put("id_tokens", body.keyword("id_tokens").map(json_of));
    let steps = body.keyword("run");
    put(
        "execution_config",
        steps.map(|node| json!({"run_steps": json_of(node)})),
    );
    put("options", Some(options::options(job)));
    Json::Object(all)
}

fn lint_job(job: &Job) -> Json {
    let body = &*job.body;
    let texts = |texts: &[crate::Text]| -> Json {
        texts.iter().map(|text| Json::from(&*text.value)).collect()
    };
    let environment = body.environment.as_ref();
    json!({
        "name": &*job.name,
        "stage": &*body.stage.value,
        "before_script": texts(&body.inheritable.before_script),
        "script": texts(&body.script),
        "after_script": texts(&body.inheritable.after_script),
        "tag_list": texts(&body.inheritable.tags),
        "only": only(job),
        "except": except(job),
        "environment": environment.map(|environment| &*environment.name.value),
        "when": when(job),
        "allow_failure": allows_failure(job),
        "needs": needs_attributes(job),
    })
}

fn json_of(node: &tidegate_yaml::Node) -> Json {
    to_json(&node.value)
}

fn when(job: &Job) -> &'static str {
    job.body.when.map_or("on_success", |when| when.value.name())
}

fn allows_failure(job: &Job) -> bool {
    match &job.body.allow_failure {
        Some(written) => matches!(written.value, AllowFailureSpec::Always(true)),
        None => when(job) == "manual",
    }
}

fn scheduling_type(job: &Job) -> &'static str {
    if job.needs.is_some() { "dag" } else { "stage" }
}

fn inheritance(inherit: &InheritVariables) -> Json {
    match inherit {
        InheritVariables::All(all) => Json::from(*all),
        InheritVariables::Only(names) => names.iter().map(|name| Json::from(&**name)).collect(),
    }
}

/// The needs of jobs of this pipeline, or `None` where there are none.
fn needs_attributes(job: &Job) -> Option<Json> {
    let mut needs = Vec::new();
    for need in &job.needs.as_ref()?.entries {
        if let NeedSpec::Job {
            name,
            artifacts,
            if_absent,
        } = need
        {
            let optional = *if_absent == IfAbsent::Ignore;
            let mut need =
                json!({"name": &*name.value, "artifacts": artifacts, "optional": optional});
            if let (Some(map), Some(parallel)) =
                (need.as_object_mut(), unused_matrix(job, &name.value))
            {
                map.insert("parallel".to_owned(), parallel);
            }
            needs.push(need);
        }
    }
    (!needs.is_empty()).then_some(Json::Array(needs))
}

/// The matrix written with a need on a job that is not parallel: GitLab leaves it standing.
fn unused_matrix(job: &Job, name: &str) -> Option<Json> {
    let written = need_nodes(job.body.keyword("needs")?);
    written.into_iter().find_map(|node| {
        let map = node.as_map()?;
        let same = map.get("job").and_then(|node| node.as_str()) == Some(name);
        let parallel = map.get("parallel").filter(|node| same && !node.is_null());
        parallel.map(entries::parallel)
    })
}

fn only(job: &Job) -> Option<Json> {
    job.body.only.as_ref()?;
    Some(match job.body.keyword("only") {
        Some(node) if node.as_seq().is_some() => json!({"refs": json_of(node)}),
        Some(node) => with_default_refs(json_of(node)),
        None => json!({"refs": ["branches", "tags"]}),
    })
}

fn with_default_refs(mut policy: Json) -> Json {
    if let Some(map) = policy.as_object_mut() {
        map.entry("refs").or_insert(json!(["branches", "tags"]));
    }
    policy
}

fn except(job: &Job) -> Option<Json> {
    let node = job.body.keyword("except")?;
    Some(match node.as_seq() {
        Some(_) => json!({"refs": json_of(node)}),
        None => json_of(node),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::typed::testing::{gitlab, valid};

    #[test]
    fn attributes_carry_defaults_and_leave_out_what_is_not_written() {
        let config = valid(&gitlab(), "j: {script: x, cache: {key: k}, when: manual}");
        let expected = json!([{
            "stage_idx": 2, "stage": "test", "name": "j", "allow_failure": true, "when": "manual",
            "job_variables": [], "root_variables_inheritance": true,
            "only": {"refs": ["branches", "tags"]},
            "cache": [{
                "key": "k", "unprotect": false, "policy": "pull-push", "when": "on_success",
                "fallback_keys": [],
            }],
            "scheduling_type": "stage", "options": {"script": ["x"]},
        }]);
        assert_eq!(Json::from(builds(&config).unwrap()), expected);
    }

    #[test]
    fn matrix_values_override_variables_of_the_same_name() {
        let yaml = "j: {script: x, variables: {A: a, B: b}, parallel: {matrix: [{A: m, C: c}]}}";
        let config = valid(&gitlab(), yaml);
        let variables = json!([
            {"key": "A", "value": "m"}, {"key": "B", "value": "b"}, {"key": "C", "value": "c"},
        ]);
        assert_eq!(builds(&config).unwrap()[0]["job_variables"], variables);
    }

    #[test]
    fn lint_lists_jobs_by_stage_then_by_definition() {
        let yaml = "a: {script: x, stage: deploy}\nb: {script: x}\nc: {script: x, stage: build}";
        let config = valid(&gitlab(), yaml);
        let jobs = lint_jobs(&config).unwrap();
        let names: Vec<_> = jobs.iter().map(|job| &job["name"]).collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert_eq!(jobs[0]["needs"], Json::Null);
    }
}
