//! `default`, and what jobs take from it (reference `config.md` §8.3, §9.1).

use std::sync::Arc;

use tidegate_pipeline::{Artifacts, Cache, Image, Retry, Service};
use tidegate_source::Diagnostic;
use tidegate_yaml::{Map, Node};

use super::artifacts::artifacts;
use super::cache::caches;
use super::hooks::hooks;
use super::id_tokens::id_tokens;
use super::image::image;
use super::retry::retry;
use super::scripts::script;
use super::services::services;
use super::simple::{interruptible, tags, timeout};
use crate::typed::{Check, Context, Faults, INVALID, Place, specified};
use crate::{Spanned, Text};

/// Keywords of `default`, in the order of its entries.
pub(crate) const KEYS: [&str; 12] = [
    "before_script",
    "after_script",
    "hooks",
    "cache",
    "image",
    "services",
    "interruptible",
    "timeout",
    "retry",
    "tags",
    "artifacts",
    "id_tokens",
];

/// Keywords that may stand at the top level instead, in the order `default` asks for them.
pub(crate) const GLOBAL: [&str; 5] = [
    "before_script",
    "image",
    "services",
    "after_script",
    "cache",
];

/// A value with what was wrong with it: GitLab reports it wherever it lands.
#[derive(Clone, Debug)]
pub(crate) struct Entry<T> {
    /// The value; `None` where it is not valid.
    pub value: Option<T>,
    /// As written.
    pub node: Node,
    /// Its faults.
    pub faults: Faults,
}

impl<T> Entry<T> {
    /// Types `node` with `read`.
    pub(crate) fn read(node: &Node, read: impl FnOnce(&mut Faults) -> Option<T>) -> Entry<T> {
        let mut faults = Faults::new();
        let value = read(&mut faults);
        Entry {
            value,
            node: node.clone(),
            faults,
        }
    }
}

/// What jobs take from `default` and the top level; `None`: not specified.
#[derive(Clone, Default, Debug)]
pub(crate) struct Defaults {
    pub before_script: Option<Entry<Arc<[Text]>>>,
    pub after_script: Option<Entry<Arc<[Text]>>>,
    pub hooks: Option<Entry<Arc<[Text]>>>,
    pub cache: Option<Entry<Arc<[Spanned<Cache>]>>>,
    pub image: Option<Entry<Arc<Image>>>,
    pub services: Option<Entry<Arc<[Spanned<Service>]>>>,
    pub interruptible: Option<Entry<Spanned<bool>>>,
    pub timeout: Option<Entry<()>>,
    pub retry: Option<Entry<Retry>>,
    pub tags: Option<Entry<Arc<[Text]>>>,
    pub artifacts: Option<Entry<Arc<Artifacts>>>,
    pub id_tokens: Option<Entry<()>>,
}

impl Defaults {
    /// The keywords that `default` and the top level share, read at `place`.
    pub(crate) fn read_global(
        cx: &mut Context<'_>,
        place: Option<&Place<'_>>,
        map: &Map,
    ) -> Defaults {
        let read_script = |key: &'static str| {
            let node = specified(map, key)?;
            let place = Place::below(place, key);
            Some(Entry::read(node, |faults| {
                script(&place, node, faults).map(Arc::from)
            }))
        };
        Defaults {
            before_script: read_script("before_script"),
            after_script: read_script("after_script"),
            cache: specified(map, "cache").map(|node| {
                Entry::read(node, |faults| {
                    caches(cx, place, node, faults).map(Arc::from)
                })
            }),
            image: specified(map, "image").map(|node| {
                Entry::read(node, |faults| {
                    image(&Place::below(place, "image"), node, faults).map(Arc::new)
                })
            }),
            services: specified(map, "services").map(|node| {
                Entry::read(node, |faults| {
                    services(&Place::below(place, "services"), node, faults).map(Arc::from)
                })
            }),
            ..Defaults::default()
        }
    }

    /// The keywords only `default` has.
    fn read_own(&mut self, cx: &mut Context<'_>, place: &Place<'_>, map: &Map) {
        let node = |key| specified(map, key);
        self.hooks = node("hooks").map(|node| {
            Entry::read(node, |faults| {
                hooks(&place.child("hooks"), node, faults).map(Arc::from)
            })
        });
        self.interruptible = node("interruptible").map(|node| {
            let place = place.child("interruptible");
            Entry::read(node, |faults| interruptible(&place, node, faults))
        });
        self.timeout = node("timeout").map(|node| {
            let place = place.child("timeout");
            Entry::read(node, |faults| timeout(&place, node, faults).map(|_| ()))
        });
        self.retry = node("retry").map(|node| Entry::read(node, |faults| retry(cx, node, faults)));
        self.tags = node("tags").map(|node| {
            Entry::read(node, |faults| {
                tags(&place.child("tags"), node, faults).map(Arc::from)
            })
        });
        self.artifacts = node("artifacts").map(|node| {
            let place = place.child("artifacts");
            Entry::read(node, |faults| artifacts(&place, node, faults).map(Arc::new))
        });
        self.id_tokens = node("id_tokens").map(|node| {
            let place = place.child("id_tokens");
            Entry::read(node, |faults| {
                id_tokens(&place, node, faults);
                Some(())
            })
        });
    }

    /// The faults of all entries, in GitLab's order.
    pub(crate) fn report(&self, faults: &mut Faults) {
        for key in KEYS {
            faults.extend(self.faults_of(key).iter().cloned());
        }
    }

    /// One keyword as written.
    pub(crate) fn node(&self, key: &str) -> Option<&Node> {
        match key {
            "before_script" => self.before_script.as_ref().map(|entry| &entry.node),
            "after_script" => self.after_script.as_ref().map(|entry| &entry.node),
            "hooks" => self.hooks.as_ref().map(|entry| &entry.node),
            "cache" => self.cache.as_ref().map(|entry| &entry.node),
            "image" => self.image.as_ref().map(|entry| &entry.node),
            "services" => self.services.as_ref().map(|entry| &entry.node),
            "interruptible" => self.interruptible.as_ref().map(|entry| &entry.node),
            "timeout" => self.timeout.as_ref().map(|entry| &entry.node),
            "retry" => self.retry.as_ref().map(|entry| &entry.node),
            "tags" => self.tags.as_ref().map(|entry| &entry.node),
            "artifacts" => self.artifacts.as_ref().map(|entry| &entry.node),
            "id_tokens" => self.id_tokens.as_ref().map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The faults of one keyword.
    pub(crate) fn faults_of(&self, key: &str) -> &[Diagnostic] {
        let found = match key {
            "before_script" => self.before_script.as_ref().map(|entry| &entry.faults),
            "after_script" => self.after_script.as_ref().map(|entry| &entry.faults),
            "hooks" => self.hooks.as_ref().map(|entry| &entry.faults),
            "cache" => self.cache.as_ref().map(|entry| &entry.faults),
            "image" => self.image.as_ref().map(|entry| &entry.faults),
            "services" => self.services.as_ref().map(|entry| &entry.faults),
            "interruptible" => self.interruptible.as_ref().map(|entry| &entry.faults),
            "timeout" => self.timeout.as_ref().map(|entry| &entry.faults),
            "retry" => self.retry.as_ref().map(|entry| &entry.faults),
            "tags" => self.tags.as_ref().map(|entry| &entry.faults),
            "artifacts" => self.artifacts.as_ref().map(|entry| &entry.faults),
            "id_tokens" => self.id_tokens.as_ref().map(|entry| &entry.faults),
            _ => None,
        };
        found.map_or(&[], Vec::as_slice)
    }
}

/// Reads `default` and fills what it leaves open from `global`, the same keywords at the top level.
///
/// # Errors
/// A keyword that stands in both: GitLab stops at once and reports nothing else.
pub(crate) fn default(
    cx: &mut Context<'_>,
    node: Option<&Node>,
    global: &Defaults,
    root: &Map,
    faults: &mut Faults,
) -> Result<Defaults, Diagnostic> {
    let place = Place::top("default");
    let empty = Map::default();
    let map = match node {
        Some(node) => {
            let mut check = Check::new(&place, node, faults);
            let map = check.map(node);
            check.known_keys(node, &KEYS);
            // Of a `default` that is not valid only the top-level keywords are left.
            map.filter(|_| check.passed()).unwrap_or(&empty)
        }
        None => &empty,
    };
    for key in GLOBAL {
        if let (Some(own), Some(other)) = (specified(map, key), specified(root, key)) {
            let text = format!("{key} is defined in top-level and `default:` entry");
            return Err(Diagnostic::error(INVALID, text)
                .at(own.span)
                .context(other.span, "also here"));
        }
    }
    let mut found = Defaults::read_global(cx, Some(&place), map);
    found.read_own(cx, &place, map);
    found.before_script = found.before_script.or_else(|| global.before_script.clone());
    found.after_script = found.after_script.or_else(|| global.after_script.clone());
    found.cache = found.cache.or_else(|| global.cache.clone());
    found.image = found.image.or_else(|| global.image.clone());
    found.services = found.services.or_else(|| global.services.clone());
    found.report(faults);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn faults_of_defaults_are_told_wherever_they_land() {
        check(
            "default: {foo: 1}\nj: {script: x}",
            &["default config contains unknown keys: foo"],
        );
        check(
            "default: {image: 1}\nj: {script: x}",
            &[
                "default:image config should be a hash or a string",
                "default:image name should be a string",
                "default:image name can't be blank",
                "default:image config should be a hash or a string",
                "default:image name should be a string",
                "default:image name can't be blank",
            ],
        );
        check(
            "default: {interruptible: 1}\nj: {script: x}",
            &[
                "default:interruptible config should be a boolean value",
                "default:interruptible config should be a boolean value",
            ],
        );
        check(
            "default: {artifacts: {foo: 1}}\nj: {script: x}",
            &[
                "default:artifacts config contains unknown keys: foo",
                "default:artifacts config contains unknown keys: foo",
            ],
        );
        check(
            "image: a\ndefault: {image: b}\nj: {script: x}",
            &["image is defined in top-level and `default:` entry"],
        );
    }
}
