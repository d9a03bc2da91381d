//! What clauses are judged against: variables and the outside, of one job or of the workflow.

use std::sync::Arc;

use tidegate_expr::{
    Lookup, NestedOptions, RefOptions, Resolver, Variable, VariableSource, Variables,
    expand_existing,
};

use crate::layers::may_refer;
use crate::scope::Scope;
use crate::shared::Shared;

/// What clauses are judged against.
pub(crate) trait View {
    /// Variables as written, for expressions.
    fn lookup(&self) -> &dyn Lookup;

    /// `text` with references replaced by nested values, unknown ones left.
    fn expanded(&self, text: &Arc<str>) -> Arc<str>;

    /// What the whole pipeline shares.
    fn shared(&self) -> &Shared<'_>;

    /// Every variable, for hiding masked values.
    fn every_variable(&self) -> &Variables;
}

impl View for Scope<'_> {
    fn lookup(&self) -> &dyn Lookup {
        self
    }

    fn expanded(&self, text: &Arc<str>) -> Arc<str> {
        self.existing_nested(text)
    }

    fn shared(&self) -> &Shared<'_> {
        Scope::shared(self)
    }

    fn every_variable(&self) -> &Variables {
        self.variables()
    }
}

/// The workflow's view: the pipeline as a whole, without any job.
pub(crate) struct GlobalView<'s> {
    shared: &'s Shared<'s>,
    variables: Variables,
}

impl<'s> GlobalView<'s> {
    /// Everything of the pipeline but what belongs to jobs (reference `compose.md` §1.1).
    pub(crate) fn new(shared: &'s Shared<'s>) -> GlobalView<'s> {
        let of_job = |variable: &Variable| {
            variable.key.starts_with("CI_JOB") || variable.key.starts_with("CI_BUILD")
        };
        let root = std::iter::once(shared.root());
        let layers = shared
            .below
            .layers()
            .iter()
            .chain(root)
            .chain(shared.above.layers());
        let mut variables = Variables::default();
        for layer in layers {
            if layer.iter().any(of_job) || layer.iter().any(is_late) {
                let kept = layer.iter().filter(|v| !of_job(v)).cloned();
                variables.push(kept.map(without_late_value).collect());
            } else {
                variables.push(layer.clone());
            }
        }
        GlobalView { shared, variables }
    }

    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }
}

/// The number of a pipeline is known by name from the start and gets its value when jobs are judged.
fn is_late(variable: &Variable) -> bool {
    variable.source == VariableSource::Pipeline && &*variable.key == "CI_PIPELINE_IID"
}

fn without_late_value(variable: Variable) -> Variable {
    if !is_late(&variable) {
        return variable;
    }
    let value = Some("".into());
    Variable { value, ..variable }
}

impl View for GlobalView<'_> {
    fn lookup(&self) -> &dyn Lookup {
        &self.variables
    }

    fn expanded(&self, text: &Arc<str>) -> Arc<str> {
        if !may_refer(text) {
            return text.clone();
        }
        let resolver = Resolver::new(&self.variables, NestedOptions::FOR_DECISIONS);
        expand_existing(text, &resolver, RefOptions::ALL)
            .into_string()
            .into()
    }

    fn shared(&self) -> &Shared<'_> {
        self.shared
    }

    fn every_variable(&self) -> &Variables {
        &self.variables
    }
}
