//! `tidegate explain`: why a job is in the pipeline or not.

use std::collections::BTreeSet;
use std::io::stdout;

use tidegate_config::JobKind;
use tidegate_plan::Detail;
use tidegate_report::run::quoted;
use tidegate_report::{explain, explain_json};

use super::{require_planned, require_valid};
use crate::cli::{ExplainArgs, Format, Global};
use crate::exit::{Exit, Failure};
use crate::planner::Planner;
use crate::terminal::{print, style};

/// Prints the decision about each job asked for.
pub(crate) fn run(global: &Global, args: &ExplainArgs) -> Result<Exit, Failure> {
    let planner = Planner::open(global, &args.scenario, &args.recording)?;
    let loaded = planner.load()?;
    require_valid(global, &loaded)?;
    let config = loaded.config.as_ref().ok_or_else(Failure::shown)?;
    for name in &args.jobs {
        let known = config
            .jobs
            .values()
            .any(|job| *job.name == **name || *job.base == **name);
        if !known {
            let is_trigger = |name: &str| {
                let mut jobs = config.jobs.values().filter(|job| *job.name == *name);
                jobs.any(|job| matches!(job.body.kind, JobKind::Bridge(_)))
            };
            if let Some(told) = of_downstream(name, is_trigger) {
                return Err(told);
            }
            return Err(unknown(name, config.jobs.keys().map(|known| &**known)));
        }
    }
    let detail = if args.all {
        Detail::All
    } else {
        Detail::Full {
            jobs: args.jobs.iter().cloned().collect::<BTreeSet<_>>(),
        }
    };
    let plan = planner.plan(&loaded, &detail)?.ok_or_else(Failure::shown)?;
    let names: Vec<&str> = args.jobs.iter().map(String::as_str).collect();
    let text = match args.format {
        Format::Human => explain(
            &plan,
            &names,
            &loaded.sources,
            style(global.color, &stdout()),
        ),
        Format::Json => explain_json(&plan, &names, &loaded.sources),
    };
    print(&text)?;
    require_planned(global, &loaded, &plan)?;
    Ok(Exit::Fine)
}

/// What can be done with a job of a pipeline that is only planned when its trigger job is reached, where the name is of one.
pub(super) fn of_downstream(name: &str, is_trigger: impl Fn(&str) -> bool) -> Option<Failure> {
    let mut above = name.match_indices('/').map(|(at, _)| &name[..at]);
    let trigger = above.find(|above| is_trigger(above))?;
    let (typed, trigger) = (quoted(name), quoted(trigger));
    let told = Failure::unusable(format!(
        "`{name}` is no job of this pipeline: what is below `{trigger}` is planned when that is reached"
    ));
    let whole = told.hint(format!("`tidegate run {trigger}` runs all of it"));
    let earlier = format!(
        "of the last run, `tidegate run --retry {typed}` runs it again, `--play {typed}` starts it, `tidegate logs {typed}` shows its log"
    );
    Some(whole.hint(earlier))
}

/// A name no job has.
pub(super) fn unknown<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Failure {
    let failure = Failure::unusable(format!("there is no job `{name}`"));
    match tidegate_config::nearest(name, known) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`tidegate list --all` shows all jobs"),
    }
}
