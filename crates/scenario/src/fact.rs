//! What is known, or why it is not.

/// Why a fact could not be had; shown to people in explanations.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Why {
    /// GitLab itself does not know it in this situation; the text says which (`a tag has no base commit`).
    NotApplicable(String),
    /// Asking took longer than allowed.
    TimedOut,
    /// Asking is forbidden by `--offline`.
    Offline,
    /// The other side refused (HTTP 401 or 403, missing credentials).
    Refused(String),
    /// No source is configured that could answer.
    NotConfigured(String),
    /// Asking failed; the text says how.
    Failed(String),
    /// The recording that is replayed holds no answer.
    NotRecorded,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::NotApplicable(text) | Why::NotConfigured(text) | Why::Failed(text) => {
                f.write_str(text)
            }
            Why::TimedOut => f.write_str("asking took too long"),
            Why::Offline => f.write_str("asking is forbidden by --offline"),
            Why::Refused(text) => write!(f, "access refused: {text}"),
            Why::NotRecorded => f.write_str("the recording holds no answer"),
        }
    }
}

/// A known value, or the reason why it is unknown. "Cannot tell" is neither true nor false.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact<T> {
    /// It is known.
    Known(T),
    /// It cannot be known.
    Unknown(Why),
}

impl<T> Fact<T> {
    /// The value where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Fact::Known(value) => Some(value),
            Fact::Unknown(_) => None,
        }
    }

    /// Changes a known value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Fact::Known(value) => Fact::Known(change(value)),
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }
}
