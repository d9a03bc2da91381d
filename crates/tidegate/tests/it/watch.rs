//! `tidegate run --watch`: what a change touches runs again.

use std::fs::File;
use std::process::{Child, Command};

use tidegate_testkit::Sandbox;

use crate::{repository, wait_until};

/// A watching process with what it has said so far.
struct Watching<'r> {
    repo: &'r Sandbox,
    child: Child,
}

impl Watching<'_> {
    fn start<'r>(repo: &'r Sandbox, args: &[&str]) -> Watching<'r> {
        let out = File::create(output(repo, "out")).expect("a temporary directory is writable");
        let err = File::create(output(repo, "err")).expect("a temporary directory is writable");
        let mut command = repo.command(&[&["run", "--watch"], args].concat());
        let child = command.stdout(out).stderr(err).spawn();
        let watching = Watching {
            repo,
            child: child.expect("the binary starts"),
        };
        watching.waits(1);
        watching
    }

    fn said(&self) -> String {
        let read = |name| std::fs::read_to_string(output(self.repo, name)).unwrap_or_default();
        read("out") + &read("err")
    }

    fn count(&self, text: &str) -> usize {
        self.said().matches(text).count()
    }

    /// Waits until it has begun to wait for the nth time.
    #[track_caller]
    fn waits(&self, times: usize) {
        let began = std::time::Instant::now();
        while self.count("Ctrl-C ends") < times {
            let too_long = began.elapsed() > std::time::Duration::from_secs(20);
            assert!(
                !too_long,
                "not waiting for the {times}. time: {}",
                self.said()
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn interrupt(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("kill is here").success());
        let mut ended = None;
        wait_until("it to end", || {
            ended = self.child.try_wait().expect("it is ours");
            ended.is_some()
        });
        ended.and_then(|status| status.code())
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        // It is gone already where the test passed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn output(repo: &Sandbox, name: &str) -> std::path::PathBuf {
    repo.data().with_file_name(name)
}

const PIPELINE: &str = "\
stages: [build, test]
compile:
  stage: build
  rules: [{changes: ['src/**/*']}]
  script: ['echo compiled $(cat src/a)', cp src/a out]
  artifacts: {paths: [out]}
docs:
  stage: build
  rules: [{changes: ['docs/**/*']}]
  script: [echo docs ma''de]
install:
  stage: build
  rules: [{changes: [nothing]}, {when: on_success}]
  cache: {key: {files: [lock]}, paths: [deps]}
  script: [echo inst''alled, mkdir -p deps]
check:
  stage: test
  needs: [compile]
  rules: [{changes: ['tests/*']}]
  script: ['echo checked $(cat out)']
any: {stage: test, needs: [], script: [echo any''thing]}
";

fn project(pipeline: &str) -> Sandbox {
    let repo = repository(pipeline);
    for (path, text) in [
        ("src/a", "1"),
        ("docs/a", "1"),
        ("tests/a", "1"),
        ("lock", "1"),
        (".gitignore", "ignored/\n"),
        ("ignored/a", "1"),
    ] {
        repo.write(path, text);
    }
    repo.commit("files");
    repo
}

/// How often each job of the pipeline has run.
fn runs(watching: &Watching<'_>) -> [usize; 5] {
    [
        "compiled ",
        "docs made",
        "installed",
        "checked ",
        "anything",
    ]
    .map(|text| {
        let said = watching.said();
        let printed = |line: &&str| line.contains(text) && !line.contains('$');
        said.lines().filter(printed).count()
    })
}

#[test]
fn a_change_runs_again_what_it_touches_and_nothing_else() {
    let repo = project(&PIPELINE.replace(", {when: on_success}", ""));
    let mut watching = Watching::start(&repo, &[]);
    assert_eq!(runs(&watching), [1, 1, 1, 1, 1], "{}", watching.said());
    repo.write("src/a", "2");
    watching.waits(2);
    // The consumer of what was compiled goes along; who names no inputs may depend on any file.
    assert_eq!(runs(&watching), [2, 1, 1, 2, 2], "{}", watching.said());
    repo.write("docs/new/b", "1");
    watching.waits(3);
    assert_eq!(runs(&watching), [2, 2, 1, 2, 3], "{}", watching.said());
    repo.write("lock", "2");
    watching.waits(4);
    assert_eq!(runs(&watching), [2, 2, 2, 2, 4], "{}", watching.said());
    // What the untouched job left is there.
    repo.write("tests/a", "2");
    watching.waits(5);
    assert_eq!(runs(&watching), [2, 2, 2, 3, 5], "{}", watching.said());
    let said = watching.said();
    assert_eq!(said.matches("checked 2").count(), 2, "{said}");
    assert!(said.contains("changed: tests/a\n"), "{said}");
    assert_eq!(watching.interrupt(), Some(130));
}

#[test]
fn ignored_files_and_what_is_written_again_unchanged_start_nothing() {
    let repo = project("a: {rules: [{changes: [src/a]}], script: [echo on''ce]}\n");
    let report = ["--junit", "report.xml"];
    let mut watching = Watching::start(&repo, &report);
    assert_eq!(watching.count("| once"), 1);
    repo.write("ignored/a", "2");
    repo.write("docs/a", "2");
    watching.waits(2);
    let said = watching.said();
    assert!(
        said.contains("changed: docs/a\nno job depends on that"),
        "{said}"
    );
    std::fs::remove_file(repo.project().join("src/a")).expect("it is there");
    watching.waits(3);
    assert_eq!(watching.count("| once"), 2);
    assert_eq!(watching.interrupt(), Some(130));
}

#[test]
fn a_broken_configuration_is_shown_and_watching_goes_on() {
    let repo = project("a: {script: [echo fir''st]}\n");
    let mut watching = Watching::start(&repo, &[]);
    repo.write(".gitlab-ci.yml", "a: {script: 1}\n");
    watching.waits(2);
    assert!(watching.said().contains("error"), "{}", watching.said());
    repo.write(
        ".gitlab-ci.yml",
        "a: {rules: [{changes: [none]}], script: [echo sec''ond]}\n",
    );
    watching.waits(3);
    assert_eq!(watching.count("| second"), 1, "{}", watching.said());
    assert_eq!(watching.interrupt(), Some(130));
}

#[test]
fn an_interrupt_ends_the_running_job_and_the_watching() {
    let repo = project("a: {script: [sleep 0.1]}\n");
    let mut watching = Watching::start(&repo, &[]);
    repo.write(
        ".gitlab-ci.yml",
        "a: {script: [echo sle''eps, sleep 98741]}\n",
    );
    wait_until("the job", || crate::is_running("sleep\u{0}98741"));
    assert_eq!(watching.interrupt(), Some(130));
    wait_until("its end", || !crate::is_running("sleep\u{0}98741"));
}

#[test]
fn a_job_that_a_failure_kept_from_running_gets_its_chance() {
    let repo = project(
        "stages: [one, two]\nfirst: {stage: one, script: [grep 2 src/a], rules: [{changes: [src/*]}]}\n\
         second: {stage: two, script: [echo at la''st], rules: [{changes: [docs/*]}]}\n",
    );
    let mut watching = Watching::start(&repo, &[]);
    assert_eq!(watching.count("| at last"), 0);
    repo.write("src/a", "2");
    watching.waits(2);
    assert_eq!(watching.count("| at last"), 1, "{}", watching.said());
    assert_eq!(watching.interrupt(), Some(130));
}
