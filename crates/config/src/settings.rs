//! What a load depends on besides the files.

/// Which GitLab's keywords there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Edition {
    /// The free code.
    #[default]
    Community,
    /// With `secrets`, `identity`, `dast_configuration` and needs of other projects.
    Enterprise,
}

/// Whether Tidegate's own keywords are understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// They are.
    #[default]
    Tidegate,
    /// They are refused as GitLab refuses them.
    Gitlab,
}

/// What a load depends on besides the files.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Edition.
    pub edition: Edition,
    /// Dialect.
    pub dialect: Dialect,
    /// Version of GitLab to behave as, major and minor.
    pub gitlab_version: (u16, u16),
}
