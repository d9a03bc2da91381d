//! Reads settings files.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::SettingsError;
use crate::key::key_at;
use crate::section::Settings;
use crate::suggestion::suggestion;

/// Name of the file in the repository.
const PROJECT_FILE: &str = "tidegate.toml";

/// Whose file it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// The repository's: whoever wrote it may not say where the user's tokens go.
    Project,
    /// The user's.
    User,
}

/// Reads `tidegate.toml` in the project root and below it the user's file. Files that do not exist say nothing.
pub fn load(
    root: &Path,
    user: Option<&Path>,
    home: Option<&Path>,
) -> Result<Settings, SettingsError> {
    let project = read(&root.join(PROJECT_FILE), Level::Project, home)?;
    match user {
        Some(user) => Ok(project.over(read(user, Level::User, home)?)),
        None => Ok(project),
    }
}

/// The user's file in an environment: `$XDG_CONFIG_HOME/tidegate/config.toml`, else below `$HOME/.config`.
pub fn user_file(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let dir = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute())
    };
    let config = dir("XDG_CONFIG_HOME").or_else(|| dir("HOME").map(|home| home.join(".config")))?;
    Some(config.join("tidegate/config.toml"))
}

/// Reads the text of the file `path`, to whose folder relative paths refer.
pub fn parse(
    text: &str,
    path: &Path,
    level: Level,
    home: Option<&Path>,
) -> Result<Settings, SettingsError> {
    let invalid = |at: usize, message: &str| {
        let (line, column) = position(text, at);
        SettingsError::Invalid {
            path: path.to_owned(),
            line,
            column,
            key: key_at(text, at),
            message: message.trim_end().replace('\n', " "),
            suggestion: suggestion(message),
        }
    };
    let mut settings: Settings = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        invalid(at, error.message())
    })?;
    if level == Level::Project && !settings.includes.token_hosts.is_empty() {
        let at = text.find("token_hosts").unwrap_or(0);
        let message = "only the user's own settings may say where tokens are sent";
        return Err(invalid(at, message));
    }
    let remote = &settings.cache.remote;
    let at = |key: &str| {
        // The section's own header, or the table written in one line.
        let section = text.find("cache.remote").or_else(|| text.find("remote"));
        let from = section.unwrap_or(0);
        let after = text.get(from..).and_then(|text| text.find(key));
        after.map_or(0, |after| from + after)
    };
    if level == Level::Project
        && let Some((key, message)) = remote.reserved()
    {
        return Err(invalid(at(key), message));
    }
    if let Some((key, message)) = remote.problem() {
        return Err(invalid(at(key), &message));
    }
    let dir = path.parent().unwrap_or(Path::new(""));
    settings.anchor(dir, home);
    Ok(settings)
}

fn read(path: &Path, level: Level, home: Option<&Path>) -> Result<Settings, SettingsError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text, path, level, home),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(source) => Err(SettingsError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}
