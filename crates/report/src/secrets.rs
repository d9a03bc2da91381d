//! Values that must not be shown, and how they are hidden.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_expr::{TraceNode, Variable};
use tidegate_plan::{ClauseTrace, ClauseTrial, Plan, PolicyAtom, Trace};

/// What is shown instead.
pub(crate) const MASKED: &str = "[MASKED]";

/// The values of all masked variables a plan knows of, longest first.
#[derive(Default, Debug)]
pub struct Secrets {
    values: Vec<Arc<str>>,
    names: BTreeSet<Arc<str>>,
}

impl Secrets {
    /// Those of a plan: of its situation, of the variables of its jobs and of whatever its traces looked at.
    pub fn of(plan: &Plan) -> Secrets {
        let mut found = Found::default();
        let stated = plan.masked_values.iter();
        found
            .values
            .extend(stated.filter(|value| !value.is_empty()).cloned());
        found.layer(&plan.workflow.variables);
        for rule in &plan.workflow.rules {
            found.clauses(&rule.clauses);
        }
        for job in plan.pipeline().iter().flat_map(|pipeline| &pipeline.jobs) {
            for layer in job.variables.layers() {
                found.layer(layer);
            }
        }
        for trace in plan.decisions.iter().filter_map(|d| d.trace.as_deref()) {
            found.trace(trace);
        }
        found.secrets()
    }

    /// The text without any of the values.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = Cow::Borrowed(text);
        for value in &self.values {
            if shown.contains(&**value) {
                shown = Cow::Owned(shown.replace(&**value, MASKED));
            }
        }
        shown
    }

    /// Whether the variable of this name is masked anywhere.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

#[derive(Default)]
struct Found {
    values: BTreeSet<Arc<str>>,
    names: BTreeSet<Arc<str>>,
    /// Layers seen, by address: thousands of jobs share them.
    layers: BTreeSet<*const Variable>,
}

impl Found {
    fn layer(&mut self, layer: &[Variable]) {
        if self.layers.insert(layer.as_ptr()) {
            layer.iter().for_each(|variable| self.variable(variable));
        }
    }

    fn variable(&mut self, variable: &Variable) {
        if !variable.masked {
            return;
        }
        self.names.insert(variable.key.clone());
        let value = variable.value.iter();
        self.values
            .extend(value.filter(|value| !value.is_empty()).cloned());
    }

    fn trace(&mut self, trace: &Trace) {
        for rule in &trace.rules {
            self.clauses(&rule.clauses);
        }
        if let Some(unmet) = &trace.nearest {
            self.clauses(&unmet.clauses);
        }
        for atom in trace.policies.iter().flat_map(|policy| &policy.atoms) {
            if let PolicyAtom::Variables { expressions, .. } = atom {
                expressions.iter().for_each(|node| self.node(node));
            }
        }
    }

    fn clauses(&mut self, clauses: &[ClauseTrial]) {
        for clause in clauses {
            if let ClauseTrace::If {
                tree: Some(tree), ..
            } = &clause.trace
            {
                self.node(tree);
            }
        }
    }

    fn node(&mut self, node: &TraceNode) {
        if let Some(variable) = &node.variable {
            self.variable(variable);
        }
        node.operands.iter().for_each(|operand| self.node(operand));
    }

    fn secrets(self) -> Secrets {
        let mut values: Vec<Arc<str>> = self.values.into_iter().collect();
        // A value inside a longer one must not leave the rest of the longer one readable.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Secrets {
            values,
            names: self.names,
        }
    }
}
