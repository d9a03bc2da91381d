//! `tidegate show`: the merged configuration.

use tidegate_report::{show_json, show_origin, show_yaml};

use super::require_valid;
use crate::cli::{Global, ShowArgs, ShowFormat};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::print;

/// Prints the configuration, or one entry of it. Faults of validation do not keep it from being shown, as in GitLab.
pub(crate) fn run(global: &Global, args: &ShowArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let loaded = if args.origin {
        project.load_with_origins()?
    } else {
        project.load_written()?
    };
    let job = args.job.as_deref();
    let text = match args.format {
        _ if args.origin => show_origin(&loaded, job),
        ShowFormat::Yaml => show_yaml(&loaded, job),
        ShowFormat::Json => show_json(&loaded, job),
    };
    match (text, job) {
        (Some(text), _) => {
            print(&text)?;
            require_valid(global, &loaded)?;
            Ok(Exit::Fine)
        }
        (None, Some(name)) if loaded.merged.is_some() => Err(Failure::unusable(format!(
            "there is no job or key `{name}`"
        ))),
        (None, _) => {
            require_valid(global, &loaded)?;
            Err(Failure::failed("the configuration cannot be shown"))
        }
    }
}
