//! What a plan depends on besides configuration, situation and world: limits and policies of the instance.

/// Settings of the instance that decide whether a pipeline is created.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// How much is allowed.
    pub limits: Limits,
    /// Which jobs use the caches of protected refs.
    pub protected_caches: ProtectedCaches,
}

/// How much is allowed (GitLab 18.11, reference `compose.md` §11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Inputs given to a pipeline.
    pub inputs: usize,
    /// Entries of one job's `needs`, parallel ones expanded.
    pub needs: usize,
    /// Jobs of one pipeline (`ci_pipeline_size`); `None`: any number.
    pub jobs: Option<usize>,
    /// Jobs that start a deployment in one pipeline.
    pub deployments: usize,
    /// Changed paths times patterns of one `rules:changes`; beyond, it counts as matched.
    pub changes_comparisons: usize,
    /// Files times patterns of one `rules:exists`; beyond, it counts as matched.
    pub exists_comparisons: usize,
    /// Characters of `workflow:name` after expansion.
    pub name_length: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            inputs: 20,
            needs: 50,
            jobs: None,
            deployments: 500,
            changes_comparisons: 50_000,
            exists_comparisons: 50_000,
            name_length: 255,
        }
    }
}

/// Which jobs use the caches of protected refs (reference `compose.md` §10.3: the predicate changed in late 2025).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ProtectedCaches {
    /// Those of a protected ref, and those of a Maintainer on any ref.
    #[default]
    RefOrMaintainer,
    /// Those of a protected ref (up to GitLab 18.5).
    Ref,
    /// Those of a Maintainer.
    Maintainer,
}
