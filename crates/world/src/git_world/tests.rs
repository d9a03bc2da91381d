use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::local::local_scenario;

struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Repository {
        let repository = Repository(tempfile::tempdir().expect("a temporary directory"));
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.write(".gitlab-ci.yml", "job: {script: x}\n");
        repository.commit("first\n\nbody");
        repository
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().expect("it exists")
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.0.path().join(path);
        std::fs::create_dir_all(full.parent().expect("below the root")).expect("writable");
        std::fs::write(full, text).expect("writable");
    }

    fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(args);
        let output = git
            .current_dir(self.0.path())
            .output()
            .expect("git is here");
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn checkout(&self) -> Checkout {
        Checkout::find(&self.root(), ".gitlab-ci.yml").expect("it has a configuration")
    }
}

fn known<T>(answer: Answer<T>) -> T {
    match answer {
        Ok(Fact::Known(value)) => value,
        Ok(Fact::Unknown(why)) => panic!("unknown: {why}"),
        Err(error) => panic!("{error}"),
    }
}

fn listed(paths: &PathList) -> Vec<&str> {
    paths.as_slice().iter().map(|path| &**path).collect()
}

#[test]
fn a_push_of_the_work_tree_knows_branch_commit_and_author() {
    let repository = Repository::new();
    let scenario = local_scenario(&repository.checkout(), None);
    assert_eq!(scenario.branch(), Some("main"));
    assert_eq!(scenario.commit.sha, repository.git(&["rev-parse", "HEAD"]));
    assert_eq!(scenario.commit.author, "Ada <ada@example.com>");
    assert_eq!(scenario.commit.message, "first\n\nbody\n");
    assert!(scenario.new_branch, "a branch without upstream is new");
}

#[test]
fn the_upstream_is_what_came_before() {
    let repository = Repository::new();
    let first = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["branch", "base"]);
    repository.git(&["branch", "--quiet", "--set-upstream-to", "base"]);
    repository.write("new", "1");
    repository.commit("second");
    repository.write("dirty", "1");
    let checkout = repository.checkout();
    let scenario = local_scenario(&checkout, None);
    assert_eq!(scenario.commit.before_sha.as_ref(), Some(&first));
    let query = ChangedPaths {
        base: first,
        comparison: Comparison::Direct,
    };
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches);
    assert_eq!(
        listed(&known(world.changed_paths(&query))),
        ["dirty", "new"]
    );
    let world = GitWorld::new(&checkout, Subject::Commit, &NoCaches);
    assert_eq!(listed(&known(world.changed_paths(&query))), ["new"]);
}

#[test]
fn the_tree_is_what_the_jobs_see() {
    let repository = Repository::new();
    repository.write(".gitignore", "*.log\n");
    repository.write("gone", "1");
    repository.write("sub/kept", "1");
    repository.commit("second");
    std::fs::remove_file(repository.root().join("gone")).expect("it was there");
    repository.write("a.log", "1");
    repository.write("new", "1");
    let checkout = repository.checkout();
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches);
    let tree = known(world.tree(&Place::Here));
    assert_eq!(
        listed(&tree),
        [".gitignore", ".gitlab-ci.yml", "new", "sub/kept"]
    );
    let world = GitWorld::new(&checkout, Subject::Commit, &NoCaches);
    let tree = known(world.tree(&Place::Here));
    assert_eq!(
        listed(&tree),
        [".gitignore", ".gitlab-ci.yml", "gone", "sub/kept"]
    );
}

#[test]
fn blob_ids_are_those_git_gives() {
    let repository = Repository::new();
    repository.write("lock", "content\n");
    let checkout = repository.checkout();
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches);
    let ids = known(world.blob_ids(&["lock".to_owned(), "absent".to_owned()]));
    assert_eq!(ids, [Some(repository.git(&["hash-object", "lock"])), None]);
}

#[test]
fn no_path_leads_out_of_the_project() {
    let repository = Repository::new();
    std::os::unix::fs::symlink("/etc/hostname", repository.root().join("link")).expect("writable");
    let checkout = repository.checkout();
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches);
    for path in ["../x", "/etc/hostname", "link", "a/../../x", ""] {
        assert_eq!(known(world.file(&Place::Here, path)), None, "{path}");
    }
}

#[test]
fn a_project_below_the_top_of_the_repository_sees_its_own_paths() {
    let repository = Repository::new();
    repository.write("sub/.gitlab-ci.yml", "job: {script: x}\n");
    repository.write("sub/file", "1");
    let checkout =
        Checkout::find(&repository.root().join("sub"), ".gitlab-ci.yml").expect("it has one");
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches);
    assert_eq!(
        listed(&known(world.tree(&Place::Here))),
        [".gitlab-ci.yml", "file"]
    );
    let base = ChangedPaths {
        base: "HEAD".to_owned(),
        comparison: Comparison::Direct,
    };
    assert_eq!(
        listed(&known(world.changed_paths(&base))),
        [".gitlab-ci.yml", "file"]
    );
}

#[test]
fn a_directory_without_git_works() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join(".gitlab-ci.yml"), "x").expect("writable");
    let root = dir.path().canonicalize().expect("it exists");
    let checkout = Checkout::find(&root, ".gitlab-ci.yml").expect("it has a configuration");
    assert_eq!(checkout.head, None);
    let scenario = local_scenario(&checkout, None);
    assert_eq!(
        (scenario.branch(), scenario.new_branch),
        (Some("main"), true)
    );
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches);
    assert_eq!(listed(&known(world.tree(&Place::Here))), [".gitlab-ci.yml"]);
}

#[test]
fn a_repository_without_commits_works() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut git = Command::new("git");
    git.args(["init", "--quiet", "--initial-branch", "trunk"])
        .current_dir(dir.path());
    assert!(git.status().expect("git is here").success());
    std::fs::write(dir.path().join(".gitlab-ci.yml"), "x").expect("writable");
    let root = dir.path().canonicalize().expect("it exists");
    let checkout = Checkout::find(&root, ".gitlab-ci.yml").expect("it has a configuration");
    let scenario = local_scenario(&checkout, None);
    assert_eq!(scenario.branch(), Some("trunk"));
    assert_eq!(scenario.commit.sha, "");
}

#[test]
fn the_own_project_is_found_by_its_path_as_the_jobs_see_it() {
    let repository = Repository::new();
    repository.write("templates/lint.yml", "one");
    repository.commit("one");
    repository.git(&["tag", "1.0.0"]);
    let old = repository.git(&["rev-parse", "HEAD"]);
    repository.write("templates/lint.yml", "two");
    repository.commit("two");
    repository.write("templates/lint.yml", "dirty");
    let checkout = repository.checkout();
    let head = checkout.head.as_ref().and_then(|head| head.sha.clone());
    let head = head.expect("it has a commit");
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches)
        .with_own_project("Group/App", "main");
    let content = |version: &str| {
        let found = known(world.component("group/app", "lint", version)).expect("it exists");
        String::from_utf8_lossy(&found.content).into_owned()
    };
    assert_eq!(content(&head), "dirty");
    assert_eq!(content("1.0.0"), "one");
    assert_eq!(content("~latest"), "one");
    let place = |sha: &str| Place::Project {
        path: "group/app".to_owned(),
        sha: sha.to_owned(),
    };
    let read = known(world.file(&place(&old), "templates/lint.yml"));
    assert_eq!(read.as_deref(), Some(&b"one"[..]));
    assert!(known(world.tree(&place(&old))).contains("templates/lint.yml"));
    let facts = known(world.project("group/app")).expect("it exists");
    assert_eq!(facts.default_branch, "main");
    assert_eq!(known(world.revision(Some("group/app"), "main")), Some(head));
    assert!(matches!(
        world.project("group/other"),
        Ok(Fact::Unknown(Why::NotConfigured(_)))
    ));
}

#[test]
fn everything_outside_is_asked_of_the_fetcher() {
    let repository = Repository::new();
    let checkout = repository.checkout();
    let templates = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(templates.path().join("Bash.gitlab-ci.yml"), "x").expect("writable");
    std::fs::write(templates.path().join("a.yml"), "y").expect("writable");
    let project = crate::ProjectSource {
        pattern: "g/p".to_owned(),
        location: crate::Location::Directory {
            path: templates.path().to_owned(),
            work_tree: false,
        },
        default_ref: Some("stable".to_owned()),
    };
    let fetcher = Fetcher::new(crate::FetcherSetup {
        sources: crate::Sources {
            projects: vec![project],
            templates: Some(crate::TemplateSource::Directory(
                templates.path().to_owned(),
            )),
            ..crate::Sources::default()
        },
        network: crate::Network::Forbidden,
        lock: crate::Lock::default(),
        shelf: &crate::NoShelf,
        mirrors: templates.path().join("mirrors"),
        credentials: crate::Credentials::default(),
    });
    let plain = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches);
    assert!(matches!(
        plain.template("Bash"),
        Ok(Fact::Unknown(Why::NotConfigured(_)))
    ));
    let world = plain.with_fetcher(Some(&fetcher));
    assert_eq!(known(world.template("Bash")).as_deref(), Some(&b"x"[..]));
    assert_eq!(
        world.remote("https://h.org/a"),
        Ok(Fact::Unknown(Why::Offline))
    );
    let facts = known(world.project("g/p")).expect("it exists");
    assert_eq!(facts.default_branch, "stable");
    let sha = known(world.revision(Some("g/p"), "stable")).expect("every ref");
    let place = Place::Project {
        path: "g/p".to_owned(),
        sha,
    };
    assert_eq!(
        known(world.file(&place, "a.yml")).as_deref(),
        Some(&b"y"[..])
    );
    assert_eq!(
        listed(&known(world.tree(&place))),
        ["Bash.gitlab-ci.yml", "a.yml"]
    );
    assert!(
        !templates.path().join("mirrors").exists(),
        "nothing is made before it is needed"
    );
}
