//! Loads small configurations for the tests of the rules.

use tidegate_config::{Dialect, Loaded, RootFile, Settings, load};
use tidegate_scenario::{FixtureWorld, Scenario};
use tidegate_source::{Diagnostic, SourceMap};

/// What `text` loads to, our extension keywords included.
pub(crate) fn loaded(text: &str) -> Loaded {
    let root = RootFile {
        name: ".gitlab-ci.yml".to_owned(),
        bytes: text.as_bytes().into(),
    };
    let settings = Settings {
        dialect: Dialect::Tidegate,
        ..Settings::default()
    };
    let world = FixtureWorld::default();
    load(&root, &Scenario::push("main"), &world, &settings).unwrap()
}

/// The findings of one rule about a valid configuration.
pub(crate) fn found(code: &str, text: &str) -> Vec<(Diagnostic, SourceMap)> {
    let loaded = loaded(text);
    let all: Vec<_> = loaded.diagnostics.iter().collect();
    assert!(loaded.is_valid(), "{text}: {all:?}");
    let found = crate::findings(&loaded, &crate::Settings::default());
    let of_rule = found.into_iter().filter(|finding| finding.code.0 == code);
    of_rule.map(|it| (it, loaded.sources.clone())).collect()
}

/// Checks what the findings of one rule underline.
pub(crate) fn check(code: &str, text: &str, expected: &[&str]) {
    let underlined: Vec<String> = found(code, text)
        .iter()
        .map(|(finding, sources)| {
            let span = finding.primary().unwrap();
            sources.text_of(span).trim_end().to_owned()
        })
        .collect();
    assert_eq!(underlined, expected, "{text}");
}

/// Checks what the text becomes when the first replacement of the first finding of a rule is made.
pub(crate) fn check_mended(code: &str, text: &str, expected: &str) {
    let all = found(code, text);
    let (finding, _) = all.first().unwrap();
    let mut replacements = finding
        .suggestions
        .iter()
        .filter_map(|it| it.replacement.as_ref());
    let (span, new) = replacements.next().unwrap();
    let mut mended = text.to_owned();
    mended.replace_range(span.start() as usize..span.end() as usize, new);
    assert_eq!(mended, expected);
}
