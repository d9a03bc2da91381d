//! Our own findings: traps in a configuration that GitLab accepts, each with a code that can be switched off.
//!
//! * [`findings`] looks at a loaded configuration and returns [`Diagnostic`]s of severity `Finding`, in order of their places.
//!   They never make a configuration invalid.
//! * [`RULES`] is the registry: one rule a file in `rules/`, one section of `docs/lint.md` for each.
//! * [`Switches`] says what is switched off: by [`Settings`], or by a comment `# tidegate: allow L005` on the line or above it,
//!   or `# tidegate: allow-file L005` anywhere in the file.
//!
//! Everything here is static: no pipeline is planned. What a rule says about pipelines of some kind it proves by evaluating
//! conditions with three truth values over all kinds of events ([`Event`](event::Event)); "cannot tell" never counts as proof.
//!
//! ```
//! use tidegate_config::{RootFile, load};
//! use tidegate_lint::{Settings, findings};
//! use tidegate_scenario::{FixtureWorld, Scenario};
//!
//! let text = "job: {script: make, rules: [{when: always}, {if: $CI_COMMIT_TAG}]}";
//! let root = RootFile { name: ".gitlab-ci.yml".to_owned(), bytes: text.as_bytes().into() };
//! let world = FixtureWorld::default();
//! let loaded = load(&root, &Scenario::push("main"), &world, &tidegate_config::Settings::default())?;
//! let found = findings(&loaded, &Settings::default());
//! assert_eq!(found[0].code.0, "L016");
//! # Ok::<(), tidegate_scenario::WorldError>(())
//! ```

mod event;
mod expression;
mod found;
mod predefined;
mod reach;
mod registry;
mod rules;
mod slip;
mod subject;
mod switches;
#[cfg(test)]
mod testing;
mod text;
mod truth;

use std::collections::BTreeSet;

use tidegate_config::Loaded;
use tidegate_source::{Diagnostic, SourceMap};

pub use registry::{RULES, Rule, is_known};
pub use switches::Switches;

use found::Found;
use subject::Subject;

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Codes that are switched off everywhere.
    pub disabled: BTreeSet<String>,
}

/// All findings about a loaded configuration that are not switched off, in order of file, place and code.
///
/// A configuration that is not valid is looked at as far as it could be loaded. Lines that several jobs share, through `extends`
/// or `!reference`, are told of once.
pub fn findings(loaded: &Loaded, settings: &Settings) -> Vec<Diagnostic> {
    let subject = Subject::new(loaded);
    let mut found = Found::default();
    for rule in RULES {
        if !settings.disabled.contains(rule.code) {
            (rule.check)(&subject, &mut found);
        }
    }
    let switches = Switches::new(&loaded.sources, settings);
    let mut all = found.into_diagnostics();
    all.retain(|finding| !switches.silences(&loaded.sources, finding));
    all.sort_by_key(|finding| (finding.primary(), finding.code));
    all
}

/// The codes in comments of all files that no rule has, as findings; the check of rule L100.
pub(crate) fn unknown_codes(sources: &SourceMap, found: &mut Found) {
    for finding in switches::unknown_codes(sources) {
        found.add(finding);
    }
}
