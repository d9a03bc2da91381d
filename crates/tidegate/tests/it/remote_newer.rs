//! One key, several machines: whose cache a job gets where they are not the same.

use tidegate_testkit::{Ended, Sandbox};

use crate::buckets::Buckets;
use crate::remote_cache::{green, on, project, shared};
use crate::{never_says, says};

/// Says what it finds and leaves something else.
const PIPELINE: &str = "\
job:
  cache: {key: k, paths: [f], policy: $POLICY}
  script: ['echo \"found $(cat f 2>/dev/null)\"', 'test -z \"$LEAVE\" || echo $LEAVE > f']
";

const NEWER: &str =
    "Fetched from the remote cache, which has a newer one than this machine: 1 files";

/// A job that leaves this text, or nothing.
fn leaving(text: &str) -> Vec<String> {
    match text {
        "" => vec!["run".to_owned()],
        text => vec![
            "run".to_owned(),
            "--variable".to_owned(),
            format!("LEAVE={text}"),
        ],
    }
}

/// What machines do one after the other, with the text each leaves and the one it finds; and whether that was fetched.
type Steps<'t> = &'t [(&'t str, &'t str, &'t str, bool)];

fn check(steps: Steps<'_>, run: impl Fn(&str, &[&str]) -> Ended) {
    for (at, (machine, leaves, finds, fetched)) in steps.iter().enumerate() {
        let args = leaving(leaves);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ended = green(run(machine, &args));
        let shown = ended.shown();
        assert!(
            ended.stdout.contains(&format!("| found {finds}\n")),
            "step {at}: {shown}"
        );
        assert_eq!(ended.stdout.contains(NEWER), *fetched, "step {at}: {shown}");
        assert!(
            !ended.stdout.contains("WARNING: failed"),
            "step {at}: {shown}"
        );
    }
}

const NEWEST_WINS: Steps<'_> = &[
    ("one", "a", "", false),
    // Missing here, so fetched, which is told otherwise.
    ("two", "", "a", false),
    ("two", "", "a", false),
    ("one", "b", "a", false),
    ("two", "", "b", true),
    ("two", "c", "b", false),
    ("one", "", "c", true),
    ("one", "", "c", false),
    ("two", "", "c", false),
];

#[test]
fn the_newest_cache_that_was_pushed_is_used_everywhere() {
    for format in ["tidegate", "gitlab-runner"] {
        let repo = project(PIPELINE, "");
        shared(&repo, &format!("format = \"{format}\"\nproject = 7\n"));
        check(NEWEST_WINS, |machine, args| on(machine, &repo, args));
    }
}

#[test]
fn the_newest_cache_in_a_bucket_is_used_everywhere() {
    let Some(s3) = Buckets::s3() else { return };
    s3.make("team");
    for format in ["tidegate", "gitlab-runner"] {
        let settings = format!(
            "[cache.remote]\nurl = \"s3://team/newest-{format}\"\nendpoint = \"{}\"\nformat = \"{format}\"\nproject = 7\n",
            s3.endpoint
        );
        let repo = project(PIPELINE, &settings);
        check(NEWEST_WINS, |machine, args| s3.run(machine, &repo, args));
    }
}

/// What only this machine has counts until somebody pushes a newer one.
#[test]
fn what_a_machine_that_only_reads_saved_is_used_until_a_newer_one_is_pushed() {
    let repo = project(PIPELINE, "");
    shared(&repo, "");
    let run = |machine: &str, args: &[&str]| {
        let access = if machine == "reader" {
            "read-only"
        } else {
            "read-write"
        };
        on(
            machine,
            &repo,
            &[args, &["--remote-cache", access]].concat(),
        )
    };
    check(
        &[
            ("one", "a", "", false),
            ("reader", "mine", "a", false),
            ("reader", "", "mine", false),
            ("one", "b", "a", false),
            ("reader", "", "b", true),
        ],
        run,
    );
}

#[test]
fn the_jobs_of_a_run_ask_once_and_keep_what_the_run_saved() {
    let pipeline = "\
stages: [a, b, c]
one: {stage: a, cache: {key: k, paths: [f], policy: pull}, script: ['echo \"found $(cat f)\"']}
two: {stage: b, cache: {key: k, paths: [f]}, script: [echo own > f]}
three: {stage: c, cache: {key: k, paths: [f], policy: pull}, script: ['echo \"found $(cat f)\"']}
";
    let repo = project(PIPELINE, "");
    shared(&repo, "");
    for (machine, leaves) in [("one", "a"), ("two", "b"), ("one", "c")] {
        let args = leaving(leaves);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let _ = green(on(machine, &repo, &args));
    }
    repo.write(".gitlab-ci.yml", pipeline);
    let ended = green(on("two", &repo, &["run"]));
    says(&ended, "one   | found c\n");
    says(&ended, "three | found own\n");
    assert_eq!(ended.stdout.matches(NEWER).count(), 1, "{}", ended.shown());
}

/// Without the network the cache of this machine does; one warning a run tells it.
#[test]
fn a_remote_cache_that_is_away_does_not_take_what_is_here() {
    let pipeline = "\
job:
  cache: [{key: k, paths: [f]}, {key: l, paths: [g]}]
  script: ['echo \"found $(cat f g)\"', 'test -z \"$LEAVE\" || echo x | tee f > g']
";
    let repo = project(pipeline, "");
    let place = shared(&repo, "");
    let _ = green(on("one", &repo, &["run", "--variable", "LEAVE=1"]));
    std::fs::rename(&place, place.with_extension("away")).unwrap();
    let ended = green(on("one", &repo, &["run"]));
    says(&ended, "found x\n");
    let warning = "the cache of this machine is used, which may be older";
    assert_eq!(
        ended.stdout.matches(warning).count(),
        1,
        "{}",
        ended.shown()
    );
    let off = green(on("one", &repo, &["run", "--remote-cache", "off"]));
    never_says(&off, warning);
    says(&off, "found x\n");
}

#[test]
fn why_tells_that_a_newer_one_is_there() {
    let repo = project(PIPELINE, "");
    shared(&repo, "");
    let why =
        |machine: &str, repo: &Sandbox| green(on(machine, repo, &["cache", "why", "job"])).stdout;
    let args = leaving("a");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let _ = green(on("one", &repo, &args));
    let _ = green(on("two", &repo, &["run"]));
    for machine in ["one", "two"] {
        let told = why(machine, &repo);
        assert!(told.contains("  remote       present\n"), "{told}");
    }
    let args = leaving("b");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let _ = green(on("one", &repo, &args));
    let told = why("two", &repo);
    assert!(
        told.contains("  remote       present, newer than here\n"),
        "{told}"
    );
}
