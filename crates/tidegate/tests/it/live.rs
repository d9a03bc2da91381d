//! What a user sees of a run on a terminal: the program under `script`, which gives it one, and what it writes read by a terminal's parser.

use std::io::Read;
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tidegate_testkit::{Sandbox, skip};
use vt100::Parser;

use crate::{binary, directory, wait_until};

/// A run on a terminal of its own.
struct Watched {
    child: Child,
    screen: Arc<Mutex<Parser>>,
    reader: JoinHandle<Vec<u8>>,
    terminal: std::path::PathBuf,
}

impl Watched {
    /// Starts `tidegate run` on a terminal of this size; `None` where `script` is missing.
    fn run(repo: &Sandbox, rows: u16, columns: u16) -> Option<Watched> {
        Watched::run_on("xterm-256color", repo, rows, columns)
    }

    fn run_on(term: &str, repo: &Sandbox, rows: u16, columns: u16) -> Option<Watched> {
        if !has_script() {
            skip("`script` of util-linux is not there");
            return None;
        }
        let terminal = repo.data().with_file_name("terminal");
        let command = format!(
            "tty > '{}'; stty rows {rows} cols {columns}; exec '{}' run --jobs 3",
            terminal.display(),
            binary().display()
        );
        // The environment of a run of this repository.
        let environment = repo.command(&[]);
        let variables = environment
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?)));
        let mut child = Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &command,
                "/dev/null",
            ])
            .env_clear()
            .envs(variables)
            .env("TERM", term)
            .env("SHELL", "/bin/sh")
            .current_dir(repo.project())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script starts");
        let screen = Arc::new(Mutex::new(parser(rows, columns)));
        let mut output = child.stdout.take().expect("it is piped");
        let shared = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let (mut all, mut piece) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = output.read(&mut piece) {
                shared
                    .lock()
                    .expect("nobody panics")
                    .process(&piece[..read]);
                all.extend_from_slice(&piece[..read]);
            }
            all
        });
        Some(Watched {
            child,
            screen,
            reader,
            terminal,
        })
    }

    fn shown(&self) -> String {
        self.screen
            .lock()
            .expect("nobody panics")
            .screen()
            .contents()
    }

    /// Waits until a line of the screen holds all of these.
    fn wait_for(&self, parts: &[&str]) {
        let found = || {
            let shown = self.shown();
            let mut lines = shown.lines();
            lines.any(|line| parts.iter().all(|part| line.contains(part)))
        };
        wait_until(&format!("{parts:?}"), found);
    }

    fn resize(&self, rows: u16, columns: u16) {
        let mut screen = self.screen.lock().expect("nobody panics");
        let terminal = std::fs::read_to_string(&self.terminal).expect("it was written");
        let (rows_text, columns_text) = (rows.to_string(), columns.to_string());
        let arguments = [
            "-F",
            terminal.trim(),
            "rows",
            &rows_text,
            "cols",
            &columns_text,
        ];
        let done = Command::new("stty")
            .args(arguments)
            .status()
            .expect("stty starts");
        assert!(done.success());
        screen
            .screen_mut()
            .set_size(positive(rows), positive(columns));
    }

    /// Waits for the end: the exit code, what the screen shows then, and all that was written.
    fn end(mut self) -> (Option<i32>, String, String) {
        let status = self.child.wait().expect("it ends");
        let all = self.reader.join().expect("it reads to the end");
        let mut screen = self.screen.lock().expect("nobody panics");
        let screen = screen.screen_mut();
        let last = screen.contents();
        screen.set_scrollback(usize::MAX);
        let shown = match screen.scrollback() {
            0 => last,
            _ => format!("{}\n{last}", screen.contents()),
        };
        (
            status.code(),
            shown,
            String::from_utf8_lossy(&all).into_owned(),
        )
    }
}

fn parser(rows: u16, columns: u16) -> Parser {
    Parser::new(positive(rows), positive(columns), 1_000)
}

fn positive(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("terminals have a size")
}

fn has_script() -> bool {
    let version = Command::new("script").arg("--version").output();
    version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("util-linux"))
}

/// Three stages; `slow` runs until the file `gate` is there.
fn gated() -> Sandbox {
    let repo = directory();
    let gate = repo.project().join("gate");
    let pipeline = format!(
        "stages: [build, test, deploy]\n\
         compile: {{stage: build, script: [echo compiled]}}\n\
         lint: {{stage: build, script: [echo checking, 'echo found a fault; exit 3']}}\n\
         slow: {{stage: build, script: ['echo step 1 of 2; until [ -e {} ]; do sleep 0.05; done']}}\n\
         unit: {{stage: test, script: [echo unit]}}\n\
         package: {{stage: deploy, script: [echo package]}}\n\
         publish: {{stage: deploy, script: [echo publish], when: manual}}\n",
        gate.display()
    );
    repo.write(".gitlab-ci.yml", pipeline);
    repo
}

#[test]
fn a_terminal_shows_the_tree_while_jobs_run_and_what_failed_at_the_end() {
    let repo = gated();
    let Some(watched) = Watched::run(&repo, 30, 76) else {
        return;
    };
    watched.wait_for(&["✓ compile"]);
    watched.wait_for(&["✗ lint", "exit code 3"]);
    watched.wait_for(&["> slow", "step 1 of 2"]);
    watched.wait_for(&["2 of 6 jobs done, 1 failed, 1 running"]);
    for line in ["build", "test", "  · unit", "deploy", "  · package"] {
        assert!(
            watched.shown().lines().any(|shown| shown == line),
            "{line}: {}",
            watched.shown()
        );
    }
    repo.write("gate", "");
    let (code, shown, written) = watched.end();
    assert_eq!(code, Some(1), "{shown}");
    // The tree is gone, how jobs ended is above, what failed below.
    for gone in ["✓", "✗", "> slow", "jobs done"] {
        assert!(!shown.contains(gone), "{gone}: {shown}");
    }
    let order = [
        "lint    | failed in",
        "slow    | passed in",
        "failed: lint, exit code 3",
        "  last command: echo found a fault; exit 3",
        "  | found a fault",
        "  hint: `tidegate run lint` runs it again",
        "pipeline failed in",
    ];
    let mut rest = &*shown;
    for part in order {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part}: {shown}");
        };
        rest = after;
    }
    // Pictures in which nothing changed are not drawn again, and nothing is cleared to be drawn again.
    assert!(!written.contains("\u{1b}[2J"), "{written:?}");
    let headings = written.matches("deploy").count();
    assert!(headings < 12, "{headings}: {written:?}");
}

#[test]
fn a_low_terminal_shows_stages_in_one_line_until_it_grows() {
    let repo = gated();
    let Some(watched) = Watched::run(&repo, 9, 60) else {
        return;
    };
    watched.wait_for(&["> slow", "step 1 of 2"]);
    watched.wait_for(&["2 of 6 jobs done"]);
    watched.wait_for(&["deploy  2 waiting"]);
    assert!(!watched.shown().contains("package"), "{}", watched.shown());
    watched.resize(24, 72);
    watched.wait_for(&["· package"]);
    watched.wait_for(&["✗ lint", "exit code 3"]);
    repo.write("gate", "");
    let (code, shown, _) = watched.end();
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!(
        shown.matches("failed: lint, exit code 3").count(),
        1,
        "{shown}"
    );
    assert!(!shown.contains("jobs done"), "{shown}");
}

#[test]
fn a_pipeline_below_stands_below_its_trigger_job() {
    let repo = gated();
    let child = repo.read(".gitlab-ci.yml");
    repo.write("child.yml", child);
    repo.write(
        ".gitlab-ci.yml",
        "sub: {trigger: {include: child.yml, strategy: depend}}\n",
    );
    let Some(watched) = Watched::run(&repo, 30, 76) else {
        return;
    };
    watched.wait_for(&["  > sub"]);
    watched.wait_for(&["    build"]);
    watched.wait_for(&["      > slow", "step 1 of 2"]);
    repo.write("gate", "");
    let (code, shown, _) = watched.end();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("failed: sub/lint, exit code 3"), "{shown}");
    assert!(
        shown.contains("hint: `tidegate run --retry sub/lint` runs it again"),
        "{shown}"
    );
}

#[test]
fn how_far_a_download_is_shows_without_a_line_break() {
    let repo = gated();
    let text = repo
        .read(".gitlab-ci.yml")
        .replace("echo step 1 of 2;", "printf '10%%\\r20%%\\r';");
    repo.write(
        ".gitlab-ci.yml",
        text.replace("['printf", "[\"printf")
            .replace("done']", "done\"]"),
    );
    let Some(watched) = Watched::run(&repo, 30, 76) else {
        return;
    };
    watched.wait_for(&["> slow", "s  20%"]);
    repo.write("gate", "");
    let (_, shown, _) = watched.end();
    assert!(shown.contains("slow    | passed in"), "{shown}");
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_gets_lines() {
    let repo = gated();
    repo.write("gate", "");
    let Some(watched) = Watched::run_on("dumb", &repo, 30, 76) else {
        return;
    };
    let (code, shown, written) = watched.end();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("compile | compiled"), "{shown}");
    assert!(!written.contains("\u{1b}[?2026h"), "{written:?}");
}
