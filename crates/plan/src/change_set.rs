//! Which paths changed, by what they are compared with (reference `compose.md` §2.3).

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_glob::{Fnmatch, TooManyAlternatives};
use tidegate_scenario::{
    ChangedPaths, Comparison, Fact, PathList, PipelineSource, Ref, Scenario, Why, World, WorldError,
};

use crate::path_index::PathIndex;
use crate::trace::{BaseOrigin, PathsBase};

/// Every list of changed paths asked for so far.
#[derive(Default)]
pub(crate) struct ChangeSets {
    pipeline: OnceCell<Rc<ChangeSet>>,
    compared: RefCell<FxHashMap<Arc<str>, Compared>>,
}

/// What comparing with a named commit gave.
#[derive(Clone)]
pub(crate) enum Compared {
    /// The paths, or why they are unknown.
    Set(Rc<ChangeSet>),
    /// There is no such commit.
    NoSuchRef,
}

/// One list of changed paths, with the answers for the patterns asked so far.
pub(crate) struct ChangeSet {
    /// What the paths were compared with, and why.
    pub(crate) base: PathsBase,
    /// The paths.
    pub(crate) paths: Fact<PathList>,
    index: Option<PathIndex>,
    matches: RefCell<FxHashMap<Arc<str>, Match>>,
}

#[derive(Clone, Copy)]
enum Match {
    Path(usize),
    None,
    TooManyAlternatives,
}

impl ChangeSets {
    /// The paths the pipeline changed.
    pub(crate) fn of_pipeline(
        &self,
        scenario: &Scenario,
        world: &dyn World,
    ) -> Result<Rc<ChangeSet>, WorldError> {
        if let Some(known) = self.pipeline.get() {
            return Ok(known.clone());
        }
        let found = Rc::new(changed_paths(scenario, world)?);
        Ok(self.pipeline.get_or_init(|| found).clone())
    }

    /// The paths that differ from the merge base with `name`, as `compare_to` wants.
    pub(crate) fn compared_to(
        &self,
        name: &Arc<str>,
        world: &dyn World,
    ) -> Result<Compared, WorldError> {
        if let Some(known) = self.compared.borrow().get(name) {
            return Ok(known.clone());
        }
        let origin = BaseOrigin::CompareTo {
            written: name.clone(),
            span: tidegate_source::Span::NONE,
        };
        let found = match merge_base_with(name, origin, world)? {
            Some(set) => Compared::Set(Rc::new(set)),
            None => Compared::NoSuchRef,
        };
        self.compared
            .borrow_mut()
            .insert(name.clone(), found.clone());
        Ok(found)
    }
}

impl ChangeSet {
    fn new(base: Option<&str>, origin: BaseOrigin, paths: Fact<PathList>) -> ChangeSet {
        ChangeSet {
            index: paths.known().cloned().map(PathIndex::new),
            base: PathsBase {
                base: base.map(Into::into),
                origin,
            },
            paths,
            matches: RefCell::default(),
        }
    }

    fn unknown(origin: BaseOrigin, why: &str) -> ChangeSet {
        ChangeSet::new(
            None,
            origin,
            Fact::Unknown(Why::NotApplicable(why.to_owned())),
        )
    }

    /// A changed path that `glob` matches.
    pub(crate) fn first_match(
        &self,
        glob: &Arc<str>,
    ) -> Result<Option<Arc<str>>, TooManyAlternatives> {
        let (Some(paths), Some(index)) = (self.paths.known(), &self.index) else {
            return Ok(None);
        };
        let known = self.matches.borrow().get(glob).copied();
        let found = known.unwrap_or_else(|| {
            let found = match Fnmatch::new(glob).map(|glob| index.first_match(&glob)) {
                Ok(Some(at)) => Match::Path(at),
                Ok(None) => Match::None,
                Err(TooManyAlternatives) => Match::TooManyAlternatives,
            };
            self.matches.borrow_mut().insert(glob.clone(), found);
            found
        });
        match found {
            Match::Path(at) => Ok(paths.as_slice().get(at).cloned()),
            Match::None => Ok(None),
            Match::TooManyAlternatives => Err(TooManyAlternatives),
        }
    }
}

fn changed_paths(scenario: &Scenario, world: &dyn World) -> Result<ChangeSet, WorldError> {
    if let Some(stated) = &scenario.overrides.changed_paths {
        return Ok(match stated {
            Some(paths) => {
                let paths = paths.iter().map(String::as_str).collect();
                ChangeSet::new(None, BaseOrigin::Stated, Fact::Known(paths))
            }
            None => ChangeSet::unknown(
                BaseOrigin::Stated,
                "the situation states that changes cannot be determined",
            ),
        });
    }
    match &scenario.git_ref {
        Ref::MergeRequest(request) => {
            let target = request.target_branch.as_str();
            let found = merge_base_with(target, BaseOrigin::MergeRequestTarget, world)?;
            Ok(found.unwrap_or_else(|| {
                let why = "the target branch of the merge request is not known";
                ChangeSet::unknown(BaseOrigin::MergeRequestTarget, why)
            }))
        }
        Ref::Tag(_) => Ok(ChangeSet::unknown(
            BaseOrigin::Tag,
            "a tag has no commit before it",
        )),
        Ref::Branch(_) => branch_changes(scenario, world),
    }
}

fn branch_changes(scenario: &Scenario, world: &dyn World) -> Result<ChangeSet, WorldError> {
    let origin = match scenario.source {
        PipelineSource::Push => BaseOrigin::BeforePush,
        PipelineSource::ParentPipeline => BaseOrigin::ParentPush,
        PipelineSource::ExternalPullRequestEvent => BaseOrigin::BeforePush,
        other => {
            let why = format!(
                "a pipeline of source {} has no commit before it",
                other.name()
            );
            return Ok(ChangeSet::unknown(BaseOrigin::Source(other.name()), &why));
        }
    };
    if scenario.new_branch {
        let why = "the push creates the branch, so there is no commit before it";
        return Ok(ChangeSet::unknown(BaseOrigin::NewBranch, why));
    }
    let Some(before) = scenario.commit.before_sha.as_deref() else {
        let why = "the commit before the push is not known";
        return Ok(ChangeSet::unknown(BaseOrigin::NoCommitBefore, why));
    };
    let comparison = match scenario.source {
        PipelineSource::ExternalPullRequestEvent => Comparison::MergeBase,
        _ => Comparison::Direct,
    };
    let query = ChangedPaths {
        base: before.to_owned(),
        comparison,
    };
    Ok(ChangeSet::new(
        Some(before),
        origin,
        world.changed_paths(&query)?,
    ))
}

/// `None` where no commit has this name.
fn merge_base_with(
    name: &str,
    origin: BaseOrigin,
    world: &dyn World,
) -> Result<Option<ChangeSet>, WorldError> {
    let sha = match world.revision(None, name)? {
        Fact::Known(Some(sha)) => sha,
        Fact::Known(None) => return Ok(None),
        Fact::Unknown(why) => {
            return Ok(Some(ChangeSet::new(Some(name), origin, Fact::Unknown(why))));
        }
    };
    let query = ChangedPaths {
        base: sha.clone(),
        comparison: Comparison::MergeBase,
    };
    let paths = world.changed_paths(&query)?;
    Ok(Some(ChangeSet::new(Some(&sha), origin, paths)))
}
