//! Cases of kind `pipeline`: load, validate, plan, compare (`corpus/FORMAT.md` §3).

use serde_json::Value as Json;
use tidegate_config::{Config, RootFile, Settings, load, normalized};
use tidegate_plan::{Detail, Outcome, Plan, plan, stopped_before_loading};
use tidegate_scenario::{Scenario, World};
use tidegate_source::{Diagnostic, Severity};

use super::attributes::attribute;
use super::compare::compare;
use super::outcome::judge_outcome;
use super::situation;
use super::world::CaseWorld;

/// What became of a case.
pub(super) struct Found {
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) planned: Option<(Config, Plan)>,
}

impl Found {
    pub(super) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

pub(super) fn judge(case: &Json) -> Result<(), String> {
    let scenario = situation::scenario(case)?;
    let found = found_of(case, &scenario)?;
    let expect = &case["expect"];
    judge_outcome(expect, &found)?;
    let Some((config, plan)) = &found.planned else {
        return Ok(());
    };
    judge_jobs(expect, config, plan)
}

/// Loads and plans a case.
pub(super) fn found_of(case: &Json, scenario: &Scenario) -> Result<Found, String> {
    found(scenario, &CaseWorld(situation::world(case)))
}

fn found(scenario: &Scenario, world: &CaseWorld) -> Result<Found, String> {
    let mut found = Found {
        errors: Vec::new(),
        warnings: Vec::new(),
        planned: None,
    };
    let settings = tidegate_plan::Settings::default();
    if let Some(stopped) = stopped_before_loading(scenario, &settings) {
        found.errors = errors(&stopped.diagnostics);
        found.planned = Some((Config::default(), stopped));
        return Ok(found);
    }
    let Some(text) = world.0.files.get(".gitlab-ci.yml") else {
        found.errors.push("Missing CI config file".to_owned());
        return Ok(found);
    };
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: text.as_bytes().into(),
    };
    let world: &dyn World = world;
    let loaded = load(&root, scenario, world, &Settings::default()).map_err(|e| e.to_string())?;
    let of = |severity| {
        let found = loaded.diagnostics.of(severity);
        found.map(|diagnostic| diagnostic.message.clone()).collect()
    };
    found.errors = of(Severity::Error);
    found.warnings = of(Severity::Warning);
    if let (Some(config), true) = (loaded.config, found.errors.is_empty()) {
        let plan = plan(&config, scenario, world, &Detail::All).map_err(|e| e.to_string())?;
        found.errors = errors(&plan.diagnostics);
        found.planned = Some((config, plan));
    }
    Ok(found)
}

fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error());
    errors
        .map(|diagnostic| diagnostic.message.clone())
        .collect()
}

fn judge_jobs(expect: &Json, config: &Config, plan: &Plan) -> Result<(), String> {
    let Outcome::Created(pipeline) = &plan.outcome else {
        return match &expect["jobs"] {
            Json::Null => Ok(()),
            _ => Err(format!("jobs are expected, but it is {:?}", plan.outcome)),
        };
    };
    let order = pipeline.in_stage_order();
    let names: Vec<Json> = order
        .iter()
        .map(|job| Json::from(&*pipeline.job(*job).name))
        .collect();
    if let Some(count) = expect["job_count"].as_u64() {
        compare("job_count", &Json::from(count), &Json::from(order.len()))?;
    }
    if let Some(stages) = expect.get("stages") {
        let mut found: Vec<&str> = order
            .iter()
            .map(|job| pipeline.stage(pipeline.job(*job).stage))
            .collect();
        found.dedup();
        compare("stages", stages, &Json::from(found))?;
    }
    let Some(jobs) = expect["jobs"].as_array() else {
        return Ok(());
    };
    let expected: Vec<Json> = jobs
        .iter()
        .map(|job| match job {
            Json::String(_) => job.clone(),
            map => map["name"].clone(),
        })
        .collect();
    if expected != names {
        return Err(format!(
            "jobs are {}, expected {}",
            Json::from(names),
            Json::from(expected)
        ));
    }
    let builds = normalized::builds(config).ok_or("the load kept nothing written")?;
    for (job, at) in jobs.iter().zip(&order) {
        let planned = pipeline.job(*at);
        let build = builds.iter().find(|build| build["name"] == *planned.name);
        let written = config.jobs.get(&planned.name).ok_or("a job of nowhere")?;
        let decision = plan.decision(&planned.name).ok_or("no decision")?;
        for (name, expected) in job.as_object().into_iter().flatten() {
            let of = super::attributes::Sources {
                pipeline,
                planned,
                written,
                decision,
                build: build.unwrap_or(&Json::Null),
            };
            let what = format!("{} {name}", planned.name);
            attribute(&what, name, expected, &of)?;
        }
    }
    Ok(())
}
