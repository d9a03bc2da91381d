//! Loads a text and plans it.

use tidegate_config::{Config, Dialect, RootFile, Settings, load};
use tidegate_plan::{Detail, Outcome, Plan, plan};
use tidegate_scenario::{FixtureWorld, Scenario, World};

/// The configuration of a text; our own keywords are allowed.
pub(crate) fn config(text: &str) -> Config {
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: text.as_bytes().into(),
    };
    let settings = Settings {
        dialect: Dialect::Tidegate,
        ..Settings::default()
    };
    let world = FixtureWorld::default();
    let loaded =
        load(&root, &Scenario::push("main"), &world, &settings).expect("a fixture never fails");
    let errors: Vec<_> = loaded.diagnostics.iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{text}\n{errors:?}");
    loaded.config.expect("a valid text has a configuration")
}

/// A push to main that changed nothing.
pub(crate) fn push() -> Scenario {
    let mut scenario = Scenario::push("main");
    scenario.overrides.changed_paths = Some(Some(Vec::new()));
    scenario
}

/// A push to main that changed these paths.
pub(crate) fn push_of(paths: &[&str]) -> Scenario {
    let mut scenario = push();
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    scenario.overrides.changed_paths = Some(Some(paths));
    scenario
}

pub(crate) fn planned_in(text: &str, scenario: &Scenario, world: &dyn World) -> Plan {
    plan(&config(text), scenario, world, &Detail::All).expect("a fixture never fails")
}

pub(crate) fn planned(text: &str, scenario: &Scenario) -> Plan {
    planned_in(text, scenario, &FixtureWorld::default())
}

/// Names of the jobs that are in, by stage; messages where there is no pipeline.
pub(crate) fn jobs(plan: &Plan) -> Vec<String> {
    match &plan.outcome {
        Outcome::Created(pipeline) => {
            let order = pipeline.in_stage_order();
            order
                .iter()
                .map(|job| pipeline.job(*job).name.to_string())
                .collect()
        }
        Outcome::Filtered { message } | Outcome::Empty { message } => vec![message.clone()],
        Outcome::Skipped { .. } => vec!["skipped".to_owned()],
        Outcome::Failed => errors(plan),
    }
}

pub(crate) fn errors(plan: &Plan) -> Vec<String> {
    plan.diagnostics.iter().map(|d| d.message.clone()).collect()
}

/// The planned job of a name.
pub(crate) fn job<'p>(plan: &'p Plan, name: &str) -> &'p tidegate_pipeline::Job {
    let pipeline = plan
        .pipeline()
        .unwrap_or_else(|| panic!("{:?}", errors(plan)));
    let at = pipeline
        .find(name)
        .unwrap_or_else(|| panic!("no job {name}"));
    pipeline.job(at)
}

/// Everything looked at for a job.
pub(crate) fn trace<'p>(plan: &'p Plan, name: &str) -> &'p tidegate_plan::Trace {
    let decision = plan
        .decision(name)
        .unwrap_or_else(|| panic!("no job {name}"));
    decision
        .trace
        .as_deref()
        .expect("full detail was asked for")
}
