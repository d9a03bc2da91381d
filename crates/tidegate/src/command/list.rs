//! `tidegate list`: the jobs of the pipeline.

use std::io::stdout;

use tidegate_plan::Detail;
use tidegate_report::{list, list_json};

use super::{require_planned, require_valid};
use crate::cli::{Format, Global, ListArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::{print, style};

/// Prints the jobs by stage.
pub(crate) fn run(global: &Global, args: &ListArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let loaded = project.load()?;
    require_valid(global, &loaded)?;
    let plan = project
        .plan(&loaded, &Detail::Compact)?
        .ok_or_else(Failure::shown)?;
    require_planned(global, &loaded, &plan)?;
    print(&match args.format {
        Format::Human => list(&plan, style(global.color, &stdout()), args.all),
        Format::Json => list_json(&plan),
    })?;
    Ok(Exit::Fine)
}
