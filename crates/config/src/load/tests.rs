use tidegate_expr::{Variable, VariableSource};
use tidegate_scenario::{
    Fact, FixtureProject, FixtureWorld, Recorder, Remote, SettingVariable, Why,
};
use tidegate_source::Severity;

use super::*;
use crate::testing::text_of;

mod include_rules;

fn root(text: &str) -> RootFile {
    RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: text.as_bytes().into(),
    }
}

fn loaded_from(text: &str, world: &dyn World) -> Loaded {
    let scenario = Scenario::push("main");
    load(&root(text), &scenario, world, &Settings::default()).expect("the world answers")
}

/// The merged tree, or the errors line by line.
fn shown(loaded: &Loaded) -> String {
    let errors: Vec<_> = loaded
        .diagnostics
        .of(Severity::Error)
        .map(|problem| problem.message.as_str())
        .collect();
    match &loaded.merged {
        Some(map) if errors.is_empty() => text_of(map),
        _ => errors.join("\n"),
    }
}

fn check(text: &str, world: &dyn World, expected: &str) {
    assert_eq!(shown(&loaded_from(text, world)), expected, "{text}");
}

fn project(files: &[(&str, &[(&str, &str)])]) -> FixtureProject {
    let files_of = |files: &[(&str, &str)]| {
        let entries = files
            .iter()
            .map(|(path, text)| (path.to_string(), text.to_string()));
        entries.collect()
    };
    FixtureProject {
        default_branch: "main".to_owned(),
        refs: files
            .iter()
            .map(|(name, files)| (name.to_string(), files_of(files)))
            .collect(),
    }
}

#[test]
fn the_phases_run_in_gitlabs_order() {
    let world = FixtureWorld::with_files([("t.yml", ".t: {script: [!reference [.s]]}\n.s: x\n")]);
    check(
        "include: t.yml\nstages: [b]\nj: {stage: b, extends: .t}\n",
        &world,
        "{.t: {script: [x]}, .s: x, stages: [.pre, b, .post], \
         j: {script: [x], stage: b, extends: .t}}",
    );
}

#[test]
fn a_phase_that_fails_ends_the_load() {
    let nothing = FixtureWorld::default();
    check("", &nothing, "Please provide content of .gitlab-ci.yml");
    check(
        "a: [",
        &nothing,
        "(<unknown>): did not find expected node content while parsing a flow node at line 2 column 1",
    );
    check(
        "include: a.yml\nj: {extends: .x}",
        &nothing,
        "Local file `a.yml` does not exist!",
    );
    let loaded = loaded_from("j: {script: 1}", &nothing);
    assert!(loaded.merged.is_some() && loaded.config.is_none());
}

#[test]
fn includes_nest_and_the_including_file_wins() {
    let world = FixtureWorld::with_files([
        ("a.yml", "include: b.yml\nj: {image: a, script: a}\n"),
        ("b.yml", "j: {image: b, tags: [b]}\n"),
    ]);
    check(
        "include: a.yml\nj: {script: root}\n",
        &world,
        "{j: {image: a, tags: [b], script: root}}",
    );
}

#[test]
fn records_list_each_include_before_what_it_includes() {
    let world = FixtureWorld::with_files([
        ("a.yml", "include: c.yml\na: {script: x}\n"),
        ("b.yml", "b: {script: x}\n"),
        ("c.yml", "c: {script: x}\n"),
    ]);
    let loaded = loaded_from("include: [a.yml, {local: /b.yml, inputs: {}}]\n", &world);
    let files: Vec<_> = loaded
        .includes
        .iter()
        .map(|it| it.location.as_str())
        .collect();
    assert_eq!(files, ["a.yml", "b.yml", "c.yml"]);
    let second = &loaded.includes[1];
    assert_eq!(
        second.blob.as_deref(),
        Some("https://gitlab.com/group/project/-/blob//b.yml")
    );
    assert_eq!(second.extra.get("inputs"), Some(&serde_json::json!({})));
    assert!(second.file.is_some());
}

#[test]
fn errors_of_a_nested_file_come_up_without_prefix() {
    let world = FixtureWorld::with_files([
        ("a.yml", "include: b.yml\n"),
        ("b.yml", "spec: {inputs: {r: }}\n---\nj: {script: x}\n"),
        ("c.yml", "# nothing\n"),
    ]);
    check(
        "include: a.yml",
        &world,
        "`b.yml`: `r` input: required value has not been provided",
    );
    check(
        "include: c.yml",
        &world,
        "Included file `c.yml` does not have valid YAML syntax!",
    );
    check(
        "include: {local: a.yml, inputs: {q: 1}}",
        &world,
        "`a.yml`: Given inputs not defined in the `spec` section of the included configuration file",
    );
}

#[test]
fn a_file_that_includes_itself_runs_into_the_limit() {
    let world = FixtureWorld::with_files([("a.yml", "include: a.yml\nj: {script: x}\n")]);
    check(
        "include: a.yml",
        &world,
        "Maximum of 150 nested includes are allowed!",
    );
}

#[test]
fn wildcards_take_files_in_order_and_may_find_none() {
    let world = FixtureWorld::with_files([
        ("d/b.yml", "b: {script: x}\n"),
        ("d/a.yml", "a: {script: x}\n"),
        ("d/e/c.yml", "c: {script: x}\n"),
    ]);
    check(
        "include: d/*.yml",
        &world,
        "{a: {script: x}, b: {script: x}}",
    );
    check(
        "include: ['no/*.yml']\nj: {script: x}",
        &world,
        "{include: [no/*.yml], j: {script: x}}",
    );
}

#[test]
fn projects_are_found_at_their_default_branch_or_a_ref() {
    let mut world = FixtureWorld::default();
    let files: [(&str, &[(&str, &str)]); 2] = [
        (
            "main",
            &[
                ("j.yml", "include: {local: k.yml}\n"),
                ("k.yml", "k: {script: main}\n"),
            ],
        ),
        ("v1", &[("j.yml", "k: {script: old}\n")]),
    ];
    world
        .projects
        .insert("tools/ci".to_owned(), project(&files));
    let include = |rest: &str| format!("include: {{project: Tools/CI, file: /j.yml{rest}}}");
    check(&include(""), &world, "{k: {script: main}}");
    check(&include(", ref: v1"), &world, "{k: {script: old}}");
    check(
        &include(", ref: v2"),
        &world,
        "Project `tools/ci` reference `v2` does not exist!",
    );
    check(
        "include: {project: tools/ci, file: gone.yml}",
        &world,
        "Project `tools/ci` file `gone.yml` does not exist!",
    );
    check(
        "include: {project: no/where, file: a.yml}",
        &world,
        "Project `no/where` not found or access denied! Make sure any includes in the pipeline \
         configuration are correctly defined.",
    );
}

fn remote_world(url: &str, answer: Remote) -> FixtureWorld {
    let mut world = FixtureWorld::default();
    world.remotes.insert(url.to_owned(), answer);
    world
}

#[test]
fn remote_files_are_fetched_and_their_hash_is_checked() {
    let url = "https://h/a.yml";
    let body = || Remote::Body(b"j: {script: x}"[..].into());
    check(
        &format!("include: {url}"),
        &remote_world(url, body()),
        "{j: {script: x}}",
    );
    check(
        &format!("include: {{remote: '{url}', integrity: sha256-xx}}"),
        &remote_world(url, body()),
        "Remote file `https://h/a.yml` failed integrity check!",
    );
    let good = "sha256-UrCxJwFDSNxC68dBJiIFp83zHRpAi0tkwZlPPl6mcdY=";
    let text = format!("include: {{remote: '{url}', integrity: '{good}'}}");
    let loaded = loaded_from(&text, &remote_world(url, body()));
    let note = loaded
        .diagnostics
        .iter()
        .next()
        .and_then(|it| it.notes.first().cloned());
    assert_eq!(shown(&loaded), "{j: {script: x}}", "{note:?}");
}

#[test]
fn remote_failures_are_told_in_gitlabs_words() {
    let url = "https://h/a.yml";
    let text = format!("include: {url}");
    let failed = |why: &str| format!("Remote file `{url}` could not be fetched after {why}");
    let cases = [
        (
            Remote::Status {
                code: 404,
                attempts: 1,
            },
            failed("1 attempt because of HTTP code `404` error!"),
        ),
        (
            Remote::Status {
                code: 503,
                attempts: 3,
            },
            failed("3 attempts because of HTTP code `503` error!"),
        ),
        (
            Remote::SocketError,
            failed("3 attempts because of a socket error!"),
        ),
        (
            Remote::TimedOut,
            failed("3 attempts because of a timeout error!"),
        ),
        (
            Remote::Body(b" \n"[..].into()),
            format!("Included file `{url}` is empty or does not exist!"),
        ),
        (
            Remote::Body(b"include: b.yml"[..].into()),
            "Local file `b.yml` does not have project!".to_owned(),
        ),
    ];
    for (answer, expected) in cases {
        check(&text, &remote_world(url, answer), &expected);
    }
}

#[test]
fn components_take_inputs_and_know_themselves() {
    let mut world = FixtureWorld::default();
    let text = "spec:\n  component: [name, reference, version]\n  inputs: {dir: }\n---\n\
                l: {script: '$[[ inputs.dir ]] $[[ component.name ]] $[[component.reference]]$[[ component.version ]]'}\n";
    let including = "spec:\n  include: [a.yml]\n  inputs: {dir: 1}\n---\nl: {script: x}\n";
    let files: [(&str, &[(&str, &str)]); 1] = [(
        "v1",
        &[("templates/lint.yml", text), ("templates/i.yml", including)],
    )];
    world.projects.insert("g/parts".to_owned(), project(&files));
    check(
        "include: [{component: gitlab.com/g/parts/i@v1}]",
        &world,
        "Component `gitlab.com/g/parts/i@v1` cannot use `spec:include`. This keyword is not supported in components",
    );
    check(
        "include: [{component: gitlab.com/g/parts/lint@v1, inputs: {dir: src}}]",
        &world,
        "{l: {script: src lint v1}}",
    );
    check(
        "include: [{component: gitlab.com/g/parts/lint}]",
        &world,
        "Component 'gitlab.com/g/parts/lint' - the component path is not supported",
    );
    check(
        "include: [{component: $CI_SERVER_FQDN/g/parts/none@v1}]",
        &world,
        "Component 'gitlab.com/g/parts/none@v1' - content not found",
    );
}

#[test]
fn faults_of_header_files_belong_to_the_file_that_names_them() {
    let world = FixtureWorld::with_files([(
        "a.yml",
        "spec: {include: [none.yml]}\n---\nj: {script: x}\n",
    )]);
    check(
        "include: a.yml",
        &world,
        "`a.yml`: Local file `none.yml` does not exist!",
    );
    check(
        "spec: {include: [none.yml]}\n---\nj: {script: x}\n",
        &world,
        "Local file `none.yml` does not exist!",
    );
}

#[test]
fn templates_need_their_suffix() {
    let mut world = FixtureWorld::default();
    world
        .templates
        .insert("Go.gitlab-ci.yml".to_owned(), "go: {script: x}".to_owned());
    check(
        "include: {template: Go.gitlab-ci.yml}",
        &world,
        "{go: {script: x}}",
    );
    check(
        "include: {template: Go.yml}",
        &world,
        "Template file `Go.yml` is not a valid location!",
    );
    check(
        "include: {template: No.gitlab-ci.yml}",
        &world,
        "Included file `No.gitlab-ci.yml` is empty or does not exist!",
    );
}

#[test]
fn artifacts_are_for_child_pipelines() {
    let mut world = FixtureWorld::default();
    let key = ("gen".to_owned(), "c.yml".to_owned());
    world.artifacts.insert(key, b"j: {script: x}".to_vec());
    let text = "include: {artifact: c.yml, job: gen}";
    check(
        text,
        &world,
        "Including configs from artifacts is only allowed when triggering child pipelines",
    );
    let mut scenario = Scenario::push("main");
    scenario.source = tidegate_scenario::PipelineSource::ParentPipeline;
    let result = load(&root(text), &scenario, &world, &Settings::default()).unwrap();
    assert_eq!(shown(&result), "{j: {script: x}}");
}

#[test]
fn what_cannot_be_known_is_told_with_a_way_out() {
    let loaded = loaded_from("include: https://h/a.yml", &Offline);
    assert_eq!(
        shown(&loaded),
        "`include:remote` https://h/a.yml could not be resolved: asking is forbidden by --offline"
    );
    let problem = loaded.diagnostics.iter().next().unwrap();
    assert_eq!(problem.suggestions.len(), 1);
    assert!(problem.primary().is_some());
}

/// A world that knows nothing because it may not ask.
struct Offline;

macro_rules! nothing_is_known {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl World for Offline {
            $(fn $name(&self, $($argument: $type),*) -> tidegate_scenario::Answer<$answer> {
                $(let _ = $argument;)*
                Ok(Fact::Unknown(Why::Offline))
            })*
        }
    };
}

nothing_is_known! {
    changed_paths(query: &tidegate_scenario::ChangedPaths) -> tidegate_scenario::PathList;
    tree(place: &tidegate_scenario::Place) -> tidegate_scenario::PathList;
    file(place: &tidegate_scenario::Place, path: &str) -> Option<Arc<[u8]>>;
    blob_ids(paths: &[String]) -> Vec<Option<String>>;
    last_commits(paths: &[String]) -> Vec<Option<String>>;
    project(path: &str) -> Option<tidegate_scenario::ProjectFacts>;
    revision(project: Option<&str>, name: &str) -> Option<String>;
    remote(url: &str) -> Remote;
    template(name: &str) -> Option<Arc<[u8]>>;
    component(project: &str, name: &str, version: &str) -> Option<tidegate_scenario::Component>;
    artifact(job: &str, path: &str) -> Option<Arc<[u8]>>;
    cache_state(query: &tidegate_scenario::CacheQuery) -> tidegate_scenario::CacheState;
}

#[test]
fn masked_values_do_not_reach_messages() {
    let mut scenario = Scenario::push("main");
    let mut variable = Variable::new("DIR", "test_value", VariableSource::SettingProject);
    variable.masked = true;
    scenario.settings.push(SettingVariable {
        variable,
        protected: false,
        environment_scope: "*".to_owned(),
    });
    let world = FixtureWorld::default();
    let text = "include: {local: $DIR/jobs.txt}";
    let loaded = load(&root(text), &scenario, &world, &Settings::default()).unwrap();
    assert_eq!(
        shown(&loaded),
        "Included file `[MASKED]xx/jobs.txt` does not have YAML extension!"
    );
}

#[test]
fn headers_share_inputs_through_files() {
    let world = FixtureWorld::with_files([
        ("i.yml", "inputs: {a: {default: x}}\n"),
        ("bad.yml", "inputs: {}\nfoo: 1\n"),
    ]);
    let text = |rest: &str| format!("spec: {rest}\n---\nj: {{script: 'e $[[ inputs.a ]]'}}\n");
    check(&text("{include: [i.yml]}"), &world, "{j: {script: e x}}");
    check(
        &text("{include: [i.yml], inputs: {a: }}"),
        &world,
        "Duplicate input keys found: a. Input keys must be unique across all included files and \
         inline specifications.",
    );
    check(
        &text("{include: [bad.yml]}"),
        &world,
        "Header include file `bad.yml` contains unknown keys: [:foo]",
    );
}

#[test]
fn at_most_three_messages_of_a_file_are_told_in_one() {
    let nothing = FixtureWorld::default();
    let required = |name: &str| format!("`{name}` input: required value has not been provided");
    check(
        "spec: {inputs: {a: , b: , c: , d: }}\n---\nj: {script: x}\n",
        &nothing,
        &[required("a"), required("b"), required("c")].join(", "),
    );
}

#[test]
fn a_cache_of_parsed_files_serves_several_scenarios() {
    let world =
        FixtureWorld::with_files([("a.yml", "a: {script: x}\n"), ("b.yml", "a: {script: x}\n")]);
    let mut parsed = ParsedFiles::new();
    let root = root("include: [a.yml, b.yml]\nj: {script: x}\n");
    for branch in ["main", "other", "third"] {
        let scenario = Scenario::push(branch);
        let loaded =
            load_with(&mut parsed, &root, &scenario, &world, &Settings::default()).unwrap();
        assert!(loaded.is_valid());
        let (key, _) = loaded
            .merged
            .as_ref()
            .and_then(|map| map.entry("a"))
            .unwrap();
        assert_eq!(
            loaded.sources.locate(key.span).as_deref(),
            Some("b.yml:1:1")
        );
    }
    assert_eq!(parsed.len(), 2, "the root, and one content under two names");
}

#[test]
fn a_recording_replays_to_the_same_result() {
    let world = FixtureWorld::with_files([("a.yml", "a: {script: x}\n")]);
    let recorder = Recorder::new(&world);
    let text = "include: a.yml\n";
    let live = shown(&loaded_from(text, &recorder));
    assert_eq!(shown(&loaded_from(text, &recorder.into_facts())), live);
}

#[test]
fn origins_tell_what_an_include_lost_to() {
    let world = FixtureWorld::with_files([("a.yml", "j: {image: old, script: x}\n")]);
    let settings = Settings {
        record_origins: true,
        ..Settings::default()
    };
    let scenario = Scenario::push("main");
    let text = "include: a.yml\nj: {image: new}\n";
    let loaded = load(&root(text), &scenario, &world, &settings).unwrap();
    let overridden = loaded.overridden.unwrap();
    let [crate::Layer::ReplacedByInclude(lost)] = overridden.at(&["j".into(), "image".into()])
    else {
        panic!("one layer");
    };
    assert_eq!(loaded.sources.locate(*lost).as_deref(), Some("a.yml:1:12"));
}

#[test]
fn an_overlay_file_is_laid_over_the_jobs_in_our_dialect_only() {
    let overlay = "jobs: {j: {tags: [fast]}, k: {tags: [x]}}\n";
    let world = FixtureWorld::with_files([(crate::OVERLAY_FILE, overlay)]);
    let text = "j: {script: x}\n.tidegate: {jobs: {k: {image: i}}}\nk: {script: x}\n";
    let tags = |dialect| {
        let settings = Settings {
            dialect,
            ..Settings::default()
        };
        let loaded = load(&root(text), &Scenario::push("main"), &world, &settings).unwrap();
        assert!(
            !loaded
                .merged
                .as_ref()
                .unwrap()
                .get("j")
                .unwrap()
                .as_map()
                .unwrap()
                .contains("tags")
        );
        let config = loaded.config.unwrap();
        ["j", "k"].map(|job| config.jobs[job].body.inheritable.tags.len())
    };
    assert_eq!(tags(Dialect::Tidegate), [1, 1]);
    assert_eq!(tags(Dialect::Gitlab), [0, 0]);
}

#[test]
fn ignored_include_keys_are_findings_where_asked_for() {
    let world = FixtureWorld::with_files([("a.yml", "a: {script: x}\n")]);
    let settings = Settings {
        strict_includes: true,
        ..Settings::default()
    };
    let text = "include: {local: a.yml, rule: []}\n";
    let loaded = load(&root(text), &Scenario::push("main"), &world, &settings).unwrap();
    assert!(loaded.is_valid());
    let findings: Vec<_> = loaded.diagnostics.of(Severity::Finding).collect();
    assert_eq!(findings.len(), 1);
}

#[test]
fn references_that_multiply_beyond_measure_are_refused() {
    let mut text =
        "j: {script: !reference [.r29, s]}\n.r0: {s: [x, x, x, x, x, x, x, x, x, x]}\n".to_owned();
    for level in 1..30 {
        let tags = vec![format!("!reference [.r{}, s]", level - 1); 10].join(", ");
        text.push_str(&format!(".r{level}: {{s: [{tags}]}}\n"));
    }
    check(
        &text,
        &FixtureWorld::default(),
        "The configuration is too big once `extends` and `!reference` are resolved",
    );
}

#[test]
fn a_long_script_that_many_jobs_inherit_is_refused_and_not_copied() {
    let lines = vec!["x"; 20_000].join(", ");
    let mut text = format!(".base: {{script: [{lines}]}}\n");
    for job in 0..400 {
        text.push_str(&format!("j{job}: {{extends: .base}}\n"));
    }
    check(
        &text,
        &FixtureWorld::default(),
        "The configuration is too big once `extends` and `!reference` are resolved",
    );
}
