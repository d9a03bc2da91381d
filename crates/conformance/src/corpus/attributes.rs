//! Final attributes of planned jobs in the words of `corpus/FORMAT.md` §3.5.

use serde_json::{Value as Json, json};
use tidegate_config::Job as Written;
use tidegate_expr::{Lookup, NestedOptions, sort_and_expand};
use tidegate_pipeline::{Build, CrossNeed, Job, Pipeline};
use tidegate_plan::{Decision, NeedFate};

use super::compare::{compare, is_found};

/// Everything an attribute may come from.
pub(super) struct Sources<'s> {
    pub(super) pipeline: &'s Pipeline,
    pub(super) planned: &'s Job,
    pub(super) written: &'s Written,
    pub(super) decision: &'s Decision,
    /// The configured job in GitLab's form.
    pub(super) build: &'s Json,
}

/// Compares one attribute.
pub(super) fn attribute(
    what: &str,
    name: &str,
    expected: &Json,
    of: &Sources<'_>,
) -> Result<(), String> {
    match name {
        "needs" => compare(what, &long_needs(expected), &needs(of)),
        "cache" => cache(what, expected, of),
        "variables" => each(what, expected, |key| value(of, key)),
        "expanded_variables" => {
            let sorted = sort_and_expand(&of.planned.variables, NestedOptions::FOR_RUNNER)
                .map_err(|error| error.to_string())?;
            each(what, expected, |key| {
                let found = sorted.lookup(key);
                found
                    .and_then(|v| v.value.as_deref())
                    .map_or(Json::Null, Json::from)
            })
        }
        "no_variables" => {
            let names = expected.as_array().into_iter().flatten();
            let defined: Vec<&str> = names
                .filter_map(Json::as_str)
                .filter(|name| of.planned.variables.lookup(name).is_some())
                .collect();
            compare(what, &json!([]), &json!(defined))
        }
        "raw_variables" => {
            let names = expected.as_array().into_iter().flatten();
            let raw: Vec<&str> = names
                .filter_map(Json::as_str)
                .filter(|name| of.planned.variables.lookup(name).is_some_and(|v| v.raw))
                .collect();
            compare(what, expected, &json!(raw))
        }
        // Not written and written empty are one for these.
        "before_script" | "after_script" | "tags" if expected.is_null() => {
            compare(what, &json!([]), &found(name, of)?)
        }
        _ => compare(what, expected, &found(name, of)?),
    }
}

fn each(what: &str, expected: &Json, found: impl Fn(&str) -> Json) -> Result<(), String> {
    for (key, expected) in expected.as_object().into_iter().flatten() {
        compare(&format!("{what}.{key}"), expected, &found(key))?;
    }
    Ok(())
}

fn value(of: &Sources<'_>, key: &str) -> Json {
    let found = of.planned.variables.lookup(key);
    found
        .and_then(|variable| variable.value.as_deref())
        .map_or(Json::Null, Json::from)
}

fn found(name: &str, of: &Sources<'_>) -> Result<Json, String> {
    let job = of.planned;
    let options = &of.build["options"];
    let build = job.build();
    let lines = |lines: fn(&Build) -> &Vec<std::sync::Arc<str>>| {
        build.map_or(json!([]), |build| json!(texts(lines(build))))
    };
    Ok(match name {
        "name" => json!(&*job.name),
        "stage" => json!(of.pipeline.stage(job.stage)),
        "when" => json!(job.when.name()),
        "allow_failure" => json!(job.allow_failure.always),
        "allow_failure_exit_codes" if job.allow_failure.exit_codes.is_empty() => Json::Null,
        "allow_failure_exit_codes" => json!(job.allow_failure.exit_codes),
        "start_in" => json!(job.start_in.as_ref().map(|start_in| &*start_in.text)),
        "needs_in_pipeline" => {
            let needed = job.needed_jobs();
            needed
                .map(|need| json!(&*of.pipeline.job(need.job).name))
                .collect()
        }
        "scheduling" => json!(if job.is_dag() { "dag" } else { "stage" }),
        "dependencies" => match &job.dependencies {
            Some(_) => {
                let names = of.written.dependencies.iter().flatten();
                names.map(|name| json!(&*name.value)).collect()
            }
            None => Json::Null,
        },
        "cross_dependencies" => job.cross_needs.iter().map(cross_need).collect(),
        "script" => lines(|build| &build.script),
        "before_script" => lines(|build| &build.before_script),
        "after_script" => lines(|build| &build.after_script),
        "tags" => json!(texts(&job.tags)),
        "interruptible" => json!(job.interruptible),
        "resource_group" => json!(job.resource_group.as_ref().map(|group| &*group.key)),
        "environment" => {
            let mut all = options["environment"].clone();
            if let (Some(known), Some(all)) = (&job.environment, all.as_object_mut()) {
                all.insert("expanded_name".into(), json!(&*known.expanded_name));
            }
            all
        }
        "retry" => options["retry"].clone(),
        "timeout" => options["job_timeout"].clone(),
        "coverage" => json!(build.and_then(|build| build.coverage.as_deref())),
        "run" => of.build["execution_config"]["run_steps"].clone(),
        "id_tokens" => of.build["id_tokens"].clone(),
        "image" => with_executors(&options["image"]),
        "services" => {
            let services = options["services"].as_array().into_iter().flatten();
            services.map(with_executors).collect()
        }
        "hooks" | "trigger" | "release" | "pages" => options[name].clone(),
        "artifacts" => {
            let mut all = options[name].clone();
            if let Some(all) = all.as_object_mut() {
                all.entry("when").or_insert_with(|| json!("on_success"));
            }
            all
        }
        "publish" if options[name].is_null() => options["pages"]["publish"].clone(),
        "publish" => options[name].clone(),
        "parallel" => match &of.written.instance {
            Some(instance) => json!({"index": instance.index, "total": instance.total}),
            None => Json::Null,
        },
        other => return Err(format!("unknown attribute {other}")),
    })
}

/// GitLab keeps what is meant for one executor in a map of its own.
fn with_executors(image: &Json) -> Json {
    let mut all = image.clone();
    if let (Some(all), Some(own)) = (all.as_object_mut(), image["executor_opts"].as_object()) {
        all.extend(own.clone());
    }
    all
}

fn texts(items: &[std::sync::Arc<str>]) -> Vec<&str> {
    items.iter().map(|item| &**item).collect()
}

fn cross_need(need: &CrossNeed) -> Json {
    match need {
        CrossNeed::Pipeline {
            pipeline,
            job,
            artifacts,
        } => json!({"pipeline": &**pipeline, "job": &**job, "artifacts": artifacts}),
        CrossNeed::Project {
            project,
            reference,
            job,
            artifacts,
        } => json!({
            "project": &**project, "ref": &**reference, "job": &**job, "artifacts": artifacts,
        }),
    }
}

/// `a` is short for a need that wants artifacts and is not optional.
fn long_needs(expected: &Json) -> Json {
    let long = |need: &Json| match need {
        Json::String(name) => json!({"job": name, "artifacts": true, "optional": false}),
        map => map.clone(),
    };
    match expected {
        Json::Array(needs) => needs.iter().map(long).collect(),
        other => other.clone(),
    }
}

fn needs(of: &Sources<'_>) -> Json {
    let trials = of.decision.trace.iter().flat_map(|trace| &trace.needs);
    trials
        .filter(|trial| trial.fate != NeedFate::Elsewhere)
        .map(|trial| {
            json!({
                "job": &*trial.name, "artifacts": trial.artifacts, "optional": trial.optional,
            })
        })
        .collect()
}

/// Keys are those computed when the pipeline is created.
fn cache(what: &str, expected: &Json, of: &Sources<'_>) -> Result<(), String> {
    let mut found = match &of.build["cache"] {
        Json::Array(caches) => caches.clone(),
        _ => Vec::new(),
    };
    let keys = of.planned.build().map(|build| build.cache_keys.clone());
    for (cache, key) in found.iter_mut().zip(keys.iter().flatten()) {
        cache["key"] = json!(&**key);
    }
    let Json::Array(wanted) = expected else {
        return compare(what, expected, &Json::from(found));
    };
    let mut plain = wanted.clone();
    for (at, wanted) in plain.iter_mut().enumerate() {
        let Some(pattern) = wanted
            .as_object_mut()
            .and_then(|map| map.remove("key_match"))
        else {
            continue;
        };
        let key = found.get(at).map(|cache| cache["key"].clone());
        let key = key.as_ref().and_then(Json::as_str).unwrap_or_default();
        if !is_found(pattern.as_str().unwrap_or_default(), key)? {
            return Err(format!(
                "{what}[{at}] has the key {key}, expected {pattern}"
            ));
        }
    }
    compare(what, &Json::from(plain), &Json::from(found))
}
