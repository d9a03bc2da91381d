//! What each fuzz target does with its input: one function a target, shared by `fuzz/`, by the replay of its corpus in the
//! ordinary test suite, and by `examples/mutate.rs`.
//!
//! A target returns normally for every input. Wrong inputs are refused, never a panic; what holds for every accepted input is
//! asserted here.

use tidegate_config::{Dialect, Loaded, RootFile, Settings, load, merged_yaml, normalized};
use tidegate_expr::{
    Environment, Expression, NoInputs, Pattern, Variable, VariableSource, Variables, evaluate,
    evaluate_traced,
};
use tidegate_glob::{Doublestar, ExistsGlob, Fnmatch, Wildcard};
use tidegate_scenario::{FixtureWorld, InputValue, Scenario};
use tidegate_source::{FileId, Span};
use tidegate_yaml::{Limits, Node, Value, dump};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also of its corpus folder and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "yaml",
        run: yaml,
    },
    Target {
        name: "expression",
        run: expression,
    },
    Target {
        name: "loader",
        run: loader,
    },
    Target {
        name: "glob",
        run: glob,
    },
    Target {
        name: "re2",
        run: re2,
    },
];

/// Separates the files of a loader input: a line of this and the name of the file that follows.
pub const FILE_MARK: &str = "=== ";

/// Parses a YAML file and writes it again.
pub fn yaml(input: &[u8]) {
    match tidegate_yaml::load(input, FileId(0), &Limits::default()) {
        Ok(loaded) => {
            check_node(&loaded.content, input.len());
            for remark in &loaded.remarks {
                check_span(remark.span, input.len());
            }
            let text = dump(&loaded.content).unwrap_or_default();
            assert!(text.starts_with("---"), "{text}");
        }
        Err(error) => {
            check_span(error.span, input.len());
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Parses an expression and evaluates it with and without a trace.
pub fn expression(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let variables: Variables = [("A", "a"), ("B", ""), ("P", "/a.*/i"), ("T", "true")]
        .into_iter()
        .map(|(key, value)| Variable::new(key, value, VariableSource::YamlRoot))
        .collect();
    match Expression::parse(&text) {
        Ok(parsed) => {
            for node in parsed.nodes() {
                assert!(text.get(node.token.clone()).is_some());
                assert!(text.get(node.extent.clone()).is_some());
            }
            let environment = Environment {
                variables: &variables,
                inputs: &NoInputs,
            };
            let traced = evaluate_traced(&parsed, environment).holds();
            let plain = evaluate(&parsed, &variables).is_ok_and(|value| value.is_present());
            assert_eq!(traced, plain);
        }
        Err(error) => assert!(text.get(error.at).is_some()),
    }
}

/// Loads a whole configuration in both dialects, lints it and gives its other forms.
///
/// The input is the root file; after a line `=== NAME` follows a file to include.
pub fn loader(input: &[u8]) {
    let mut root: &[u8] = input;
    let mut files = Vec::new();
    let text = String::from_utf8_lossy(input).into_owned();
    if let Some((first, rest)) = text.split_once(&format!("\n{FILE_MARK}")) {
        root = first.as_bytes();
        for part in rest.split(&format!("\n{FILE_MARK}")) {
            let (name, content) = part.split_once('\n').unwrap_or((part, ""));
            files.push((name.trim(), content));
        }
    }
    let mut scenario = Scenario::push("main");
    let given = InputValue::Text("given".to_owned());
    scenario.inputs = [("a".to_owned(), given)].into_iter().collect();
    for dialect in [Dialect::Gitlab, Dialect::Tidegate] {
        let settings = Settings {
            dialect,
            record_origins: true,
            ..Settings::default()
        };
        let world = FixtureWorld::with_files(files.iter().copied());
        let root = RootFile {
            name: ".gitlab-ci.yml".to_owned(),
            bytes: root.into(),
        };
        match load(&root, &scenario, &world, &settings) {
            Ok(loaded) => check_loaded(&loaded),
            Err(error) => panic!("a world in memory cannot break: {error}"),
        }
    }
}

fn check_loaded(loaded: &Loaded) {
    let findings = tidegate_lint::findings(loaded, &tidegate_lint::Settings::default());
    for diagnostic in loaded.diagnostics.iter().chain(&findings) {
        let replaced = diagnostic.suggestions.iter();
        let replaced = replaced.filter_map(|it| it.replacement.as_ref().map(|(span, _)| *span));
        let labelled = diagnostic.labels.iter().map(|label| label.span);
        for span in labelled.chain(replaced) {
            let file = loaded.sources.file(span.file()).expect("a known file");
            assert!(span.start() <= span.end(), "{diagnostic:?}");
            // Text that is not UTF-8 is replaced by longer text, so places in it may split a character.
            let exact = !file.text.contains('\u{FFFD}');
            let range = span.start() as usize..span.end() as usize;
            assert!(!exact || file.text.get(range).is_some(), "{diagnostic:?}");
        }
    }
    if let Some(merged) = &loaded.merged {
        assert!(merged_yaml(merged).is_some());
    }
    if let Some(config) = &loaded.config {
        let builds = normalized::builds(config).map(|builds| builds.len());
        assert_eq!(builds, Some(config.jobs.len()));
        assert!(normalized::lint_jobs(config).is_some());
    }
}

/// Compiles the first line as a pattern of each dialect and matches the second line.
pub fn glob(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (pattern, path) = text.split_once('\n').unwrap_or((&text, "a/b.c"));
    if let Ok(glob) = Fnmatch::new(pattern)
        && glob.matches(path)
    {
        assert!(path.starts_with(glob.literal_directory()));
    }
    if let Ok(glob) = ExistsGlob::new(pattern) {
        let _ = glob.matches(path);
    }
    if let Ok(glob) = Doublestar::new(pattern)
        && glob.matches(path)
    {
        assert!(path.starts_with(glob.literal_directory()));
    }
    let _ = Wildcard::new(pattern).matches(path);
}

/// Compiles the first line as an RE2 pattern and searches the rest.
pub fn re2(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (pattern, subject) = text.split_once('\n').unwrap_or((&text, "a b1"));
    match Pattern::compile(pattern, "") {
        Ok(compiled) => {
            let found = compiled.last_match(subject);
            assert!(found.is_none() || compiled.is_match(subject));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = Pattern::from_literal(pattern);
}

fn check_node(node: &Node, length: usize) {
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        check_span(node.span, length);
        match &node.value {
            Value::Seq(items) => waiting.extend(items.iter()),
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    check_span(key.span, length);
                    waiting.push(value);
                }
            }
            Value::Reference(inner) => waiting.push(inner),
            _ => {}
        }
        // Aliases may make the tree far larger than its text.
        if waiting.len() > 10_000 {
            return;
        }
    }
}

fn check_span(span: Span, length: usize) {
    assert!(
        span.start() <= span.end() && span.end() as usize <= length,
        "{span:?} of {length}"
    );
}
