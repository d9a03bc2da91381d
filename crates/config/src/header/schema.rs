//! The shape of a header (reference `config.md` §3.1).

use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node, Value};

use super::rule;
use crate::merge::key_text;
use crate::nearest::nearest;

const SPEC_KEYS: [&str; 4] = ["inputs", "include", "component", "description"];
const INPUT_KEYS: [&str; 6] = [
    "default",
    "description",
    "options",
    "regex",
    "type",
    "rules",
];
const COMPONENT_KEYS: [&str; 4] = ["name", "sha", "version", "reference"];
const INCLUDE_KEYS: [&str; 7] = [
    "local",
    "file",
    "remote",
    "project",
    "ref",
    "integrity",
    "cache",
];

/// Names of the types an input can have.
pub(crate) const INPUT_TYPES: [&str; 4] = ["array", "boolean", "number", "string"];

const MOST_OPTIONS: usize = 50;
const LONGEST_DESCRIPTION: usize = 256;

/// Everything that is wrong with the shape of a header, in GitLab's order and words.
///
/// As with every GitLab entry, what stands below a wrong one is not looked at.
pub(crate) fn problems(header: &Map) -> Vec<Diagnostic> {
    let mut found = Found::default();
    found.unknown_keys("header config", header, &["spec"]);
    if let (true, Some(spec)) = (found.problems.is_empty(), header.get("spec")) {
        found.spec(spec);
    }
    found.problems
}

/// Collects diagnostics; each message is put in lower case as a whole, names included, as GitLab does.
#[derive(Default)]
pub(super) struct Found {
    problems: Vec<Diagnostic>,
}

impl Found {
    pub(super) fn add(&mut self, span: Span, message: &str) {
        self.add_with(span, message, |problem| problem);
    }

    fn add_with(
        &mut self,
        span: Span,
        message: &str,
        explained: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        let problem = Diagnostic::error("header", message.to_lowercase()).at(span);
        self.problems.push(explained(problem));
    }

    pub(super) fn unknown_keys(&mut self, place: &str, map: &Map, known: &[&str]) {
        let unknown: Vec<&Key> = map
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !key.as_str().is_some_and(|key| known.contains(&key)))
            .collect();
        let Some(first) = unknown.first() else {
            return;
        };
        let names: Vec<_> = unknown.iter().map(|key| key_text(key)).collect();
        let message = format!("{place} contains unknown keys: {}", names.join(", "));
        self.add_with(first.span, &message, |mut problem| {
            for (key, name) in unknown.iter().zip(&names) {
                if let Some(near) = nearest(name, known.iter().copied()) {
                    problem = problem.suggest(format!("did you mean `{near}`?"), key.span, near);
                }
            }
            problem
        });
    }

    fn spec(&mut self, spec: &Node) {
        let map = match &spec.value {
            Value::Null => return,
            Value::Map(map) => map,
            _ => {
                self.add(spec.span, "header:spec config should be a hash");
                return;
            }
        };
        self.unknown_keys("header:spec config", map, &SPEC_KEYS);
        if let Some(description) = map.get("description") {
            self.spec_description(description);
        }
        if !self.problems.is_empty() {
            return;
        }
        if let Some(inputs) = map.get("inputs") {
            self.inputs(inputs);
        }
        if let Some(component) = map.get("component") {
            self.component(component);
        }
        if let Some(include) = map.get("include") {
            self.include(include);
        }
    }

    fn spec_description(&mut self, description: &Node) {
        match &description.value {
            Value::Null => {}
            Value::Str(text) if text.chars().count() > LONGEST_DESCRIPTION => {
                let limit = format!("is too long (maximum is {LONGEST_DESCRIPTION} characters)");
                let message = format!("header:spec config description {limit}");
                self.add(description.span, &message);
            }
            Value::Str(_) => {}
            _ => {
                let message = "header:spec config description should be a string";
                self.add(description.span, message);
            }
        }
    }

    fn inputs(&mut self, inputs: &Node) {
        match &inputs.value {
            Value::Null => {}
            Value::Map(map) => {
                for (key, input) in map.iter() {
                    self.input(key, input);
                }
            }
            _ => {
                self.add(inputs.span, "header:spec:inputs config should be a hash");
            }
        }
    }

    fn input(&mut self, key: &Key, input: &Node) {
        let place = format!("header:spec:inputs:{}", key_text(key));
        let before = self.problems.len();
        let empty = Map::default();
        let map = match &input.value {
            Value::Null => return,
            Value::Map(map) => {
                self.unknown_keys(&format!("{place} config"), map, &INPUT_KEYS);
                map
            }
            _ => {
                // Two of GitLab's validators say the same.
                for _ in 0..2 {
                    self.add(input.span, &format!("{place} config should be a hash"));
                }
                &empty
            }
        };
        self.exclusive_keys(&place, map);
        if !matches!(key.value, Value::Str(_) | Value::Symbol(_) | Value::Int(_)) {
            let message = format!("{place} key must be an alphanumeric string");
            self.add(key.span, &message);
        }
        self.input_attributes(&place, map);
        if self.problems.len() == before
            && let Some(rules) = map.get("rules")
        {
            rule::check(self, &place, rules);
        }
    }

    fn exclusive_keys(&mut self, place: &str, map: &Map) {
        if !map.contains("rules") {
            return;
        }
        let together: Vec<&Key> = map
            .iter()
            .map(|(key, _)| key)
            .filter(|key| matches!(key.as_str(), Some("options" | "default" | "rules")))
            .collect();
        if let [_, second, ..] = together.as_slice() {
            let names: Vec<_> = together.iter().filter_map(|key| key.as_str()).collect();
            let message = format!(
                "{place} config these keys cannot be used together: {}",
                names.join(", ")
            );
            self.add(second.span, &message);
        }
    }

    fn input_attributes(&mut self, place: &str, map: &Map) {
        let given = |key: &str| map.get(key).filter(|node| !node.is_null());
        if let Some(description) = given("description")
            && !matches!(
                description.value,
                Value::Str(_) | Value::Symbol(_) | Value::Int(_) | Value::BigInt(_)
            )
        {
            let message = format!("{place} input description must be an alphanumeric string");
            self.add(description.span, &message);
        }
        if let Some(regex) = given("regex").filter(|node| !matches!(node.value, Value::Str(_))) {
            self.add(
                regex.span,
                &format!("{place} input regex should be a string"),
            );
        }
        if let Some(kind) = given("type") {
            self.input_type(place, kind);
        }
        if let Some(options) = given("options") {
            self.options(place, options);
        }
    }

    fn input_type(&mut self, place: &str, kind: &Node) {
        if matches!(&kind.value, Value::Str(name) if INPUT_TYPES.contains(&&**name)) {
            return;
        }
        let shown = crate::ruby::to_s(&kind.value, crate::ruby::Keys::Symbols);
        let message = format!("{place} input type unknown value: {shown}");
        self.add_with(kind.span, &message, |problem| {
            match nearest(&shown, INPUT_TYPES) {
                Some(near) => problem.suggest(format!("did you mean `{near}`?"), kind.span, near),
                None => problem.note(format!("types are {}", INPUT_TYPES.join(", "))),
            }
        });
    }

    fn options(&mut self, place: &str, options: &Node) {
        let Some(items) = options.as_seq() else {
            let message = format!("{place} input options should be an array");
            self.add(options.span, &message);
            return;
        };
        if items.len() > MOST_OPTIONS {
            let message = format!("{place} config cannot define more than {MOST_OPTIONS} options");
            self.add(options.span, &message);
        }
        if let Some(null) = items.iter().find(|item| item.is_null()) {
            let message = format!("{place} config options array cannot contain null values");
            self.add(null.span, &message);
        }
    }

    fn component(&mut self, component: &Node) {
        let place = "header:spec:component config";
        if component.is_null() {
            return;
        }
        let items = component.as_seq();
        if items.is_none() {
            self.add(component.span, &format!("{place} should be an array"));
        }
        let names: Option<Vec<&str>> =
            items.and_then(|items| items.iter().map(Node::as_str).collect());
        let Some(names) = names else {
            let message = format!("{place} should be an array of strings");
            self.add(component.span, &message);
            return;
        };
        let unknown: Vec<_> = names
            .into_iter()
            .filter(|name| !COMPONENT_KEYS.contains(name))
            .collect();
        if !unknown.is_empty() {
            let message = format!("{place} contains unknown values: {}", unknown.join(", "));
            self.add(component.span, &message);
        }
    }

    fn include(&mut self, include: &Node) {
        let items = match &include.value {
            Value::Null | Value::Str(_) => return,
            Value::Seq(items) => items,
            _ => {
                let message = "header:spec:include config should be an array or a string";
                self.add(include.span, message);
                return;
            }
        };
        for item in items.iter() {
            let place = "header:spec:include:include config";
            match &item.value {
                Value::Str(_) => {}
                Value::Map(map) => self.unknown_keys(place, map, &INCLUDE_KEYS),
                _ => {
                    self.add(item.span, &format!("{place} should be a hash or a string"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::map;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> = problems(&map(text))
            .into_iter()
            .map(|problem| problem.message)
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_good_header_has_no_problems() {
        check(
            "spec: {description: d, component: [name, sha], include: [a.yml, {local: b.yml}], \
             inputs: {a: , b: {type: number, options: [1], description: 1, regex: x}}}",
            &[],
        );
        check("spec:", &[]);
    }

    #[test]
    fn below_a_wrong_entry_nothing_is_looked_at() {
        check(
            "{spec: [], foo: 1}",
            &["header config contains unknown keys: foo"],
        );
        check("{spec: []}", &["header:spec config should be a hash"]);
        check(
            "{spec: {foo: 1, description: 1, inputs: 1}}",
            &[
                "header:spec config contains unknown keys: foo",
                "header:spec config description should be a string",
            ],
        );
    }

    #[test]
    fn inputs_are_judged_one_by_one_in_lower_case() {
        check(
            "{spec: {inputs: {A: {bar: 1}, b: 1, 1.5: , c: {type: hash}}}}",
            &[
                "header:spec:inputs:a config contains unknown keys: bar",
                "header:spec:inputs:b config should be a hash",
                "header:spec:inputs:b config should be a hash",
                "header:spec:inputs:c input type unknown value: hash",
            ],
        );
        check(
            "{spec: {inputs: {a: {options: x, regex: 1, description: [x]}}}}",
            &[
                "header:spec:inputs:a input description must be an alphanumeric string",
                "header:spec:inputs:a input regex should be a string",
                "header:spec:inputs:a input options should be an array",
            ],
        );
        check(
            "{spec: {inputs: {1.5: {default: x}}}}",
            &["header:spec:inputs:1.5 key must be an alphanumeric string"],
        );
    }

    #[test]
    fn rules_exclude_options_and_default() {
        check(
            "{spec: {inputs: {foo: {options: [a], rules: [{default: a}]}}}}",
            &["header:spec:inputs:foo config these keys cannot be used together: options, rules"],
        );
    }

    #[test]
    fn component_and_include_take_known_names_only() {
        check(
            "{spec: {component: foo}}",
            &[
                "header:spec:component config should be an array",
                "header:spec:component config should be an array of strings",
            ],
        );
        check(
            "{spec: {component: [foo], include: [{template: x}]}}",
            &[
                "header:spec:component config contains unknown values: foo",
                "header:spec:include:include config contains unknown keys: template",
            ],
        );
    }
}
