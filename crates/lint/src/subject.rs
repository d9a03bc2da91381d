//! What the rules look at.

use tidegate_config::{Config, Job, Loaded, Rule};
use tidegate_source::{SourceMap, Span};
use tidegate_yaml::{Map, Remark};

/// A loaded configuration with shortcuts.
pub(crate) struct Subject<'a> {
    /// Everything.
    pub loaded: &'a Loaded,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(loaded: &'a Loaded) -> Subject<'a> {
        Subject { loaded }
    }

    /// The typed configuration; nothing where it is not valid.
    pub(crate) fn config(&self) -> Option<&'a Config> {
        self.loaded.config.as_ref()
    }

    /// Jobs in definition order; of a parallel job the first instance only, since instances share everything written.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &'a Job> {
        let jobs = self
            .config()
            .into_iter()
            .flat_map(|config| config.jobs.values());
        jobs.filter(|job| job.instance.as_ref().is_none_or(|it| it.index == 1))
    }

    /// Each rule of each job with its index.
    pub(crate) fn job_rules(&self) -> impl Iterator<Item = (&'a Job, usize, &'a Rule)> {
        self.jobs().flat_map(|job| {
            let rules = job.body.rules.as_deref().unwrap_or_default();
            let rules = rules.iter().enumerate();
            rules.map(move |(at, rule)| (job, at, rule))
        })
    }

    /// The tree after includes, `extends` and `!reference`.
    pub(crate) fn merged(&self) -> Option<&'a Map> {
        self.loaded.merged.as_ref()
    }

    /// What the YAML says that GitLab passes over.
    pub(crate) fn remarks(&self) -> &'a [Remark] {
        &self.loaded.remarks
    }

    pub(crate) fn sources(&self) -> &'a SourceMap {
        &self.loaded.sources
    }

    /// The text at a place.
    pub(crate) fn text(&self, span: Span) -> &'a str {
        self.loaded.sources.text_of(span)
    }
}
