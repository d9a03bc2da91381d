//! Keeping one archive or report of a job (reference `runner.md` §5).

use tidegate_exec::{JobVariables, StorageFailure, TraceWriter};
use tidegate_pipeline::{ArtifactFormat, ArtifactSpec, EventKind};
use tidegate_store::NewArtifact;
use tidegate_workspace::{Kind, Mode, Union};

use crate::dotenv;
use crate::files::Found;
use crate::gather::gather;
use crate::storage::{JobStorage, Patterns, broken, failure, in_shell, say};

impl JobStorage {
    /// Keeps what the patterns of one archive or report mean; nothing is an error in the log, and no more.
    pub(crate) fn keep_artifact(
        &self,
        artifact: &ArtifactSpec,
        mode: Mode,
        variables: &JobVariables,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure> {
        let patterns = Patterns::of_artifact(artifact, variables);
        let name = name_of(artifact, variables, trace);
        patterns.said.iter().for_each(|text| trace.warning(text));
        let union = self.workspace.union().map_err(broken)?;
        let found = self.find(&union, &patterns).map_err(broken)?;
        say(&found.said, trace);
        if found.entries.is_empty() {
            trace.error("No files to upload");
            return Ok(());
        }
        if let Err(problem) = check_format(artifact, &found) {
            trace.error(&problem);
            return Err(failure("exit status 1".to_owned()));
        }
        if &*artifact.kind == "dotenv" {
            self.collect_dotenv(&union, &found, trace)?;
        }
        let staging = self.store.staging().map_err(broken)?;
        let tree = staging.tree("artifacts").map_err(broken)?;
        let tree = gather(&union, found.entries, tree, mode, trace).map_err(broken)?;
        let new = NewArtifact {
            run: self.run,
            job: &self.job_name,
            attempt: self.attempt.0,
            name: &name,
            r#type: &artifact.kind,
            expire_in: artifact.expire_in,
        };
        let kept = self.store.put_artifacts(new, tree).map_err(broken)?;
        trace.line(&format!(
            "Stored artifacts as \"{}\": {} files, {} bytes",
            artifact.kind, kept.files, kept.bytes
        ));
        self.send(EventKind::Artifacts {
            job: self.job,
            attempt: self.attempt,
            kind: artifact.kind.clone(),
            files: kept.files,
            bytes: kept.bytes,
        });
        Ok(())
    }

    fn collect_dotenv(
        &self,
        union: &Union,
        found: &Found,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure> {
        let files = found.entries.iter().filter(|e| e.kind == Kind::File);
        let files = files.map(|entry| union.read(&entry.path));
        let files: Vec<Vec<u8>> = files.collect::<Result<_, _>>().map_err(broken)?;
        let variables = dotenv::parse(&files).map_err(|error| {
            trace.error(&error.to_string());
            failure("exit status 1".to_owned())
        })?;
        let mut collected = self
            .collected
            .dotenv
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        collected.extend(variables);
        Ok(())
    }
}

/// What the archive or report is called, without the ending of its format: the last part of the name that is given.
fn name_of(
    artifact: &ArtifactSpec,
    variables: &JobVariables,
    trace: &mut TraceWriter<'_>,
) -> String {
    let written = artifact.name.as_deref().unwrap_or_default();
    if written.is_empty() {
        return match &*artifact.kind {
            "archive" => "artifacts".to_owned(),
            kind => kind.to_owned(),
        };
    }
    let name = in_shell(written, variables).unwrap_or_else(|error| {
        trace.warning(&format!("invalid artifact name: {error}"));
        written.to_owned()
    });
    match name.trim_end_matches('/').rsplit('/').next() {
        None | Some("" | "." | "..") => "default".to_owned(),
        Some(last) => last.to_owned(),
    }
}

/// Whether what was found can be packed so: some reports are one file as it is, others files one after the other.
fn check_format(artifact: &ArtifactSpec, found: &Found) -> Result<(), String> {
    let kind = &artifact.kind;
    match artifact.format {
        ArtifactFormat::Raw if found.entries.len() > 1 => Err(format!(
            "only one file can be sent as raw: the report `{kind}` is one file, and {} files and directories were found",
            found.entries.len()
        )),
        ArtifactFormat::Raw | ArtifactFormat::Gzip => {
            match found.entries.iter().find(|entry| entry.kind != Kind::File) {
                None => Ok(()),
                Some(other) => Err(format!(
                    "the \"{}\" is not a regular file, and the report `{kind}` takes nothing else",
                    other.path.display()
                )),
            }
        }
        ArtifactFormat::Zip => Ok(()),
    }
}
