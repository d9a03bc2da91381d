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
  ANSWER: 'yes'
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
    assert_snapshot!(show_yaml(&loaded(), Some("test 2/2")).unwrap(), @r#"
    ---
    test:
      image: debian
      stage: build
      variables:
        LEVEL: '1'
      extends: ".base"
      parallel: 2
      script: |
        make test
        make report
    "#);
    assert_eq!(show_yaml(&loaded(), Some("nope")), None);
}

#[test]
fn one_job_as_json() {
    assert_snapshot!(show_json(&loaded(), Some("build")).unwrap(), @r#"
    {
      "build": {
        "image": "rust",
        "stage": "build",
        "variables": {
          "LEVEL": "1"
        },
        "extends": ".base",
        "script": [
          [
            "make deps"
          ],
          "make build"
        ]
      }
    }
    "#);
}

#[test]
fn origins_name_files_bases_references_defaults_and_what_was_replaced() {
    assert_snapshot!(show_origin(&loaded(), None).unwrap(), @r#"
    ".setup":           # base.yml:1 (included by .gitlab-ci.yml:1)
      script:           # base.yml:2 (included by .gitlab-ci.yml:1)
      - make deps
    ".base":            # base.yml:3 (included by .gitlab-ci.yml:1)
      image: debian     # base.yml:4 (included by .gitlab-ci.yml:1)
      stage: build      # base.yml:5 (included by .gitlab-ci.yml:1)
      variables:        # base.yml:6 (included by .gitlab-ci.yml:1)
        LEVEL: '1'      # base.yml:6 (included by .gitlab-ci.yml:1)
    variables:          # .gitlab-ci.yml:5
      MODE: fast        # .gitlab-ci.yml:6 (overrides base.yml:8)
      ANSWER: 'yes'     # base.yml:9 (included by .gitlab-ci.yml:1)
    default:            # .gitlab-ci.yml:2
      image: alpine     # .gitlab-ci.yml:3
      tags:             # .gitlab-ci.yml:4
      - linux
    build:              # .gitlab-ci.yml:7
      image: rust       # .gitlab-ci.yml:9 (overrides base.yml:4 of .base, overrides .gitlab-ci.yml:3 of default)
      stage: build      # base.yml:5 (included by .gitlab-ci.yml:1, extends .base)
      variables:        # base.yml:6 (included by .gitlab-ci.yml:1, extends .base)
        LEVEL: '1'      # base.yml:6 (included by .gitlab-ci.yml:1)
      extends: ".base"  # .gitlab-ci.yml:8
      script:           # .gitlab-ci.yml:10 (!reference at .gitlab-ci.yml:11)
      - - make deps     # base.yml:2
      - make build
      tags:             # .gitlab-ci.yml:4 (default)
      - linux
    test:               # .gitlab-ci.yml:13
      image: debian     # base.yml:4 (included by .gitlab-ci.yml:1, extends .base, overrides .gitlab-ci.yml:3 of default)
      stage: build      # base.yml:5 (included by .gitlab-ci.yml:1, extends .base)
      variables:        # base.yml:6 (included by .gitlab-ci.yml:1, extends .base)
        LEVEL: '1'      # base.yml:6 (included by .gitlab-ci.yml:1)
      extends: ".base"  # .gitlab-ci.yml:14
      parallel: 2       # .gitlab-ci.yml:15
      script: |         # .gitlab-ci.yml:16
        make test
        make report
      tags:             # .gitlab-ci.yml:4 (default)
      - linux
    "#);
}

#[test]
fn without_recording_only_places_are_shown() {
    let mut loaded = loaded();
    loaded.overridden = None;
    assert_snapshot!(show_origin(&loaded, Some("build")).unwrap(), @r#"
    build:              # .gitlab-ci.yml:7
      image: rust       # .gitlab-ci.yml:9 (overrides .gitlab-ci.yml:3 of default)
      stage: build      # base.yml:5 (included by .gitlab-ci.yml:1)
      variables:        # base.yml:6 (included by .gitlab-ci.yml:1)
        LEVEL: '1'      # base.yml:6 (included by .gitlab-ci.yml:1)
      extends: ".base"  # .gitlab-ci.yml:8
      script:           # .gitlab-ci.yml:10
      - - make deps     # base.yml:2
      - make build
      tags:             # .gitlab-ci.yml:4 (default)
      - linux
    "#);
}
