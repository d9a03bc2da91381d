//! The variables a trigger job passes on (reference `compose.md` §8.11).

use tidegate_expr::{
    Lookup, RefOptions, Variable, VariableSource, Variables, expand_blank, references,
};
use tidegate_pipeline::Bridge;

/// What the downstream pipeline gets as its pipeline variables, by the job's variables; the later of two equal names has won.
///
/// Values are expanded once, unknown references vanish; raw ones are passed as they are. A reference to a file variable stays,
/// and the file variable goes with it.
pub(super) fn forwarded(bridge: &Bridge, variables: &Variables) -> Vec<Variable> {
    let mut all: Vec<Variable> = Vec::new();
    let mut files: Vec<Variable> = Vec::new();
    if bridge.forward_yaml_variables {
        all.extend(of(variables, is_yaml, variables, &mut files));
    }
    if bridge.forward_pipeline_variables {
        for source in [
            VariableSource::Dotenv,
            VariableSource::Given,
            VariableSource::Schedule,
        ] {
            all.extend(of(
                variables,
                |found| found == source,
                variables,
                &mut files,
            ));
        }
    }
    let mut kept: Vec<Variable> = Vec::new();
    for variable in files.into_iter().chain(all).rev() {
        if !kept.iter().any(|later| later.key == variable.key) {
            kept.push(variable);
        }
    }
    kept.reverse();
    kept
}

fn is_yaml(source: VariableSource) -> bool {
    matches!(
        source,
        VariableSource::YamlRoot
            | VariableSource::YamlWorkflow
            | VariableSource::YamlJob
            | VariableSource::YamlMatrix
            | VariableSource::YamlRule
    )
}

fn of(
    from: &Variables,
    wanted: impl Fn(VariableSource) -> bool,
    variables: &Variables,
    files: &mut Vec<Variable>,
) -> Vec<Variable> {
    let wanted = from.iter().filter(|variable| wanted(variable.source));
    wanted
        .map(|variable| passed(variable, variables, files))
        .collect()
}

fn passed(variable: &Variable, variables: &Variables, files: &mut Vec<Variable>) -> Variable {
    let mut passed = Variable {
        source: VariableSource::Given,
        ..variable.clone()
    };
    let Some(value) = variable.value.as_deref().filter(|_| !variable.raw) else {
        return passed;
    };
    for reference in references(value) {
        if let Some(found) = variables.lookup(reference.name) {
            // Who hands on a secret under another name still has a secret.
            passed.masked |= found.masked;
            if found.file {
                files.push(Variable {
                    source: VariableSource::Given,
                    ..found.clone()
                });
            }
        }
    }
    let options = RefOptions {
        expand_file_refs: false,
        expand_raw_refs: true,
    };
    passed.value = Some(expand_blank(value, variables, options).into_string().into());
    passed
}

#[cfg(test)]
mod tests {
    use tidegate_pipeline::Downstream;

    use super::*;

    fn bridge(yaml: bool, pipeline: bool) -> Bridge {
        Bridge {
            downstream: Downstream::Child {
                include: "\"c.yml\"".into(),
            },
            strategy: None,
            forward_yaml_variables: yaml,
            forward_pipeline_variables: pipeline,
            inputs: Vec::new(),
        }
    }

    fn variables() -> Variables {
        let file = Variable {
            file: true,
            ..Variable::new("F", "content", VariableSource::SettingProject)
        };
        let raw = Variable {
            raw: true,
            ..Variable::new("RAW", "$A", VariableSource::YamlJob)
        };
        let mut all: Variables = [Variable::new("CI", "true", VariableSource::Pipeline)]
            .into_iter()
            .collect();
        all.push([Variable::new("A", "root", VariableSource::YamlRoot)].into());
        all.push(
            [
                Variable::new("A", "job", VariableSource::YamlJob),
                Variable::new("B", "$A-$CI-$NOPE-$F-$$A", VariableSource::YamlJob),
                raw,
            ]
            .into(),
        );
        all.push([Variable::new("D", "dotenv", VariableSource::Dotenv)].into());
        all.push([file].into());
        all.push([Variable::new("A", "given", VariableSource::Given)].into());
        all
    }

    fn pairs(yaml: bool, pipeline: bool) -> Vec<String> {
        forwarded(&bridge(yaml, pipeline), &variables())
            .iter()
            .map(|v| format!("{}={}", v.key, v.value.as_deref().unwrap_or("nil")))
            .collect()
    }

    #[test]
    fn values_are_expanded_once_and_files_go_with_what_names_them() {
        assert_eq!(
            pairs(true, false),
            ["F=content", "A=job", "B=given-true--$F-$given", "RAW=$A"]
        );
    }

    #[test]
    fn pipeline_variables_go_only_where_asked_for_and_win() {
        assert_eq!(pairs(false, false), Vec::<String>::new());
        assert_eq!(pairs(false, true), ["D=dotenv", "A=given"]);
        assert!(pairs(true, true).contains(&"A=given".to_owned()));
    }
}
