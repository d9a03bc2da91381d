//! Settings: `tidegate.toml` in the repository, and below it the user's file.
//!
//! [`load`] reads and merges both. Flags and `TIDEGATE_*` variables stand above them: the binary sets the fields of [`Settings`] they
//! belong to. What the sections mean to the rest of the program is in the methods that make its types: [`Settings::config`],
//! [`Settings::apply`] and [`Settings::sources`]. Every key is described in `docs/settings.md`; a test holds the page to the types.

mod convert;
mod error;
mod key;
mod load;
mod section;
mod suggestion;
mod value;

#[cfg(test)]
mod tests;

pub use error::SettingsError;
pub use load::{Level, load, parse, user_file};
pub use section::{
    Cache, CacheAccess, CacheFormat, CachePlace, Dialect, Edition, Environment, Includes, Limits,
    Lint, ProjectMapping, ProjectSection, Protection, RemoteCache, RemoteCredentials,
    RemoteSection, RoleName, Run, ServerSection, ServerUrl, Service, SettingValue, SettingValues,
    Settings, Shell, Source, Sources, TemplateMapping, VariableName, Variables, Workspace,
};
pub use value::{GitlabVersion, Period, Size};
