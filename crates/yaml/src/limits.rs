//! How much of a text is accepted.

/// Limits on one piece of a file (GitLab 18.11 instance settings, reference `config.md` §1.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of text (`max_yaml_size_bytes`).
    pub text_bytes: usize,
    /// Estimated bytes of the loaded value as Ruby objects; also `max_yaml_size_bytes` in GitLab.
    pub value_bytes: u64,
    /// Levels of lists and mappings (`max_yaml_depth`).
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            text_bytes: 2 * 1024 * 1024,
            value_bytes: 2 * 1024 * 1024,
            depth: 100,
        }
    }
}
