use insta::assert_snapshot;
use tidegate_source::{Diagnostic, IncludeKind, Origin, SourceMap, Span};

use super::*;
use crate::Style;

fn sources() -> SourceMap {
    let mut sources = SourceMap::default();
    let root = sources.add(
        ".gitlab-ci.yml",
        "include: {remote: x}\njob:\n  scrpt: é, x\n",
        Origin::Root,
    );
    let by = Span::new(root, 9, 20);
    let origin = Origin::Included {
        kind: IncludeKind::Remote,
        by,
    };
    sources.add("https://example.org/a b.yml", "a: 1\n", origin);
    sources
}

fn found(sources: &SourceMap) -> Vec<Diagnostic> {
    let mut files = sources.files();
    let (root, file) = files.next().expect("there is a root");
    let (remote, _) = files.next().expect("there is an included file");
    let at = file.text.find("scrpt").expect("the key is there") as u32;
    let key = Span::new(root, at, at + 5);
    vec![
        Diagnostic::error(
            "unknown-keys",
            "jobs:job config contains unknown keys: scrpt",
        )
        .at(key)
        .context(Span::new(root, 21, 24), "of this job")
        .note("a remark")
        .suggest("did you mean `script`?", key, "script"),
        Diagnostic::warning("W", "100% odd:\nsecond line").at(Span::new(remote, 0, 1)),
        Diagnostic::finding("L005", "changes is always true").at(Span::new(root, 21, 36)),
        Diagnostic::finding("L006", "nowhere"),
    ]
}

#[test]
fn the_api_form_keeps_gitlabs_shape_and_adds_findings() {
    let sources = sources();
    let answer = LintAnswer {
        merged_yaml: Some("---\njob:\n  scrpt: x\n"),
        includes: vec![serde_json::json!({"type": "remote"})],
        jobs: None,
    };
    assert_snapshot!(lint_json(&found(&sources), &answer, &sources), @r#"
    {
      "valid": false,
      "errors": [
        "jobs:job config contains unknown keys: scrpt"
      ],
      "warnings": [
        "100% odd:\nsecond line"
      ],
      "merged_yaml": "---\njob:\n  scrpt: x\n",
      "includes": [
        {
          "type": "remote"
        }
      ],
      "findings": [
        {
          "code": "L005",
          "message": "changes is always true",
          "path": ".gitlab-ci.yml",
          "line": 2,
          "column": 1,
          "end_line": 3,
          "end_column": 1,
          "notes": [],
          "suggestions": [],
          "fingerprint": "81849dd8a9e2ae029b549f01311e5d1d81efdd99"
        },
        {
          "code": "L006",
          "message": "nowhere",
          "path": null,
          "line": null,
          "column": null,
          "end_line": null,
          "end_column": null,
          "notes": [],
          "suggestions": [],
          "fingerprint": "204bcfed5abf0531d281a016469d74a4f994f478"
        }
      ]
    }
    "#);
}

#[test]
fn jobs_are_there_when_asked_for_and_warnings_are_limited() {
    let warnings: Vec<Diagnostic> = (0..30).map(|_| Diagnostic::warning("W", "w")).collect();
    let answer = LintAnswer {
        jobs: Some(Vec::new()),
        ..LintAnswer::default()
    };
    let text = lint_json(&warnings, &answer, &SourceMap::default());
    let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(value["valid"], true);
    assert_eq!(value["jobs"], serde_json::json!([]));
    assert_eq!(value["warnings"].as_array().map(Vec::len), Some(25));
    assert_eq!(value["merged_yaml"], serde_json::Value::Null);
}

#[test]
fn sarif_names_rules_places_and_fixes() {
    let sources = sources();
    let text = lint_sarif(&found(&sources)[..2], "0.1.0", &sources);
    assert_snapshot!(text, @r#"
    {
      "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
      "version": "2.1.0",
      "runs": [
        {
          "tool": {
            "driver": {
              "name": "tidegate",
              "version": "0.1.0",
              "rules": [
                {
                  "id": "W"
                },
                {
                  "id": "unknown-keys"
                }
              ]
            }
          },
          "columnKind": "unicodeCodePoints",
          "results": [
            {
              "ruleId": "unknown-keys",
              "ruleIndex": 1,
              "level": "error",
              "message": {
                "text": "jobs:job config contains unknown keys: scrpt\nnote: a remark\nhelp: did you mean `script`?"
              },
              "locations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": ".gitlab-ci.yml",
                      "uriBaseId": "%SRCROOT%"
                    },
                    "region": {
                      "startLine": 3,
                      "startColumn": 3,
                      "endLine": 3,
                      "endColumn": 8
                    }
                  }
                }
              ],
              "relatedLocations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": ".gitlab-ci.yml",
                      "uriBaseId": "%SRCROOT%"
                    },
                    "region": {
                      "startLine": 2,
                      "startColumn": 1,
                      "endLine": 2,
                      "endColumn": 4
                    }
                  },
                  "message": {
                    "text": "of this job"
                  }
                }
              ],
              "partialFingerprints": {
                "tidegate/v1": "46ef9fb3ab14d5984db68dbb8e2ad126a24bae50"
              },
              "fixes": [
                {
                  "description": {
                    "text": "did you mean `script`?"
                  },
                  "artifactChanges": [
                    {
                      "artifactLocation": {
                        "uri": ".gitlab-ci.yml",
                        "uriBaseId": "%SRCROOT%"
                      },
                      "replacements": [
                        {
                          "deletedRegion": {
                            "startLine": 3,
                            "startColumn": 3,
                            "endLine": 3,
                            "endColumn": 8
                          },
                          "insertedContent": {
                            "text": "script"
                          }
                        }
                      ]
                    }
                  ]
                }
              ]
            },
            {
              "ruleId": "W",
              "ruleIndex": 0,
              "level": "warning",
              "message": {
                "text": "100% odd:\nsecond line"
              },
              "locations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": "https://example.org/a%20b.yml"
                    },
                    "region": {
                      "startLine": 1,
                      "startColumn": 1,
                      "endLine": 1,
                      "endColumn": 2
                    }
                  }
                }
              ],
              "partialFingerprints": {
                "tidegate/v1": "b621cbbb7b6c94e54d1a7b179c06634dadf8c2fd"
              }
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn code_quality_shows_the_include_for_files_of_elsewhere() {
    let sources = sources();
    let text = lint_codeclimate(&found(&sources)[1..], ".gitlab-ci.yml", &sources);
    assert_snapshot!(text, @r#"
    [
      {
        "description": "100% odd:\nsecond line",
        "check_name": "W",
        "fingerprint": "b621cbbb7b6c94e54d1a7b179c06634dadf8c2fd",
        "severity": "minor",
        "location": {
          "path": ".gitlab-ci.yml",
          "lines": {
            "begin": 1
          }
        }
      },
      {
        "description": "changes is always true",
        "check_name": "L005",
        "fingerprint": "81849dd8a9e2ae029b549f01311e5d1d81efdd99",
        "severity": "info",
        "location": {
          "path": ".gitlab-ci.yml",
          "lines": {
            "begin": 2
          }
        }
      },
      {
        "description": "nowhere",
        "check_name": "L006",
        "fingerprint": "204bcfed5abf0531d281a016469d74a4f994f478",
        "severity": "info",
        "location": {
          "path": ".gitlab-ci.yml",
          "lines": {
            "begin": 1
          }
        }
      }
    ]
    "#);
}

#[test]
fn github_commands_are_one_line_each() {
    let sources = sources();
    assert_snapshot!(lint_github(&found(&sources), &sources), @"
    ::error file=.gitlab-ci.yml,line=3,col=3,endColumn=8,title=unknown-keys::jobs:job config contains unknown keys: scrpt%0Ahelp: did you mean `script`?
    ::warning file=.gitlab-ci.yml,line=1,col=10,endColumn=21,title=W::100%25 odd:%0Asecond line
    ::notice file=.gitlab-ci.yml,line=2,endLine=3,title=L005::changes is always true
    ::notice title=L006::nowhere
    ");
}

#[test]
fn the_summary_counts_and_judges() {
    let sources = sources();
    let text = lint_summary(&found(&sources), Style::Plain);
    assert_eq!(
        text,
        "GitLab would reject the configuration: 1 error, 1 warning, 2 findings\n"
    );
    assert_eq!(
        lint_summary(&[], Style::Plain),
        "the configuration is valid\n"
    );
}

#[test]
fn fingerprints_outlive_lines_added_above_and_tell_equal_findings_apart() {
    let print = |text: &str| {
        let mut sources = SourceMap::default();
        let id = sources.add("a.yml", text, Origin::Root);
        let at = text.find("bad").expect("it is there") as u32;
        let item = Diagnostic::finding("L1", "m").at(Span::new(id, at, at + 3));
        let mut prints = super::fingerprint::Fingerprints::default();
        (prints.next(&item, &sources), prints.next(&item, &sources))
    };
    let (first, second) = print("bad: 1\n");
    assert_eq!(print("# new\n\nbad: 1\n").0, first);
    assert_ne!(first, second);
    assert_ne!(print("bad: 2\n").0, first);
}
