//! The project a command works on: where it is, what git says, its configuration and plan.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use tidegate_config::{Dialect, Edition, Loaded, RootFile, load};
use tidegate_pipeline::CacheSuffix;
use tidegate_plan::{Detail, Plan, cache_suffix, plan_with, stopped_before_loading};
use tidegate_remote::Remote;
use tidegate_run::Pins;
use tidegate_scenario::{
    CacheState, Fact, Facts, Place as WorldPlace, Recorder, Scenario, World, WorldError,
};
use tidegate_settings::Settings;
use tidegate_store::Store;
use tidegate_world::{
    CacheProbe, Checkout, CheckoutError, Credentials, Fetcher, FetcherSetup, GitWorld, KnownTree,
    Lock, Network, Shelf, Subject, local_scenario,
};

use crate::cli::{DialectName, EditionName, Global, ScenarioArgs};
use crate::exit::Failure;
use crate::recording::Recording;
use crate::remote_cache::{self, Wanted};
use crate::scenario_args;
use crate::statement::Statement;

/// A project with the situation its pipeline is planned for.
pub(crate) struct Project {
    /// Where it is and what git says.
    pub checkout: Checkout,
    /// The situation.
    pub scenario: Scenario,
    /// Which tree the jobs see.
    pub subject: Subject,
    /// Directory of the store.
    pub data_dir: PathBuf,
    /// What the settings files say; flags have won over them already.
    pub settings: Settings,
    /// The cache shared with other machines.
    pub remote: Wanted,
    root: RootFile,
    reading: tidegate_config::Settings,
    network: Network,
    tree: KnownTree,
}

/// Where a project is, and which tree its jobs see.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Its root.
    pub directory: &'a Path,
    /// Its configuration file.
    pub file: &'a str,
    /// Which tree.
    pub subject: Subject,
}

impl Project {
    /// Finds the project and makes the scenario the arguments describe.
    pub(crate) fn open(global: &Global, args: &ScenarioArgs) -> Result<Project, Failure> {
        let start = match &global.directory {
            Some(directory) => directory.clone(),
            None => std::env::current_dir().map_err(|error| {
                Failure::unusable(format!("failed to find the current directory: {error}"))
            })?,
        };
        let checkout = Checkout::find(&start, &global.file).map_err(|error| not_found(&error))?;
        let settings = settings(&checkout)?;
        let path = checkout.root.join(&checkout.config_path);
        let bytes = std::fs::read(&path).map_err(|error| {
            Failure::unusable(format!("failed to read {}: {error}", path.display()))
        })?;
        let stated = Statement::of(args)?;
        let mut scenario = local_scenario(&checkout, stated.base.as_deref());
        scenario_args::apply_ref(&mut scenario, &stated)?;
        settings.apply(&mut scenario);
        scenario_args::apply(&mut scenario, &checkout, stated)?;
        let subject = if args.committed {
            Subject::Commit
        } else {
            Subject::WorkTree
        };
        let root = RootFile {
            name: checkout.config_path.clone(),
            bytes: bytes.into(),
        };
        let given = global.data_dir.as_deref().or(settings.data_dir.as_deref());
        let data_dir = data_dir(given)?;
        scenario.iid = next_iid(&data_dir, &project_key(&checkout, &scenario));
        let reading = reading(global, &settings)?;
        let network = network(global);
        let remote = Wanted::of(
            &settings,
            global,
            &remote_name(&checkout, &scenario, &settings),
        );
        Ok(Project {
            checkout,
            scenario,
            subject,
            data_dir,
            remote,
            settings,
            root,
            reading,
            network,
            tree: KnownTree::default(),
        })
    }

    /// The project in a place, in another situation and with another configuration.
    pub(crate) fn again(
        global: &Global,
        place: Place<'_>,
        mut scenario: Scenario,
        root: RootFile,
        store: &Store,
    ) -> Result<Project, Failure> {
        let checkout = Checkout::at(place.directory.to_owned(), place.file.to_owned());
        let settings = settings(&checkout)?;
        let data_dir = store.directory().to_owned();
        scenario.iid = next_iid(&data_dir, &project_key(&checkout, &scenario));
        Ok(Project {
            reading: reading(global, &settings)?,
            network: network(global),
            subject: place.subject,
            remote: Wanted::of(
                &settings,
                global,
                &remote_name(&checkout, &scenario, &settings),
            ),
            checkout,
            scenario,
            data_dir,
            settings,
            root,
            tree: KnownTree::default(),
        })
    }

    /// What the settings files say for a project in a place.
    pub(crate) fn settings_of(place: Place<'_>) -> Result<Settings, Failure> {
        settings(&Checkout::at(
            place.directory.to_owned(),
            place.file.to_owned(),
        ))
    }

    /// Loads the configuration and, where it has no errors, plans its pipeline, in a world made of the project's own.
    pub(crate) fn load_and_plan(
        &self,
        world: &dyn World,
    ) -> Result<(Loaded, Option<Plan>), WorldError> {
        let loaded = load(
            &self.root,
            &self.scenario,
            world,
            &for_planning(&self.reading),
        )?;
        let plan = match &loaded.config {
            Some(config) => {
                let settings = self.planning();
                let detail = Detail::Compact;
                Some(plan_with(
                    config,
                    &self.scenario,
                    world,
                    &detail,
                    &settings,
                )?)
            }
            None => None,
        };
        Ok((loaded, plan))
    }

    /// Loads the configuration for planning. What was fetched for it is pinned in `tidegate.lock`.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        self.load_as(&for_planning(&self.reading))
    }

    /// As [`Project::load`], with what was written: for showing and checking it.
    pub(crate) fn load_written(&self) -> Result<Loaded, Failure> {
        self.load_as(&self.reading)
    }

    /// As [`Project::load_written`], recording what merging replaced.
    pub(crate) fn load_with_origins(&self) -> Result<Loaded, Failure> {
        let reading = tidegate_config::Settings {
            record_origins: true,
            ..self.reading.clone()
        };
        self.load_as(&reading)
    }

    /// As [`Project::load`], with everything that was asked for.
    pub(crate) fn load_recorded(&self) -> Result<(Loaded, Facts), Failure> {
        self.in_world(|world| {
            let recorder = Recorder::new(world);
            let reading = for_planning(&self.reading);
            let loaded = load(&self.root, &self.scenario, &recorder, &reading)?;
            Ok((loaded, recorder.into_facts()))
        })
    }

    /// The recording of a plan that relied on these facts.
    pub(crate) fn recording(&self, facts: Facts) -> Recording {
        Recording {
            root: self.root.clone(),
            reading: self.reading.clone(),
            planning: self.planning(),
            scenario: self.scenario.clone(),
            facts,
            masked: Vec::new(),
            differs: Vec::new(),
        }
    }

    /// Version of GitLab that is followed where versions differ.
    pub(crate) fn gitlab_version(&self) -> (u16, u16) {
        self.reading.gitlab_version
    }

    fn load_as(&self, reading: &tidegate_config::Settings) -> Result<Loaded, Failure> {
        self.in_world(|world| load(&self.root, &self.scenario, world, reading))
    }

    /// The plan of a pipeline that GitLab ends before it reads the configuration, whatever stands there.
    pub(crate) fn stopped(&self) -> Option<Plan> {
        stopped_before_loading(&self.scenario, &self.planning())
    }

    /// Plans the pipeline of a configuration that loaded without errors.
    pub(crate) fn plan(&self, loaded: &Loaded, detail: &Detail) -> Result<Option<Plan>, Failure> {
        let Some(config) = &loaded.config else {
            return Ok(None);
        };
        let settings = self.planning();
        self.in_world(|world| plan_with(config, &self.scenario, world, detail, &settings))
            .map(Some)
    }

    /// As [`Project::plan`], for a run: the caches that it says are there are kept for it in `pins`.
    pub(crate) fn plan_to_run(
        &self,
        loaded: &Loaded,
        detail: &Detail,
        pins: &Pins,
    ) -> Result<Option<Plan>, Failure> {
        let Some(config) = &loaded.config else {
            return Ok(None);
        };
        let settings = self.planning();
        let ask = |world: &dyn World| plan_with(config, &self.scenario, world, detail, &settings);
        self.in_world_to_run(pins, ask).map(Some)
    }

    /// Asks the world something for a run: the caches that it says are there are kept for it in `pins`.
    pub(crate) fn in_world_to_run<T>(
        &self,
        pins: &Pins,
        ask: impl FnOnce(&dyn World) -> Result<T, WorldError>,
    ) -> Result<T, Failure> {
        let caches = KeptCaches {
            directory: &self.data_dir,
            key: self.key(),
            store: OnceCell::new(),
            pins,
            elsewhere: self.elsewhere(),
        };
        self.in_world_of(&caches, ask)
    }

    /// As [`Project::plan`], as if exactly these paths had changed.
    pub(crate) fn plan_if_changed(
        &self,
        loaded: &Loaded,
        paths: Vec<String>,
    ) -> Result<Option<Plan>, Failure> {
        let Some(config) = &loaded.config else {
            return Ok(None);
        };
        let mut scenario = self.scenario.clone();
        scenario.overrides.changed_paths = Some(Some(paths));
        let settings = self.planning();
        self.in_world(|world| plan_with(config, &scenario, world, &Detail::Compact, &settings))
            .map(Some)
    }

    /// The instance's settings a plan depends on.
    fn planning(&self) -> tidegate_plan::Settings {
        tidegate_plan::Settings {
            protected_caches: remote_cache::protected_caches(&self.settings.cache),
            ..tidegate_plan::Settings::default()
        }
    }

    /// What is appended to the keys of caches.
    pub(crate) fn cache_suffix(&self) -> CacheSuffix {
        cache_suffix(&self.scenario, self.planning().protected_caches)
    }

    fn elsewhere(&self) -> Elsewhere<'_> {
        Elsewhere {
            wanted: &self.remote,
            suffix: self.cache_suffix(),
            remote: OnceCell::new(),
        }
    }

    /// Asks the world something, and pins what was fetched for the answer.
    fn in_world<T>(
        &self,
        ask: impl FnOnce(&dyn World) -> Result<T, WorldError>,
    ) -> Result<T, Failure> {
        self.in_world_of(&self.caches(), ask)
    }

    fn in_world_of<T>(
        &self,
        caches: &dyn CacheProbe,
        ask: impl FnOnce(&dyn World) -> Result<T, WorldError>,
    ) -> Result<T, Failure> {
        let path = self.checkout.root.join("tidegate.lock");
        let lock = if path.exists() {
            Lock::read(&path).map_err(|error| Failure::unusable(format!("failed to {error}")))?
        } else {
            Lock::default()
        };
        let shelf = StoredShelf {
            directory: &self.data_dir,
        };
        let project = &self.scenario.project;
        let variable = |name: &str| std::env::var(name).ok();
        let fetcher = Fetcher::new(FetcherSetup {
            sources: self.settings.sources(
                &self.checkout,
                &project.path,
                &self.scenario.server.fqdn(),
            ),
            network: self.network,
            lock,
            shelf: &shelf,
            mirrors: self.data_dir.join("mirrors"),
            credentials: Credentials::from_environment(
                variable,
                &self.settings.includes.token_hosts,
            ),
        });
        let world = GitWorld::new(&self.checkout, self.subject, caches)
            .with_tree(&self.tree)
            .with_fetcher(Some(&fetcher))
            .with_own_project(&project.path, &project.default_branch);
        let answer = ask(&world).map_err(broken)?;
        if let Some(changed) = fetcher.changed_lock() {
            changed
                .write(&path)
                .map_err(|error| Failure::unusable(format!("failed to {error}")))?;
        }
        Ok(answer)
    }

    /// The files jobs see as they are now, relative to the project root.
    pub(crate) fn paths(&self) -> Result<Vec<PathBuf>, Failure> {
        let caches = self.caches();
        let world = GitWorld::new(&self.checkout, self.subject, &caches);
        match world.tree(&WorldPlace::Here).map_err(broken)? {
            Fact::Known(paths) => Ok(paths
                .as_slice()
                .iter()
                .map(|path| (**path).into())
                .collect()),
            Fact::Unknown(why) => Err(Failure::unusable(format!(
                "failed to list the files: {why}"
            ))),
        }
    }

    /// Under which name the store keeps what belongs to this project: its path where it has a remote, else its directory, so that
    /// two projects of one name do not share caches.
    pub(crate) fn key(&self) -> String {
        project_key(&self.checkout, &self.scenario)
    }

    fn caches(&self) -> StoredCaches<'_> {
        StoredCaches {
            directory: &self.data_dir,
            key: self.key(),
            elsewhere: self.elsewhere(),
        }
    }
}

/// What the project is called where caches are shared, if it has no number: the same on all machines, and whoever triggers its pipeline.
pub(crate) fn remote_name(checkout: &Checkout, scenario: &Scenario, settings: &Settings) -> String {
    let directory = checkout.root.file_name().unwrap_or_default();
    match (&checkout.remote, &settings.project.path) {
        (Some(_), _) => project_key(checkout, scenario),
        (None, Some(path)) => path.clone(),
        (None, None) => format!("local/{}", directory.to_string_lossy()),
    }
}

fn project_key(checkout: &Checkout, scenario: &Scenario) -> String {
    match checkout.remote {
        Some(_) => format!("{}/{}", scenario.server.host, scenario.project.path),
        None => checkout.root.to_string_lossy().into_owned(),
    }
}

/// The number in its project that a pipeline created now gets; not known where the store cannot be read, which is told where the
/// store is needed.
fn next_iid(data_dir: &Path, key: &str) -> Option<u64> {
    if !data_dir.exists() {
        return Some(1);
    }
    Store::open(data_dir).ok()?.next_iid(key).ok()
}

/// What may be fetched.
fn network(global: &Global) -> Network {
    match (global.offline, global.update) {
        (true, _) => Network::Forbidden,
        (_, true) => Network::Refresh,
        _ => Network::WhenNeeded,
    }
}

/// The settings files of the project and of the user.
fn settings(checkout: &Checkout) -> Result<Settings, Failure> {
    let user = tidegate_settings::user_file(|name| std::env::var_os(name));
    let home = std::env::var_os("HOME").map(PathBuf::from);
    tidegate_settings::load(&checkout.root, user.as_deref(), home.as_deref())
        .map_err(|error| Failure::unusable(format!("failed to {error}")))
}

/// How the configuration is read: as the flags say, else as the settings say.
fn reading(global: &Global, settings: &Settings) -> Result<tidegate_config::Settings, Failure> {
    let mut reading = settings.config();
    if settings.edition.is_none() {
        // Who runs a paid tier would be told of errors that are none; who does not, loses nothing.
        reading.edition = Edition::Enterprise;
    }
    override_reading(global, &mut reading)?;
    Ok(reading)
}

/// Replaces what the flags say.
pub(crate) fn override_reading(
    global: &Global,
    reading: &mut tidegate_config::Settings,
) -> Result<(), Failure> {
    match global.dialect {
        Some(DialectName::Gitlab) => reading.dialect = Dialect::Gitlab,
        Some(DialectName::Tidegate) => reading.dialect = Dialect::Tidegate,
        None => {}
    }
    match global.edition {
        Some(EditionName::Ce) => reading.edition = Edition::Community,
        Some(EditionName::Ee) => reading.edition = Edition::Enterprise,
        None => {}
    }
    if let Some(text) = &global.gitlab_version {
        let parts = text.split_once('.').and_then(|(major, minor)| {
            Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
        });
        reading.gitlab_version = parts.ok_or_else(|| {
            Failure::unusable(format!(
                "--gitlab-version {text}: expected a version such as 18.11"
            ))
        })?;
    }
    Ok(())
}

/// Keeps fetched files in the store. The store is only opened when something is fetched.
struct StoredShelf<'a> {
    directory: &'a Path,
}

/// Name space of fetched files among the things the store remembers.
const FETCHED: &str = "fetched include";

impl Shelf for StoredShelf<'_> {
    fn find(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        if !self.directory.exists() {
            return Ok(None);
        }
        let store = Store::open(self.directory).map_err(|error| error.to_string())?;
        let found = store
            .recall(FETCHED, name)
            .map_err(|error| error.to_string())?;
        Ok(found.map(|found| found.bytes))
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let store = Store::open(self.directory).map_err(|error| error.to_string())?;
        store
            .remember(FETCHED, name, bytes)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

/// Answers whether a cache exists where caches are shared; opened when it is first asked.
struct Elsewhere<'a> {
    wanted: &'a Wanted,
    suffix: CacheSuffix,
    remote: OnceCell<Result<Option<Remote>, String>>,
}

impl Elsewhere<'_> {
    fn state(&self, key: &str) -> Result<CacheState, String> {
        match self.remote.get_or_init(|| self.wanted.open(self.suffix)) {
            Ok(None) => Ok(CacheState::Missing),
            Ok(Some(remote)) => remote_cache::state(remote, key),
            Err(why) => Err(why.clone()),
        }
    }
}

/// Answers whether a cache exists: from the store, which is only opened when asked, then from where caches are shared.
struct StoredCaches<'a> {
    directory: &'a Path,
    key: String,
    elsewhere: Elsewhere<'a>,
}

impl CacheProbe for StoredCaches<'_> {
    fn state(&self, key: &str) -> Result<CacheState, String> {
        if !self.directory.exists() {
            return self.elsewhere.state(key);
        }
        let store = Store::open(self.directory).map_err(|error| error.to_string())?;
        let found = store.find_cache(&self.key, key);
        match found.map_err(|error| error.to_string())? {
            Some(_) => Ok(CacheState::Present),
            None => self.elsewhere.state(key),
        }
    }
}

/// Settings for a load that is only planned: what was written is not kept, which saves more memory than all the rest takes.
pub(crate) fn for_planning(reading: &tidegate_config::Settings) -> tidegate_config::Settings {
    tidegate_config::Settings {
        keep_written: false,
        ..reading.clone()
    }
}

/// As [`StoredCaches`], and keeps what it says is there.
struct KeptCaches<'a> {
    directory: &'a Path,
    key: String,
    store: OnceCell<Store>,
    pins: &'a Pins,
    elsewhere: Elsewhere<'a>,
}

impl CacheProbe for KeptCaches<'_> {
    fn state(&self, key: &str) -> Result<CacheState, String> {
        if !self.directory.exists() {
            return self.elsewhere.state(key);
        }
        let store = match self.store.get() {
            Some(store) => store,
            None => {
                let store = Store::open(self.directory).map_err(|error| error.to_string())?;
                self.store.get_or_init(|| store)
            }
        };
        let kept = self.pins.keep(store, &self.key, key);
        match kept.map_err(|error| error.to_string())? {
            true => Ok(CacheState::Present),
            false => self.elsewhere.state(key),
        }
    }
}

fn broken(error: WorldError) -> Failure {
    Failure::unusable(format!("failed to {error}"))
}

fn not_found(error: &CheckoutError) -> Failure {
    let failure = Failure::unusable(format!("failed to {error}"));
    match error {
        CheckoutError::NoConfiguration { .. } => {
            failure.hint("-C DIR works in another directory, -f FILE reads another file")
        }
        CheckoutError::Unreadable { .. } => failure,
    }
}

/// `--data-dir`, else `$XDG_DATA_HOME/tidegate`, else `~/.local/share/tidegate`.
pub(crate) fn data_dir(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return std::path::absolute(given).map_err(|error| {
            Failure::unusable(format!("failed to use {}: {error}", given.display()))
        });
    }
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let base = base.ok_or_else(|| {
        Failure::unusable(
            "failed to find a place for the store: neither XDG_DATA_HOME nor HOME is set",
        )
        .hint("--data-dir DIR names one")
    })?;
    Ok(base.join("tidegate"))
}
