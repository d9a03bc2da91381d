//! The situation and the world of a case (`corpus/FORMAT.md` §3.1 to §3.3).

use serde_json::Value as Json;
use tidegate_expr::{Variable, VariableSource};
use tidegate_scenario::{
    FixtureProject, FixtureWorld, InputValue, MergeRequest, MergeRequestKind, PipelineSource, Ref,
    Remote, Scenario, SettingVariable,
};

fn text<'j>(of: &'j Json, key: &str, default: &'j str) -> &'j str {
    of[key].as_str().unwrap_or(default)
}

fn flag(of: &Json, key: &str) -> bool {
    of[key] == Json::Bool(true)
}

fn entries(of: &Json) -> impl Iterator<Item = (&String, &Json)> {
    of.as_object().into_iter().flatten()
}

fn paths(of: &Json) -> Vec<String> {
    let items = of.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// What the pipeline of a case runs for.
pub(super) fn scenario(case: &Json) -> Result<Scenario, String> {
    let context = &case["context"];
    let mut scenario = Scenario::push(text(context, "ref", "main"));
    let source = text(context, "source", "push");
    scenario.source = PipelineSource::from_name(source).ok_or(format!("no source {source}"))?;
    scenario.project.default_branch = text(context, "default_branch", "main").to_owned();
    scenario.project.path = text(context, "project_path", "group/project").to_owned();
    scenario.project.kubernetes_active = flag(context, "kubernetes_active");
    scenario.server.host = text(context, "server_host", "gitlab.com").to_owned();
    scenario.protected = flag(context, "protected");
    scenario.new_branch = flag(context, "new_branch");
    scenario.commit.sha = "5b7ae9e5b1f2a35d1f1a4c9f9a1a2f0b3c4d5e6f".to_owned();
    scenario.commit.message = text(context, "commit_message", "Change things").to_owned();
    scenario.open_merge_requests = context["open_merge_requests"].as_str().map(str::to_owned);
    if flag(context, "tag") {
        scenario.git_ref = Ref::Tag(text(context, "ref", "main").to_owned());
    }
    if context["merge_request"].is_object() {
        scenario.git_ref = Ref::MergeRequest(Box::new(merge_request(&context["merge_request"])));
    }
    scenario.variables = entries(&context["variables"])
        .map(|(key, value)| variable(key, value, VariableSource::Given))
        .collect();
    scenario.settings = entries(&context["project_variables"])
        .map(|(key, value)| SettingVariable {
            variable: variable(key, value, VariableSource::SettingProject),
            protected: false,
            environment_scope: "*".to_owned(),
        })
        .collect();
    for (name, value) in entries(&context["push_options"]["ci"]) {
        let value = value.as_str().map_or(value.to_string(), str::to_owned);
        scenario.push_options.insert(name.clone(), value);
    }
    let inputs = entries(&case["inputs"]);
    scenario.inputs = inputs
        .map(|(name, value)| (name.clone(), input(value)))
        .collect();
    let changed = context.get("changed_files");
    scenario.overrides.changed_paths = Some(match changed {
        Some(Json::Null) => None,
        stated => Some(stated.map(paths).unwrap_or_default()),
    });
    Ok(scenario)
}

fn merge_request(given: &Json) -> MergeRequest {
    MergeRequest {
        iid: given["iid"].as_u64().unwrap_or(1),
        source_branch: text(given, "source_branch", "feature").to_owned(),
        target_branch: text(given, "target_branch", "main").to_owned(),
        source_project: None,
        kind: MergeRequestKind::Detached,
        title: String::new(),
        description: String::new(),
        draft: false,
        labels: Vec::new(),
        assignees: Vec::new(),
        milestone: None,
        approved: false,
        squash: false,
        source_protected: false,
        target_protected: false,
        diff_base_sha: None,
    }
}

fn variable(key: &str, value: &Json, source: VariableSource) -> Variable {
    let text = value.as_str().or(value["value"].as_str());
    Variable {
        masked: flag(value, "masked"),
        ..Variable::new(key, text.unwrap_or_default(), source)
    }
}

fn input(value: &Json) -> InputValue {
    match value {
        Json::Null => InputValue::Null,
        Json::Bool(value) => InputValue::Bool(*value),
        Json::String(text) => InputValue::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(number) => InputValue::Integer(number),
            None => InputValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => InputValue::List(items.iter().map(input).collect()),
        Json::Object(map) => {
            let entries = map.iter();
            InputValue::Map(
                entries
                    .map(|(name, value)| (name.clone(), input(value)))
                    .collect(),
            )
        }
    }
}

/// What the case states about the outside.
pub(super) fn world(case: &Json) -> FixtureWorld {
    let context = &case["context"];
    let files = entries(&case["files"]);
    let mut world = FixtureWorld::with_files(
        files.map(|(path, text)| (path.as_str(), text.as_str().unwrap_or_default())),
    );
    world.tree = paths(&context["tree"]);
    world.compare = entries(&context["compare"])
        .map(|(name, changed)| (name.clone(), paths(changed)))
        .collect();
    world.projects = entries(&context["projects"])
        .map(|(path, stated)| (path.to_lowercase(), project(stated)))
        .collect();
    world.remotes = entries(&context["remote_files"])
        .map(|(url, answer)| (url.clone(), remote(answer)))
        .collect();
    world
}

fn project(stated: &Json) -> FixtureProject {
    let contents = |files: &Json| {
        let files = entries(files);
        files
            .map(|(path, text)| (path.clone(), text.as_str().unwrap_or_default().to_owned()))
            .collect()
    };
    let refs = entries(&stated["refs"]);
    FixtureProject {
        default_branch: text(stated, "default_branch", "main").to_owned(),
        refs: refs
            .map(|(name, files)| (name.clone(), contents(files)))
            .collect(),
    }
}

fn remote(answer: &Json) -> Remote {
    if let Some(body) = answer["body"].as_str() {
        return Remote::Body(body.as_bytes().into());
    }
    match answer["status"].as_u64() {
        Some(code) => {
            // GitLab asks three times where asking again may help.
            let again = code == 429 || code >= 500;
            Remote::Status {
                code: u16::try_from(code).unwrap_or(u16::MAX),
                attempts: if again { 3 } else { 1 },
            }
        }
        None => Remote::SocketError,
    }
}
