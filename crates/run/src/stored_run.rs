//! What a run keeps beside its log, so that another process can go on with it without planning again.
//!
//! Three files of the run, and of each downstream pipeline in it, readable by its user alone since they hold masked values: `pipeline.json`, `tracked` (paths, each
//! ended by a zero byte) and, last, `run.json`; a run without the last one has not begun. The tree its jobs start from is
//! kept by [`Store::keep_base`], the jobs' repository is the directory `repository` of the run.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_pipeline::{
    CacheSuffix, GitSpec, Pipeline, ShellKind, pipeline_from_json, pipeline_to_json,
};
use tidegate_store::{RunId, Store, StoreError};
use tidegate_workspace::Layer;

use crate::setup::{Base, ProjectFacts};
use crate::snapshot::layers;

/// Version of the format of `run.json`.
const VERSION: u32 = 1;
const RUN: &str = "run.json";
const PIPELINE: &str = "pipeline.json";
const TRACKED: &str = "tracked";

/// A run that cannot be gone on with.
#[derive(Debug, Error)]
pub enum StoredRunError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its process ended before the first job could start.
    #[error("go on with run {0}: it ended before it began")]
    NeverBegan(RunId),
    /// The files its jobs start from were evicted from the store.
    #[error("go on with run {0}: the files its jobs start from are no longer in the store")]
    BaseGone(RunId),
    /// What was stored is of another version, or damaged.
    #[error("go on with run {run}: {file}: {why}")]
    Unreadable {
        /// Which run.
        run: RunId,
        /// Which of its files.
        file: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// The facts a run was begun with.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// What it runs.
    pub pipeline: Arc<Pipeline>,
    /// `CI_JOB_ID` of its first job; the others follow.
    pub first_job_id: u64,
    /// The project.
    pub project: ProjectFacts,
    /// The commit.
    pub git: GitSpec,
    /// What is appended to cache keys.
    pub suffix: CacheSuffix,
    /// Timeout of jobs that set none.
    pub default_timeout: Duration,
    /// Shell the scripts are written for.
    pub shell: ShellKind,
    /// How the planner found it, in words of its own: it gets them back when a trigger job of the pipeline asks for another.
    pub origin: Arc<str>,
    /// The run whose tree its jobs start from; `None`: its own.
    pub base_of: Option<RunId>,
}

impl StoredRun {
    /// Whether a run of this number got as far as its first job.
    pub fn exists(store: &Store, run: RunId) -> bool {
        store.run_directory(run).join(RUN).exists()
    }

    /// Keeps the facts and the paths git tracks.
    pub(crate) fn save(
        &self,
        store: &Store,
        run: RunId,
        tracked: &[PathBuf],
    ) -> Result<(), StoreError> {
        let mut paths = Vec::new();
        for path in tracked {
            paths.extend_from_slice(path.as_os_str().as_bytes());
            paths.push(0);
        }
        store.write_run_file(run, TRACKED, &paths)?;
        store.write_run_file(run, PIPELINE, pipeline_to_json(&self.pipeline).as_bytes())?;
        store.write_run_file(run, RUN, self.to_json().as_bytes())
    }

    /// Keeps a pipeline in the place of the one a run was begun with: the same jobs, with other values of their `inputs`.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn keep_pipeline(store: &Store, run: RunId, pipeline: &Pipeline) -> Result<(), StoreError> {
        store.write_run_file(run, PIPELINE, pipeline_to_json(pipeline).as_bytes())
    }

    /// Reads the facts of a run.
    ///
    /// # Errors
    /// It never began, or what was stored cannot be read.
    pub fn load(store: &Store, run: RunId) -> Result<StoredRun, StoredRunError> {
        let unreadable = |file, why: String| StoredRunError::Unreadable { run, file, why };
        let text = |file| -> Result<String, StoredRunError> {
            let bytes = store.read_run_file(run, file)?;
            let bytes = bytes.ok_or(StoredRunError::NeverBegan(run))?;
            String::from_utf8(bytes).map_err(|error| unreadable(file, error.to_string()))
        };
        let facts = text(RUN)?;
        let failed = |error: serde_json::Error| unreadable(RUN, error.to_string());
        let version: Version = serde_json::from_str(&facts).map_err(failed)?;
        if version.v != VERSION {
            let why = format!("version {} is not {VERSION}", version.v);
            return Err(unreadable(RUN, why));
        }
        let wire: Wire = serde_json::from_str(&facts).map_err(failed)?;
        let pipeline = pipeline_from_json(&text(PIPELINE)?);
        let pipeline = pipeline.map_err(|error| unreadable(PIPELINE, error.0))?;
        wire.run(Arc::new(pipeline))
            .ok_or_else(|| unreadable(RUN, "unknown word".to_owned()))
    }

    /// The tree the run's jobs start from, leased for `run`.
    ///
    /// # Errors
    /// It is gone.
    pub fn base(&self, store: &Store, run: RunId) -> Result<Base, StoredRunError> {
        let entry = store.base_of(run, &self.project.key)?;
        let entry = entry.ok_or(StoredRunError::BaseGone(run))?;
        let lease = match store.lease(&entry, run) {
            Err(StoreError::Gone { .. }) => return Err(StoredRunError::BaseGone(run)),
            other => other?,
        };
        let mut layers = layers(&entry.layers);
        layers.extend(repository(store, run));
        let tracked = store.read_run_file(run, TRACKED)?;
        Ok(Base {
            layers,
            tracked: paths(&tracked.unwrap_or_default()).into(),
            guard: Box::new(lease),
        })
    }

    fn to_json(&self) -> String {
        let wire = Wire {
            v: VERSION,
            first_job_id: self.first_job_id,
            project: Project {
                key: self.project.key.clone(),
                directory: self.project.directory.clone(),
                url: self.project.url.clone(),
            },
            git: Git {
                ref_name: self.git.ref_name.clone(),
                sha: self.git.sha.clone(),
                before_sha: self.git.before_sha.clone(),
                is_tag: self.git.is_tag,
            },
            origin: self.origin.to_string(),
            base_of: self.base_of.map(|run| run.0),
            suffix: Suffix {
                cleared: self.suffix.cleared,
                protected: self.suffix.protected,
            },
            default_timeout_ms: u64::try_from(self.default_timeout.as_millis()).unwrap_or(u64::MAX),
            shell: match self.shell {
                ShellKind::Bash => "bash",
                ShellKind::Sh => "sh",
            }
            .to_owned(),
        };
        serde_json::to_string(&wire).expect("numbers and texts are always JSON")
    }
}

/// Where the jobs' repository of a run is kept; a layer of its base where it exists.
pub fn repository_directory(store: &Store, run: RunId) -> PathBuf {
    store.run_directory(run).join("repository")
}

fn repository(store: &Store, run: RunId) -> Option<Layer> {
    let directory = repository_directory(store, run);
    directory.is_dir().then(|| Layer::borrowed(directory))
}

fn paths(bytes: &[u8]) -> Vec<PathBuf> {
    let ended = bytes.split_inclusive(|byte| *byte == 0);
    let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
    ended
        .filter_map(|bytes| bytes.strip_suffix(&[0]))
        .map(path)
        .filter(|path| path.as_path() != Path::new(""))
        .collect()
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    first_job_id: u64,
    project: Project,
    git: Git,
    suffix: Suffix,
    default_timeout_ms: u64,
    shell: String,
    #[serde(default)]
    origin: String,
    #[serde(default)]
    base_of: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Project {
    key: String,
    directory: String,
    url: String,
}

#[derive(Serialize, Deserialize)]
struct Git {
    ref_name: String,
    sha: String,
    before_sha: String,
    is_tag: bool,
}

#[derive(Serialize, Deserialize)]
struct Suffix {
    cleared: u64,
    protected: Option<bool>,
}

impl Wire {
    fn run(self, pipeline: Arc<Pipeline>) -> Option<StoredRun> {
        Some(StoredRun {
            pipeline,
            first_job_id: self.first_job_id,
            project: ProjectFacts {
                key: self.project.key,
                directory: self.project.directory,
                url: self.project.url,
            },
            git: GitSpec {
                ref_name: self.git.ref_name,
                sha: self.git.sha,
                before_sha: self.git.before_sha,
                is_tag: self.git.is_tag,
            },
            suffix: CacheSuffix {
                cleared: self.suffix.cleared,
                protected: self.suffix.protected,
            },
            default_timeout: Duration::from_millis(self.default_timeout_ms),
            shell: match &*self.shell {
                "bash" => ShellKind::Bash,
                "sh" => ShellKind::Sh,
                _ => return None,
            },
            origin: self.origin.into(),
            base_of: self.base_of.map(RunId),
        })
    }
}
