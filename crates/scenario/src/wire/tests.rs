use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_expr::{Variable, VariableSource};

use super::*;
use crate::fact::{Fact, Why};
use crate::input::InputValue;
use crate::recorder::Facts;
use crate::scenario::{
    MergeRequest, MergeRequestKind, PipelineSource, Ref, Role, Scenario, SettingVariable, Upstream,
};
use crate::world::{
    CacheQuery, CacheState, ChangedPaths, Comparison, Component, Place, ProjectFacts, Remote,
};

fn read_back(scenario: &Scenario) -> Scenario {
    let text = serde_json::to_string(&ScenarioRecord::of(scenario)).unwrap();
    let record: ScenarioRecord = serde_json::from_str(&text).unwrap();
    record.scenario().unwrap()
}

#[test]
fn a_scenario_is_read_back_as_it_was() {
    let mut scenario = Scenario::push("main");
    scenario.user.role = Role::Owner;
    scenario.variables = vec![Variable {
        value: None,
        raw: true,
        file: true,
        masked: true,
        ..Variable::new("A", "", VariableSource::Schedule)
    }];
    scenario.settings = vec![SettingVariable {
        variable: Variable::new("B", "b", VariableSource::SettingGroup),
        protected: true,
        environment_scope: "review/*".to_owned(),
    }];
    for (key, value) in [("Z", "1"), ("A", "2")] {
        scenario.predefined.insert(key.into(), value.into());
    }
    let map = InputValue::Map(vec![("k".into(), InputValue::Bool(true))]);
    let list = InputValue::List(vec![InputValue::Null, InputValue::Integer(-3), map]);
    for (key, value) in [
        ("list", list),
        ("number", InputValue::Float(1.0)),
        ("infinite", InputValue::Float(f64::NEG_INFINITY)),
        ("text", InputValue::Text("3".into())),
    ] {
        scenario.inputs.insert(key.into(), value);
    }
    scenario.push_options.insert("skip".into(), String::new());
    scenario.upstream = Some(Upstream {
        pipeline_id: 1,
        project_id: 2,
        job_id: 3,
        depth: 1,
    });
    scenario.overrides.caches = BTreeMap::from([("k".to_owned(), CacheState::Present)]);
    for stated in [None, Some(None), Some(Some(vec!["a".to_owned()]))] {
        scenario.overrides.changed_paths = stated;
        assert_eq!(read_back(&scenario), scenario);
    }
    scenario.git_ref = Ref::Tag("v1".into());
    assert_eq!(read_back(&scenario), scenario);
    scenario.git_ref = Ref::MergeRequest(Box::new(MergeRequest {
        iid: 7,
        source_branch: "topic".into(),
        target_branch: "main".into(),
        source_project: Some("fork/project".into()),
        kind: MergeRequestKind::MergedResult,
        title: "t".into(),
        description: "d".into(),
        draft: true,
        labels: vec!["l".into()],
        assignees: vec!["a".into()],
        milestone: Some("m".into()),
        approved: true,
        squash: true,
        source_protected: true,
        target_protected: false,
        diff_base_sha: Some("abc".into()),
    }));
    assert_eq!(read_back(&scenario), scenario);
}

#[test]
fn every_event_is_read_back() {
    for source in PipelineSource::ALL {
        let mut scenario = Scenario::push("main");
        scenario.source = source;
        assert_eq!(read_back(&scenario).source, source);
    }
}

#[test]
fn facts_are_read_back_as_they_were() {
    let bytes: Arc<[u8]> = b"\xff\0text"[..].into();
    let there = || Place::Project {
        path: "group/other".into(),
        sha: "abc".into(),
    };
    let mut facts = Facts::default();
    let query = |comparison| ChangedPaths {
        base: "main".into(),
        comparison,
    };
    let paths = Fact::Known(["b", "a"].into_iter().collect());
    facts.changed_paths = BTreeMap::from([
        (query(Comparison::Direct), paths.clone()),
        (query(Comparison::MergeBase), Fact::Unknown(Why::Offline)),
    ]);
    facts.trees = BTreeMap::from([
        (Place::Here, paths),
        (there(), Fact::Unknown(Why::TimedOut)),
    ]);
    facts.files = BTreeMap::from([
        ((Place::Here, "a".into()), Fact::Known(Some(bytes.clone()))),
        ((there(), "a".into()), Fact::Known(None)),
    ]);
    let ids = Fact::Known(vec![Some("f00d".to_owned()), None]);
    facts.blob_ids = BTreeMap::from([(vec!["a".to_owned(), "b".to_owned()], ids.clone())]);
    facts.last_commits = BTreeMap::from([(vec!["a".to_owned(), "b".to_owned()], ids)]);
    let project = ProjectFacts {
        default_branch: "trunk".into(),
    };
    facts.projects = BTreeMap::from([("group/other".into(), Fact::Known(Some(project)))]);
    facts.revisions = BTreeMap::from([
        ((None, "v1".into()), Fact::Known(None)),
        (
            (Some("group/other".into()), "v1".into()),
            Fact::Known(Some("abc".into())),
        ),
    ]);
    facts.remotes = [
        ("a", Fact::Known(Remote::Body(bytes.clone()))),
        (
            "b",
            Fact::Known(Remote::Status {
                code: 404,
                attempts: 3,
            }),
        ),
        ("c", Fact::Known(Remote::SocketError)),
        ("d", Fact::Known(Remote::TimedOut)),
        ("e", Fact::Known(Remote::HttpError)),
        ("f", Fact::Unknown(Why::Refused("no".into()))),
        ("g", Fact::Unknown(Why::NotConfigured("no".into()))),
        ("h", Fact::Unknown(Why::Failed("no".into()))),
        ("i", Fact::Unknown(Why::NotApplicable("no".into()))),
        ("j", Fact::Unknown(Why::NotRecorded)),
    ]
    .into_iter()
    .map(|(url, answer)| (url.to_owned(), answer))
    .collect();
    facts.templates = BTreeMap::from([("Go".into(), Fact::Known(Some(bytes.clone())))]);
    let component = Component {
        sha: "abc".into(),
        version: Some("1.0.0".into()),
        path: "templates/c.yml".into(),
        content: bytes.clone(),
    };
    let asked = (
        "group/other".to_owned(),
        "c".to_owned(),
        "~latest".to_owned(),
    );
    facts.components = BTreeMap::from([(asked, Fact::Known(Some(component)))]);
    facts.artifacts = BTreeMap::from([(("job".into(), "out".into()), Fact::Known(Some(bytes)))]);
    let key = |key: &str| CacheQuery { key: key.into() };
    facts.caches = BTreeMap::from([
        (key("a"), Fact::Known(CacheState::Present)),
        (key("b"), Fact::Known(CacheState::Missing)),
    ]);
    let text = serde_json::to_string(&FactsRecord::of(&facts)).unwrap();
    let record: FactsRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(record.facts(), Ok(facts));
}
