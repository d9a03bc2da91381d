//! What `changes` and `exists` looked at, as records.

use tidegate_plan::{
    BaseOrigin, ChangesTrace, ChangesVerdict, ExistsHow, ExistsTrace, ExistsVerdict, ExpandedGlob,
    PathsBase,
};
use tidegate_scenario::Place;

use super::record::{BaseRecord, FilesRecord, GlobRecord};
use super::teller::Teller;

/// What `changes` looked at.
pub(crate) fn changes(trace: &ChangesTrace, teller: &Teller<'_>) -> FilesRecord {
    let mut record = empty(&trace.globs, teller);
    record.base = trace.base.as_ref().map(|base| told_base(base, teller));
    match &trace.verdict {
        ChangesVerdict::NotReached => {}
        ChangesVerdict::Matched { path, glob } => {
            matched(&mut record, path, glob, teller);
            record.text = format!("{} matches {}", shown(&record.path), shown(&record.glob));
        }
        ChangesVerdict::NoMatch { changed } => {
            record.result = "no_match";
            record.count = Some(*changed);
            record.text = match changed {
                1 => "the only changed path matches none".to_owned(),
                changed => format!("none of {changed} changed paths matches"),
            };
        }
        ChangesVerdict::NothingChanged => {
            record.result = "nothing_changed";
            record.count = Some(0);
            record.text = "nothing changed".to_owned();
        }
        ChangesVerdict::NoGlobs => {
            record.result = "no_globs";
            record.text = "it lists no patterns".to_owned();
        }
        ChangesVerdict::Unknown(why) => {
            record.result = "unknown";
            record.text = teller.text(&format!("what changed cannot be known: {why}"));
        }
        ChangesVerdict::LimitExceeded { changed, globs } => {
            exceeded(&mut record, *changed, *globs, "changed paths");
        }
        ChangesVerdict::Error(message) => failed(&mut record, message, teller),
    }
    record
}

/// What `exists` looked at.
pub(crate) fn exists(trace: &ExistsTrace, teller: &Teller<'_>) -> FilesRecord {
    let mut record = empty(&trace.globs, teller);
    record.place = trace.place.as_ref().map(|place| match place {
        Place::Here => "this project".to_owned(),
        Place::Project { path, sha } => teller.text(&format!("{path} at {sha}")),
    });
    match &trace.verdict {
        ExistsVerdict::NotReached => {}
        ExistsVerdict::Matched { glob, path, how } => {
            matched(&mut record, path, glob, teller);
            let (path, glob) = (shown(&record.path), shown(&record.glob));
            record.text = match how {
                ExistsHow::Exact => format!("{path} exists"),
                ExistsHow::Directory => format!("{path} lies below {glob}"),
                ExistsHow::Extension | ExistsHow::Pattern => format!("{path} matches {glob}"),
            };
        }
        ExistsVerdict::NoMatch { files } => {
            record.result = "no_match";
            record.count = Some(*files);
            record.text = format!("none of {files} files matches");
        }
        ExistsVerdict::NoGlobs => {
            record.result = "no_globs";
            record.text = "it lists no patterns".to_owned();
        }
        ExistsVerdict::Unknown(why) => {
            record.result = "unknown";
            record.text = teller.text(&format!("the files cannot be known: {why}"));
        }
        ExistsVerdict::LimitExceeded { files, globs } => {
            exceeded(&mut record, *files, *globs, "files");
        }
        ExistsVerdict::Error(message) => failed(&mut record, message, teller),
    }
    record
}

/// The reason why changes cannot be known: only there is a sentence that can follow "because".
pub(crate) fn no_base(origin: &BaseOrigin) -> Option<String> {
    match origin {
        BaseOrigin::NewBranch => Some("the push creates the branch".to_owned()),
        BaseOrigin::Tag => Some("a tag has no base".to_owned()),
        BaseOrigin::Source(source) => Some(format!(
            "a pipeline of source {source} has no commit before it"
        )),
        BaseOrigin::NoCommitBefore => Some("the commit before the push is not known".to_owned()),
        BaseOrigin::Stated
        | BaseOrigin::CompareTo { .. }
        | BaseOrigin::BeforePush
        | BaseOrigin::ParentPush
        | BaseOrigin::MergeRequestTarget => None,
    }
}

fn told_base(base: &PathsBase, teller: &Teller<'_>) -> BaseRecord {
    let (code, text) = match &base.origin {
        BaseOrigin::Stated => ("stated", "the scenario states the changed paths".to_owned()),
        BaseOrigin::CompareTo { written, .. } => ("compare_to", format!("compare_to: {written}")),
        BaseOrigin::BeforePush => ("before_push", "the commit before the push".to_owned()),
        BaseOrigin::ParentPush => {
            let text = "the commit before the push that the parent pipeline ran for";
            ("parent_push", text.to_owned())
        }
        BaseOrigin::MergeRequestTarget => {
            let text = "the merge base with the target branch";
            ("merge_request_target", text.to_owned())
        }
        BaseOrigin::NewBranch => ("new_branch", String::new()),
        BaseOrigin::Tag => ("tag", String::new()),
        BaseOrigin::Source(_) => ("source", String::new()),
        BaseOrigin::NoCommitBefore => ("no_commit_before", String::new()),
    };
    let at = match &base.origin {
        BaseOrigin::CompareTo { span, .. } => teller.at(*span),
        _ => None,
    };
    BaseRecord {
        commit: base.base.as_ref().map(|base| teller.text(base)),
        code,
        text: teller.text(&no_base(&base.origin).unwrap_or(text)),
        at,
    }
}

fn empty(globs: &[ExpandedGlob], teller: &Teller<'_>) -> FilesRecord {
    let glob = |glob: &ExpandedGlob| GlobRecord {
        written: teller.text(&glob.written),
        expanded: teller.text(&glob.expanded),
        at: teller.at(glob.span),
    };
    FilesRecord {
        result: "not_reached",
        text: "not looked at".to_owned(),
        path: None,
        glob: None,
        count: None,
        globs: globs.iter().map(glob).collect(),
        base: None,
        place: None,
    }
}

fn matched(record: &mut FilesRecord, path: &str, glob: &str, teller: &Teller<'_>) {
    record.result = "matched";
    record.path = Some(teller.text(path));
    record.glob = Some(teller.text(glob));
}

fn shown(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn exceeded(record: &mut FilesRecord, count: usize, globs: usize, what: &str) {
    record.result = "limit_exceeded";
    record.count = Some(count);
    record.text = format!("{count} {what} times {globs} patterns exceed GitLab's limit");
}

fn failed(record: &mut FilesRecord, message: &str, teller: &Teller<'_>) {
    record.result = "error";
    record.text = teller.text(message);
}
