//! `tidegate graph`: the jobs of the pipeline and what they need.

use std::io::stdout;

use tidegate_plan::{Detail, Outcome};
use tidegate_report::{Graph, graph_dot, graph_mermaid, graph_svg, graph_text};

use super::{require_planned, require_valid};
use crate::cli::{Global, GraphArgs, GraphFormat};
use crate::exit::{Exit, Failure};
use crate::planner::Planner;
use crate::terminal::{print, style};

/// Prints the graph in the form asked for.
pub(crate) fn run(global: &Global, args: &GraphArgs) -> Result<Exit, Failure> {
    let planner = Planner::open(global, &args.scenario, &args.recording)?;
    let loaded = planner.load()?;
    require_valid(global, &loaded)?;
    // Optional needs are told apart by what is only kept in full decisions.
    let plan = planner
        .plan(&loaded, &Detail::All)?
        .ok_or_else(Failure::shown)?;
    require_planned(global, &loaded, &plan)?;
    let graph = Graph::of_plan(&plan).ok_or_else(|| match &plan.outcome {
        Outcome::Filtered { message } | Outcome::Empty { message } => Failure::failed(message),
        _ => Failure::failed("there is no pipeline to draw"),
    })?;
    print(&match args.format {
        GraphFormat::Text => graph_text(&graph, style(global.color, &stdout())),
        GraphFormat::Svg => graph_svg(&graph),
        GraphFormat::Mermaid => graph_mermaid(&graph),
        GraphFormat::Dot => graph_dot(&graph),
    })?;
    Ok(Exit::Fine)
}
