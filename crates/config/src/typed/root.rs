//! The whole configuration: top-level entries in GitLab's order, then the checks across jobs.

use tidegate_source::Diagnostic;
use tidegate_yaml::{Map, Node, Value};

use super::{Check, Context, Faults, Place, specified, text};
use crate::keyword::default::{Defaults, GLOBAL, default};
use crate::keyword::include::include;
use crate::keyword::job::Surroundings;
use crate::keyword::jobs::{Class, classify, hidden_names, jobs};
use crate::keyword::stages::stages;
use crate::keyword::variables::{Form, variables};
use crate::keyword::workflow::workflow;
use crate::settings::Settings;
use crate::tree::Tree;
use crate::{Config, Workflow, logical, overlay};

/// Types and checks a merged tree (reference `config.md` §8–§11).
///
/// With an error there is no configuration. Errors come in GitLab's order, warnings and findings behind them.
pub(crate) fn build(tree: Tree, settings: &Settings) -> (Option<Config>, Vec<Diagnostic>) {
    let mut cx = Context::new(settings);
    let mut faults = Faults::new();
    let tree = with_overlay(&mut cx, tree, &mut faults);
    let config = match typed(&mut cx, tree, &mut faults) {
        Ok(config) => config,
        Err(only) => {
            faults = vec![*only];
            None
        }
    };
    let config = config.filter(|_| faults.is_empty());
    faults.append(&mut cx.remarks);
    (config, faults)
}

/// The tree with the overlay it carries, where there is one and it counts.
fn with_overlay(cx: &mut Context<'_>, tree: Tree, faults: &mut Faults) -> Tree {
    let node = tree.map().get(overlay::KEY).filter(|_| cx.has_extensions());
    let Some(Value::Map(over)) = node.map(|node| node.value.clone()) else {
        return tree;
    };
    // Each job's part on its own: a part may come from a file of its own.
    let jobs = over.get("jobs").and_then(Node::as_map);
    let parts = jobs.into_iter().flatten().map(|(_, part)| part.span);
    cx.overlays.extend(parts);
    let mut root = tree.into_map();
    faults.extend(overlay::apply(&mut root, &over));
    Tree::whole(root)
}

fn typed(
    cx: &mut Context<'_>,
    mut tree: Tree,
    faults: &mut Faults,
) -> Result<Option<Config>, Box<Diagnostic>> {
    let root = tree.map();
    let global = Defaults::read_global(cx, None, root);
    let defaults = claimed(root, "default");
    let defaults = default(cx, defaults, &global, root, faults).map_err(Box::new)?;
    if let Some(node) = specified(root, "include") {
        include(cx, &Place::top("include"), node, None, faults);
    }
    report_global(&global, &GLOBAL[..4], faults);
    let variables = specified(root, "variables").map_or_else(Vec::new, |node| {
        variables(Form::Root, &Place::top("variables"), node, faults)
    });
    let stages = stages(specified(root, "stages"), faults);
    report_global(&global, &GLOBAL[4..], faults);
    let workflow = claimed(root, "workflow").map_or_else(Workflow::default, |node: &Node| {
        workflow(cx, &Place::top("workflow"), node, faults)
    });
    let around = Surroundings {
        defaults: &defaults,
        workflow_rules: workflow.has_rules_key,
    };
    let written = jobs(cx, &mut tree, &around, faults);
    if let Some(name) = claimed(tree.map(), "workflow")
        .and_then(Node::as_map)
        .and_then(|map| specified(map, "name"))
        .filter(|name| text(name).is_none() && faults.is_empty())
    {
        // GitLab stumbles over other types once everything else is right.
        let place = Place::top("workflow");
        Check::new(&place, name, faults).fault("name should be a string");
    }
    if !faults.is_empty() {
        return Ok(None);
    }
    let jobs = written.jobs().map_err(Box::new)?;
    let config = Config {
        stages,
        variables,
        workflow,
        jobs,
        hidden: hidden_names(tree.map()),
    };
    drop(tree);
    logical::check(&config).map_err(Box::new)?;
    Ok(Some(config))
}

/// The top-level keyword `name`, unless it is a job of that name.
fn claimed<'m>(root: &'m Map, name: &str) -> Option<&'m Node> {
    let (key, node) = root.entry(name)?;
    (classify(key, node) == Class::Keyword && !node.is_null()).then_some(node)
}

fn report_global(global: &Defaults, keys: &[&str], faults: &mut Faults) {
    for key in keys {
        faults.extend(global.faults_of(key).iter().cloned());
    }
}
