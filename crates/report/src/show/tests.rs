//! What the three views show of a configuration of two files.

use insta::assert_snapshot;
use tidegate_config::{Loaded, RootFile, Settings, load};
use tidegate_scenario::{FixtureWorld, Scenario};

use super::*;

const ROOT: &str = "\
include: base.yml
default:
  image: alpine
  tags: [linux]
variables:
  MODE: fast
build:
  extends: .base
  image: rust
  script:
    - !reference [.setup, script]
    - make build
test:
  extends: .base
  parallel: 2
  script: |
    make test
    make report
";

const BASE: &str = "\
.setup:
  script: [make deps]
.base:
  image: debian
  stage: build
  variables: {LEVEL: '1'}
variables:
  MODE: slow
  YES: 'yes'
";

fn loaded() -> Loaded {
    let world = FixtureWorld::with_files([("base.yml", BASE)]);
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: ROOT.as_bytes().into(),
    };
    let settings = Settings {
        record_origins: true,
        ..Settings::default()
    };
    let loaded = load(&root, &Scenario::push("main"), &world, &settings).unwrap();
    assert!(loaded.is_valid(), "{:?}", loaded.diagnostics);
    loaded
}

#[test]
fn the_whole_as_yaml() {
    let shown = show_yaml(&loaded(), None).unwrap();
    assert!(shown.starts_with("---\n\".setup\":\n  script:\n  - make deps\n"));
    assert!(!shown.contains("include:"));
}

#[test]
fn an_instance_of_a_parallel_job_shows_the_job() {
    assert_snapshot!(show_yaml(&loaded(), Some("test 2/2")).unwrap(), @"");
    assert_eq!(show_yaml(&loaded(), Some("nope")), None);
}

#[test]
fn one_job_as_json() {
    assert_snapshot!(show_json(&loaded(), Some("build")).unwrap(), @"");
}

#[test]
fn origins_name_files_bases_references_defaults_and_what_was_replaced() {
    assert_snapshot!(show_origin(&loaded(), None).unwrap(), @"");
}

#[test]
fn without_recording_only_places_are_shown() {
    let mut loaded = loaded();
    loaded.overridden = None;
    assert_snapshot!(show_origin(&loaded, Some("build")).unwrap(), @"");
}
