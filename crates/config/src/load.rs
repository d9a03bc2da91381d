//! Loading: from the bytes of the root file to a typed configuration, in GitLab's order (reference `config.md` §2).

use std::sync::Arc;

use tidegate_scenario::{Fact, Place, Scenario, World, WorldError};
use tidegate_source::{Diagnostic, Diagnostics, Origin, SourceMap, Span};
use tidegate_yaml::{Key, Map, Node, Remark, YamlErrorKind};

use crate::header::input::Given;
use crate::include::{Context, IncludeRecord, Includer, Stop};
use crate::model::Config;
use crate::overridden::Overridden;
use crate::parsed::ParsedFiles;
use crate::settings::{Dialect, Settings};
use crate::tree::Tree;
use crate::{edge_stages, extends, merge, overlay, reference, typed};

/// The file a load starts from.
#[derive(Clone, Debug)]
pub struct RootFile {
    /// Its name as users know it.
    pub name: String,
    /// Its content.
    pub bytes: Arc<[u8]>,
}

/// What a load gives.
#[derive(Debug)]
pub struct Loaded {
    /// Every file that was read.
    pub sources: SourceMap,
    /// Everything wrong or worth saying, in GitLab's order.
    pub diagnostics: Diagnostics,
    /// The tree after includes, `extends`, `!reference` and edge stages; `None` where that failed, and unless
    /// [`Settings::keep_written`] asks for it.
    pub merged: Option<Map>,
    /// Included files in the order GitLab registers them.
    pub includes: Vec<IncludeRecord>,
    /// The configuration; `None` where anything is wrong.
    pub config: Option<Config>,
    /// What merging replaced; `None` unless [`Settings::record_origins`] asks for it.
    pub overridden: Option<Overridden>,
    /// What the YAML of all files says that GitLab passes over in silence.
    pub remarks: Vec<Remark>,
}

impl Loaded {
    /// Whether GitLab would accept the configuration.
    pub fn is_valid(&self) -> bool {
        self.config.is_some() && !self.diagnostics.has_errors()
    }
}

/// Loads a configuration for a scenario.
///
/// Wrong configurations are no errors: they come back as diagnostics, with everything that could still be built. The first
/// phase that finds something wrong ends the load, as in GitLab; all errors of that phase are told.
///
/// # Errors
/// The world failed.
pub fn load(
    root: &RootFile,
    scenario: &Scenario,
    world: &dyn World,
    settings: &Settings,
) -> Result<Loaded, WorldError> {
    load_with(
        &mut ParsedFiles::forgetful(),
        root,
        scenario,
        world,
        settings,
    )
}

/// As [`load`], parsing only files that `parsed` does not know.
///
/// # Errors
/// The world failed.
pub fn load_with(
    parsed: &mut ParsedFiles,
    root: &RootFile,
    scenario: &Scenario,
    world: &dyn World,
    settings: &Settings,
) -> Result<Loaded, WorldError> {
    let mut includer = Includer::new(scenario, world, settings, parsed);
    let merged = match assembled(&mut includer, root) {
        Ok(tree) => Ok(tree),
        Err(Stop::World(error)) => return Err(error),
        Err(Stop::Wrong(problem)) => Err(*problem),
    };
    let overlay = match merged.is_ok() && settings.dialect == Dialect::Tidegate {
        true => overlay_file(&mut includer, root)?,
        false => None,
    };
    let mut loaded = Loaded {
        sources: includer.sources,
        diagnostics: includer.findings,
        merged: None,
        includes: includer.records,
        config: None,
        overridden: includer.overridden,
        remarks: includer.remarks,
    };
    match merged {
        Ok(tree) => {
            // The tree that is shown to people stays without the overlay.
            loaded.merged = settings.keep_written.then(|| tree.map().clone());
            let tree = match overlay {
                Some(over) => {
                    let mut map = tree.into_map();
                    merge::merge_into(&mut map, &over, &mut None);
                    Tree::whole(map)
                }
                None => tree,
            };
            let (config, problems) = typed::build(tree, settings);
            loaded.diagnostics.extend(problems);
            loaded.config = config.filter(|_| !loaded.diagnostics.has_errors());
        }
        Err(problem) => loaded.diagnostics.push(problem),
    }
    Ok(loaded)
}

/// The overlay file beside the root file, under its hidden key; `None` where there is no such file.
///
/// Source: reference `extensions.md` §0.
fn overlay_file(includer: &mut Includer<'_>, root: &RootFile) -> Result<Option<Map>, WorldError> {
    let folder = root.name.rsplit_once('/').map(|(folder, _)| folder);
    let path = match folder {
        Some(folder) => format!("{folder}/{}", overlay::FILE),
        None => overlay::FILE.to_owned(),
    };
    let content = match includer.world.file(&Place::Here, &path)? {
        Fact::Known(Some(content)) => content,
        Fact::Known(None) => return Ok(None),
        Fact::Unknown(why) => {
            let text = format!("whether there is an overlay {path} is not known: {why}");
            let finding = Diagnostic::finding("overlay-unknown", text);
            includer.findings.push(finding);
            return Ok(None);
        }
    };
    let file = includer
        .sources
        .add(&path, &String::from_utf8_lossy(&content), Origin::Given);
    let limits = &includer.settings.limits.yaml;
    let loaded = match includer.parsed.parsed(&content, file, limits) {
        Ok(loaded) => loaded,
        Err(error) => {
            let message = format!("`{path}`: {error}");
            includer
                .findings
                .push(Diagnostic::error("overlay", message).at(error.span));
            return Ok(None);
        }
    };
    let mut over = Map::default();
    let node = Node::new(loaded.content.value, loaded.content.span);
    over.insert(Key::text(overlay::KEY, node.span), node);
    Ok(Some(over))
}

/// Steps 1 to 6 of reference `config.md` §2.
fn assembled(includer: &mut Includer<'_>, root: &RootFile) -> Result<Tree, Stop> {
    let text = String::from_utf8_lossy(&root.bytes);
    let file = includer.sources.add(&root.name, &text, Origin::Root);
    let limits = &includer.settings.limits.yaml;
    let content = match includer.parsed.parsed(&root.bytes, file, limits) {
        Ok(content) => content,
        Err(error) => {
            let code = match error.kind {
                YamlErrorKind::Blank => "no-content",
                YamlErrorKind::Syntax { .. } => "yaml-syntax",
                _ => "yaml",
            };
            return Err(Diagnostic::error(code, error.to_string())
                .at(error.span)
                .into());
        }
    };
    let place = content.content.span;
    includer.remarks.extend_from_slice(&content.remarks);
    let given = Given::from_scenario(&includer.scenario.inputs);
    let map = includer.root(content, &given, &Context::root())?;
    let tree = with_extends(includer, map)?;
    let tree = match reference::has_tags(tree.map()) {
        true => {
            let map = reference::resolved(tree.into_map(), includer.overridden.as_mut())?;
            Tree::whole(map)
        }
        false => tree,
    };
    let tree = check_size(tree, &includer.sources, place)?;
    Ok(tree.changed(edge_stages::injected))
}

/// The tree with `extends` resolved, at once where somebody is to see it.
fn with_extends(includer: &mut Includer<'_>, map: Map) -> Result<Tree, Diagnostic> {
    match includer.settings.keep_written || includer.overridden.is_some() {
        true => extends::resolved(map, includer.overridden.as_mut()).map(Tree::whole),
        false => extends::put_off(map),
    }
}

/// Estimated bytes any configuration may have once everything is put in its place.
const MERGED_BYTES: u64 = 64 * 1024 * 1024;
/// And how many more for each byte of its files; 50 000 jobs that extend others need about 20.
const MERGED_BYTES_PER_BYTE: u64 = 64;

/// Refuses what `extends` and `!reference` blow up beyond all measure.
///
/// GitLab has no such limit; it would work on these until its time or memory is used up.
fn check_size(tree: Tree, sources: &SourceMap, place: Span) -> Result<Tree, Diagnostic> {
    let text: u64 = sources
        .files()
        .map(|(_, file)| file.text.len() as u64)
        .sum();
    let most = MERGED_BYTES + MERGED_BYTES_PER_BYTE * text;
    if tree.bytes() <= most {
        return Ok(tree);
    }
    if !tree.is_whole() {
        // What waits is counted too high; the limit is meant exactly.
        return check_size(Tree::whole(tree.into_map()), sources, place);
    }
    let message = "The configuration is too big once `extends` and `!reference` are resolved";
    Err(Diagnostic::error("merged-size", message).at(place))
}

#[cfg(test)]
mod tests;
