//! All valid configurations of vectors and corpus: what fires, and that it fires with a place.

#![expect(clippy::print_stdout, reason = "with --nocapture one reads what fires")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use tidegate_config::{Dialect, RootFile, load};
use tidegate_lint::{RULES, Settings, findings};
use tidegate_scenario::{FixtureWorld, Scenario};
use tidegate_source::FileId;
use tidegate_yaml::{Limits, Node};

/// One configuration: a name, the root file, further files.
type Case = (String, String, Vec<(String, String)>);

#[derive(Default)]
struct Tally {
    files: usize,
    counts: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn add(&mut self, (name, text, files): &Case) {
        let root = RootFile {
            name: ".gitlab-ci.yml".to_owned(),
            bytes: text.as_bytes().into(),
        };
        let files = files.iter().map(|(path, text)| (&**path, &**text));
        let world = FixtureWorld::with_files(files);
        let settings = tidegate_config::Settings {
            dialect: Dialect::Tidegate,
            ..tidegate_config::Settings::default()
        };
        let loaded = load(&root, &Scenario::push("main"), &world, &settings).unwrap();
        if !loaded.is_valid() {
            return;
        }
        self.files += 1;
        for finding in findings(&loaded, &Settings::default()) {
            assert!(RULES.iter().any(|rule| rule.code == finding.code.0));
            let span = finding.primary().expect("a finding has a place");
            let place = loaded.sources.locate(span).expect("a place in a file");
            *self.counts.entry(finding.code.0).or_default() += 1;
            let written = loaded.sources.text_of(span);
            println!(
                "{name} {} {place}: {} | {written}",
                finding.code.0, finding.message
            );
        }
    }

    /// Most configurations are ordinary; a rule that fires everywhere is wrong.
    fn check(&self, what: &str, least: usize) {
        println!("{what}: {} files, {:?}", self.files, self.counts);
        assert!(self.files >= least, "{}", self.files);
        let few = |count: &usize| *count < self.files / 5;
        assert!(self.counts.values().all(few), "{:?}", self.counts);
    }
}

#[test]
fn vectors() {
    let mut tally = Tally::default();
    for line in include_str!("../../../conformance/vectors/config.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let files = case["files"].as_object().into_iter().flatten();
        let files = files.map(|(path, value)| (path.clone(), text(value)));
        tally.add(&(case["id"].to_string(), text(&case["yaml"]), files.collect()));
    }
    tally.check("vectors", 200);
}

#[test]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "yml"))
        // Made by a generator, not by people.
        .filter(|path| !path.ends_with("random_plan.yml"))
        .collect();
    paths.sort();
    let mut tally = Tally::default();
    for path in paths {
        let bytes = std::fs::read(path).unwrap();
        let page = tidegate_yaml::load(&bytes, FileId(0), &Limits::default()).unwrap();
        let cases = page.content.as_map().and_then(|page| page.get("cases"));
        for node in cases.and_then(Node::as_seq).into_iter().flatten() {
            if let Some(case) = case_of(node) {
                tally.add(&case);
            }
        }
    }
    tally.check("corpus", 200);
}

fn case_of(node: &Node) -> Option<Case> {
    let case = node.as_map()?;
    let id = case.get("id")?.as_str()?.to_owned();
    let mut root = None;
    let mut files = Vec::new();
    for (path, text) in case.get("files")?.as_map()? {
        let text = text.as_str()?.to_owned();
        match path.as_str()? {
            ".gitlab-ci.yml" => root = Some(text),
            path => files.push((path.to_owned(), text)),
        }
    }
    Some((id, root?, files))
}
