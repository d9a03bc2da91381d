//! Which files a job starts from: `GIT_STRATEGY`, `GIT_CHECKOUT` and `GIT_SUBMODULE_*` on a picture of the work tree.
//!
//! Beside the jobs' repository of a run, which is the last layer of its base, stand the pictures of the submodules: a directory
//! `submodules` with one tree each, numbered, and a list of them.

use std::path::{Path, PathBuf};

use tidegate_exec::JobVariables;
use tidegate_workspace::snapshot::snapshot;
use tidegate_workspace::{Content, Layer, TreeError};

const DIRECTORY: &str = "submodules";
const LIST: &str = "list";

/// A submodule with its files, relative to the project root.
#[derive(Clone, Copy, Debug)]
pub struct SubmoduleFiles<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// How many submodules it is in.
    pub depth: u32,
    /// Its files.
    pub files: &'a [PathBuf],
}

/// Takes pictures of submodules of the work tree `root` beside the jobs' repository, and makes their empty directories in it.
///
/// # Errors
/// A file cannot be read or written.
pub fn keep_submodules(
    repository: &Path,
    root: &Path,
    submodules: &[SubmoduleFiles<'_>],
) -> Result<(), TreeError> {
    let failed = |action, path: &Path, source| TreeError {
        action,
        path: path.to_owned(),
        source,
    };
    let directory = repository.with_file_name(DIRECTORY);
    std::fs::create_dir(&directory).map_err(|error| failed("create", &directory, error))?;
    let mut list = String::new();
    for (number, submodule) in submodules.iter().enumerate() {
        // Where the one it is in has its files, it is an empty directory; that one stands before it in the list.
        let above = submodules[..number]
            .iter()
            .rposition(|above| submodule.path.starts_with(above.path));
        let tree = above.map(|above| directory.join(above.to_string()));
        let empty = tree.as_deref().unwrap_or(repository).join(submodule.path);
        std::fs::create_dir_all(&empty).map_err(|error| failed("create", &empty, error))?;
        snapshot(
            root,
            submodule.files,
            &directory.join(number.to_string()),
            None,
        )?;
        let path = submodule.path.display();
        list.push_str(&format!("{} {path}\n", submodule.depth));
    }
    let path = directory.join(LIST);
    std::fs::write(&path, list).map_err(|error| failed("write", &path, error))
}

/// What a job's variables say of its sources.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sources {
    files: Files,
    submodules: Submodules,
    /// `GIT_SUBMODULE_PATHS`; empty for all.
    paths: Vec<String>,
}

/// Which files of the project are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Files {
    All,
    /// `GIT_CHECKOUT: "false"`: the repository, and nothing checked out.
    Repository,
    /// `GIT_STRATEGY` none or empty. No job sees what another left, so both are the same here.
    None,
}

/// `GIT_SUBMODULE_STRATEGY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Submodules {
    None,
    Normal,
    Recursive,
}

impl Sources {
    /// Reads the variables; a strategy of submodules that does not exist is an error as it is for GitLab's runner.
    pub(crate) fn of(variables: &JobVariables) -> Result<Sources, String> {
        let value = |name: &str| variables.get(name).unwrap_or_default();
        let files = match value("GIT_STRATEGY") {
            "none" | "empty" => Files::None,
            _ if is_false(value("GIT_CHECKOUT")) => Files::Repository,
            _ => Files::All,
        };
        let submodules = match value("GIT_SUBMODULE_STRATEGY") {
            "" | "none" => Submodules::None,
            "normal" => Submodules::Normal,
            "recursive" => Submodules::Recursive,
            other => return Err(format!("unknown GIT_SUBMODULE_STRATEGY {other:?}")),
        };
        let paths = value("GIT_SUBMODULE_PATHS").split_whitespace();
        let paths: Vec<String> = paths.map(str::to_owned).collect();
        if paths.iter().any(|path| path == EXCLUDE) {
            return Err(format!(
                "GIT_SUBMODULE_PATHS: `{EXCLUDE}` needs a path right after it"
            ));
        }
        Ok(Sources {
            files,
            submodules,
            paths,
        })
    }

    /// The layers of a run's base that the job gets, lowest first.
    pub(crate) fn layers(&self, base: &[Layer]) -> Result<Vec<Layer>, String> {
        let repository = base.last().filter(|it| it.content == Content::Borrowed);
        let mut layers = match self.files {
            Files::None => return Ok(Vec::new()),
            Files::Repository => return Ok(repository.into_iter().cloned().collect()),
            Files::All => base.to_vec(),
        };
        let deepest = match self.submodules {
            Submodules::None => return Ok(layers),
            Submodules::Normal => 0,
            Submodules::Recursive => u32::MAX,
        };
        let Some(repository) = repository else {
            return Ok(layers);
        };
        let directory = repository.path.with_file_name(DIRECTORY);
        let list = match std::fs::read_to_string(directory.join(LIST)) {
            Ok(list) => list,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(layers),
            Err(error) => return Err(format!("read the list of submodules: {error}")),
        };
        for (number, line) in list.lines().enumerate() {
            let Some((depth, path)) = line.split_once(' ') else {
                continue;
            };
            let wanted = depth.parse().is_ok_and(|depth: u32| depth <= deepest);
            if wanted && self.takes(path) {
                layers.push(Layer::borrowed(directory.join(number.to_string())));
            }
        }
        Ok(layers)
    }

    /// Whether the pathspecs admit a submodule, or the one it is in: one of them names it or a directory above, and none that
    /// excludes does.
    fn takes(&self, path: &str) -> bool {
        let path = Path::new(path);
        let excluded = |spec: &str| spec.strip_prefix(EXCLUDE).map(str::to_owned);
        let mut named = self
            .paths
            .iter()
            .filter(|spec| excluded(spec).is_none())
            .peekable();
        let above = |spec: &str| path.starts_with(spec.trim_end_matches('/'));
        let admitted = named.peek().is_none() || named.any(|spec| above(spec));
        admitted
            && !self
                .paths
                .iter()
                .filter_map(|spec| excluded(spec))
                .any(|spec| above(&spec))
    }
}

/// The pathspec magic GitLab documents for leaving submodules out.
const EXCLUDE: &str = ":(exclude)";

/// As Go's `strconv.ParseBool` reads it.
fn is_false(text: &str) -> bool {
    ["0", "f", "F", "false", "FALSE", "False"].contains(&text)
}
