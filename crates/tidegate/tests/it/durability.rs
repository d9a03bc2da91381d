//! A killed save, a full disk: the store holds the old or the new, and says what is wrong.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{green, repository};

/// A job that replaces everything in its cache by files that all hold `$N`.
const REPLACING: &str = "\
job:
  cache: {key: k, paths: [d/]}
  script:
    - 'echo \"had $(cat d/* 2>/dev/null | sort -u | tr \"\\n\" \" \")in $(ls d 2>/dev/null | wc -l)\"'
    - mkdir -p d
    - 'for i in $(seq 400); do echo $N > d/$i; done'
";

#[test]
fn a_run_killed_while_it_saves_leaves_the_old_cache_or_the_new() {
    for backend in ["overlay", "copy"] {
        let repo = repository(REPLACING);
        let first = repo.run(&["run", "--workspace", backend, "--variable", "N=0"]);
        if first.stderr.contains("failed to make work trees") {
            tidegate_testkit::skip(&format!("no {backend} here: {}", first.stderr));
            continue;
        }
        assert_eq!(first.code, Some(0), "{}", first.shown());
        let mut known = vec!["0".to_owned()];
        for round in 1..=8_u64 {
            let n = format!("N={round}");
            let mut command = repo.command(&["run", "--workspace", backend, "--variable", &n]);
            command.stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let lines =
                std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
            for line in lines.map_while(Result::ok) {
                if line.contains("Creating cache") {
                    // From the first moment of a save to after its end.
                    std::thread::sleep(Duration::from_micros(round * round * 400));
                    break;
                }
            }
            child.kill().unwrap();
            child.wait().unwrap();
            known.push(round.to_string());

            let _ = green(&repo, &["cache", "prune"]);
            let healthy = green(&repo, &["cache", "verify", "--contents"]).stdout;
            assert!(
                healthy.starts_with("no problems"),
                "{backend} {round}: {healthy}"
            );
            let target = repo.data().with_file_name(format!("copy-{round}"));
            let _ = green(
                &repo,
                &["cache", "get", "k-non_protected", target.to_str().unwrap()],
            );
            let files = std::fs::read_dir(target.join("d")).unwrap();
            let texts: Vec<String> = files
                .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
                .collect();
            assert_eq!(texts.len(), 400, "{backend} {round}");
            let text = texts[0].trim();
            assert!(known.iter().any(|known| known == text), "{text}");
            assert!(
                texts.iter().all(|other| other.trim() == text),
                "{backend} {round}: a mixture"
            );
            known = vec![text.to_owned()];
        }
    }
}

#[test]
fn two_runs_that_save_one_key_at_once_leave_one_of_them_whole() {
    let repo = repository(REPLACING);
    for _ in 0..3 {
        let start = |n: &str| {
            let mut command = repo.command(&["run", "--variable", n]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let children = [start("N=1"), start("N=2"), start("N=3")];
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let after = green(&repo, &["run", "--variable", "N=0"]);
        let whole = ["had 1 in 400", "had 2 in 400", "had 3 in 400"];
        assert!(
            whole.iter().any(|text| after.stdout.contains(text)),
            "{}",
            after.shown()
        );
        let healthy = green(&repo, &["cache", "verify"]).stdout;
        assert!(healthy.starts_with("no problems"), "{healthy}");
    }
}

/// A tmpfs of eight megabytes, unmounted when dropped.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: &std::path::Path) -> Result<Small, String> {
        std::fs::create_dir_all(at).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=8m", "tidegate-test"])
            .arg(at);
        let output = mount.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Small(at.to_owned())),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_named_and_costs_neither_the_job_nor_what_was_stored() {
    let repo = repository(
        "stages: [one, two, three]\n\
         good: {stage: one, cache: {key: old, paths: [keep]}, script: [echo kept > keep]}\n\
         fill: {stage: two, cache: {key: new, paths: [big]}, script: ['head -c 20M /dev/urandom > big || echo fu\"\"ll']}\n\
         after: {stage: three, cache: {key: old, paths: [keep], policy: pull}, script: ['echo \"still $(cat keep)\"']}\n",
    );
    repo.write(".gitignore", "big\nkeep\n");
    repo.commit("ignore what is cached");
    let small = match Small::mount(&repo.data()) {
        Ok(small) => small,
        Err(error) => return tidegate_testkit::skip(&format!("no tmpfs here: {error}")),
    };
    let ended = green(&repo, &["run"]);
    for text in [
        "fill  | full",
        "no space left on the device of the data directory",
        "fill  | Failed to create cache",
        "after | still kept",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {}", ended.shown());
    }
    let caches = green(&repo, &["cache", "ls"]).stdout;
    assert!(caches.starts_with("old-"), "{caches}");
    assert_eq!(caches.lines().count(), 1, "{caches}");
    let healthy = green(&repo, &["cache", "verify", "--contents"]).stdout;
    assert!(healthy.starts_with("no problems"), "{healthy}");

    // Filled by somebody else: nothing starts, and the reason is said.
    let filler = repo.data().join("trash/filler");
    let _ = std::fs::write(&filler, vec![1; 9 << 20]);
    let full = repo.run(&["run"]);
    assert_eq!(full.code, Some(2), "{}", full.shown());
    assert!(
        full.stderr.to_lowercase().contains("no space left"),
        "{}",
        full.shown()
    );
    // Pruning empties the trash before it writes anything.
    let _ = green(&repo, &["cache", "prune"]);
    assert!(!filler.exists());
    let _ = green(&repo, &["run", "good"]);
    drop(small);
}
