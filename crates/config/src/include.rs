//! `include`: puts other files under the one that names them (reference `config.md` §4).
//!
//! [`entry`] reads what is written, [`rule`] decides what is active, [`source`] gets the files through the world,
//! [`wildcard`] and [`address`] read patterns and addresses. [`Includer`] joins them, file by file, depth first.

mod address;
mod entry;
mod rule;
mod source;
mod wildcard;

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use tidegate_expr::Variables;
use tidegate_scenario::{Place, Scenario, World, WorldError};
use tidegate_source::{Diagnostic, Diagnostics, FileId, IncludeKind, Origin, SourceMap, Span};
use tidegate_yaml::{Key, Loaded, Map, Node, Remark, Value, YamlErrorKind};

use crate::header::{self, input, input::Given, schema};
use crate::interpolation;
use crate::merge::{self, Trace, key_text};
use crate::overridden::{Layer, Overridden};
use crate::parsed::ParsedFiles;
use crate::ruby;
use crate::settings::Settings;
use crate::variables;
use entry::Entry;
use source::Found;

/// One included file, for the `includes` of GitLab's lint API (reference `config.md` §13).
#[derive(Clone, PartialEq, Debug)]
pub struct IncludeRecord {
    /// Which kind of include.
    pub kind: IncludeKind,
    /// Path, URL, name or address after expansion, masked values hidden.
    pub location: String,
    /// Page that shows the file.
    pub blob: Option<String>,
    /// Address of its bare content.
    pub raw: Option<String>,
    /// What else the entry said, by kind.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Project of the file that includes it.
    pub context_project: Option<String>,
    /// Commit of the file that includes it.
    pub context_sha: Option<String>,
    /// The entry that asks for it.
    pub by: Span,
    /// The file, once it was read.
    pub file: Option<FileId>,
}

/// Why a load ended early.
pub(crate) enum Stop {
    /// The user's text is wrong, or something it names cannot be had.
    Wrong(Box<Diagnostic>),
    /// The world failed.
    World(WorldError),
}

impl From<WorldError> for Stop {
    fn from(error: WorldError) -> Stop {
        Stop::World(error)
    }
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Stop {
        Stop::Wrong(Box::new(diagnostic))
    }
}

/// Where a file stands, which decides what it may include.
#[derive(Clone)]
pub(crate) struct Context {
    /// Whose files `local` means; `None` inside remote files and templates.
    place: Option<Place>,
    /// What the file and its local includes know of the component they belong to.
    component: Option<Arc<ComponentFacts>>,
    /// The file is the component itself.
    is_component: bool,
    /// Variables and the user reach the file; not so inside remote files and templates.
    knows_variables: bool,
}

impl Context {
    /// The context of the root file.
    pub(crate) fn root() -> Context {
        Context {
            place: Some(Place::Here),
            component: None,
            is_component: false,
            knows_variables: true,
        }
    }

    fn detached() -> Context {
        Context {
            place: None,
            component: None,
            is_component: false,
            knows_variables: false,
        }
    }
}

/// Values of `$[[ component.… ]]`.
#[derive(Clone, Debug)]
struct ComponentFacts {
    name: String,
    sha: String,
    version: Option<String>,
    reference: String,
}

/// Everything files are gathered with and into.
pub(crate) struct Includer<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) world: &'a dyn World,
    pub(crate) settings: &'a Settings,
    pub(crate) parsed: &'a mut ParsedFiles,
    pub(crate) variables: Variables,
    pub(crate) no_variables: Variables,
    pub(crate) sources: SourceMap,
    pub(crate) findings: Diagnostics,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) records: Vec<IncludeRecord>,
    pub(crate) overridden: Option<Overridden>,
    /// Local files that lists processed so far loaded; wildcards of later lists skip them.
    local_files: BTreeSet<(Place, String)>,
    included_bytes: u64,
}

impl<'a> Includer<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        world: &'a dyn World,
        settings: &'a Settings,
        parsed: &'a mut ParsedFiles,
    ) -> Includer<'a> {
        Includer {
            scenario,
            world,
            settings,
            parsed,
            variables: tidegate_scenario::predefined(scenario, tidegate_scenario::Phase::Include),
            no_variables: Variables::default(),
            sources: SourceMap::default(),
            findings: Diagnostics::default(),
            remarks: Vec::new(),
            records: Vec::new(),
            overridden: settings.record_origins.then(Overridden::default),
            local_files: BTreeSet::new(),
            included_bytes: 0,
        }
    }

    /// The root file with everything it includes under it.
    pub(crate) fn root(
        &mut self,
        loaded: Loaded,
        given: &Given,
        context: &Context,
    ) -> Result<Map, Stop> {
        let content = self.interpolated(loaded, given, context)??;
        self.with_includes(content, context)
    }

    fn variables_of(&self, context: &Context) -> &Variables {
        match context.knows_variables {
            true => &self.variables,
            false => &self.no_variables,
        }
    }

    /// GitLab's interpolator: header, inputs, blocks. The inner error is one of the file itself.
    fn interpolated(
        &mut self,
        loaded: Loaded,
        given: &Given,
        context: &Context,
    ) -> Result<Result<Map, Diagnostic>, Stop> {
        let written = loaded.content.span;
        let content = loaded.content.into_map().unwrap_or_default();
        let given = match given {
            Given::Values(map) => map,
            Given::NotAMap(span) => {
                let problem = Diagnostic::error("inputs-not-a-map", "Given inputs must be a hash");
                return Ok(Err(problem.at(*span)));
            }
        };
        let Some(header) = loaded.header.as_ref().and_then(Node::as_map) else {
            if let Some((key, _)) = given.iter().next() {
                return Ok(Err(inputs_without_header(key.span, written)));
            }
            return Ok(Ok(content));
        };
        if let Some(problem) = header::joined(schema::problems(header)) {
            return Ok(Err(problem));
        }
        let spec = header.get("spec").and_then(Node::as_map);
        let declared = match self.declared_inputs(spec, context)? {
            Ok(declared) => declared,
            Err(problem) => return Ok(Err(problem)),
        };
        let version = self.settings.gitlab_version;
        let place = header.get("spec").map_or(Span::NONE, |spec| spec.span);
        let inputs = match input::resolved(&declared, given, place, version) {
            Ok(inputs) => inputs,
            Err(problems) => return Ok(header::joined(problems).map_or(Ok(content), Err)),
        };
        let component = component_values(spec, context);
        let context = interpolation::Context {
            inputs: &inputs,
            component: &component,
            variables: self.variables_of(context),
            limits: &self.settings.limits,
        };
        Ok(interpolation::interpolated(&content, &context))
    }

    /// The inputs a header declares, those of `spec:include` first.
    fn declared_inputs(
        &mut self,
        spec: Option<&Map>,
        context: &Context,
    ) -> Result<Result<Vec<(Key, Node)>, Diagnostic>, Stop> {
        let mut declared: Vec<(Key, Node)> = Vec::new();
        if let Some(include) = spec
            .and_then(|spec| spec.get("include"))
            .filter(|it| !it.is_null())
        {
            // What is wrong with these files is told as a fault of the file whose header names them.
            let files = match self.header_files(include, context) {
                Err(Stop::Wrong(problem)) => return Ok(Err(*problem)),
                files => files?,
            };
            for file in files {
                declared.extend(file.iter().cloned());
            }
        }
        let inline = spec
            .and_then(|spec| spec.get("inputs"))
            .and_then(Node::as_map);
        declared.extend(inline.into_iter().flatten().cloned());
        Ok(match duplicate_inputs(&declared) {
            Some(problem) => Err(problem),
            None => Ok(declared),
        })
    }

    /// The `inputs` of every file of `spec:include`.
    fn header_files(&mut self, include: &Node, context: &Context) -> Result<Vec<Map>, Stop> {
        let entries = self.entries(include, context)?;
        let mut files = Vec::with_capacity(entries.len());
        for entry in self.registered(entries, context)? {
            let (entry, found) = match self.found(entry, context)? {
                Ok(found) => found,
                Err(problem) => return Err((*problem).into()),
            };
            let file = self.added(&entry, &found, IncludeKind::Header);
            let loaded = self.parsed_file(&entry, &found, file)?;
            let content = loaded.content.into_map().unwrap_or_default();
            self.count_bytes(&entry, &found)?;
            files.push(inputs_only(&content, &entry)?);
        }
        Ok(files)
    }

    /// `content` over everything it includes.
    fn with_includes(&mut self, content: Map, context: &Context) -> Result<Map, Stop> {
        let Some(include) = content.get("include").filter(|include| !include.is_null()) else {
            return Ok(content);
        };
        let entries = self.entries(&include.clone(), context)?;
        if entries.is_empty() {
            return Ok(content);
        }
        let mut first_problem = None;
        let mut files = Vec::with_capacity(entries.len());
        for entry in self.registered(entries, context)? {
            // A bad file does not keep the next ones from being read: what they include may end the load first.
            match self.read(entry, context)? {
                Ok(map) => files.push(map),
                Err(problem) => first_problem = first_problem.or(Some(problem)),
            }
        }
        if let Some(problem) = first_problem {
            return Err((*problem).into());
        }
        Ok(self.merged(files, &content))
    }

    fn merged(&mut self, files: Vec<Map>, content: &Map) -> Map {
        let mut trace = self.overridden.as_mut().map(|overridden| Trace {
            overridden,
            path: Vec::new(),
            layer: |lost| Layer::ReplacedByInclude(lost.span),
        });
        let mut files = files.into_iter();
        let mut result = files.next().unwrap_or_default();
        for file in files {
            merge::merge_into(&mut result, &file, &mut trace.as_mut());
        }
        merge::merge_into(&mut result, content, &mut trace.as_mut());
        result.remove("include");
        result
    }

    /// The active entries of an `include` with wildcards and lists of files taken apart.
    fn entries(&mut self, include: &Node, context: &Context) -> Result<Vec<Entry>, Stop> {
        let written = entry::written(include, self.variables_of(context))?;
        let mut active = Vec::with_capacity(written.len());
        for location in written {
            if rule::is_active(self, &location, context)? {
                active.push(location);
            }
        }
        let single = entry::single_files(active);
        let mut located = Vec::with_capacity(single.len());
        for location in single {
            match wildcard::pattern_of(&location) {
                Some(pattern) => {
                    let paths = self.matching_files(&pattern, &location, context)?;
                    located.extend(paths.iter().map(|path| location.with("local", path)));
                }
                None => located.push(location),
            }
        }
        let mut entries = Vec::with_capacity(located.len());
        for location in located {
            let location = location.expanded(self.variables_of(context));
            entries.push(Entry::matched(location, self.variables_of(context))?);
        }
        if self.settings.strict_includes {
            let findings = entries.iter().filter_map(Entry::ignored_keys);
            self.findings.extend(findings);
        }
        Ok(entries)
    }

    /// Registers all entries of one list, before any of them is read: their order is the lint API's.
    fn registered(
        &mut self,
        entries: Vec<Entry>,
        context: &Context,
    ) -> Result<Vec<(usize, Entry)>, Stop> {
        let mut registered = Vec::with_capacity(entries.len());
        for entry in entries {
            let most = self.settings.limits.includes;
            if self.records.len() >= most {
                let message = format!("Maximum of {most} nested includes are allowed!");
                return Err(Diagnostic::error("include-limit", message)
                    .at(entry.span)
                    .into());
            }
            if let (Some(place), IncludeKind::Local) = (&context.place, entry.kind) {
                self.local_files
                    .insert((place.clone(), entry.location.clone()));
            }
            let record = source::record(self, &entry, context);
            self.records.push(record);
            registered.push((self.records.len() - 1, entry));
        }
        Ok(registered)
    }

    /// Reads one file with everything it includes. The inner error is told once its whole list was read.
    fn read(
        &mut self,
        entry: (usize, Entry),
        context: &Context,
    ) -> Result<Result<Map, Box<Diagnostic>>, Stop> {
        let index = entry.0;
        let (entry, found) = match self.found(entry, context)? {
            Ok(found) => found,
            Err(problem) => return Ok(Err(problem)),
        };
        let file = self.added(&entry, &found, entry.kind);
        if let Some(record) = self.records.get_mut(index) {
            record.file = Some(file);
        }
        let loaded = match self.parsed_file(&entry, &found, file) {
            Ok(loaded) => loaded,
            Err(Stop::Wrong(problem)) => return Ok(Err(problem)),
            Err(stop) => return Err(stop),
        };
        if let Some(problem) = component_that_includes(&loaded, &entry, &found) {
            return Ok(Err(Box::new(problem)));
        }
        let given = Given::from_node(entry.params.get("inputs"));
        let content = match self.interpolated(loaded, &given, &found.context)? {
            Ok(content) => content,
            Err(problem) => return Ok(Err(Box::new(prefixed(problem, &entry)))),
        };
        let map = self.with_includes(content, &found.context)?;
        if map.is_empty() {
            let message = format!(
                "Included file `{}` does not have valid YAML syntax!",
                entry.shown
            );
            let problem = Diagnostic::error("include-empty", message).at(entry.span);
            return Ok(Err(Box::new(problem)));
        }
        self.count_bytes(&entry, &found)?;
        Ok(Ok(map))
    }

    fn found(
        &mut self,
        (_, entry): (usize, Entry),
        context: &Context,
    ) -> Result<Result<(Entry, Found), Box<Diagnostic>>, Stop> {
        Ok(match source::found(self, &entry, context)? {
            Ok(found) => Ok((entry, found)),
            Err(problem) => Err(problem),
        })
    }

    fn added(&mut self, entry: &Entry, found: &Found, kind: IncludeKind) -> FileId {
        let text = String::from_utf8_lossy(&found.content);
        let origin = Origin::Included {
            kind,
            by: entry.span,
        };
        self.sources.add(&found.name, &text, origin)
    }

    fn parsed_file(&mut self, entry: &Entry, found: &Found, file: FileId) -> Result<Loaded, Stop> {
        let limits = &self.settings.limits.yaml;
        match self.parsed.parsed(&found.content, file, limits) {
            Ok(loaded) => {
                self.remarks.extend_from_slice(&loaded.remarks);
                Ok(loaded)
            }
            Err(error) => {
                let code = match error.kind {
                    YamlErrorKind::Syntax { .. } => "yaml-syntax",
                    _ => "yaml",
                };
                let problem = Diagnostic::error(code, error.to_string()).at(error.span);
                Err(prefixed(problem, entry).into())
            }
        }
    }

    fn count_bytes(&mut self, entry: &Entry, found: &Found) -> Result<(), Stop> {
        self.included_bytes += found.content.len() as u64;
        if self.included_bytes <= self.settings.limits.included_bytes {
            return Ok(());
        }
        let message = "Total size of combined CI/CD configuration is too big";
        Err(Diagnostic::error("include-size", message)
            .at(entry.span)
            .into())
    }
}

/// An error of the included file itself carries its path in front; those of files below it do not.
fn prefixed(mut problem: Diagnostic, entry: &Entry) -> Diagnostic {
    problem.message = format!("`{}`: {}", entry.shown, problem.message);
    problem.context(entry.span, "included here")
}

/// A component whose header asks for inputs of other files. GitLab says so before it looks at anything else in it.
fn component_that_includes(loaded: &Loaded, entry: &Entry, found: &Found) -> Option<Diagnostic> {
    if !found.context.is_component {
        return None;
    }
    let spec = loaded.header.as_ref()?.as_map()?.get("spec")?.as_map()?;
    let include = spec.get("include").filter(|include| !include.is_null())?;
    let message = format!(
        "Component `{}` cannot use `spec:include`. This keyword is not supported in components",
        entry.shown
    );
    let problem = Diagnostic::error("component-include", message).at(include.span);
    Some(problem.context(entry.span, "included here"))
}

fn inputs_without_header(given: Span, content: Span) -> Diagnostic {
    let message =
        "Given inputs not defined in the `spec` section of the included configuration file";
    Diagnostic::error("inputs-undeclared", message)
        .at(given)
        .context(content, "no header declares inputs for this content")
}

fn duplicate_inputs(declared: &[(Key, Node)]) -> Option<Diagnostic> {
    let mut seen: IndexMap<Arc<str>, Span> = IndexMap::new();
    let mut repeated: IndexMap<Arc<str>, (Span, Span)> = IndexMap::new();
    for (key, _) in declared {
        let name = key_text(key);
        match seen.get(&name) {
            Some(first) => {
                repeated.entry(name).or_insert((*first, key.span));
            }
            None => {
                seen.insert(name, key.span);
            }
        }
    }
    if repeated.is_empty() {
        return None;
    }
    let names: Vec<&str> = repeated.keys().map(|name| &**name).collect();
    let message = format!(
        "Duplicate input keys found: {}. \
         Input keys must be unique across all included files and inline specifications.",
        names.join(", ")
    );
    let problem = Diagnostic::error("inputs-duplicate", message);
    Some(repeated.values().fold(problem, |problem, (first, again)| {
        problem.at(*again).context(*first, "also declared here")
    }))
}

/// The `inputs` of a file of `spec:include`, which may hold nothing else.
fn inputs_only(content: &Map, entry: &Entry) -> Result<Map, Stop> {
    let others: Vec<&Key> = content
        .iter()
        .map(|(key, _)| key)
        .filter(|key| key.as_str() != Some("inputs"))
        .collect();
    if let Some(first) = others.first() {
        let shown: Vec<_> = others
            .iter()
            .map(|key| ruby::inspect_symbol_key(&key.value))
            .collect();
        let message = format!(
            "Header include file `{}` contains unknown keys: [{}]",
            entry.shown,
            shown.join(", ")
        );
        return Err(Diagnostic::error("header-include", message)
            .at(first.span)
            .into());
    }
    match content.get("inputs").map(|node| (&node.value, node.span)) {
        None | Some((Value::Null, _)) => Ok(Map::default()),
        Some((Value::Map(map), _)) => Ok(Map::clone(map)),
        // GitLab itself fails with an internal exception here.
        Some((_, span)) => {
            let message = format!(
                "Header include file `{}` inputs should be a hash",
                entry.shown
            );
            Err(Diagnostic::error("header-include", message).at(span).into())
        }
    }
}

fn component_values(spec: Option<&Map>, context: &Context) -> IndexMap<Arc<str>, Node> {
    let asked = spec
        .and_then(|spec| spec.get("component"))
        .and_then(Node::as_seq)
        .unwrap_or_default();
    let Some(facts) = &context.component else {
        return IndexMap::new();
    };
    let value = |name: &str| match name {
        "name" => Some(Value::Str(facts.name.as_str().into())),
        "sha" => Some(Value::Str(facts.sha.as_str().into())),
        "reference" => Some(Value::Str(facts.reference.as_str().into())),
        "version" => Some(match &facts.version {
            Some(version) => Value::Str(version.as_str().into()),
            None => Value::Null,
        }),
        _ => None,
    };
    asked
        .iter()
        .filter_map(|node| {
            let name = node.as_str()?;
            Some((name.into(), Node::new(value(name)?, node.span)))
        })
        .collect()
}

/// Text with masked values hidden.
fn shown(text: &str, variables: &Variables) -> String {
    variables::masked(text, variables)
}
