//! Configurations of any size, written to a directory: what loading and start-up are measured with.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Stages the jobs are spread over.
const STAGES: usize = 10;

/// What every job extends, two levels of it, and what a large project has besides.
const HEAD: &str = "\
stages: [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9]
workflow:
  rules:
    - if: $CI_COMMIT_BRANCH
    - when: never
.base:
  before_script: [echo before]
  variables: {A: base, B: \"$GV1/$GV2\"}
  rules:
    - if: $CI_PIPELINE_SOURCE == \"merge_request_event\"
      when: never
    - if: $CI_COMMIT_BRANCH =~ /^ma/ && $GV1 != \"nope\"
    - when: manual
      allow_failure: true
.mid:
  extends: .base
  variables: {A: mid, C: c}
  artifacts: {paths: [out/], expire_in: 1 day}
";

/// Writes a configuration of `jobs` jobs into `directory`, and returns the bytes written.
///
/// Each job has a stage, `extends`, variables, a script, and from the second stage on up to two `needs`. With `includes` the jobs
/// are spread over so many local files, since limits are per file: 1 000 jobs take about 140 kB.
///
/// # Errors
/// A file could not be written.
pub fn write(directory: &Path, jobs: usize, includes: usize) -> io::Result<usize> {
    let mut root = String::new();
    if includes > 0 {
        root.push_str("include:\n");
        for file in 0..includes {
            line(&mut root, format_args!("  - local: ci/f{file}.yml"));
        }
        std::fs::create_dir_all(directory.join("ci"))?;
    }
    root.push_str("variables:\n");
    for at in 0..10 {
        line(
            &mut root,
            format_args!("  GV{at}: value-{at}-$CI_COMMIT_REF_SLUG"),
        );
    }
    root.push_str(HEAD);
    let mut bytes = 0;
    for file in 0..includes {
        // Even a file without jobs must hold something.
        let mut text = format!(".h{file}: {{script: [echo]}}\n");
        for at in (file..jobs).step_by(includes) {
            job(&mut text, at, jobs);
        }
        bytes += text.len();
        std::fs::write(directory.join(format!("ci/f{file}.yml")), text)?;
    }
    if includes == 0 {
        for at in 0..jobs {
            job(&mut root, at, jobs);
        }
    }
    bytes += root.len();
    std::fs::write(directory.join(".gitlab-ci.yml"), root)?;
    Ok(bytes)
}

fn job(text: &mut String, at: usize, jobs: usize) {
    let per_stage = jobs.div_ceil(STAGES).max(1);
    let stage = (at / per_stage).min(STAGES - 1);
    line(
        text,
        format_args!("job_{at}:\n  stage: s{stage}\n  extends: .mid"),
    );
    line(
        text,
        format_args!("  variables: {{N: \"{at}\", D: \"$A-$N\"}}"),
    );
    line(
        text,
        format_args!("  script:\n    - echo job {at}\n    - 'true'"),
    );
    if let Some(before) = stage.checked_sub(1) {
        let needed = |nth: usize| before * per_stage + nth % per_stage;
        let (one, other) = (needed(at), needed(at * 7));
        match one == other {
            true => line(text, format_args!("  needs: [job_{one}]")),
            false => line(text, format_args!("  needs: [job_{one}, job_{other}]")),
        }
    }
}

fn line(text: &mut String, written: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{written}");
}
