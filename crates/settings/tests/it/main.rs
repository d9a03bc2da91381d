//! From `tidegate.toml` to a loaded configuration, with every include from elsewhere that needs no server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use tidegate_config::{Loaded, RootFile};
use tidegate_settings::load;
use tidegate_world::{
    Checkout, Credentials, Fetcher, FetcherSetup, GitWorld, Lock, Network, NoCaches, Shelf,
    Subject, local_scenario,
};

#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

impl Shelf for Memory {
    fn find(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.borrow().get(name).cloned())
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.0.borrow_mut().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
}

fn git(dir: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(args);
    let output = git.current_dir(dir).output().expect("git is here");
    assert!(output.status.success(), "git {args:?}: {output:?}");
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let full = root.join(path);
        std::fs::create_dir_all(full.parent().expect("below")).expect("writable");
        std::fs::write(full, text).expect("writable");
    }
}

fn repository(root: &Path, files: &[(&str, &str)]) {
    write(root, files);
    git(root, &["init", "--quiet", "--initial-branch", "main"]);
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--message", "first"]);
}

/// Loads the configuration in `root` and gives the lock as it is afterwards, if it changed.
fn loaded(root: &Path, network: Network, lock: &Lock, shelf: &Memory) -> (Loaded, Option<Lock>) {
    let checkout = Checkout::find(root, ".gitlab-ci.yml").expect("it has a configuration");
    let settings = load(&checkout.root, None, None).unwrap_or_else(|error| panic!("{error}"));
    let mut scenario = local_scenario(&checkout, None);
    settings.apply(&mut scenario);
    let (own, host) = (scenario.project.path.clone(), scenario.server.fqdn());
    let fetcher = Fetcher::new(FetcherSetup {
        sources: settings.sources(&checkout, &own, &host),
        network,
        lock: lock.clone(),
        shelf,
        mirrors: root.with_file_name("mirrors"),
        credentials: Credentials::default(),
    });
    let world = GitWorld::new(&checkout, Subject::WorkTree, &NoCaches)
        .with_fetcher(Some(&fetcher))
        .with_own_project(&own, &scenario.project.default_branch);
    let file = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: std::fs::read(root.join(".gitlab-ci.yml"))
            .expect("it exists")
            .into(),
    };
    let loaded = tidegate_config::load(&file, &scenario, &world, &settings.config());
    (loaded.expect("nothing is broken"), fetcher.changed_lock())
}

fn jobs(loaded: &Loaded) -> Vec<&str> {
    let told: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|told| &told.message)
        .collect();
    let config = loaded.config.as_ref();
    let config = config.unwrap_or_else(|| panic!("it is wrong: {told:?}"));
    config.jobs.keys().map(|name| &**name).collect()
}

#[test]
fn includes_of_all_kinds_are_found_pinned_and_found_again_offline() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path().canonicalize().expect("it exists");
    let upstream = dir.join("upstream");
    let component = "spec:\n  inputs:\n    name:\n---\n$[[ inputs.name ]]: {script: x}\n";
    repository(
        &upstream,
        &[
            ("ci/a.yml", "include: {local: ci/b.yml}\na: {script: x}\n"),
            ("ci/b.yml", "b: {script: x}\n"),
            ("templates/lint/template.yml", component),
        ],
    );
    git(&upstream, &["tag", "v1.2.3"]);
    write(
        &dir,
        &[("templates/Pages/Hugo.gitlab-ci.yml", "hugo: {script: x}\n")],
    );
    let settings = format!(
        "[project]\npath = \"g/app\"\n[server]\nurl = \"https://h.org\"\n\
         [includes]\nbeside_origin = false\ntemplates = {{ path = \"../templates\" }}\n\
         [includes.projects]\n\"h.org/g/up*\" = {{ url = \"file://{}/up*\" }}\n",
        dir.display()
    );
    let configuration = "\
include:
  - {project: g/upstream, file: /ci/a.yml}
  - {component: $CI_SERVER_FQDN/g/upstream/lint@~latest, inputs: {name: linted}}
  - {component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/own@$CI_COMMIT_SHA}
  - {template: Hugo.gitlab-ci.yml}
  - {project: g/upstream, ref: nowhere, file: x.yml, rules: [{if: $ABSENT}]}
";
    let app = dir.join("app");
    repository(
        &app,
        &[
            (".gitlab-ci.yml", configuration),
            ("tidegate.toml", &settings),
            ("templates/own.yml", "own: {script: x}\n"),
        ],
    );
    let shelf = Memory::default();
    let (first, lock) = loaded(&app, Network::WhenNeeded, &Lock::default(), &shelf);
    let expected = ["b", "a", "linted", "own", "hugo"];
    assert_eq!(jobs(&first), expected);
    let lock = lock.expect("the upstream was pinned");
    let text = lock.render();
    assert_eq!(text.matches("[[include]]").count(), 3, "{text}");
    assert!(text.contains("version = \"v1.2.3\""), "{text}");
    let (again, changed) = loaded(&app, Network::Forbidden, &lock, &shelf);
    assert_eq!(jobs(&again), expected);
    assert_eq!(changed, None);
}

#[test]
fn what_is_not_there_is_told_in_gitlabs_words() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let dir = dir.path().canonicalize().expect("it exists");
    repository(&dir.join("upstream"), &[("a.yml", "a: {script: x}\n")]);
    let settings = format!(
        "[server]\nurl = \"https://h.org\"\n[includes.projects]\n\"g/*\" = {{ url = \"file://{}/*\" }}\n",
        dir.display()
    );
    let app = dir.join("app");
    write(&app, &[("tidegate.toml", &settings)]);
    let told = |include: &str| {
        write(
            &app,
            &[(".gitlab-ci.yml", &format!("include: [{include}]\n"))],
        );
        let (loaded, _) = loaded(
            &app,
            Network::WhenNeeded,
            &Lock::default(),
            &Memory::default(),
        );
        let told = loaded.diagnostics.iter().next();
        told.map(|told| told.message.to_string())
            .unwrap_or_default()
    };
    assert_eq!(
        told("{project: g/none, file: a.yml}"),
        "Project `g/none` not found or access denied! Make sure any includes in the pipeline \
         configuration are correctly defined."
    );
    assert_eq!(
        told("{project: g/upstream, ref: nope, file: a.yml}"),
        "Project `g/upstream` reference `nope` does not exist!"
    );
    assert_eq!(
        told("{project: g/upstream, file: b.yml}"),
        "Project `g/upstream` file `b.yml` does not exist!"
    );
    assert_eq!(
        told("{component: h.org/g/upstream/x@1}"),
        "Component 'h.org/g/upstream/x@1' - The partial semantic version reference is not \
         supported for non-catalog resources. Use a tag, branch, or commit SHA instead."
    );
}
