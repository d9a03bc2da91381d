//! Values of inputs: coercion, checks and their messages (reference `config.md` §3.3).

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use tidegate_expr::{Number, Pattern, Value as Operand};
use tidegate_scenario::InputValue;
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use super::rule;
use super::schema::INPUT_TYPES;
use crate::merge::key_text;
use crate::nearest::nearest;
use crate::ruby::{self, Keys};

/// What was given to a file from outside.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// A mapping, possibly empty.
    Values(Map),
    /// Something else, written here.
    NotAMap(Span),
}

impl Given {
    /// What an include's `inputs` gives; nothing where it is null.
    pub(crate) fn from_node(node: Option<&Node>) -> Given {
        match node.map(|node| (&node.value, node.span)) {
            None | Some((Value::Null, _)) => Given::Values(Map::default()),
            Some((Value::Map(map), _)) => Given::Values(Map::clone(map)),
            Some((_, span)) => Given::NotAMap(span),
        }
    }

    /// What a scenario gives.
    pub(crate) fn from_scenario(inputs: &IndexMap<String, InputValue>) -> Given {
        let mut map = Map::with_capacity(inputs.len());
        for (name, value) in inputs {
            let key = Key::text(name.as_str(), Span::NONE);
            map.insert(key, Node::new(value_of(value), Span::NONE));
        }
        Given::Values(map)
    }
}

/// The value of every input in declared order, or what is wrong.
///
/// `declared` are the entries of `spec:inputs`, with those of `spec:include` before them; `header` is where they stand.
pub(crate) fn resolved(
    declared: &[(Key, Node)],
    given: &Map,
    header: Span,
    gitlab_version: (u16, u16),
) -> Result<IndexMap<Arc<str>, Node>, Vec<Diagnostic>> {
    let unknown = unknown_arguments(declared, given);
    let mut problems: Vec<Diagnostic> = unknown
        .into_iter()
        .map(|problem| problem.context(header, "the inputs this file takes are declared here"))
        .collect();
    let mut values = IndexMap::new();
    let mut operands = BTreeMap::new();
    for (key, spec) in declared {
        let name = key_text(key);
        let Some(kind) = Kind::of(spec) else {
            problems.push(unknown_kind(&name, key.span));
            continue;
        };
        let mut input = Input {
            name: &name,
            kind,
            span: key.span,
            spec: spec.as_map(),
            options: None,
            default: None,
            lists_have_options: gitlab_version >= LISTS_WITH_OPTIONS,
            problems: &mut problems,
        };
        input.choose_rule(&operands);
        let given = key.as_str().and_then(|text| given.entry(text));
        let value = input.value(given);
        operands.insert(name.to_string(), operand_of(&value.value));
        // Only texts can be reached by interpolation.
        if let Value::Str(text) = &key.value {
            values.insert(text.clone(), value);
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

/// What is wrong with the default of an input whose own shape is right, as `inputs` of jobs has them too.
pub(crate) fn default_problems(
    name: &Arc<str>,
    spec: &Node,
    gitlab_version: (u16, u16),
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let map = spec.as_map();
    if let Some(kind) = Kind::of(spec) {
        let mut input = Input {
            name,
            kind,
            span: spec.span,
            spec: map,
            options: map.and_then(|map| map.get("options")),
            default: map.and_then(|map| map.get("default")),
            lists_have_options: gitlab_version >= LISTS_WITH_OPTIONS,
            problems: &mut problems,
        };
        if let Some(default) = input.default.filter(|node| !node.is_null()) {
            input.check(default, "default");
        }
    }
    problems
}

/// The version of GitLab from which on lists may have options.
const LISTS_WITH_OPTIONS: (u16, u16) = (19, 0);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Boolean,
    Number,
    String,
}

impl Kind {
    fn of(spec: &Node) -> Option<Kind> {
        let map = match &spec.value {
            Value::Null => return Some(Kind::String),
            Value::Map(map) => map,
            _ => return None,
        };
        let Some(written) = map.get("type") else {
            return Some(Kind::String);
        };
        match written.as_str() {
            Some("array") => Some(Kind::Array),
            Some("boolean") => Some(Kind::Boolean),
            Some("number") => Some(Kind::Number),
            Some("string") => Some(Kind::String),
            _ => None,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Kind::Array => "an array",
            Kind::Boolean => "a boolean",
            Kind::Number => "a number",
            Kind::String => "a string",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Kind::Array => matches!(value, Value::Seq(_)),
            Kind::Boolean => matches!(value, Value::Bool(_)),
            Kind::Number => matches!(value, Value::Int(_) | Value::BigInt(_) | Value::Float(_)),
            Kind::String => true,
        }
    }

    /// The value as this type where it can be read as one, else as it is.
    fn coerced(self, value: &Value) -> Value {
        match (self, value) {
            (_, Value::Null) if self != Kind::String => Value::Null,
            (Kind::String, value) => Value::Str(ruby::to_s(value, Keys::Strings).into()),
            (_, Value::Str(text) | Value::Symbol(text)) => {
                from_json(text).unwrap_or_else(|| value.clone())
            }
            _ => value.clone(),
        }
    }
}

struct Input<'a> {
    name: &'a Arc<str>,
    kind: Kind,
    span: Span,
    spec: Option<&'a Map>,
    options: Option<&'a Node>,
    default: Option<&'a Node>,
    lists_have_options: bool,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Input<'a> {
    fn written(&self, key: &str) -> Option<&'a Node> {
        self.spec?.get(key).filter(|node| !node.is_null())
    }

    fn rules(&self) -> Option<&'a [Node]> {
        self.written("rules").and_then(Node::as_seq)
    }

    fn choose_rule(&mut self, operands: &BTreeMap<String, Operand>) {
        let source = match self.rules() {
            Some(rules) => rule::matched(rules, operands),
            None => self.spec,
        };
        self.options = source.and_then(|map| map.get("options"));
        self.default = source.and_then(|map| map.get("default"));
    }

    /// No default anywhere, not even an empty one.
    fn is_required(&self) -> bool {
        let has_default = |map: &Map| map.contains("default");
        let by_rule = |rules: &[Node]| rules.iter().filter_map(Node::as_map).any(has_default);
        !self.spec.is_some_and(has_default) && !self.rules().is_some_and(by_rule)
    }

    fn value(&mut self, given: Option<(&Key, &Node)>) -> Node {
        let is_empty = |node: &Node| node.as_str().is_some_and(str::is_empty);
        let by_rules = self.rules().is_some();
        let given = given
            .filter(|(_, node)| !node.is_null())
            .filter(|(_, node)| !by_rules || !is_empty(node));
        if given.is_none() && self.is_required() {
            let name = self.name;
            let message = format!("`{name}` input: required value has not been provided");
            self.add(
                Diagnostic::error("input-required", message).at_with(self.span, "declared here"),
            );
            return Node::new(Value::Null, self.span);
        }
        if let Some(default) = self.default.filter(|node| !node.is_null()) {
            self.check(default, "default");
        }
        if let Some((_, value)) = given {
            self.check(value, "provided");
        }
        match given.map(|(_, node)| node).or(self.default) {
            Some(node) => Node::new(self.kind.coerced(&node.value), node.span),
            None => Node::new(self.kind.coerced(&Value::Null), self.span),
        }
    }

    /// Type, options and regular expression of one value, in this order; all that fails is told.
    fn check(&mut self, node: &Node, which: &str) {
        let value = self.kind.coerced(&node.value);
        let span = if node.span.is_some() {
            node.span
        } else {
            self.span
        };
        if !self.kind.fits(&value) {
            let noun = self.kind.noun();
            self.fail(span, &format!("{which} value is not {noun}"));
        }
        if let Some(options) = self.options.filter(|node| !node.is_null()) {
            self.check_options(&value, options, span);
        }
        if let Some(regex) = self.written("regex") {
            self.check_regex(&value, regex, which, span);
        }
    }

    fn check_options(&mut self, value: &Value, options: &Node, span: Span) {
        let items = options.as_seq().unwrap_or_default();
        let shown = ruby::to_s(value, Keys::Strings);
        let (known, list) = match self.kind {
            Kind::String => {
                let known = items
                    .iter()
                    .any(|item| ruby::to_s(&item.value, Keys::Strings) == shown);
                (known, "list of allowed options")
            }
            Kind::Number => {
                let known = items.iter().any(|item| equal_numbers(&item.value, value));
                (known, "list of the allowed options")
            }
            Kind::Array if self.lists_have_options => {
                self.check_list_options(value, items, span);
                return;
            }
            Kind::Array | Kind::Boolean => {
                self.fail(
                    span,
                    "Options can only be used with string and number inputs",
                );
                return;
            }
        };
        if known {
            return;
        }
        let name = self.name;
        let text = format!("`{shown}` cannot be used because it is not in the {list}");
        let message = format!("`{name}` input: {text}");
        let mut problem = Diagnostic::error("input-value", message)
            .at(span)
            .context(options.span, "the options");
        let names = items.iter().filter_map(Node::as_str);
        if let Some(near) = nearest(&shown, names) {
            problem = problem.suggest(format!("did you mean `{near}`?"), span, near);
        }
        self.add(problem);
    }

    /// Every item of a list must be an option (GitLab 19.0).
    fn check_list_options(&mut self, value: &Value, options: &[Node], span: Span) {
        let given = value.as_seq().unwrap_or_default();
        let is_option = |item: &Node| options.iter().any(|option| option.value.eql(&item.value));
        let others: Vec<_> = given
            .iter()
            .filter(|item| !is_option(item))
            .map(|item| ruby::to_s(&item.value, Keys::Strings))
            .collect();
        if !others.is_empty() {
            let list = others.join(", ");
            let text = "cannot be used because it is not in the list of allowed options";
            self.fail(span, &format!("{list} {text}"));
        }
    }

    fn check_regex(&mut self, value: &Value, regex: &Node, which: &str, span: Span) {
        let (Kind::String, Value::Str(text)) = (self.kind, value) else {
            self.fail(span, "RegEx validation can only be used with string inputs");
            return;
        };
        match Pattern::compile(regex.as_str().unwrap_or_default(), "") {
            Ok(pattern) if pattern.is_match(text) => {}
            Ok(_) => self.fail(
                span,
                &format!("{which} value does not match required RegEx pattern"),
            ),
            Err(_) => self.fail(regex.span, "invalid regular expression"),
        }
    }

    fn fail(&mut self, span: Span, text: &str) {
        let message = format!("`{}` input: {text}", self.name);
        let mut problem = Diagnostic::error("input-value", message).at(span);
        if span != self.span {
            problem = problem.context(self.span, "declared here");
        }
        self.add(problem);
    }

    fn add(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }
}

/// The complaint about given values that nothing declares.
pub(crate) fn unknown_arguments(declared: &[(Key, Node)], given: &Map) -> Option<Diagnostic> {
    let known: Vec<&str> = declared
        .iter()
        .filter(|(_, spec)| Kind::of(spec).is_some())
        .filter_map(|(key, _)| key.as_str())
        .collect();
    let unknown: Vec<&Key> = given
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !key.as_str().is_some_and(|name| known.contains(&name)))
        .collect();
    if unknown.is_empty() {
        return None;
    }
    let names: Vec<_> = unknown.iter().map(|key| key_text(key)).collect();
    let message = format!("unknown input arguments: {}", names.join(", "));
    let mut problem = Diagnostic::error("input-unknown", message);
    for (key, name) in unknown.iter().zip(&names) {
        problem = problem.at(key.span);
        if let Some(near) = nearest(name, known.iter().copied()) {
            problem = problem.suggest(format!("did you mean `{near}`?"), key.span, near);
        }
    }
    Some(problem)
}

fn unknown_kind(name: &str, span: Span) -> Diagnostic {
    let types = INPUT_TYPES.join(", ");
    let message = format!("unknown input specification for `{name}` (valid types: {types})");
    Diagnostic::error("input-specification", message).at(span)
}

fn equal_numbers(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
        (a, b) => a.eql(b),
    }
}

/// A text as JSON where it is JSON.
fn from_json(text: &str) -> Option<Value> {
    if let Some(number) = json_number(text.trim_matches([' ', '\t', '\n', '\r'])) {
        return Some(number);
    }
    let value = serde_json::from_str(text).ok()?;
    Some(json_value(value))
}

/// A JSON number as Ruby reads it: integers of any length, and what is too large for a float is infinite.
fn json_number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at_checked(digits)?;
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    if rest.is_empty() {
        let value = text
            .parse()
            .map_or_else(|_| Value::BigInt(text.into()), Value::Int);
        return Some(value);
    }
    let fraction = rest.strip_prefix('.');
    let (fraction, exponent) = match fraction.unwrap_or(rest).split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (fraction.unwrap_or(rest), None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = |text: &str| !text.is_empty() && all_digits(text);
    let fraction_ok = match rest.starts_with('.') {
        true => is_number(fraction),
        false => fraction.is_empty(),
    };
    let exponent_ok =
        exponent.is_none_or(|text| is_number(text.strip_prefix(['+', '-']).unwrap_or(text)));
    (fraction_ok && exponent_ok).then(|| text.parse().ok().map(Value::Float))?
}

/// JSON as YAML has it.
pub(crate) fn json_value(value: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let node = |value| Node::new(json_value(value), Span::NONE);
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Int(number),
            (None, _) if number.is_u64() => Value::BigInt(number.to_string().into()),
            (None, number) => Value::Float(number.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Str(text.into()),
        Json::Array(items) => Value::Seq(items.into_iter().map(node).collect()),
        Json::Object(entries) => {
            let mut map = Map::with_capacity(entries.len());
            for (key, value) in entries {
                map.insert(Key::text(key, Span::NONE), node(value));
            }
            Value::Map(Arc::new(map))
        }
    }
}

fn value_of(value: &InputValue) -> Value {
    let node = |value: &InputValue| Node::new(value_of(value), Span::NONE);
    match value {
        InputValue::Null => Value::Null,
        InputValue::Text(text) => Value::Str(text.as_str().into()),
        InputValue::Integer(number) => Value::Int(*number),
        InputValue::Float(number) => Value::Float(*number),
        InputValue::Bool(value) => Value::Bool(*value),
        InputValue::List(items) => Value::Seq(items.iter().map(node).collect()),
        InputValue::Map(entries) => {
            let mut map = Map::with_capacity(entries.len());
            for (key, value) in entries {
                map.insert(Key::text(key.as_str(), Span::NONE), node(value));
            }
            Value::Map(Arc::new(map))
        }
    }
}

/// The value as an operand of expressions.
pub(crate) fn operand_of(value: &Value) -> Operand {
    match value {
        Value::Bool(value) => Operand::Bool(*value),
        Value::Int(number) => Operand::Number(Number::Integer(i128::from(*number))),
        Value::BigInt(digits) => match digits.parse() {
            Ok(number) => Operand::Number(Number::Integer(number)),
            Err(_) => Operand::text(digits.clone()),
        },
        Value::Float(number) => Operand::Number(Number::Float(*number)),
        Value::Str(text) | Value::Symbol(text) => Operand::Text(text.clone()),
        Value::Seq(items) => {
            Operand::List(items.iter().map(|item| operand_of(&item.value)).collect())
        }
        Value::Null | Value::Map(_) | Value::Reference(_) => Operand::Nil,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{map, text_of};

    fn check(declared: &str, given: &str, expected: &str) {
        check_version((18, 11), declared, given, expected);
    }

    fn check_version(version: (u16, u16), declared: &str, given: &str, expected: &str) {
        let entries: Vec<_> = map(declared).iter().cloned().collect();
        let shown = match resolved(&entries, &map(given), Span::NONE, version) {
            Ok(values) => {
                let mut map = Map::default();
                for (name, node) in values {
                    map.insert(Key::text(name, Span::NONE), node);
                }
                text_of(&map)
            }
            Err(problems) => {
                let texts: Vec<_> = problems
                    .into_iter()
                    .map(|problem| problem.message)
                    .collect();
                texts.join("\n")
            }
        };
        assert_eq!(shown, expected, "{declared} {given}");
    }

    #[test]
    fn values_are_read_as_their_type() {
        check(
            "{s: {default: 1}, n: {type: number}, b: {type: boolean, default: 'true'}, a: {type: array}}",
            "{n: '5', a: '[\"x\", 1]'}",
            "{s: 1, n: 5, b: true, a: [x, 1]}",
        );
        check("{n: {type: number}}", "{n: 1e3}", "{n: 1000.0}");
        check("{s: {default: }}", "{}", "{s: }");
        check("{s: {default: d}}", "{s: }", "{s: d}");
        check("{s: {default: d}}", "{s: ''}", "{s: }");
    }

    #[test]
    fn texts_are_numbers_as_ruby_reads_them() {
        let declared = "{n: {type: number}}";
        for (text, expected) in [
            ("-0", "0"),
            ("123456789012345678901234", "123456789012345678901234"),
            ("1e400", "Infinity"),
            (" 1.50 ", "1.5"),
            ("2E+3", "2000.0"),
        ] {
            check(
                declared,
                &format!("{{n: '{text}'}}"),
                &format!("{{n: {expected}}}"),
            );
        }
        for text in ["007", "1.", ".5", "1e", "+1", "--1", "0x1", "1_0", ""] {
            check(
                declared,
                &format!("{{n: '{text}'}}"),
                "`n` input: provided value is not a number",
            );
        }
    }

    #[test]
    fn required_values_must_be_given() {
        check(
            "{foo: , bar: }",
            "{}",
            "`foo` input: required value has not been provided\n\
             `bar` input: required value has not been provided",
        );
    }

    #[test]
    fn names_not_declared_come_first() {
        check(
            "{foo: , bar: {type: }}",
            "{zoo: 1, zed: 2, bar: 1}",
            "unknown input arguments: zoo, zed, bar\n\
             `foo` input: required value has not been provided\n\
             unknown input specification for `bar` (valid types: array, boolean, number, string)",
        );
    }

    #[test]
    fn types_options_and_patterns_are_checked_in_this_order() {
        check(
            "{n: {type: number, default: abc, options: [1], regex: x}}",
            "{}",
            "`n` input: default value is not a number\n\
             `n` input: `abc` cannot be used because it is not in the list of the allowed options\n\
             `n` input: RegEx validation can only be used with string inputs",
        );
        check(
            "{a: {type: array, default: [x], options: [x]}}",
            "{}",
            "`a` input: Options can only be used with string and number inputs",
        );
        check(
            "{a: {default: abc, regex: ^x}, b: {default: x, regex: '('}}",
            "{a: b}",
            "`a` input: default value does not match required RegEx pattern\n\
             `a` input: provided value does not match required RegEx pattern\n\
             `b` input: invalid regular expression",
        );
    }

    #[test]
    fn options_compare_as_texts_or_numbers() {
        check("{a: {default: 1, options: ['1', 2]}}", "{a: 2}", "{a: 2}");
        check(
            "{a: {type: number, default: 1.0, options: [1]}}",
            "{}",
            "{a: 1.0}",
        );
        check(
            "{a: {default: a, options: [a]}}",
            "{a: z}",
            "`a` input: `z` cannot be used because it is not in the list of allowed options",
        );
    }

    #[test]
    fn lists_have_options_from_gitlab_19_on() {
        let declared = "{a: {type: array, options: [x, y], default: [x]}}";
        check_version((19, 0), declared, "{a: [y, x]}", "{a: [y, x]}");
        check_version(
            (19, 0),
            declared,
            "{a: [a, x, b]}",
            "`a` input: a, b cannot be used because it is not in the list of allowed options",
        );
    }

    #[test]
    fn rules_see_the_inputs_before_them() {
        let declared = "{env: {default: prod}, foo: {rules: [{if: '$[[ inputs.env ]] == \"prod\"', \
                        default: p, options: [p, q]}, {default: z, options: [z]}]}}";
        check(declared, "{}", "{env: prod, foo: p}");
        check(declared, "{env: dev}", "{env: dev, foo: z}");
        check(declared, "{foo: ''}", "{env: prod, foo: p}");
        check(
            declared,
            "{foo: z}",
            "`foo` input: `z` cannot be used because it is not in the list of allowed options",
        );
    }
}
