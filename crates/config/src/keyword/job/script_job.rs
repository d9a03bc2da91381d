//! Jobs that run scripts.

use std::sync::Arc;

use tidegate_pipeline::{Artifacts, When};
use tidegate_source::Span;
use tidegate_yaml::{Key, Map, Node};

use super::body::{add_written, body};
use super::shared::{
    KEYS, OWN_KEYS, SharedEntries, Start, Surroundings, WrittenJob, first_checks, own_checks,
    shared_checks, shared_entries, shown_name, when,
};
use crate::keyword::artifacts::artifacts;
use crate::keyword::cache::caches;
use crate::keyword::default::{Entry, KEYS as DEFAULT_KEYS};
use crate::keyword::hooks::hooks;
use crate::keyword::id_tokens::id_tokens;
use crate::keyword::image::image;
use crate::keyword::inherit::Inherit;
use crate::keyword::inputs::{input_values, inputs};
use crate::keyword::needs::{Needing, WrittenNeed, WrittenNeeds, needs};
use crate::keyword::pages::{DEFAULT_FOLDER, is_pages_job, pages, published_folder};
use crate::keyword::parallel::parallel;
use crate::keyword::release::release;
use crate::keyword::retry::retry;
use crate::keyword::rules::check_start_in;
use crate::keyword::run::run;
use crate::keyword::scripts::script;
use crate::keyword::secrets::{dast_configuration, identity, secrets};
use crate::keyword::services::services;
use crate::keyword::simple::{allow_failure, coverage, tags, timeout};
use crate::typed::{Check, Context, Faults, Place, is_blank, specified};
use crate::{Clause, Inheritable, JobBody, JobKind, Spanned, Text};

const JOB_KEYS: [&str; 24] = [
    "tags",
    "script",
    "image",
    "services",
    "start_in",
    "artifacts",
    "cache",
    "dependencies",
    "before_script",
    "after_script",
    "hooks",
    "coverage",
    "retry",
    "parallel",
    "timeout",
    "inputs",
    "release",
    "id_tokens",
    "publish",
    "pages",
    "manual_confirmation",
    "run",
    "interruptible",
    "environment",
];
const EXCLUSIVE: [[&str; 2]; 5] = [
    ["script", "trigger"],
    ["run", "trigger"],
    ["script", "run"],
    ["before_script", "run"],
    ["after_script", "run"],
];
const ENTERPRISE_KEYS: [&str; 3] = ["secrets", "identity", "dast_configuration"];
const WHENS: [&str; 5] = ["on_success", "on_failure", "always", "manual", "delayed"];
const WHENS_TEXT: &str = "should be one of: on_success, on_failure, always, manual, delayed";

/// What a job says of itself, before its entries.
struct OwnFields {
    when: Option<Spanned<When>>,
    start_in: Start,
    dependencies: Option<Vec<Text>>,
    manual_confirmation: Option<Text>,
    resource_group: Option<Text>,
}

/// Reads a job.
pub(crate) fn job(
    cx: &mut Context<'_>,
    jobs: &Place<'_>,
    key: &Key,
    node: &Node,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<WrittenJob> {
    let map = node.as_map()?;
    let name = shown_name(key, "job");
    let place = jobs.child(&name);
    let mut check = Check::new(&place, node, faults);
    let own = own_fields(cx, &mut check, key, map, node);
    if !check.passed() {
        return None;
    }
    let mut below = Faults::new();
    let shared = shared_entries(cx, &place, map, around, &mut below);
    let entries = Entries {
        place: &place,
        node,
        map,
        around,
        inherit: shared.inherit.clone(),
        faults: &mut below,
    };
    let mut written = read_entries(cx, entries, shared);
    let mut check = Check::new(&place, node, faults);
    if let Some(dependencies) = &own.dependencies {
        needed_dependencies(&mut check, dependencies, written.needs.as_ref());
    }
    if let Some(node) = specified(map, "inputs") {
        input_values(cx, &mut check, node);
    }
    let rules_place = place.child("rules");
    let mut passed = check.passed() && below.is_empty();
    if let Some(span) = cacheless_clause(&written.body) {
        passed = false;
        let text = "cache requires the job to define a cache";
        Check::new(&rules_place.child("rule"), node, &mut below).fault_at(span, text);
    }
    faults.append(&mut below);
    if !passed {
        return None;
    }
    written.name = name;
    written.span = key.span;
    finish(&mut written, own, map);
    Some(written)
}

fn own_fields(
    cx: &mut Context<'_>,
    check: &mut Check<'_>,
    key: &Key,
    map: &Map,
    node: &Node,
) -> OwnFields {
    first_checks(check, key, map, node);
    for pair in EXCLUSIVE {
        check.exclusive_keys(map, pair);
    }
    if cx.is_enterprise() {
        let mut known = JOB_KEYS.to_vec();
        known.extend(KEYS);
        known.extend(ENTERPRISE_KEYS);
        cx.known_keys(check, node, &known, &OWN_KEYS);
    } else {
        cx.known_keys(check, node, &COMMUNITY_KEYS, &OWN_KEYS);
    }
    let resource_group = shared_checks(check, map);
    own_checks(cx, check, map, node);
    if !map.contains("run") {
        check.present("script", map.get("script"));
    }
    let when = when(check, map, &WHENS, WHENS_TEXT);
    let dependencies = check.strings("dependencies", specified(map, "dependencies"));
    if let Some(node) = specified(map, "allow_failure") {
        let fits = node.as_map().is_some() || node.value.as_bool().is_some();
        let text = "allow failure should be a hash or a boolean value";
        check.ensure(fits, node.span, text);
    }
    let confirmation = specified(map, "manual_confirmation");
    let manual_confirmation = check.string("manual confirmation", confirmation);
    let start_in = start_in(check, map);
    if let Some(node) = specified(map, "run") {
        run(check, node);
    }
    publish(check, key, map);
    OwnFields {
        when,
        start_in,
        dependencies,
        manual_confirmation,
        resource_group,
    }
}

const COMMUNITY_KEYS: [&str; 36] = concat(KEYS, JOB_KEYS);

const fn concat(a: [&'static str; 12], b: [&'static str; 24]) -> [&'static str; 36] {
    let mut all = [""; 36];
    let mut at = 0;
    while at < 36 {
        all[at] = if at < 12 { a[at] } else { b[at - 12] };
        at += 1;
    }
    all
}

fn start_in(check: &mut Check<'_>, map: &Map) -> Start {
    let delayed = specified(map, "when").is_some_and(|node| node.as_str() == Some("delayed"));
    let has_rules = map.get("rules").is_some_and(|node| !node.is_null());
    let node = specified(map, "start_in");
    let start_in = match delayed {
        true => check_start_in(check, node),
        false => None,
    };
    if let Some(node) = node.filter(|node| !is_blank(node) && (has_rules || !delayed)) {
        check.fault_at(node.span, "start in must be blank");
    }
    start_in
}

fn publish(check: &mut Check<'_>, key: &Key, map: &Map) {
    let pages_job = is_pages_job(key.as_str().unwrap_or_default(), map);
    if let Some(node) = specified(map, "publish").filter(|node| !is_blank(node) && !pages_job) {
        check.fault_at(node.span, "publish can only be used within a `pages` job");
    }
}

/// The entries below a job, read in GitLab's order.
struct Entries<'a> {
    place: &'a Place<'a>,
    node: &'a Node,
    map: &'a Map,
    around: &'a Surroundings<'a>,
    inherit: Inherit,
    faults: &'a mut Faults,
}

impl<'a> Entries<'a> {
    /// The written entry `key`, or the inherited one with its faults.
    fn inheritable<T: Clone>(
        &mut self,
        key: &'static str,
        inherited: Option<&Entry<T>>,
        read: impl FnOnce(&Place<'_>, &Node, &mut Faults) -> Option<T>,
    ) -> Option<T> {
        if let Some(node) = specified(self.map, key) {
            return read(&self.place.child(key), node, self.faults);
        }
        let entry = inherited.filter(|_| self.inherit.takes(key))?;
        self.faults.extend(entry.faults.iter().cloned());
        entry.value.clone()
    }

    /// The written entry `key`.
    fn own<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Place<'_>, &Node, &mut Faults) -> Option<T>,
    ) -> Option<T> {
        let node = specified(self.map, key)?;
        read(&self.place.child(key), node, self.faults)
    }

    /// An entry that is only checked.
    fn checked(&mut self, key: &'static str, read: fn(&Place<'_>, &Node, &mut Faults)) {
        self.own(key, |place, node, faults| {
            read(place, node, faults);
            Some(())
        });
    }
}

fn read_entries(
    cx: &mut Context<'_>,
    mut entries: Entries<'_>,
    shared: SharedEntries,
) -> WrittenJob {
    let (mut body, inherit) = body(JobKind::Build, shared);
    let mut set = Inheritable::default();
    let defaults = entries.around.defaults;
    let (parent, map) = (entries.place, entries.map);
    let mut script = |place: &Place<'_>, node: &Node, faults: &mut Faults| {
        let read = |faults: &mut Faults| script(place, node, faults).map(Arc::from);
        cx.shared(|it| &mut it.scripts, node, faults, |_, faults| read(faults))
    };
    set.before_script = entries
        .inheritable(
            "before_script",
            defaults.before_script.as_ref(),
            &mut script,
        )
        .unwrap_or_default();
    body.script = entries.own("script", &mut script).unwrap_or_default();
    set.after_script = entries
        .inheritable("after_script", defaults.after_script.as_ref(), &mut script)
        .unwrap_or_default();
    let hooks = entries.inheritable("hooks", defaults.hooks.as_ref(), |place, node, faults| {
        hooks(place, node, faults).map(Arc::from)
    });
    set.pre_get_sources_script = hooks.unwrap_or_default();
    let caches = entries.inheritable("cache", defaults.cache.as_ref(), |_, node, faults| {
        cx.shared(
            |it| &mut it.caches,
            node,
            faults,
            |cx, faults| caches(cx, Some(parent), node, faults).map(Arc::from),
        )
    });
    set.caches = caches.unwrap_or_default();
    let image_span = map.get("image").map_or(Span::NONE, |node| node.span);
    let image = entries.inheritable("image", defaults.image.as_ref(), |place, node, faults| {
        image(place, node, faults).map(Arc::new)
    });
    set.image = image.map(|image| Spanned::new(image, image_span));
    let services = entries.inheritable(
        "services",
        defaults.services.as_ref(),
        |place, node, faults| services(place, node, faults).map(Arc::from),
    );
    set.services = services.unwrap_or_default();
    set.timeout = match map.get("timeout").filter(|node| !node.is_null()) {
        Some(_) => entries.own("timeout", timeout).map(Box::new),
        None => {
            // A timeout in `default` has no effect in GitLab, but its faults are repeated.
            entries.inheritable("timeout", defaults.timeout.as_ref(), |_, _, _| None);
            None
        }
    };
    let retry_span = map.get("retry").map_or(Span::NONE, |node| node.span);
    let retry = entries.inheritable("retry", defaults.retry.as_ref(), |_, node, faults| {
        retry(cx, node, faults)
    });
    set.retry = retry.map(|retry| Box::new(Spanned::new(retry, retry_span)));
    let tags = entries.inheritable("tags", defaults.tags.as_ref(), |place, node, faults| {
        let read = |faults: &mut Faults| tags(place, node, faults).map(Arc::from);
        cx.shared(|it| &mut it.tags, node, faults, |_, faults| read(faults))
    });
    set.tags = tags.unwrap_or_default();
    let span = map.get("artifacts").map_or(Span::NONE, |node| node.span);
    let artifacts = entries.inheritable(
        "artifacts",
        defaults.artifacts.as_ref(),
        |place, node, faults| {
            let read = |faults: &mut Faults| artifacts(place, node, faults).map(Arc::new);
            cx.shared(
                |it| &mut it.artifacts,
                node,
                faults,
                |_, faults| read(faults),
            )
        },
    );
    set.artifacts = artifacts.map(|artifacts| Spanned::new(artifacts, span));
    body.inheritable = cx.inheritable(set);
    let needs = entries.own("needs", |place, node, faults| {
        needs(cx, place, node, Needing::Job, faults)
    });
    body.coverage = entries.own("coverage", coverage).map(Box::new);
    entries.checked("release", release);
    let parallel = entries.own("parallel", |place, node, faults| {
        parallel(place, node, true, faults)
    });
    body.allow_failure = entries.own("allow_failure", |place, node, faults| {
        let value = allow_failure(place, node, faults)?;
        Some(Box::new(Spanned::new(value, node.span)))
    });
    entries.inheritable(
        "id_tokens",
        defaults.id_tokens.as_ref(),
        |place, node, faults| {
            id_tokens(place, node, faults);
            Some(())
        },
    );
    entries.own("publish", |place, node, faults| {
        Check::new(place, node, faults).string("config", Some(node))
    });
    entries.checked("pages", pages);
    entries.checked("inputs", inputs);
    if cx.is_enterprise() {
        entries.checked("secrets", secrets);
        entries.checked("identity", identity);
        entries.checked("dast_configuration", dast_configuration);
    }
    add_written(
        cx,
        &mut body,
        entries.node,
        defaults,
        &inherit,
        &DEFAULT_KEYS,
    );
    WrittenJob {
        name: "".into(),
        span: Span::NONE,
        body: Arc::new(body),
        needs,
        dependencies: None,
        parallel,
    }
}

fn needed_dependencies(check: &mut Check<'_>, dependencies: &[Text], needs: Option<&WrittenNeeds>) {
    let Some(needs) = needs.filter(|needs| !needs.entries.is_empty()) else {
        return;
    };
    let Some(first) = dependencies.first() else {
        return;
    };
    let mut names: Vec<&str> = Vec::new();
    let mut only_cross = true;
    for need in &needs.entries {
        match need {
            WrittenNeed::Job(job, _) => names.push(&job.name.value),
            WrittenNeed::Any(any) => {
                names.extend(any.alternatives.iter().map(|job| &*job.name.value));
            }
            _ => continue,
        }
        only_cross = false;
    }
    if only_cross {
        let text = "needs corresponding to dependencies must be from the same pipeline";
        check.fault_at(first.span, text);
        return;
    }
    let missing: Vec<_> = dependencies
        .iter()
        .filter(|dependency| !names.contains(&&*dependency.value))
        .collect();
    if let Some(first) = missing.first() {
        let list: Vec<_> = missing.iter().map(|text| &*text.value).collect();
        let text = format!(
            "dependencies the {} should be part of needs",
            list.join(", ")
        );
        check.fault_at(first.span, text);
    }
}

/// Where a rule asks for the state of caches the job does not have.
fn cacheless_clause(body: &JobBody) -> Option<Span> {
    let rules = body.rules.as_deref().unwrap_or_default();
    let mut clauses = rules.iter().flat_map(|rule| &rule.clauses);
    clauses.find_map(|clause| match clause {
        Clause::Cache(clause) if clause.of.is_empty() && body.inheritable.caches.is_empty() => {
            Some(clause.span)
        }
        _ => None,
    })
}

fn finish(written: &mut WrittenJob, own: OwnFields, map: &Map) {
    written.dependencies = own.dependencies;
    let body = Arc::make_mut(&mut written.body);
    body.when = own.when;
    body.start_in = own.start_in.map(Box::new);
    body.manual_confirmation = own.manual_confirmation.map(Box::new);
    body.resource_group = own.resource_group.map(Box::new);
    if is_pages_job(&written.name, map) {
        publish_folder(body, map);
    }
}

fn publish_folder(body: &mut JobBody, map: &Map) {
    let folder = published_folder(map);
    let path: Arc<str> = match &folder {
        Some(text) => text.value.clone(),
        None => DEFAULT_FOLDER.into(),
    };
    let folder = folder.unwrap_or_else(|| Spanned::default_value(path.clone()));
    body.publish = Some(Box::new(folder));
    let artifacts = Arc::make_mut(&mut body.inheritable)
        .artifacts
        .get_or_insert_with(|| Spanned::default_value(Arc::new(Artifacts::default())));
    if !artifacts.value.paths.contains(&path) {
        Arc::make_mut(&mut artifacts.value).paths.push(path);
    }
}
