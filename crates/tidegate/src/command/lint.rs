//! `tidegate lint`: everything that is wrong with the configuration.

use std::io::stdout;

use tidegate_report::diagnostics;
use tidegate_source::Severity;

use crate::cli::{Global, LintArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::{print, style};

/// Prints all diagnostics and one line that counts them.
pub(crate) fn run(global: &Global, args: &LintArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let loaded = project.load()?;
    let style = style(global.color, &stdout());
    let mut text = diagnostics(&loaded.diagnostics, &loaded.sources, style);
    let count = |severity| loaded.diagnostics.of(severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let counted = |n: usize, word: &str| match n {
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    };
    let name = &project.checkout.config_path;
    let jobs = loaded.config.as_ref().map_or(0, |config| config.jobs.len());
    text.push_str(&match (errors, warnings) {
        (0, 0) => format!("{name} is valid: {}\n", counted(jobs, "job")),
        (0, n) => format!(
            "{name} is valid: {}, {}\n",
            counted(jobs, "job"),
            counted(n, "warning")
        ),
        (n, 0) => format!("{name} is not valid: {}\n", counted(n, "error")),
        (n, w) => {
            format!(
                "{name} is not valid: {}, {}\n",
                counted(n, "error"),
                counted(w, "warning")
            )
        }
    });
    print(&text)?;
    Ok(if errors == 0 {
        Exit::Fine
    } else {
        Exit::Failed
    })
}
