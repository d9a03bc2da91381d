//! The `options` of a job as GitLab keeps them.

use serde_json::{Map, Value as Json, json};
use tidegate_yaml::{Node, Value};

use super::entries::{commands, compact, image, listed, parallel};
use crate::json::to_json;
use crate::keyword::duration::{self, Seconds};
use crate::keyword::services::service_nodes;
use crate::typed::specified;
use crate::{Job, NeedSpec};

/// The options; what is not written is left out.
pub(super) fn options(job: &Job) -> Json {
    let body = &*job.body;
    let mut all = Map::new();
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    let keyword = |name| body.keyword(name);
    let raw = |name| body.keyword(name).map(|node| to_json(&node.value));
    put("image", keyword("image").map(image));
    put("services", keyword("services").map(services));
    put(
        "allow_failure_criteria",
        keyword("allow_failure").and_then(criteria),
    );
    put("artifacts", artifacts(job));
    put(
        "dependencies",
        job.dependencies
            .as_ref()
            .map(|names| names.iter().map(|name| Json::from(&*name.value)).collect()),
    );
    put("cross_dependencies", cross_dependencies(job));
    put("job_timeout", keyword("timeout").and_then(seconds));
    put("before_script", keyword("before_script").map(commands));
    put("script", keyword("script").map(commands));
    put("manual_confirmation", raw("manual_confirmation"));
    put("after_script", keyword("after_script").map(commands));
    put("hooks", keyword("hooks").map(hooks));
    put("environment", keyword("environment").map(environment));
    put("resource_group_key", raw("resource_group"));
    put("retry", keyword("retry").map(retry));
    put(
        "parallel",
        keyword("parallel").and_then(|node| instances(job, node)),
    );
    put(
        "instance",
        job.instance.as_ref().map(|instance| json!(instance.index)),
    );
    put("start_in", raw("start_in"));
    put("trigger", keyword("trigger").map(trigger));
    put("bridge_needs", bridge_needs(job));
    put(
        "release",
        keyword("release").map(|node| Json::Object(compact(node))),
    );
    put("publish", raw("publish"));
    put("pages", raw("pages"));
    Json::Object(all)
}

fn services(node: &Node) -> Json {
    service_nodes(node).into_iter().map(image).collect()
}

fn criteria(node: &Node) -> Option<Json> {
    let map = node.as_map()?;
    let Some(codes) = map.get("exit_codes") else {
        return Some(json!({}));
    };
    let codes = if codes.is_null() {
        Json::Null
    } else {
        listed(codes)
    };
    Some(json!({"exit_codes": codes}))
}

fn artifacts(job: &Job) -> Option<Json> {
    let node = job.body.keyword("artifacts");
    let published = job.body.publish.as_ref();
    if node.is_none() && published.is_none() {
        return None;
    }
    let mut artifacts = node.map(compact).unwrap_or_default();
    let written = node.and_then(Node::as_map);
    if let Some(node) = written.and_then(|map| specified(map, "reports")) {
        artifacts.insert("reports".to_owned(), reports(node));
    }
    if let Some(folder) = published {
        let paths = artifacts.entry("paths").or_insert(json!([]));
        let folder = Json::from(&*folder.value);
        if let Some(paths) = paths
            .as_array_mut()
            .filter(|paths| !paths.contains(&folder))
        {
            paths.push(folder);
        }
    }
    Some(Json::Object(artifacts))
}

fn reports(node: &Node) -> Json {
    let mut reports = Map::new();
    for (key, node) in node.as_map().into_iter().flatten() {
        let kind = key.as_str().unwrap_or_default();
        if !node.is_null() {
            let value = match kind {
                "coverage_report" => to_json(&node.value),
                _ => listed(node),
            };
            reports.insert(kind.to_owned(), value);
        }
    }
    Json::Object(reports)
}

fn cross_dependencies(job: &Job) -> Option<Json> {
    let mut found = Vec::new();
    for need in &job.needs.as_ref()?.entries {
        match need {
            NeedSpec::Pipeline(need) => found.extend(need.job.as_ref().map(|job| {
                json!({
                    "pipeline": &*need.pipeline.value,
                    "job": &*job.value,
                    "artifacts": need.artifacts,
                })
            })),
            NeedSpec::Project(need) => found.push(json!({
                "project": &*need.project.value,
                "ref": &*need.reference.value,
                "job": &*need.job.value,
                "artifacts": need.artifacts,
            })),
            _ => {}
        }
    }
    (!found.is_empty()).then_some(Json::Array(found))
}

fn bridge_needs(job: &Job) -> Option<Json> {
    let mut needs = job.needs.as_ref()?.entries.iter();
    needs.find_map(|need| match need {
        NeedSpec::Pipeline(need) if need.job.is_none() => {
            Some(json!({"pipeline": &*need.pipeline.value}))
        }
        _ => None,
    })
}

fn seconds(node: &Node) -> Option<Json> {
    duration::parse_node(node).map(|seconds| match seconds {
        Seconds::Whole(seconds) => json!(seconds),
        Seconds::Fraction(seconds) => json!(seconds),
    })
}

fn hooks(node: &Node) -> Json {
    let mut hooks = Map::new();
    let script = node
        .as_map()
        .and_then(|map| specified(map, "pre_get_sources_script"));
    if let Some(node) = script {
        hooks.insert("pre_get_sources_script".to_owned(), commands(node));
    }
    Json::Object(hooks)
}

fn environment(node: &Node) -> Json {
    match node.as_map() {
        Some(_) => Json::Object(compact(node)),
        None => json!({"name": to_json(&node.value), "action": "start"}),
    }
}

fn retry(node: &Node) -> Json {
    if node.as_map().is_none() {
        return json!({"max": to_json(&node.value)});
    }
    let mut retry = compact(node);
    for name in ["when", "exit_codes"] {
        if let Some(value) = retry.get_mut(name).filter(|value| !value.is_array()) {
            *value = Json::Array(vec![value.take()]);
        }
    }
    Json::Object(retry)
}

fn instances(job: &Job, node: &Node) -> Option<Json> {
    let total = job.instance.as_ref()?.total;
    Some(match &node.value {
        Value::Map(_) => {
            let mut value = parallel(node);
            if let Some(map) = value.as_object_mut() {
                map.insert("total".to_owned(), json!(total));
            }
            value
        }
        _ => json!({"number": total, "total": total}),
    })
}

fn trigger(node: &Node) -> Json {
    match node.as_map() {
        Some(_) => Json::Object(compact(node)),
        None => json!({"project": to_json(&node.value)}),
    }
}
