//! The files `exists` looks at (reference `compose.md` §2.4).

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tidegate_glob::{ExistsGlob, TooManyAlternatives};
use tidegate_scenario::{Fact, PathList, Place, World, WorldError};

/// Every tree asked for so far.
#[derive(Default)]
pub(crate) struct FileSets {
    sets: RefCell<FxHashMap<Place, Rc<FileSet>>>,
}

/// The files of one tree, with the answers for the patterns asked so far.
pub(crate) struct FileSet {
    /// All files.
    pub(crate) files: Fact<PathList>,
    root: OnceCell<PathList>,
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
        let root = self.root.get_or_init(|| {
            let files = files.as_slice().iter();
            files.filter(|path| !path.contains('/')).cloned().collect()
        });
        root.as_slice()
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
        let found = search(self.listing(root_only), glob);
        self.matches.borrow_mut().insert(key, found.clone());
        found
    }
}

fn search(files: &[Arc<str>], glob: &ExistsGlob) -> Option<Arc<str>> {
    let below = |prefix: &str| {
        let at = files.partition_point(|path| **path < *prefix);
        files.get(at..).unwrap_or_default()
    };
    match glob {
        ExistsGlob::Exact(path) => below(path)
            .first()
            .filter(|found| &***found == path.as_str()),
        ExistsGlob::Directory(prefix) => below(prefix)
            .first()
            .filter(|found| found.starts_with(prefix.as_str())),
        ExistsGlob::Extension(_) => files.iter().find(|path| glob.matches(path)),
        ExistsGlob::Pattern(pattern) => {
            let directory = pattern.literal_directory();
            below(directory)
                .iter()
                .take_while(|path| path.starts_with(directory))
                .find(|path| pattern.matches(path))
        }
    }
    .cloned()
}

/// The pattern, classified.
pub(crate) fn compiled(text: &str) -> Result<ExistsGlob, TooManyAlternatives> {
    ExistsGlob::new(text)
}
