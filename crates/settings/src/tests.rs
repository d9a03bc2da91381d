use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::suggestion::unknown_and_expected;

const PAGE: &str = include_str!("../../../docs/settings.md");

fn read(text: &str) -> Result<Settings, SettingsError> {
    parse(
        text,
        Path::new("/p/tidegate.toml"),
        Level::Project,
        Some(Path::new("/home/ada")),
    )
}

fn told(text: &str) -> String {
    read(text).expect_err("it is wrong").to_string()
}

/// The keys a section has, as its type tells them when it is given one it does not know.
fn keys_of_type(text: &str) -> BTreeSet<String> {
    let error = toml::from_str::<Settings>(text).expect_err("the key is unknown");
    let (_, expected) = unknown_and_expected(error.message()).expect("it is about an unknown key");
    expected.into_iter().map(str::to_owned).collect()
}

/// The keys in the table below a heading of the page.
fn keys_of_page(heading: &str) -> BTreeSet<String> {
    let start = PAGE
        .find(&format!("\n{heading}\n"))
        .expect("the page has the heading");
    let section = PAGE[start..]
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with('#'));
    section
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

fn example() -> &'static str {
    let (_, after) = PAGE
        .split_once("```toml\n")
        .expect("the page has an example");
    after.split("```").next().expect("a part")
}

#[test]
fn the_page_lists_exactly_the_keys_there_are() {
    let sections = [
        ("## Top level", "%"),
        ("## `[limits]`", "limits.%"),
        ("## `[lint]`", "lint.%"),
        ("## `[run]`", "run.%"),
        ("## `[project]`", "project.%"),
        ("## `[server]`", "server.%"),
        ("## `[variables]`", "variables.%"),
        ("### A variable", "variables.project.A.%"),
        ("## `[includes]`", "includes.%"),
        ("### A project", "includes.projects.a.%"),
        ("### Templates", "includes.templates.%"),
        ("### `[includes.remote]`", "includes.remote.%"),
        ("## `[cache]`", "cache.%"),
        ("### `[cache.remote]`", "cache.remote.%"),
        ("### A source", "secrets.a.%"),
    ];
    for (heading, key) in sections {
        let text = format!("{} = 1", key.replace('%', "nothing_of_the_kind"));
        let keys = keys_of_type(&text);
        assert_eq!(keys_of_page(heading), keys, "{heading}");
        let used = keys.iter().filter(|key| !is_used(heading, key));
        assert_eq!(
            used.collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "in the example, {heading}"
        );
    }
}

/// Whether the example uses a key, or cannot.
fn is_used(heading: &str, key: &str) -> bool {
    // Only for the user's file, or instead of another.
    let cannot = [
        "token_hosts",
        "access_key",
        "secret_key",
        "trusted_endpoints",
    ];
    let cannot = cannot.contains(&key)
        || (heading == "### `[cache.remote]`" && ["path", "runner", "hashed_keys"].contains(&key));
    let begins = |line: &str| line.starts_with(&format!("{key} = "));
    let inside = [
        format!("{{ {key} = "),
        format!(", {key} = "),
        format!("[{key}"),
    ];
    let table = example().contains(&format!(".{key}]"));
    let written = inside.iter().any(|part| example().contains(part));
    cannot || table || written || example().lines().any(begins)
}

#[test]
fn the_example_of_the_page_is_read() {
    let settings = read(example()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.run.log_limit, Some(Size(16 << 20)));
    assert_eq!(
        settings.data_dir.as_deref(),
        Some(Path::new("/home/ada/.cache/tidegate"))
    );
    assert_eq!(settings.includes.projects.len(), 3);
    let url = &settings.variables.project[&VariableName("URL".to_owned())];
    assert_eq!(url.0.len(), 2);
    assert!(
        !format!("{settings:?}").contains("abc"),
        "masked values are not shown"
    );
}

#[test]
fn a_source_is_exactly_one_thing_and_its_file_is_found_from_the_settings() {
    let settings = read("[secrets]\nA = { file = \"x\" }\n").expect("it is right");
    let file = Source::File(PathBuf::from("/p/x"));
    assert_eq!(settings.secrets["A"], file);
    assert_eq!(
        told("[secrets]\nA = { file = \"x\", command = \"y\" }\n"),
        "read /p/tidegate.toml:2:5: `secrets.A`: expected exactly one of `variable`, `file` and `command`"
    );
}

#[test]
fn an_unknown_key_is_told_with_file_line_key_and_what_was_meant() {
    assert_eq!(
        told("dialect = \"gitlab\"\n\n[run]\njbos = 3\n"),
        "read /p/tidegate.toml:4:1: `run.jbos`: unknown field `jbos`, expected one of `jobs`, \
         `workspace`, `shell`, `default_timeout`, `log_limit`, `environment`, `keep_runs`, `max_run_age`; did you mean `jobs`?"
    );
    assert_eq!(
        told("[includes.projects]\n\"g/p\" = { url = \"x\", reff = \"a\" }"),
        "read /p/tidegate.toml:2:22: `includes.projects.\"g/p\".reff`: unknown field `reff`, \
         expected one of `path`, `url`, `ref`, `work_tree`; did you mean `ref`?"
    );
}

#[test]
fn wrong_values_are_told_with_their_key() {
    let cases = [
        ("[run]\njobs = 0\n", ":2:8: `run.jobs`: "),
        ("edition = \"comunity\"", "did you mean `community`?"),
        (
            "[run]\nlog_limit = \"4 apples\"",
            "`run.log_limit`: `4 apples` is no size",
        ),
        ("[limits]\ninclude_timeout = \"5\"", "`5` is no time span"),
        (
            "[includes.projects]\na = { path = \"x\", url = \"y\" }",
            "either `path` or `url`",
        ),
        (
            "[includes.projects]\na = { url = \"y\", work_tree = true }",
            "only for a `path`",
        ),
        ("[includes]\ntemplates = {}", "either `path` or `url`"),
        (
            "[variables.project]\n\"a b\" = \"x\"",
            "`a b` is no name of a variable",
        ),
        (
            "[variables.project]\nA = 1",
            "a string, a table with `value`",
        ),
        ("[server]\nurl = \"gitlab.com\"", "no address of a server"),
        (
            "[cache]\nremote = { url = \"ftp://x\" }",
            "/p/tidegate.toml:2:18: `cache.remote.url`: `ftp://x` is no place for caches",
        ),
        (
            "[cache.remote]\nurl = \"s3://b/../x\"",
            "`s3://b/../x` is no place",
        ),
        (
            "[cache.remote]\nurl = \"s3://b\"\npath = \"/x\"",
            ":3:1: `cache.remote.path`: either `url` or `path`",
        ),
        (
            "[cache.remote]\nurl = \"s3://b\"\nendpoint = \"http://minio.example.com\"",
            ":3:1: `cache.remote.endpoint`: write it like `https://",
        ),
        (
            "[cache.remote]\nurl = \"az://b\"\nendpoint = \"https://gateway.example.com/../account\"",
            ":3:1: `cache.remote.endpoint`: write it like `https://",
        ),
        (
            "[cache.remote]\nformat = \"gitlab-runer\"",
            "did you mean `gitlab-runner`?",
        ),
        (
            "[cache.remote]\nformat = \"tidegate\"\nrunner = \"abc\"",
            ":3:1: `cache.remote.runner`: only `format = \"gitlab-runner\"`",
        ),
        (
            "[cache.remote]\nrunner = \"a/b\"",
            ":2:1: `cache.remote.runner`: this is no short token",
        ),
        (
            "[cache.remote]\nsecret_key = \"s\"",
            ":2:1: `cache.remote.secret_key`: only the user's own settings may hold secrets",
        ),
        (
            "[cache.remote]\ntrusted_endpoints = [\"https://evil.example.com\"]",
            ":2:1: `cache.remote.trusted_endpoints`: only the user's own settings may say which servers",
        ),
        ("[cache]\nprotected = \"no\"", "`cache.protected`: "),
        ("a = \n", "/p/tidegate.toml:1:"),
    ];
    for (text, expected) in cases {
        let told = told(text);
        assert!(told.contains(expected), "{told}\ndoes not say\n{expected}");
    }
}

#[test]
fn only_the_user_says_where_tokens_go() {
    let text = "[includes]\ntoken_hosts = [\"evil.example.com\"]";
    assert_eq!(
        told(text),
        "read /p/tidegate.toml:2:1: `includes.token_hosts`: only the user's own settings may say \
         where tokens are sent"
    );
    let user = parse(text, Path::new("/u/config.toml"), Level::User, None);
    assert_eq!(
        user.expect("allowed").includes.token_hosts,
        ["evil.example.com"]
    );
}

#[test]
fn the_project_stands_above_the_user_and_both_lists_of_denials_count() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let user = dir.path().join("user/config.toml");
    std::fs::create_dir(dir.path().join("user")).expect("writable");
    let own = "[run]\njobs = 2\n[lint]\ndisable = [\"b\"]\n[includes.projects]\na = { path = \"a\" }\n\
               [includes.remote]\ndeny = [\"x\"]\n[variables.project]\nA = \"own\"\n";
    let below = "data_dir = \"d\"\n[run]\njobs = 8\nlog_limit = \"1MiB\"\n[lint]\ndisable = [\"a\"]\n\
                 [includes.projects]\na = { path = \"x\" }\nb = { path = \"b\" }\n\
                 [includes.remote]\ndeny = [\"y\"]\n[variables.project]\nA = \"user\"\nB = \"user\"\n";
    std::fs::write(dir.path().join("tidegate.toml"), own).expect("writable");
    std::fs::write(&user, below).expect("writable");
    let settings = load(dir.path(), Some(&user), None).expect("both are well formed");
    assert_eq!(settings.run.jobs.map(usize::from), Some(2));
    assert_eq!(settings.run.log_limit, Some(Size(1 << 20)));
    assert_eq!(settings.lint.disable, ["a", "b"]);
    assert_eq!(settings.includes.remote.deny, ["x", "y"]);
    assert_eq!(settings.data_dir, Some(dir.path().join("user/d")));
    let path = |name: &str| match &settings.includes.projects[name] {
        ProjectMapping::Directory { path, .. } => path.clone(),
        ProjectMapping::Url { .. } => PathBuf::new(),
    };
    assert_eq!(path("a"), dir.path().join("a"));
    assert_eq!(path("b"), dir.path().join("user/b"));
    let value = |name: &str| {
        let values = &settings.variables.project[&VariableName(name.to_owned())];
        values.0[0].value.clone()
    };
    assert_eq!(
        (value("A"), value("B")),
        ("own".to_owned(), "user".to_owned())
    );
}

#[test]
fn files_that_do_not_exist_say_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let settings = load(dir.path(), Some(&dir.path().join("none")), None);
    assert_eq!(settings.expect("nothing is wrong"), Settings::default());
    std::fs::create_dir(dir.path().join("tidegate.toml")).expect("writable");
    assert!(matches!(
        load(dir.path(), None, None),
        Err(SettingsError::Read { .. })
    ));
}

#[test]
fn the_users_file_lies_where_the_environment_says() {
    let file = |pairs: &[(&str, &str)]| {
        user_file(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).into())
        })
    };
    let expected = PathBuf::from("/x/tidegate/config.toml");
    assert_eq!(
        file(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]),
        Some(expected)
    );
    let expected = PathBuf::from("/h/.config/tidegate/config.toml");
    assert_eq!(
        file(&[("XDG_CONFIG_HOME", ""), ("HOME", "/h")]),
        Some(expected)
    );
    assert_eq!(file(&[]), None);
}

#[test]
fn the_place_of_the_remote_cache_is_the_projects_and_the_secrets_are_the_users() {
    let user = "[cache.remote]\nurl = \"s3://mine\"\nendpoint = \"https://own.example.com\"\n\
                access_key = \"a\"\nsecret_key = \"hush\"\ntrusted_endpoints = [\"https://t.example.com\"]\n";
    let user = parse(user, Path::new("/u/config.toml"), Level::User, None).expect("allowed");
    assert!(
        !format!("{user:?}").contains("hush"),
        "secrets are not shown"
    );
    let project = "[cache.remote]\nurl = \"s3://team/ci/\"\nregion = \"eu\"\n";
    let remote = read(project)
        .expect("right")
        .over(user.clone())
        .cache
        .remote;
    let place = remote.url.expect("the project names it");
    assert_eq!((&*place.bucket, &*place.prefix), ("team", "ci"));
    // The user's own server has another bucket of that name.
    assert_eq!(remote.endpoint, None);
    assert_eq!(remote.secret_key.as_deref(), Some("hush"));
    let trusted = ["https://t.example.com", "https://own.example.com"];
    assert_eq!(remote.trusted_endpoints, trusted);
    let directory = read("[cache.remote]\npath = \"~/shared\"\n").expect("right");
    let remote = directory.over(user).cache.remote;
    assert_eq!(remote.path.as_deref(), Some(Path::new("/home/ada/shared")));
    assert_eq!(remote.url, None);
}
