use super::*;
use crate::ruby::{HashKeys, inspect};

fn parsed(yaml: &str) -> Parsed {
    parse(yaml.as_bytes(), FileId(0), 0, &Limits::default()).expect("the test's text loads")
}

/// Loads `yaml` and compares Ruby's view of it.
fn check(yaml: &str, expected: &str) {
    let value = parsed(yaml).root.value;
    assert_eq!(inspect(&value, HashKeys::Texts), expected, "{yaml}");
}

fn check_error(yaml: &str, expected: &str) {
    match parse(yaml.as_bytes(), FileId(0), 0, &Limits::default()) {
        Ok(parsed) => panic!("{yaml} loads: {:?}", parsed.root),
        Err(error) => assert_eq!(error.to_string(), expected, "{yaml}"),
    }
}

#[test]
fn merging_overrides_what_stands_before_it() {
    check("{x: 9, <<: {x: 1}}", r#"{"x"=>1}"#);
    check("{<<: {x: 1}, x: 9}", r#"{"x"=>9}"#);
    check("{'<<': {x: 1}}", r#"{"x"=>1}"#);
    check("{<<: {x: 1}, <<: {x: 2, y: 3}}", r#"{"x"=>2, "y"=>3}"#);
    check(
        "{<<: [{x: 1, z: 1}, {x: 2, y: 2}]}",
        r#"{"x"=>1, "y"=>2, "z"=>1}"#,
    );
    check("{x: 0, <<: [{x: 1}]}", r#"{"x"=>1}"#);
    check(
        "[&a {x: {y: 1}}, {<<: *a, x: 2}]",
        r#"[{"x"=>{"y"=>1}}, {"x"=>2}]"#,
    );
}

#[test]
fn merging_something_else_leaves_an_ordinary_key() {
    check("{<<: foo}", r#"{"<<"=>"foo"}"#);
    check("{<<: }", r#"{"<<"=>nil}"#);
    check("{<<: [{x: 1}, 2]}", r#"{"<<"=>[{"x"=>1}, 2]}"#);
    check(
        "{<<: !reference [a, b]}",
        r#"{"<<"=>!reference ["a", "b"]}"#,
    );
    check("{!!str <<: {x: 1}}", r#"{"<<"=>{"x"=>1}}"#);
    check(
        "[&l [{x: 1}], {<<: *l}]",
        r#"[[{"x"=>1}], {"<<"=>[{"x"=>1}]}]"#,
    );
}

#[test]
fn a_mapping_may_merge_itself_but_not_hold_itself() {
    check("&a {x: 1, <<: *a}", r#"{"x"=>1}"#);
    check(
        "&a {x: 1, b: {<<: *a, y: 2}}",
        r#"{"x"=>1, "b"=>{"x"=>1, "y"=>2}}"#,
    );
    check_error("&a {x: *a}", "The parsed YAML is too big");
    check_error("&a [*a]", "The parsed YAML is too big");
}

#[test]
fn anchors_are_redefined_and_need_definition() {
    check("[&a 1, *a, &a 2, *a]", "[1, 1, 2, 2]");
    check_error("[*a, &a 1]", "An alias referenced an unknown anchor: a");
    // Psych forgets the anchor of a tagged list.
    check_error(
        "[&r !reference [a], *r]",
        "An alias referenced an unknown anchor: r",
    );
    check(
        "[&r !reference a, *r]",
        r#"[!reference "a", !reference "a"]"#,
    );
}

#[test]
fn keys_are_typed_and_the_last_value_wins() {
    check(
        "{yes: 1, 1: 2, ~: 3, 1.0: 4, [a]: 5, !ruby/symbol s: 6}",
        r#"{true=>1, 1=>2, nil=>3, 1.0=>4, ["a"]=>5, "s"=>6}"#,
    );
    check(
        "{a: 1, b: 2, a: 3, 12:30: 4, 45000: 5}",
        r#"{"a"=>3, "b"=>2, 45000=>5}"#,
    );
    check(
        "{? {a: 1, b: 2} : x, ? {b: 2, a: 1} : y}",
        r#"{{"b"=>2, "a"=>1}=>"y"}"#,
    );
}

#[test]
fn tags_do_what_psych_does() {
    check("!!str 1", r#""1""#);
    check("!!int '12'", "12");
    check("!foo '12'", "12");
    check("! '12'", "12");
    check("!!float 1", "1.0");
    check("!!float '1e3'", "1000.0");
    check("!!null x", r#""x""#);
    check("!", "nil");
    check(
        "!!binary aGVs\nbG8=",
        r#""hel lo""#.replace(' ', "").as_str(),
    );
    check("!!omap [a: 1, [b, 2]]", r#"{"a"=>1, "b"=>2}"#);
    check("!!map {a: 1}", r#"{"a"=>1}"#);
    check("!ruby/symbol s", ":s");
    check("!reference 1", r#"!reference "1""#);
    check("!reference {a: b}", r#"!reference {"a"=>"b"}"#);
    for (yaml, class) in [
        ("!!set {a}", "Psych::Set"),
        ("!!omap {a: 1}", "Psych::Omap"),
        ("!ruby/regexp /x/", "Regexp"),
        ("!ruby/range 1..2", "Range"),
        ("!ruby/object {}", "Object"),
        ("!ruby/object:Object {}", "Object"),
        ("!ruby/object:Foo::Bar {}", "Foo::Bar"),
        ("!ruby/struct:S {}", "S"),
        ("!ruby/class Foo", "Foo"),
        ("{2020-01-01: x}", "Date"),
    ] {
        check_error(yaml, &format!("Tried to load unspecified class: {class}"));
    }
    check_error("!!float x", "Invalid YAML syntax");
    check_error("!!omap [a]", "Invalid YAML syntax");
}

#[test]
fn a_syntax_error_further_down_comes_first() {
    check_error(
        "a: 2020-01-01\nb: *x\nc: [",
        "(<unknown>): did not find expected node content while parsing a flow node at line 4 column 1",
    );
    check_error(
        "a: *x\nb: 2020-01-01",
        "An alias referenced an unknown anchor: x",
    );
}

#[test]
fn depth_and_size_are_limited() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parsed(&nested(100)).root.as_seq().is_some());
    check_error(&nested(101), "The parsed YAML is too big");
    check_error(&"[".repeat(100_000), "The parsed YAML is too big");
    let mut bomb = String::from("- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("- &a{level} [{aliases}]\n"));
    }
    check_error(&bomb, "The parsed YAML is too big");
    check_error(
        &format!("{bomb}- !reference [*a39]\n"),
        "The parsed YAML is too big",
    );
    check_error(
        &format!("{bomb}- ? *a39\n  : 1\n"),
        "The parsed YAML is too big",
    );
    check_error(&" ".repeat(2_097_153), "The provided YAML is too big");
    // 2 MiB hold 26 214 texts of 80 bytes, but not as many again.
    let texts = |count: usize| {
        format!(
            "[{}]",
            vec!["a text of more than 15 bytes"; count].join(",")
        )
    };
    assert!(parsed(&texts(20_000)).root.as_seq().is_some());
    check_error(&texts(30_000), "The parsed YAML is too big");
}

#[test]
fn aliases_share_what_they_name() {
    let root = parsed("[&a [x], *a]").root;
    let Some(
        [
            Node {
                value: Value::Seq(a),
                ..
            },
            Node {
                value: Value::Seq(b),
                ..
            },
        ],
    ) = root.as_seq()
    else {
        panic!("two lists");
    };
    assert!(Arc::ptr_eq(a, b));
}

#[test]
fn equal_keys_share_their_text() {
    let root = parsed("[{script: a}, {script: b}]").root;
    let keys: Vec<Arc<str>> = root
        .as_seq()
        .unwrap_or_default()
        .iter()
        .filter_map(|item| match &item.as_map()?.entry("script")?.0.value {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert!(matches!(&*keys, [a, b] if Arc::ptr_eq(a, b)));
}

/// The source text of a node.
fn slice(text: &str, span: Span) -> &str {
    &text[span.start() as usize..span.end() as usize]
}

#[test]
fn spans_cover_what_was_written() {
    let text = "\u{e9}: &x\n  - \"q\" # comment\n  - [1, 2]\n\n\nb:\n  c: |\n    block\n\nd: *x\n";
    let root = parsed(text).root;
    let map = root.as_map().expect("a mapping");
    let (key, list) = map.entry("\u{e9}").expect("the first key");
    assert_eq!(slice(text, key.span), "\u{e9}");
    assert_eq!(
        slice(text, list.span),
        "&x\n  - \"q\" # comment\n  - [1, 2]"
    );
    let items: Vec<_> = list
        .as_seq()
        .unwrap_or_default()
        .iter()
        .map(|item| slice(text, item.span))
        .collect();
    assert_eq!(items, ["\"q\"", "[1, 2]"]);
    assert_eq!(map.get("d").map(|node| node.span), Some(list.span));
    assert_eq!(slice(text, root.span), text.trim_end().trim_start());
}

#[test]
fn spans_and_errors_count_from_the_start_of_the_file() {
    let root = parse(b"a: b", FileId(7), 100, &Limits::default())
        .expect("it loads")
        .root;
    let value = root.as_map().and_then(|map| map.get("a")).expect("a value");
    assert_eq!(value.span, Span::new(FileId(7), 103, 104));
    let error = parse(b"a: b\nc: @", FileId(7), 100, &Limits::default()).expect_err("@ is no text");
    assert_eq!(error.span, Span::new(FileId(7), 108, 108));
}

fn remarks(yaml: &str) -> Vec<(RemarkKind, String)> {
    let found = parsed(yaml).remarks.into_iter();
    found
        .map(|remark| (remark.kind, slice(yaml, remark.span).to_owned()))
        .collect()
}

#[test]
fn surprises_are_remarked_on() {
    let span = |start, end| Span::new(FileId(0), start, end);
    let is = |kind, text: &str| vec![(kind, text.to_owned())];
    let duplicate = RemarkKind::DuplicateKey { first: span(1, 2) };
    assert_eq!(remarks("{a: 1, 'a': 2}"), is(duplicate, "'a'"));
    let overrides = RemarkKind::MergeOverridesKey { key: span(1, 2) };
    assert_eq!(remarks("{a: 1, <<: {a: 2, b: 3}}"), is(overrides, "<<"));
    assert_eq!(remarks("{<<: {a: 2}, a: 1}"), []);
    assert_eq!(remarks("{<<: x}"), is(RemarkKind::MergeOfNoMap, "<<"));
    assert_eq!(remarks("a: 12:30"), is(RemarkKind::Sexagesimal, "12:30"));
    assert_eq!(remarks("a: 010"), is(RemarkKind::Octal, "010"));
    assert_eq!(remarks("a: '010'"), []);
    assert_eq!(
        remarks("a: 1\n...\n# c\nb: 2\n"),
        is(RemarkKind::IgnoredDocument, "b: 2")
    );
    assert_eq!(remarks("a: 1\n...\n# c\n---"), []);
}

#[test]
fn after_a_byte_order_mark_only_one_key_is_read() {
    // The mark counts as a column, so the second line ends the mapping (Psych sets the encoding, which keeps the mark).
    let text = "\u{feff}a: 1\nb: 2\n";
    let found = parsed(text);
    assert_eq!(inspect(&found.root.value, HashKeys::Texts), r#"{"a"=>1}"#);
    let ignored = (RemarkKind::IgnoredDocument, "b: 2".to_owned());
    assert_eq!(remarks(text), [ignored]);
    let map = found.root.as_map().expect("a mapping");
    let (key, _) = map.entry("a").expect("the first key");
    assert_eq!(slice(text, key.span), "a");
}
