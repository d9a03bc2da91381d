//! The variables one job sees while it is judged (reference `compose.md` §9.1, the set at seed time).

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use tidegate_config::{Job, JobBody};
use tidegate_expr::{
    CircularReference, Lookup, NestedOptions, RefOptions, Resolver, Variable, VariableSource,
    Variables, circular_reference, expand_blank, expand_existing, job_group_name, slug,
};
use tidegate_pipeline::When;

use crate::environment;
use crate::layers::{Indexed, layer, may_refer, refers};
use crate::shared::{Body, Shared};

/// The variables one job sees.
///
/// Looking a name up allocates nothing but, at most once, the facts of the job. The whole list is only put together where
/// nested references must be followed, and for jobs that are in.
pub(crate) struct Scope<'s> {
    shared: &'s Shared<'s>,
    job: &'s Job,
    pub(crate) body: Rc<Body>,
    matrix: Arc<[Variable]>,
    rule: Arc<[Variable]>,
    above: Rc<Indexed>,
    environment: Option<EnvironmentFacts>,
    facts: OnceCell<Arc<[Variable]>>,
    all: OnceCell<Variables>,
}

/// The environment of a job, with its name expanded.
#[derive(Clone)]
pub(crate) struct EnvironmentFacts {
    pub(crate) expanded_name: Arc<str>,
}

impl<'s> Scope<'s> {
    /// What `job` sees while its rules are judged.
    pub(crate) fn of_job(shared: &'s Shared<'s>, job: &'s Job) -> Scope<'s> {
        let matrix = match &job.instance {
            Some(instance) => layer(&instance.matrix, VariableSource::YamlMatrix),
            None => Arc::default(),
        };
        let body = shared.body(&job.body);
        Scope::with_environment(Scope::plain(shared, job, body, matrix, Arc::default()))
    }

    /// What the job sees once a rule with these variables has matched.
    pub(crate) fn with_rule(&self, rule: Arc<[Variable]>) -> Scope<'s> {
        let (body, matrix) = (self.body.clone(), self.matrix.clone());
        Scope::with_environment(Scope::plain(self.shared, self.job, body, matrix, rule))
    }

    fn plain(
        shared: &'s Shared<'s>,
        job: &'s Job,
        body: Rc<Body>,
        matrix: Arc<[Variable]>,
        rule: Arc<[Variable]>,
    ) -> Scope<'s> {
        Scope {
            shared,
            job,
            body,
            matrix,
            rule,
            above: shared.above.clone(),
            environment: None,
            facts: OnceCell::new(),
            all: OnceCell::new(),
        }
    }

    /// Adds the environment's own variables; its name is expanded without them.
    fn with_environment(plain: Scope<'s>) -> Scope<'s> {
        let Some(written) = &plain.job.body.environment else {
            return plain;
        };
        let expanded_name: Arc<str> = plain.blank(&written.name.value);
        Scope {
            above: plain.shared.above_in(&expanded_name),
            environment: Some(EnvironmentFacts { expanded_name }),
            facts: OnceCell::new(),
            all: OnceCell::new(),
            ..plain
        }
    }

    pub(crate) fn shared(&self) -> &'s Shared<'s> {
        self.shared
    }

    pub(crate) fn job(&self) -> &'s Job {
        self.job
    }

    pub(crate) fn written(&self) -> &'s JobBody {
        &self.job.body
    }

    pub(crate) fn environment(&self) -> Option<&EnvironmentFacts> {
        self.environment.as_ref()
    }

    /// All variables, lowest precedence first, unexpanded.
    pub(crate) fn variables(&self) -> &Variables {
        self.all.get_or_init(|| {
            let mut all = Variables::default();
            all.push(self.facts().clone());
            for layer in self.shared.below.layers() {
                all.push(layer.clone());
            }
            for layer in self.body.yaml(&self.matrix, &self.rule) {
                all.push(layer);
            }
            for layer in self.above.layers() {
                all.push(layer.clone());
            }
            all
        })
    }

    /// `text` with references replaced by nested values, unknown ones left (`changes`, `exists`).
    pub(crate) fn existing_nested(&self, text: &Arc<str>) -> Arc<str> {
        if !may_refer(text) {
            return text.clone();
        }
        let resolver = Resolver::new(self.variables(), NestedOptions::FOR_DECISIONS);
        expand_existing(text, &resolver, RefOptions::ALL)
            .into_string()
            .into()
    }

    /// `text` with references replaced by values as written, unknown ones left (`tags`).
    pub(crate) fn existing(&self, text: &Arc<str>) -> Arc<str> {
        if !may_refer(text) {
            return text.clone();
        }
        expand_existing(text, self, RefOptions::ALL)
            .into_string()
            .into()
    }

    /// `text` with references replaced by nested values, unknown ones blank (names of environments, groups, projects).
    pub(crate) fn blank(&self, text: &Arc<str>) -> Arc<str> {
        if !may_refer(text) {
            return text.clone();
        }
        let resolver = Resolver::new(self.variables(), NestedOptions::FOR_DECISIONS);
        expand_blank(text, &resolver, RefOptions::ALL)
            .into_string()
            .into()
    }

    /// Variables that refer to each other in a circle.
    pub(crate) fn circle(&self) -> Option<CircularReference> {
        let own = self.body.own_referring()
            + self.matrix.iter().filter(|v| refers(v)).count()
            + self.rule.iter().filter(|v| refers(v)).count();
        let others =
            self.shared.below.referring() + self.body.root.referring() + self.above.referring();
        let possible = if own == 0 {
            self.shared.shared_circle(&self.body.root, &self.above)
        } else {
            own + others >= 2
        };
        possible
            .then(|| circular_reference(self.variables()))
            .flatten()
    }

    fn facts(&self) -> &Arc<[Variable]> {
        self.facts.get_or_init(|| {
            let names = &self.shared.names;
            let fact = |key: &Arc<str>, value: Arc<str>| {
                Variable::new(key.clone(), value, VariableSource::Job)
            };
            let job = self.job;
            let mut facts = vec![
                fact(&names.name, job.name.clone()),
                fact(&names.slug, slug(&job.name).into()),
                fact(&names.group, self.group()),
                fact(&names.stage, job.body.stage.value.clone()),
            ];
            // Job-level: what a rule says comes too late (reference `compose.md` §9.1).
            let when = job.body.when.map(|when| when.value);
            if matches!(when, Some(When::Manual | When::Delayed)) {
                facts.push(fact(&names.manual, names.yes.clone()));
            }
            match &job.instance {
                Some(instance) => {
                    facts.push(fact(&names.index, instance.index.to_string().into()));
                    facts.push(fact(&names.total, instance.total.to_string().into()));
                }
                None => facts.push(fact(&names.total, names.one.clone())),
            }
            if let (Some(known), Some(written)) = (&self.environment, &job.body.environment) {
                facts.extend(environment::facts(written, &known.expanded_name));
            }
            facts.into()
        })
    }

    fn group(&self) -> Arc<str> {
        // What is cut off a name stands behind a colon or a blank; most names have neither.
        let parts = |c: char| c == ':' || c == ' ' || c.is_ascii_control();
        if !self.job.name.contains(parts) {
            return self.job.name.clone();
        }
        match job_group_name(&self.job.name) {
            group if *group == *self.job.name => self.job.name.clone(),
            group if *group == *self.job.base => self.job.base.clone(),
            group => group.into(),
        }
    }
}

impl Lookup for Scope<'_> {
    fn lookup(&self, name: &str) -> Option<&Variable> {
        let in_layer =
            |layer: &'_ Arc<[Variable]>| layer.iter().rposition(|known| &*known.key == name);
        if let Some(found) = self.above.get(name) {
            return Some(found);
        }
        for layer in [&self.rule, &self.matrix, &self.body.job] {
            if let Some(found) = in_layer(layer) {
                return layer.get(found);
            }
        }
        if let Some(found) = self.body.root.get(name) {
            return Some(found);
        }
        if let Some(found) = self.shared.below.get(name) {
            return Some(found);
        }
        if !name.starts_with("CI_") {
            return None;
        }
        let facts = self.facts();
        facts.iter().find(|known| &*known.key == name)
    }
}
