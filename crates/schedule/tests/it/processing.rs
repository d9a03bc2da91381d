//! The cases of `processing.yml` and `status_composite.yml`, with a reader for just the keywords they use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_pipeline::{
    AutoCancelOnJobFailure, FailureReason, Job, JobIdx, Need, NeedEntry, Pipeline, StageIdx,
    Status, Timeout, When,
};
use tidegate_schedule::{Input, Mode, Schedule, composite};
use tidegate_source::FileId;
use tidegate_yaml::{Limits, Map, Node, Value, load};

use crate::testing::stage_job;

fn parse(text: &str) -> Node {
    let loaded = load(text.as_bytes(), FileId(0), &Limits::default());
    loaded.expect("the case is YAML").content
}

fn field<'a>(node: &'a Node, key: &str) -> &'a Node {
    let map = node.as_map().expect("a mapping");
    map.get(key).unwrap_or_else(|| panic!("no `{key}`"))
}

fn text(node: &Node) -> &str {
    node.as_str().expect("a text")
}

fn list(node: &Node) -> &[Node] {
    node.as_seq().expect("a list")
}

fn entries(map: &Map) -> impl Iterator<Item = (&str, &Node)> {
    map.iter()
        .map(|(key, node)| (key.as_str().expect("a text key"), node))
}

fn pipeline(config: &str) -> Pipeline {
    let config = parse(config);
    let config = config.as_map().expect("a configuration");
    let mut stages: Vec<Arc<str>> = vec![".pre".into()];
    match config.get("stages") {
        Some(written) => stages.extend(list(written).iter().map(|stage| text(stage).into())),
        None => stages.extend(["build", "test", "deploy"].map(Into::into)),
    }
    stages.push(".post".into());
    let jobs: Vec<(&str, &Node)> = entries(config)
        .filter(|(name, _)| !matches!(*name, "stages" | "workflow"))
        .collect();
    let index = |name: &str| {
        let at = jobs.iter().position(|(job, _)| *job == name);
        at.map(|at| JobIdx(at as u32))
    };
    let mut pipeline = Pipeline {
        jobs: jobs
            .iter()
            .map(|(name, body)| job(name, body, &stages, index))
            .collect(),
        stages,
        ..Pipeline::default()
    };
    if let Some(workflow) = config.get("workflow") {
        let on = field(field(workflow, "auto_cancel"), "on_job_failure");
        assert_eq!(text(on), "all");
        pipeline.auto_cancel.on_job_failure = AutoCancelOnJobFailure::All;
    }
    pipeline
}

fn job(
    name: &str,
    body: &Node,
    stages: &[Arc<str>],
    index: impl Fn(&str) -> Option<JobIdx>,
) -> Job {
    let mut job = stage_job(name, 2);
    let mut allow_failure = None;
    for (key, value) in entries(body.as_map().expect("a job")) {
        match key {
            "script" => {}
            "stage" => {
                let at = stages.iter().position(|stage| **stage == *text(value));
                job.stage = StageIdx(at.expect("a stage of the configuration") as u32);
            }
            "when" => job.when = When::from_name(text(value)).expect("a `when`"),
            "allow_failure" => allow_failure = value.value.as_bool(),
            "start_in" => {
                job.start_in = Some(Timeout {
                    text: text(value).into(),
                    duration: Duration::from_secs(5),
                });
            }
            "needs" => {
                job.needs = Some(list(value).iter().filter_map(|n| need(n, &index)).collect())
            }
            other => panic!("the reader does not know `{other}`"),
        }
    }
    job.allow_failure.always = allow_failure.unwrap_or(job.when == When::Manual);
    job
}

fn need(node: &Node, index: impl Fn(&str) -> Option<JobIdx>) -> Option<NeedEntry> {
    let (name, optional) = match node.as_str() {
        Some(name) => (name, false),
        None => (
            text(field(node, "job")),
            field(node, "optional").value.as_bool() == Some(true),
        ),
    };
    let found = index(name);
    assert!(found.is_some() || optional, "no job `{name}`");
    found.map(|job| {
        NeedEntry::Job(Need {
            job,
            artifacts: true,
        })
    })
}

type Statuses = BTreeMap<String, String>;

fn expected(node: &Node) -> (String, Statuses, Statuses) {
    let map = |key| {
        let map = field(node, key).as_map().expect("a mapping");
        entries(map)
            .map(|(name, status)| (name.to_owned(), text(status).to_owned()))
            .collect()
    };
    (
        text(field(node, "pipeline")).to_owned(),
        map("stages"),
        map("jobs"),
    )
}

fn actual(schedule: &Schedule) -> (String, Statuses, Statuses) {
    let pipeline = schedule.pipeline();
    let jobs = pipeline
        .indexed()
        .map(|(at, job)| (job.name.to_string(), schedule.status(at).to_string()));
    let stages = pipeline.jobs.iter().map(|job| {
        let name = pipeline.stage(job.stage).to_owned();
        (name, schedule.stage_status(job.stage).to_string())
    });
    (
        schedule.pipeline_status().to_string(),
        stages.collect(),
        jobs.collect(),
    )
}

fn input(event: &str, job: JobIdx, schedule: &Schedule) -> Input {
    let attempt = schedule.attempt(job);
    match event {
        "enqueue" => Input::DelayOver { job, attempt },
        "run" => Input::JobStarted { job, attempt },
        "success" => Input::JobSucceeded { job, attempt },
        "drop" => Input::JobFailed {
            job,
            attempt,
            reason: FailureReason::ScriptFailure,
            exit_code: Some(1),
        },
        "cancel" => Input::Cancel { job },
        "play" => Input::Play { job },
        "retry" => Input::Retry { job },
        other => panic!("the runner does not know the event `{other}`"),
    }
}

#[test]
fn pipelines_move_as_in_gitlab() {
    let corpus = parse(include_str!("../data/processing.yml"));
    let (mut cases, mut states) = (0, 0);
    for case in list(field(&corpus, "cases")) {
        let id = text(field(case, "id"));
        let config = text(field(field(case, "files"), ".gitlab-ci.yml"));
        let mut schedule = Schedule::new(Arc::new(pipeline(config)));
        schedule.apply(Input::Start).expect("a pipeline starts");
        assert_eq!(
            actual(&schedule),
            expected(field(case, "init")),
            "{id}, init"
        );
        for (at, event) in list(field(case, "events")).iter().enumerate() {
            let name = text(field(event, "event"));
            for job in list(field(event, "jobs")) {
                let job = schedule.pipeline().find(text(job)).expect("a job");
                let input = input(name, job, &schedule);
                schedule
                    .apply(input)
                    .unwrap_or_else(|err| panic!("{id}, event {at}: {err}"));
            }
            let expect = expected(field(event, "expect"));
            assert_eq!(actual(&schedule), expect, "{id}, event {at} ({name})");
            states += 1;
        }
        states += 1;
        cases += 1;
    }
    assert_eq!((cases, states), (56, 192));
}

fn case_status(node: &Node) -> (Status, bool) {
    let (name, allow_failure) = match &node.value {
        Value::Map(map) => (
            text(field(node, "status")),
            map.get("allow_failure")
                .is_some_and(|allow| allow.value.as_bool() == Some(true)),
        ),
        _ => (text(node), false),
    };
    (Status::from_name(name).expect("a status"), allow_failure)
}

#[test]
fn statuses_combine_as_in_gitlab() {
    let corpus = parse(include_str!("../data/status_composite.yml"));
    let cases = list(field(&corpus, "cases"));
    for case in cases {
        let jobs = list(field(case, "statuses")).iter().map(case_status);
        let mode = match field(case, "dag").value.as_bool() {
            Some(true) => Mode::Dag,
            _ => Mode::Stage,
        };
        let found = composite(jobs, mode).map_or(Status::Success, |found| found.status);
        let expect = text(field(field(case, "expect"), "status"));
        assert_eq!(found.name(), expect, "{}", text(field(case, "id")));
    }
    assert!(cases.len() > 20, "{} cases", cases.len());
}
