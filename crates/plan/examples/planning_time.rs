//! Measures planning on a synthetic configuration: `planning_time [JOBS] [CHANGED FILES]`.

#![expect(
    clippy::print_stdout,
    reason = "the measurement is what one runs this for"
)]

use std::fmt::Write as _;
use std::time::Instant;

use tidegate_config::{RootFile, Settings, load};
use tidegate_plan::{Detail, plan};
use tidegate_scenario::{FixtureWorld, Scenario};

fn number(at: usize, default: usize) -> usize {
    let given = std::env::args().nth(at);
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Every job has a rule with an `if` and two globs of its own service.
fn configuration(jobs: usize) -> String {
    let mut text = String::from("stages: [build, test]\nvariables: {TEAM: core, MODE: fast}\n");
    for job in 0..jobs {
        let stage = if job % 2 == 0 { "build" } else { "test" };
        let needs = if job % 2 == 0 || job == 0 {
            String::new()
        } else {
            format!("  needs: [{{job: service-{}, optional: true}}]\n", job - 1)
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "service-{job}:\n  stage: {stage}\n  script: make\n{needs}  rules:\n    - if: $CI_COMMIT_BRANCH \
             == \"main\" && $MODE != \"slow\"\n      changes: [services/{job}/**/*, \
             \"**/lib-{job}/*.rs\"]\n    - if: $CI_COMMIT_TAG\n",
        );
    }
    text
}

fn resident_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

fn main() {
    let (jobs, files) = (number(1, 5000), number(2, 10_000));
    let world = FixtureWorld::default();
    let mut scenario = Scenario::push("main");
    let changed = (0..files).map(|file| format!("services/{}/src/file{file}.rs", file % jobs));
    scenario.overrides.changed_paths = Some(Some(changed.collect()));
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: configuration(jobs).into_bytes().into(),
    };
    let mut settings = Settings::default();
    settings.limits.yaml.text_bytes = 1 << 30;
    settings.limits.yaml.value_bytes = 1 << 40;
    let start = Instant::now();
    let loaded = load(&root, &scenario, &world, &settings).expect("a fixture never fails");
    let config = loaded.config.expect("the configuration is valid");
    println!("load: {:?}", start.elapsed());
    let before = resident_megabytes();
    for detail in [Detail::Compact, Detail::Compact, Detail::job("service-7")] {
        let start = Instant::now();
        let plan = plan(&config, &scenario, &world, &detail).expect("a fixture never fails");
        let included = plan.decisions.iter().filter(|d| d.is_included()).count();
        println!(
            "plan: {:?}, {included} of {jobs} jobs are in",
            start.elapsed()
        );
    }
    println!(
        "peak memory: {before:.0} MB before planning, {:.0} MB after",
        resident_megabytes()
    );
}
