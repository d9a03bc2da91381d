//! `[secrets]` and `[id_tokens]`: where the values come from that GitLab gets from providers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Sources by what they are for: the name of a variable, or `provider:address`, in which `*` stands for any text.
pub type Sources = BTreeMap<String, Source>;

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub enum Source {
    /// An environment variable of the user.
    Variable(String),
    /// What is in a file.
    File(PathBuf),
    /// What a command prints; a shell reads it.
    Command(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    variable: Option<String>,
    file: Option<PathBuf>,
    command: Option<String>,
}

impl TryFrom<Written> for Source {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Source, &'static str> {
        match (written.variable, written.file, written.command) {
            (Some(name), None, None) => Ok(Source::Variable(name)),
            (None, Some(path), None) => Ok(Source::File(path)),
            (None, None, Some(command)) => Ok(Source::Command(command)),
            _ => Err("expected exactly one of `variable`, `file` and `command`"),
        }
    }
}
