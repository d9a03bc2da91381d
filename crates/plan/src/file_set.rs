//! The files `exists` looks at (reference `compose.md` §2.4).

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_glob::{ExistsGlob, TooManyAlternatives};
use tidegate_scenario::{Fact, PathList, Place, World, WorldError};

use crate::path_index::PathIndex;

/// Every tree asked for so far.
#[derive(Default)]
pub(crate) struct FileSets {
    sets: RefCell<FxHashMap<Place, Rc<FileSet>>>,
}

/// The files of one tree, with the answers for the patterns asked so far.
pub(crate) struct FileSet {
    /// All files.
    pub(crate) files: Fact<PathList>,
    index: OnceCell<PathIndex>,
    root: OnceCell<(PathList, PathIndex)>,
    matches: RefCell<FxHashMap<(bool, Arc<str>), Found>>,
}

/// A file that satisfies a pattern, where there is one.
type Found = Option<Arc<str>>;

impl FileSets {
    pub(crate) fn of(&self, place: &Place, world: &dyn World) -> Result<Rc<FileSet>, WorldError> {
        if let Some(known) = self.sets.borrow().get(place) {
            return Ok(known.clone());
        }
        let found = Rc::new(FileSet {
            files: world.tree(place)?,
            index: OnceCell::new(),
            root: OnceCell::new(),
            matches: RefCell::default(),
        });
        self.sets.borrow_mut().insert(place.clone(), found.clone());
        Ok(found)
    }
}

impl FileSet {
    /// The files looked at; empty where they are unknown.
    pub(crate) fn listing(&self, root_only: bool) -> &[Arc<str>] {
        let Fact::Known(files) = &self.files else {
            return &[];
        };
        if !root_only {
            return files.as_slice();
        }
        self.root(files).0.as_slice()
    }

    fn root(&self, files: &PathList) -> &(PathList, PathIndex) {
        self.root.get_or_init(|| {
            let files = files.as_slice().iter();
            let root: PathList = files.filter(|path| !path.contains('/')).cloned().collect();
            (root.clone(), PathIndex::new(root))
        })
    }

    fn index(&self, root_only: bool) -> Option<&PathIndex> {
        let files = self.files.known()?;
        Some(if root_only {
            &self.root(files).1
        } else {
            self.index.get_or_init(|| PathIndex::new(files.clone()))
        })
    }

    /// A file that satisfies the pattern.
    pub(crate) fn first_match(
        &self,
        root_only: bool,
        text: &Arc<str>,
        glob: &ExistsGlob,
    ) -> Option<Arc<str>> {
        let key = (root_only, text.clone());
        if let Some(known) = self.matches.borrow().get(&key) {
            return known.clone();
        }
        let found = self.search(root_only, glob);
        self.matches.borrow_mut().insert(key, found.clone());
        found
    }

    fn search(&self, root_only: bool, glob: &ExistsGlob) -> Found {
        let files = self.listing(root_only);
        let from = |prefix: &str| {
            let at = files.partition_point(|path| **path < *prefix);
            files.get(at)
        };
        match glob {
            ExistsGlob::Exact(path) => from(path).filter(|found| ***found == **path),
            ExistsGlob::Directory(prefix) => {
                from(prefix).filter(|found| found.starts_with(prefix.as_str()))
            }
            ExistsGlob::Extension(_) => files.iter().find(|path| glob.matches(path)),
            ExistsGlob::Pattern(pattern) => {
                let at = self.index(root_only)?.first_match(pattern)?;
                files.get(at)
            }
        }
        .cloned()
    }
}

/// The pattern, classified.
pub(crate) fn compiled(text: &str) -> Result<ExistsGlob, TooManyAlternatives> {
    ExistsGlob::new(text)
}
