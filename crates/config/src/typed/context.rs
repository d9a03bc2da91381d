//! What typing carries along: settings, texts already parsed, remarks that are no faults.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_expr::{Expression, Pattern, valid_for_config};
use tidegate_pipeline::{Artifacts, Cache};
use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Key, Map, Node};

use super::shared::Shared;
use super::{Check, Faults};
use crate::keyword::only_except::default_policy;
use crate::settings::{Dialect, Edition, Settings};
use crate::{Inheritable, Policy, Rule, Spanned, Text, VariableDefinition};

/// Carried through the typing of one configuration.
pub(crate) struct Context<'s> {
    settings: &'s Settings,
    /// Rules repeat; each text is parsed once. `None`: not valid.
    expressions: FxHashMap<Arc<str>, Option<Arc<Expression>>>,
    patterns: FxHashMap<Arc<str>, Option<Arc<Pattern>>>,
    default_policy: Option<Arc<Policy>>,
    /// What the last jobs had, the latest last.
    inheritable: Vec<Arc<Inheritable>>,
    /// Values that several jobs have.
    shared: SharedValues,
    /// Where overlays stand: Tidegate's own keys are at home there.
    pub(crate) overlays: Vec<Span>,
    /// Warnings and findings, which stop nothing.
    pub(crate) remarks: Vec<Diagnostic>,
}

/// Values by the list or map they were read from. Different keywords may hold the same one and read it differently.
#[derive(Default)]
pub(crate) struct SharedValues {
    pub(crate) rules: Shared<Arc<[Rule]>>,
    pub(crate) variables: Shared<Arc<[VariableDefinition]>>,
    pub(crate) scripts: Shared<Arc<[Text]>>,
    pub(crate) tags: Shared<Arc<[Text]>>,
    pub(crate) artifacts: Shared<Arc<Artifacts>>,
    pub(crate) caches: Shared<Arc<[Spanned<Cache>]>>,
}

impl<'s> Context<'s> {
    /// Nothing parsed yet.
    pub(crate) fn new(settings: &'s Settings) -> Context<'s> {
        Context {
            settings,
            expressions: FxHashMap::default(),
            patterns: FxHashMap::default(),
            default_policy: None,
            inheritable: Vec::new(),
            shared: SharedValues::default(),
            overlays: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Whether jobs keep their keywords as written.
    pub(crate) fn keeps_written(&self) -> bool {
        self.settings.keep_written
    }

    /// Whether Tidegate's own keywords are understood.
    pub(crate) fn has_extensions(&self) -> bool {
        self.settings.dialect == Dialect::Tidegate
    }

    /// Whether GitLab's paid keywords are understood.
    pub(crate) fn is_enterprise(&self) -> bool {
        self.settings.edition == Edition::Enterprise
    }

    /// Whether the GitLab to behave as is at least `version`.
    pub(crate) fn is_at_least(&self, version: (u16, u16)) -> bool {
        self.settings.gitlab_version >= version
    }

    /// The GitLab to behave as.
    pub(crate) fn gitlab_version(&self) -> (u16, u16) {
        self.settings.gitlab_version
    }

    /// The expression of a text, or `None` where GitLab calls it invalid.
    pub(crate) fn expression(&mut self, text: &Arc<str>) -> Option<Arc<Expression>> {
        if let Some(known) = self.expressions.get(text) {
            return known.clone();
        }
        let parsed = valid_for_config(text).ok().map(Arc::new);
        self.expressions.insert(text.clone(), parsed.clone());
        parsed
    }

    /// The policy of jobs that have neither `rules` nor `only`.
    pub(crate) fn default_policy(&mut self) -> Arc<Policy> {
        if let Some(known) = &self.default_policy {
            return known.clone();
        }
        let made = Arc::new(default_policy(self));
        self.default_policy.insert(made).clone()
    }

    /// The same values, of one of the last few jobs where that had the same.
    pub(crate) fn inheritable(&mut self, values: Inheritable) -> Arc<Inheritable> {
        let known = self.inheritable.iter().rev();
        if let Some(known) = known.take(RECENT).find(|known| is_same(known, &values)) {
            return known.clone();
        }
        if self.inheritable.len() == RECENT {
            self.inheritable.remove(0);
        }
        let new = Arc::new(values);
        self.inheritable.push(new.clone());
        new
    }

    /// The pattern of a text of the form `/re/flags`, or `None` where it does not compile.
    pub(crate) fn pattern(&mut self, text: &Arc<str>) -> Option<Arc<Pattern>> {
        if let Some(known) = self.patterns.get(text) {
            return known.clone();
        }
        let parsed = Pattern::from_literal(text).ok().map(Arc::new);
        self.patterns.insert(text.clone(), parsed.clone());
        parsed
    }

    /// What `read` makes of `node`, read once where several jobs have the very same list or map.
    pub(crate) fn shared<T: Clone>(
        &mut self,
        of: fn(&mut SharedValues) -> &mut Shared<T>,
        node: &Node,
        faults: &mut Faults,
        read: impl FnOnce(&mut Context<'s>, &mut Faults) -> Option<T>,
    ) -> Option<T> {
        if let Some(known) = of(&mut self.shared).known(node) {
            return Some(known);
        }
        let before = (faults.len(), self.remarks.len());
        let found = read(self, faults)?;
        // Faults and remarks name the job.
        if (faults.len(), self.remarks.len()) == before {
            of(&mut self.shared).keep(node, &found);
        }
        Some(found)
    }

    /// Checks the keys of an entry that has Tidegate's own ones besides GitLab's.
    ///
    /// Each own key in use is a finding, or in GitLab's dialect GitLab's error with a line of ours.
    pub(crate) fn known_keys(
        &mut self,
        check: &mut Check<'_>,
        node: &Node,
        known: &[&str],
        own: &[&str],
    ) {
        if self.has_extensions() {
            check.known_keys_except(node, known, own);
            if let Some(map) = node.as_map() {
                self.find_extensions(map, own);
            }
            return;
        }
        check.known_keys(node, known);
        let used = node.as_map().and_then(|map| first_of(map, own));
        if let Some(key) = used {
            check.explain(extension_help(key.as_str().unwrap_or_default()));
        }
    }

    /// Notes each use of one of Tidegate's own keys.
    pub(crate) fn find_extensions(&mut self, map: &Map, own: &[&str]) {
        for name in own {
            if let Some((key, _)) = map.entry(name) {
                self.find_extension(key);
            }
        }
    }

    /// Notes the use of one of Tidegate's own keys.
    pub(crate) fn find_extension(&mut self, key: &Key) {
        let inside = |over: &Span| {
            over.file() == key.span.file()
                && over.start() <= key.span.start()
                && key.span.end() <= over.end()
        };
        if self.overlays.iter().any(inside) {
            return;
        }
        let name = key.as_str().unwrap_or_default();
        let text = format!(
            "GitLab rejects the key `{name}`; move it into a `.tidegate:` overlay or run `tidegate export`"
        );
        let finding = Diagnostic::finding("extension-keyword", text).at(key.span);
        self.remarks.push(finding);
    }
}

/// Among how many jobs the same values are looked for: enough for the few bases the jobs of a stage have.
const RECENT: usize = 8;

/// Whether both come from the same place, which is quick to tell; equal values from different places count as different.
fn is_same(a: &Inheritable, b: &Inheritable) -> bool {
    fn same<T: ?Sized>(a: &Option<Spanned<Arc<T>>>, b: &Option<Spanned<Arc<T>>>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => a.span == b.span && Arc::ptr_eq(&a.value, &b.value),
            (None, None) => true,
            _ => false,
        }
    }
    fn same_list<T>(a: &Arc<[T]>, b: &Arc<[T]>) -> bool {
        Arc::ptr_eq(a, b) || a.is_empty() && b.is_empty()
    }
    a.retry == b.retry
        && a.timeout == b.timeout
        && same(&a.image, &b.image)
        && same(&a.artifacts, &b.artifacts)
        && same_list(&a.tags, &b.tags)
        && same_list(&a.before_script, &b.before_script)
        && same_list(&a.after_script, &b.after_script)
        && same_list(&a.pre_get_sources_script, &b.pre_get_sources_script)
        && same_list(&a.services, &b.services)
        && same_list(&a.caches, &b.caches)
}

/// What to tell who uses a key of Tidegate in GitLab's dialect.
pub(crate) fn extension_help(name: &str) -> String {
    format!("`{name}` is a keyword of Tidegate; `--dialect tidegate` understands it")
}

fn first_of<'m>(map: &'m Map, names: &[&str]) -> Option<&'m Key> {
    let found = names.iter().find_map(|name| map.entry(name));
    found.map(|(key, _)| key)
}
