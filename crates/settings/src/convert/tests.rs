use std::path::Path;
use std::time::Duration;

use super::*;
use crate::load::{Level, parse};

fn read(text: &str) -> Settings {
    let path = Path::new("/p/tidegate.toml");
    parse(text, path, Level::Project, None).unwrap_or_else(|error| panic!("{error}"))
}

fn checkout(remote: Option<&str>) -> Checkout {
    Checkout {
        root: "/p".into(),
        config_path: ".gitlab-ci.yml".to_owned(),
        top: None,
        head: None,
        remote: remote.map(str::to_owned),
        remote_default: None,
        user: (None, None),
    }
}

#[test]
fn nothing_said_is_the_default() {
    let settings = Settings::default();
    assert_eq!(settings.config(), tidegate_config::Settings::default());
    let mut scenario = Scenario::push("main");
    settings.apply(&mut scenario);
    assert_eq!(scenario, Scenario::push("main"));
}

#[test]
fn limits_and_language_reach_the_loader() {
    let settings = read(
        "dialect = \"tidegate\"\nedition = \"enterprise\"\ngitlab_version = \"17.2\"\n\
         [limits]\nmax_yaml_size_bytes = 1\nmax_yaml_depth = 2\nci_max_includes = 3\n\
         ci_max_total_yaml_size_bytes = 4\ninclude_timeout = \"5s\"\ninterpolation_nodes = 6\n\
         interpolation_node_bytes = 7\ninterpolation_expression_bytes = 8\n\
         interpolation_blocks = 9\ninterpolation_functions = 10\npipeline_inputs = 11\n",
    );
    let config = settings.config();
    assert_eq!(config.dialect, tidegate_config::Dialect::Tidegate);
    assert_eq!(config.edition, tidegate_config::Edition::Enterprise);
    assert_eq!(config.gitlab_version, (17, 2));
    let limits = config.limits;
    assert_eq!(
        (
            limits.yaml.text_bytes,
            limits.yaml.value_bytes,
            limits.yaml.depth
        ),
        (1, 1, 2)
    );
    assert_eq!((limits.includes, limits.included_bytes), (3, 4));
    assert_eq!(limits.include_time, Duration::from_secs(5));
    assert_eq!(
        (limits.interpolation_nodes, limits.interpolation_node_bytes),
        (6, 7)
    );
    assert_eq!(
        (
            limits.interpolation_expression_bytes,
            limits.interpolation_blocks
        ),
        (8, 9)
    );
    assert_eq!(
        (limits.interpolation_functions, limits.pipeline_inputs),
        (10, 11)
    );
}

#[test]
fn project_role_protection_server_and_variables_reach_the_scenario() {
    let settings = read(
        "gitlab_version = \"17.2.1\"\n[project]\npath = \"a/b\"\nid = 7\ndefault_branch = \"trunk\"\n\
         protected_branches = [\"release/*\"]\nprotected_tags = []\nrole = \"owner\"\n\
         [server]\nurl = \"http://h.org:8080\"\n\
         [variables.group]\nA = { value = \"x\", masked = true, protected = true, file = true, \
         raw = true, environment_scope = \"prod/*\" }\n",
    );
    let mut scenario = Scenario::push("release/1");
    settings.apply(&mut scenario);
    assert_eq!((&*scenario.project.path, scenario.project.id), ("a/b", 7));
    assert_eq!(scenario.project.default_branch, "trunk");
    assert_eq!(scenario.user.role, Role::Owner);
    assert!(scenario.protected);
    assert_eq!(scenario.server.fqdn(), "h.org:8080");
    assert_eq!(scenario.server.version, "17.2.1");
    let [variable] = &scenario.settings[..] else {
        panic!("one variable is set: {:?}", scenario.settings);
    };
    assert_eq!(variable.variable.source, VariableSource::SettingGroup);
    assert!(variable.variable.masked && variable.variable.file && variable.variable.raw);
    assert!(variable.protected);
    assert_eq!(variable.environment_scope, "prod/*");
    for (reference, protected) in [
        (Ref::Branch("main".to_owned()), false),
        (Ref::Tag("v1".to_owned()), false),
        (Ref::Branch("release/".to_owned()), true),
    ] {
        scenario.git_ref = reference;
        settings.apply(&mut scenario);
        assert_eq!(scenario.protected, protected, "{:?}", scenario.git_ref);
    }
}

#[test]
fn projects_are_looked_for_where_the_settings_say_then_beside_the_origin() {
    let fallback = |text: &str, remote| {
        let sources = read(text).sources(&checkout(remote), "a/b", "h.org");
        sources.fallback
    };
    let origin = Some("git@h.org:a/b.git");
    assert_eq!(fallback("", origin).as_deref(), Some("git@h.org:*.git"));
    assert_eq!(fallback("", None), None);
    assert_eq!(fallback("[includes]\nbeside_origin = false", origin), None);
    let server = "[server]\nurl = \"https://h.org\"";
    assert_eq!(fallback(server, origin).as_deref(), Some("git@h.org:*.git"));
    let elsewhere = Some("https://github.com/a/b.git");
    assert_eq!(
        fallback(server, elsewhere).as_deref(),
        Some("https://h.org/*.git")
    );
}

#[test]
fn mappings_reach_the_fetcher() {
    let settings = read(
        "gitlab_version = \"17.2\"\n[includes]\nrequest_timeout = \"3s\"\nmax_file_size = \"1KiB\"\n\
         [includes.projects]\n\"a/b\" = { path = \"../b\", ref = \"stable\" }\n\
         \"c/*\" = { url = \"ssh://git@h.org/c/*.git\" }\n\
         [includes.remote]\nallow = [\"https://*\"]\ndeny = [\"*x\"]\n[limits]\ninclude_timeout = \"9s\"\n",
    );
    let sources = settings.sources(&checkout(None), "a/b", "h.org");
    let [first, second] = &sources.projects[..] else {
        panic!("two are mapped: {:?}", sources.projects);
    };
    let directory = Location::Directory {
        path: "/p/../b".into(),
        work_tree: false,
    };
    assert_eq!(
        (&first.location, first.default_ref.as_deref()),
        (&directory, Some("stable"))
    );
    assert_eq!(
        second.location,
        Location::Url("ssh://git@h.org/c/*.git".to_owned())
    );
    assert_eq!(sources.limits.request, Duration::from_secs(3));
    assert_eq!(sources.limits.total, Duration::from_secs(9));
    assert_eq!(sources.limits.bytes, 1024);
    assert_eq!(sources.remote.allow, ["https://*"]);
    assert_eq!(sources.remote.deny, ["*x"]);
    let base = "https://gitlab.com/gitlab-org/gitlab/-/raw/v17.2.0-ee/lib/gitlab/ci/templates";
    assert_eq!(
        sources.templates,
        Some(TemplateSource::Url(base.to_owned()))
    );
}
