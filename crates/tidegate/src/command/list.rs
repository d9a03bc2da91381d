//! `tidegate list`: the jobs of the pipeline.

use std::io::stdout;
use std::mem::ManuallyDrop;

use tidegate_config::Loaded;
use tidegate_plan::Detail;
use tidegate_report::{list, list_json};

use super::{require_planned, require_valid};
use crate::cli::{Format, Global, ListArgs};
use crate::exit::{Exit, Failure};
use crate::planner::Planner;
use crate::terminal::{print, style};

/// Prints the jobs by stage.
pub(crate) fn run(global: &Global, args: &ListArgs) -> Result<Exit, Failure> {
    let planner = Planner::open(global, &args.scenario, &args.recording)?;
    // The process is about to end: giving back a large configuration and its plan piece by piece would only take time.
    let loaded = ManuallyDrop::new(planner.load()?);
    let plan = match (&loaded.config, planner.stopped()) {
        // What a broken configuration would say does not matter where GitLab never reads it.
        (None, Some(stopped)) => stopped,
        _ => {
            require_valid(global, &loaded)?;
            let plan = planner.plan(&loaded, &detail(&loaded))?;
            plan.ok_or_else(Failure::shown)?
        }
    };
    let plan = ManuallyDrop::new(plan);
    require_planned(global, &loaded, &plan)?;
    print(&match args.format {
        Format::Human => list(&plan, style(global.color, &stdout()), args.all),
        Format::Json => list_json(&plan),
    })?;
    Ok(Exit::Fine)
}

/// Up to this many jobs the whole decisions are kept, which name the condition that decided. With more of them nobody reads
/// every line, and what decided is asked of `explain`.
const IN_FULL: usize = 2000;

fn detail(loaded: &Loaded) -> Detail {
    match &loaded.config {
        Some(config) if config.jobs.len() <= IN_FULL => Detail::All,
        _ => Detail::Compact,
    }
}
