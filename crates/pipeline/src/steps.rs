//! What a job runs, step by step, and the inputs of a job in it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::job::Build;
use crate::spec::StepSpec;

/// Something of `run` or `inputs` that only GitLab's own functions can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotRunnable {
    /// A step of `run` that is a function from elsewhere.
    Function {
        /// Name of the step.
        step: String,
    },
    /// An expression other than `${{ job.inputs.NAME }}` of a declared input.
    Expression {
        /// The expression, with its braces.
        text: String,
    },
}

const OPENING: &str = "${{";
const CLOSING: &str = "}}";
/// Where a value that was given stands, beside the keywords of an input; none of those is called so.
const GIVEN: &str = "value";

impl Build {
    /// The steps GitLab hands to a runner, `after_script` last (reference `runner.md` §1.4). Steps of `run` have a shell each.
    pub fn steps(&self) -> Vec<StepSpec> {
        let mut steps = self.run_steps();
        if steps.is_empty() {
            let script = self.before_script.iter().chain(&self.script);
            steps.push(StepSpec {
                name: "script".into(),
                script: script.cloned().collect(),
                always: false,
            });
        }
        if !self.after_script.is_empty() {
            steps.push(StepSpec {
                name: "after_script".into(),
                script: self.after_script.clone(),
                always: true,
            });
        }
        steps
    }

    /// Whether it is written as steps (`run`) rather than as a script.
    pub fn is_stepwise(&self) -> bool {
        !self.written_steps().is_empty()
    }

    /// The first thing that cannot be run without GitLab's functions, if any.
    pub fn not_runnable(&self) -> Option<NotRunnable> {
        let steps = self.written_steps();
        let function = steps.iter().find(|step| step["script"].as_str().is_none());
        if let Some(step) = function {
            let name = step["name"].as_str().unwrap_or_default();
            return Some(NotRunnable::Function {
                step: name.to_owned(),
            });
        }
        let of_steps = steps.iter().filter_map(|step| step["script"].as_str());
        let env = |step: &Value| step["env"].as_object().cloned().unwrap_or_default();
        let of_env = steps.iter().flat_map(|step| env(step).into_iter());
        let of_env: Vec<Value> = of_env.map(|(_, value)| value).collect();
        let of_env = of_env.iter().filter_map(Value::as_str);
        let nothing = Map::new();
        let foreign = |text: &str| filled(text, &nothing).foreign;
        if let Some(text) = of_steps.chain(of_env).find_map(foreign) {
            return Some(NotRunnable::Expression { text });
        }
        let inputs = self.inputs()?;
        let mut found = None;
        self.clone().each_text(|text| {
            found = found.take().or_else(|| filled(text, &inputs).foreign);
        });
        found.map(|text| NotRunnable::Expression { text })
    }

    /// The build with the values of its `inputs`, their defaults where none was given, in place of `${{ job.inputs.NAME }}` (GitLab's "job inputs").
    ///
    /// A build without `inputs` stays as it is. Expressions of another form stay: see [`Build::not_runnable`].
    #[must_use]
    pub fn with_inputs(&self) -> Build {
        let Some(inputs) = self.inputs() else {
            return self.clone();
        };
        let mut build = self.clone();
        let fill = |text: &mut Arc<str>| {
            if text.contains(OPENING) {
                *text = filled(text, &inputs).text.into();
            }
        };
        build.each_text(fill);
        build
    }

    /// The same build with other values of its `inputs`; those left out keep the ones they have.
    #[must_use]
    pub fn given(&self, values: &Map<String, Value>) -> Build {
        let Some(mut inputs) = self.inputs() else {
            return self.clone();
        };
        for (name, value) in values {
            if let Some(Value::Object(input)) = inputs.get_mut(name) {
                input.insert(GIVEN.to_owned(), value.clone());
            }
        }
        let mut build = self.clone();
        for (_, json) in build
            .further
            .iter_mut()
            .filter(|(key, _)| **key == *"inputs")
        {
            *json = Value::Object(inputs.clone()).to_string().into();
        }
        build
    }

    /// The `inputs` it declares, as JSON by name; `None` where it has none.
    pub fn inputs(&self) -> Option<Map<String, Value>> {
        match self.keyword("inputs") {
            Some(Value::Object(inputs)) => Some(inputs),
            _ => None,
        }
    }

    fn keyword(&self, name: &str) -> Option<Value> {
        let (_, json) = self.further.iter().find(|(key, _)| **key == *name)?;
        serde_json::from_str(json).ok()
    }

    fn written_steps(&self) -> Vec<Value> {
        match self.keyword("run") {
            Some(Value::Array(steps)) => steps,
            _ => Vec::new(),
        }
    }

    fn run_steps(&self) -> Vec<StepSpec> {
        let steps = self.written_steps().into_iter();
        steps
            .map(|step| {
                let env = step["env"].as_object().cloned().unwrap_or_default();
                let mut script: Vec<Arc<str>> = env
                    .iter()
                    .filter_map(|(key, value)| Some(export(key, value.as_str()?)))
                    .collect();
                script.extend(step["script"].as_str().map(Arc::from));
                StepSpec {
                    name: step["name"].as_str().unwrap_or_default().into(),
                    script,
                    always: false,
                }
            })
            .collect()
    }

    /// The texts in which GitLab fills inputs in.
    fn each_text(&mut self, mut fill: impl FnMut(&mut Arc<str>)) {
        let lists = [
            &mut self.before_script,
            &mut self.script,
            &mut self.after_script,
            &mut self.cache_keys,
        ];
        lists.into_iter().flatten().for_each(&mut fill);
        if let Some(artifacts) = &mut self.artifacts {
            artifacts.name.iter_mut().for_each(&mut fill);
            artifacts.paths.iter_mut().for_each(&mut fill);
            artifacts.exclude.iter_mut().for_each(&mut fill);
        }
        for cache in &mut self.caches {
            cache.paths.iter_mut().for_each(&mut fill);
            cache.fallback_keys.iter_mut().for_each(&mut fill);
        }
        if let Some(image) = &mut self.image {
            fill(&mut image.name);
        }
        for service in &mut self.services {
            fill(&mut service.image.name);
        }
    }
}

/// A text with inputs filled in.
struct Filled {
    text: String,
    /// The first expression that is no input.
    foreign: Option<String>,
}

/// Fills inputs in; `\${{` stands for itself without the backslash.
fn filled(text: &str, inputs: &Map<String, Value>) -> Filled {
    let mut out = String::new();
    let mut foreign = None;
    let mut rest = text;
    while let Some(at) = rest.find(OPENING) {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push_str(OPENING);
            rest = &from[OPENING.len()..];
            continue;
        }
        out.push_str(before);
        let end = from.find(CLOSING).map(|end| end + CLOSING.len());
        let (whole, after) = from.split_at(end.unwrap_or(from.len()));
        let inside = whole.strip_prefix(OPENING).unwrap_or_default();
        let inside = inside.strip_suffix(CLOSING).unwrap_or(inside).trim();
        let name = inside.strip_prefix("job.inputs.");
        match name.and_then(|name| inputs.get(name)) {
            Some(input) => {
                out.push_str(&text_of(input.get(GIVEN).unwrap_or(&input["default"])));
            }
            None => {
                foreign.get_or_insert_with(|| whole.to_owned());
                out.push_str(whole);
            }
        }
        rest = after;
    }
    Filled {
        text: out + rest,
        foreign,
    }
}

/// A value as text: lists as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn export(key: &str, value: &str) -> Arc<str> {
    let quoted = value.replace('\'', r"'\''");
    format!("export {key}='{quoted}'").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(script: &str, inputs: &str) -> Build {
        Build {
            script: vec![script.into()],
            further: vec![("inputs".into(), inputs.into())],
            ..Build::default()
        }
    }

    #[test]
    fn given_values_stand_above_defaults_until_others_are_given() {
        let inputs = r#"{"a": {"default": "x"}, "n": {"default": 1, "type": "number"}}"#;
        let build = build("${{ job.inputs.a }} ${{ job.inputs.n }}", inputs);
        let value = |name: &str, value: Value| Map::from_iter([(name.to_owned(), value)]);
        let once = build.given(&value("a", "y".into()));
        assert_eq!(&*once.with_inputs().script[0], "y 1");
        let twice = once.given(&value("n", 2.into()));
        assert_eq!(&*twice.with_inputs().script[0], "y 2");
        assert_eq!(
            Build::default().given(&value("a", "y".into())),
            Build::default()
        );
    }

    #[test]
    fn inputs_stand_for_their_defaults() {
        let inputs =
            r#"{"a": {"default": "x y"}, "n": {"default": 3}, "l": {"default": ["p", 1]}}"#;
        let text =
            r"${{ job.inputs.a }}-${{job.inputs.n}} ${{ job.inputs.l }} \${{ job.inputs.a }} $a";
        let build = build(text, inputs);
        assert_eq!(build.not_runnable(), None);
        let filled = &build.with_inputs().script[0];
        assert_eq!(&**filled, "x y-3 [\"p\",1] ${{ job.inputs.a }} $a");
    }

    #[test]
    fn other_expressions_are_named_where_there_are_inputs() {
        let inputs = r#"{"a": {"default": "x"}}"#;
        let not = |text: &str| build(text, inputs).not_runnable();
        let text = "${{ job.inputs.b }}".to_owned();
        assert_eq!(
            not(&format!("echo {text} x")),
            Some(NotRunnable::Expression { text })
        );
        let plain = Build {
            script: vec!["echo '${{ github.ref }}'".into()],
            ..Build::default()
        };
        assert_eq!(plain.not_runnable(), None);
        assert_eq!(plain.with_inputs(), plain);
    }

    #[test]
    fn each_step_of_run_is_a_step() {
        let run = r#"[{"name": "a", "script": "echo 1"}, {"name": "b", "env": {"K": "it's"}, "script": "echo $K"}]"#;
        let build = Build {
            further: vec![("run".into(), run.into())],
            ..Build::default()
        };
        assert_eq!(build.not_runnable(), None);
        let steps = build.steps();
        let names: Vec<&str> = steps.iter().map(|step| &*step.name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(&*steps[1].script[0], r"export K='it'\''s'");
        let function = Build {
            further: vec![("run".into(), r#"[{"name": "a", "step": "./x"}]"#.into())],
            ..Build::default()
        };
        let step = "a".to_owned();
        assert_eq!(
            function.not_runnable(),
            Some(NotRunnable::Function { step })
        );
    }
}
