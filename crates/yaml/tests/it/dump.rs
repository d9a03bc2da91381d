//! Writing: what GitLab wrote is read and written again, and must come out the same.

use proptest::prelude::*;
use tidegate_source::{FileId, Span};
use tidegate_yaml::{Key, Limits, Map, Node, Value, dump, parse};

fn read(text: &str) -> Node {
    let parsed = parse(text.as_bytes(), FileId(0), 0, &Limits::default());
    parsed
        .unwrap_or_else(|error| panic!("{error}: {text:?}"))
        .root
}

#[test]
fn merged_yaml_of_gitlab_is_written_byte_for_byte() {
    let mut seen = 0;
    for line in include_str!("../data/merged.jsonl").split('\n') {
        if line.is_empty() {
            continue;
        }
        let text: String = serde_json::from_str(line).expect("the data is JSON lines");
        assert_eq!(dump(&read(&text)).as_deref(), Some(&*text));
        seen += 1;
    }
    assert!(seen > 200, "only {seen} texts");
}

#[test]
fn texts_are_quoted_when_psych_quotes_them() {
    for (text, written) in [
        ("plain text", "plain text"),
        ("y", "\"y\""),
        ("n", "\"n\""),
        ("yes", "'yes'"),
        ("NULL", "'NULL'"),
        ("", "''"),
        ("1", "'1'"),
        ("08", "'08'"),
        ("089x", "'089x'"),
        ("1_000", "'1_000'"),
        ("1e3", "1e3"),
        ("1.5e+3", "'1.5e+3'"),
        ("12:30", "'12:30'"),
        ("2020-01-01", "'2020-01-01'"),
        ("2020-02-31", "2020-02-31"),
        ("2020-01-01 10:00:00", "'2020-01-01 10:00:00'"),
        (":sym", "\":sym\""),
        (".pre", "\".pre\""),
        ("-foo", "\"-foo\""),
        ("-\"hi", "-\"hi"),
        ("$X", "\"$X\""),
        ("~", "\"~\""),
        ("a: b", "'a: b'"),
        ("a #b", "'a #b'"),
        ("x ", "'x '"),
        ("it's", "it's"),
        ("\"a\" b", "'\"a\" b'"),
        ("<<", "!!str '<<'"),
        ("f\n\n", "\"f\\n\\n\""),
        ("\n", "\"\\n\""),
        ("f\n", "'f\n\n  '"),
        ("a\tb", "\"a\\tb\""),
        ("é", "é"),
        ("a😀", "\"a\\U0001F600\""),
        ("a\nb", "|-\n  a\n  b"),
        ("a\nb\n", "|\n  a\n  b"),
        ("a\nb\n\n", "|+\n  a\n  b\n\n..."),
        (" a\nb", "|2-\n   a\n  b"),
    ] {
        let value = Node::text(text, Span::NONE);
        let mut map = Map::default();
        map.insert(Key::text("k", Span::NONE), value);
        let node = Node::new(Value::Map(map.into()), Span::NONE);
        let expected = format!("---\nk: {written}\n");
        assert_eq!(dump(&node).as_deref(), Some(&*expected), "{text:?}");
    }
}

#[test]
fn values_of_other_types_are_plain() {
    let text = "---\na:\nb: true\nc: -1\nd: 1.5\ne: 1.0e+20\nf: \".inf\"\ng: :s\nh: []\ni: {}\nj:\n- - x\n- k: v\n  l: w\n1: x\n";
    let text = text.replace("\".inf\"", ".inf");
    assert_eq!(dump(&read(&text)).as_deref(), Some(&*text));
}

#[test]
fn long_texts_fold_at_80_columns() {
    let long = "word ".repeat(30);
    let node = Node::text(long.trim_end(), Span::NONE);
    let text = dump(&node).expect("it can be written");
    assert!(
        text.lines().count() > 1 && text.lines().all(|line| line.len() <= 85),
        "{text}"
    );
    assert_eq!(read(&text).as_str(), Some(long.trim_end()));
}

fn tree() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z]{0,6}",
        "[ -~]{0,12}",
        "[ -~\n\té😀\u{85}\u{2028}]{0,10}",
        "[0-9:._,+-]{1,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop::num::f64::NORMAL.prop_map(Value::Float),
        text.clone().prop_map(|text| Value::Str(text.into())),
        "[a-z][a-z0-9_]{0,5}".prop_map(|name| Value::Symbol(name.into())),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| {
                let nodes = items.into_iter().map(|item| Node::new(item, Span::NONE));
                Value::Seq(nodes.collect::<Vec<_>>().into())
            }),
            prop::collection::vec((text.clone(), inner), 0..5).prop_map(|entries| {
                let mut map = Map::default();
                for (key, value) in entries {
                    map.insert(Key::text(key, Span::NONE), Node::new(value, Span::NONE));
                }
                Value::Map(map.into())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in tree()) {
        let text = dump(&Node::new(value.clone(), Span::NONE)).expect("it can be written");
        let back = read(&text);
        prop_assert!(back.value.eql(&value), "{text:?}: {:?}", back.value);
    }
}
