//! What planning one pipeline shares between its jobs: variables, compiled globs, answers already found.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_config::{Config, InheritVariables, JobBody, Rule};
use tidegate_expr::{Variable, VariableSource, Variables, circular_reference};
use tidegate_pipeline::Action;
use tidegate_scenario::{Phase, Scenario, World, predefined, setting_layers};

use crate::cache_key::CreatedKey;
use crate::change_set::ChangeSets;
use crate::file_set::FileSets;
use crate::layers::{Indexed, layer, merged, overlaps, refers};
use crate::settings::Settings;

/// Everything shared while one pipeline is planned.
pub(crate) struct Shared<'a> {
    pub(crate) config: &'a Config,
    pub(crate) scenario: &'a Scenario,
    pub(crate) world: &'a dyn World,
    pub(crate) settings: &'a Settings,
    /// Predefined variables below those of YAML.
    pub(crate) below: Indexed,
    /// Variables above those of YAML, for jobs without an environment.
    pub(crate) above: Rc<Indexed>,
    pub(crate) changes: ChangeSets,
    pub(crate) files: FileSets,
    pub(crate) names: FactNames,
    /// Top-level variables with those of the workflow rule.
    root: Arc<[Variable]>,
    above_by_environment: RefCell<FxHashMap<Arc<str>, Rc<Indexed>>>,
    roots: RefCell<FxHashMap<Inherited, Rc<Indexed>>>,
    bodies: RefCell<FxHashMap<*const JobBody, Rc<Body>>>,
    rule_layers: RefCell<FxHashMap<*const Rule, Arc<[Variable]>>>,
    circles: RefCell<FxHashMap<(*const Indexed, *const Indexed), bool>>,
}

/// Names of the variables every job has, allocated once.
pub(crate) struct FactNames {
    pub(crate) name: Arc<str>,
    pub(crate) slug: Arc<str>,
    pub(crate) group: Arc<str>,
    pub(crate) stage: Arc<str>,
    pub(crate) manual: Arc<str>,
    pub(crate) index: Arc<str>,
    pub(crate) total: Arc<str>,
    pub(crate) yes: Arc<str>,
    pub(crate) one: Arc<str>,
}

/// Which of the top-level variables a job inherits.
#[derive(PartialEq, Eq, Hash)]
enum Inherited {
    All,
    None,
    Only(Arc<[Arc<str>]>),
}

/// What the instances of one parallel job share.
pub(crate) struct Body {
    /// `variables` of the job.
    pub(crate) job: Arc<[Variable]>,
    /// The top-level variables it inherits.
    pub(crate) root: Rc<Indexed>,
    /// Inherited and own variables as GitLab merges them.
    yaml: OnceCell<Vec<Arc<[Variable]>>>,
    pub(crate) keys: OnceCell<Arc<[CreatedKey]>>,
    pub(crate) action: OnceCell<Action>,
}

impl<'a> Shared<'a> {
    /// For judging the workflow: jobs are not known yet, and top-level variables are as written.
    pub(crate) fn new(
        config: &'a Config,
        scenario: &'a Scenario,
        world: &'a dyn World,
        settings: &'a Settings,
    ) -> Shared<'a> {
        let all = predefined(scenario, Phase::Job);
        let is_below = |layer: &&Arc<[Variable]>| {
            layer
                .first()
                .is_some_and(|variable| variable.source < VariableSource::YamlRoot)
        };
        let below = all.layers().iter().filter(is_below).cloned();
        let above = all.layers().iter().filter(|l| !is_below(l)).cloned();
        Shared {
            config,
            scenario,
            world,
            settings,
            below: Indexed::new(below),
            above: Rc::new(Indexed::new(above)),
            changes: ChangeSets::default(),
            files: FileSets::default(),
            names: FactNames::new(),
            root: layer(&config.variables, VariableSource::YamlRoot),
            above_by_environment: RefCell::default(),
            roots: RefCell::default(),
            bodies: RefCell::default(),
            rule_layers: RefCell::default(),
            circles: RefCell::default(),
        }
    }

    /// The top-level variables in force.
    pub(crate) fn root(&self) -> &Arc<[Variable]> {
        &self.root
    }

    /// Puts the variables of the workflow rule that matched over the top-level ones.
    pub(crate) fn with_workflow_variables(mut self, rule: &Rule) -> Shared<'a> {
        let over = layer(&rule.variables, VariableSource::YamlWorkflow);
        if !over.is_empty() {
            self.root = merged(&self.root, &over);
            self.roots.get_mut().clear();
            self.bodies.get_mut().clear();
        }
        self
    }

    /// Variables above those of YAML for a job in `environment`.
    pub(crate) fn above_in(&self, environment: &Arc<str>) -> Rc<Indexed> {
        if self.scenario.settings.is_empty() {
            return self.above.clone();
        }
        let mut known = self.above_by_environment.borrow_mut();
        let found = known.entry(environment.clone()).or_insert_with(|| {
            let is_setting = |layer: &&Arc<[Variable]>| {
                layer.first().is_some_and(|variable| {
                    matches!(
                        variable.source,
                        VariableSource::SettingInstance
                            | VariableSource::SettingGroup
                            | VariableSource::SettingProject
                    )
                })
            };
            let mut layers: Vec<_> = self.above.layers().to_vec();
            layers.retain(|layer| !is_setting(&layer));
            let scoped = setting_layers(self.scenario, Some(environment));
            layers.extend(scoped.into_iter().filter(|layer| !layer.is_empty()));
            layers.sort_by_key(|layer| layer.first().map(|variable| variable.source));
            Rc::new(Indexed::new(layers))
        });
        found.clone()
    }

    /// What all instances of a job share.
    pub(crate) fn body(&self, body: &Arc<JobBody>) -> Rc<Body> {
        let mut known = self.bodies.borrow_mut();
        let found = known.entry(Arc::as_ptr(body)).or_insert_with(|| {
            Rc::new(Body {
                job: layer(&body.variables, VariableSource::YamlJob),
                root: self.inherited(&body.inherit_variables),
                yaml: OnceCell::new(),
                keys: OnceCell::new(),
                action: OnceCell::new(),
            })
        });
        found.clone()
    }

    fn inherited(&self, inherit: &InheritVariables) -> Rc<Indexed> {
        let key = match inherit {
            InheritVariables::All(true) => Inherited::All,
            InheritVariables::All(false) => Inherited::None,
            InheritVariables::Only(names) => Inherited::Only(names.clone()),
        };
        let mut known = self.roots.borrow_mut();
        if let Some(found) = known.get(&key) {
            return found.clone();
        }
        let wanted = |variable: &&Variable| match &key {
            Inherited::All => true,
            Inherited::None => false,
            Inherited::Only(names) => names.contains(&variable.key),
        };
        let kept: Arc<[Variable]> = match &key {
            Inherited::All => self.root.clone(),
            _ => self.root.iter().filter(wanted).cloned().collect(),
        };
        let found = Rc::new(Indexed::new([kept]));
        known.insert(key, found.clone());
        found
    }

    /// The variables of a rule.
    pub(crate) fn rule_layer(&self, rule: &Rule) -> Arc<[Variable]> {
        if rule.variables.is_empty() {
            return Arc::default();
        }
        let mut known = self.rule_layers.borrow_mut();
        let found = known
            .entry(std::ptr::from_ref(rule))
            .or_insert_with(|| layer(&rule.variables, VariableSource::YamlRule));
        found.clone()
    }

    /// Whether shared variables alone form a circle.
    pub(crate) fn shared_circle(&self, root: &Rc<Indexed>, above: &Rc<Indexed>) -> bool {
        let count = self.below.referring() + root.referring() + above.referring();
        if count < 2 {
            return false;
        }
        let key = (Rc::as_ptr(root), Rc::as_ptr(above));
        if let Some(known) = self.circles.borrow().get(&key) {
            return *known;
        }
        let mut all = Variables::default();
        for indexed in [&self.below, root, above] {
            for layer in indexed.layers() {
                all.push(layer.clone());
            }
        }
        let found = circular_reference(&all).is_some();
        self.circles.borrow_mut().insert(key, found);
        found
    }
}

impl FactNames {
    fn new() -> FactNames {
        FactNames {
            name: "CI_JOB_NAME".into(),
            slug: "CI_JOB_NAME_SLUG".into(),
            group: "CI_JOB_GROUP_NAME".into(),
            stage: "CI_JOB_STAGE".into(),
            manual: "CI_JOB_MANUAL".into(),
            index: "CI_NODE_INDEX".into(),
            total: "CI_NODE_TOTAL".into(),
            yes: "true".into(),
            one: "1".into(),
        }
    }
}

impl Body {
    /// The layers of YAML variables with those of a matrix and a rule, merged where names meet.
    pub(crate) fn yaml(
        &self,
        matrix: &Arc<[Variable]>,
        rule: &Arc<[Variable]>,
    ) -> Vec<Arc<[Variable]>> {
        let mut layers = self.yaml.get_or_init(|| self.own_layers()).clone();
        for over in [matrix, rule] {
            if over.is_empty() {
                continue;
            }
            if layers.iter().any(|base| overlaps(base, over)) {
                let flat: Vec<Variable> = layers.iter().flat_map(|l| l.iter().cloned()).collect();
                layers = vec![merged(&flat, over)];
            } else {
                layers.push(over.clone());
            }
        }
        layers
    }

    fn own_layers(&self) -> Vec<Arc<[Variable]>> {
        let root = self.root.layers().first().cloned().unwrap_or_default();
        let shadowed = self
            .job
            .iter()
            .any(|variable| self.root.get(&variable.key).is_some());
        if shadowed {
            return vec![merged(&root, &self.job)];
        }
        let both = [root, self.job.clone()];
        both.into_iter().filter(|layer| !layer.is_empty()).collect()
    }

    /// How many of the job's own variables hold references.
    pub(crate) fn own_referring(&self) -> usize {
        self.job.iter().filter(|variable| refers(variable)).count()
    }
}
