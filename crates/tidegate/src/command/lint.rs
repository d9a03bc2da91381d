//! `tidegate lint`: everything that is wrong with the configuration, and what may bite.

use std::io::stdout;

use serde_json::{Value, json};
use tidegate_config::{IncludeRecord, Loaded, merged_yaml, normalized};
use tidegate_lint::{Switches, findings};
use tidegate_report::diagnostics;
use tidegate_report::lint::{
    LintAnswer, lint_codeclimate, lint_github, lint_json, lint_sarif, lint_summary,
};
use tidegate_source::{Diagnostic, IncludeKind, Severity};

use crate::cli::{Global, LintArgs, LintFormat};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::{print, style};

/// Prints all diagnostics in the form asked for. Only errors of GitLab's make it fail.
pub(crate) fn run(global: &Global, args: &LintArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let disabled = disabled(args, &project)?;
    let loaded = project.load_written()?;
    let sources = &loaded.sources;
    let switches = Switches::new(sources, &disabled);
    let told = |item: &&Diagnostic| {
        item.severity != Severity::Finding || !switches.silences(sources, item)
    };
    let mut all: Vec<Diagnostic> = loaded.diagnostics.iter().filter(told).cloned().collect();
    all.extend(findings(&loaded, &disabled));
    print(&match args.format {
        LintFormat::Human => {
            let style = style(global.color, &stdout());
            format!(
                "{}{}",
                diagnostics(&all, sources, style),
                lint_summary(&all, style)
            )
        }
        LintFormat::Json => json_answer(&loaded, &all),
        LintFormat::Sarif => lint_sarif(&all, env!("CARGO_PKG_VERSION"), sources),
        LintFormat::Codeclimate => lint_codeclimate(&all, &project.checkout.config_path, sources),
        LintFormat::Github => lint_github(&all, sources),
    })?;
    Ok(if loaded.is_valid() {
        Exit::Fine
    } else {
        Exit::Failed
    })
}

fn disabled(args: &LintArgs, project: &Project) -> Result<tidegate_lint::Settings, Failure> {
    let all = args.disabled.iter().chain(&project.settings.lint.disable);
    for code in all.clone() {
        if !tidegate_lint::is_known(code) {
            let hint =
                "docs/lint.md lists all codes; `--disable` and `lint.disable` switch them off";
            return Err(Failure::unusable(format!("no finding has the code {code}")).hint(hint));
        }
    }
    Ok(tidegate_lint::Settings {
        disabled: all.cloned().collect(),
    })
}

/// The answer of GitLab's CI Lint API (reference `config.md` §13).
fn json_answer(loaded: &Loaded, all: &[Diagnostic]) -> String {
    let merged = loaded.merged.as_ref().and_then(merged_yaml);
    let config = loaded.config.as_ref().filter(|_| loaded.is_valid());
    let answer = LintAnswer {
        merged_yaml: merged.as_deref(),
        includes: loaded.includes.iter().map(include).collect(),
        jobs: Some(config.and_then(normalized::lint_jobs).unwrap_or_default()),
    };
    lint_json(all, &answer, &loaded.sources)
}

fn include(record: &IncludeRecord) -> Value {
    let kind = match record.kind {
        IncludeKind::Local | IncludeKind::Header => "local",
        IncludeKind::Project => "file",
        IncludeKind::Remote => "remote",
        IncludeKind::Template => "template",
        IncludeKind::Component => "component",
        IncludeKind::Artifact => "artifact",
    };
    json!({
        "type": kind,
        "location": record.location,
        "blob": record.blob,
        "raw": record.raw,
        "extra": record.extra,
        "context_project": record.context_project,
        "context_sha": record.context_sha,
    })
}
