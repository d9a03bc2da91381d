//! Whether a text loads, and the error where it does not, as GitLab 18.11 answered. The data is a sample of the vectors.

use serde_json::Value as Json;
use tidegate_source::FileId;
use tidegate_yaml::{Limits, load};

#[test]
fn texts_load_or_fail_with_gitlabs_words() {
    let mut wrong = Vec::new();
    for line in include_str!("../data/loading.jsonl").split('\n') {
        if line.is_empty() {
            continue;
        }
        let case: Json = serde_json::from_str(line).expect("the data is JSON lines");
        let yaml = case["yaml"].as_str().expect("each case has a text");
        let expected = case["error"].as_str();
        let got = load(yaml.as_bytes(), FileId(0), &Limits::default())
            .err()
            .map(|error| error.to_string());
        if got.as_deref() != expected {
            wrong.push(format!(
                "{}: {yaml:?}\n  GitLab: {expected:?}\n  here: {got:?}",
                case["id"]
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_slip_in_a_text_of_libyaml_is_kept() {
    let got = load(b"a: \"\\x4x\"", FileId(0), &Limits::default());
    assert_eq!(
        got.err().map(|error| error.to_string()).as_deref(),
        Some(
            "(<unknown>): did not find expected hexdecimal number while parsing a quoted scalar at line 1 column 4"
        )
    );
}
