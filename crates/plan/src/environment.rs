//! Environments: what a job says of one, and what GitLab makes of it (reference `compose.md` §8.10).

use std::sync::{Arc, LazyLock};

use regex::Regex;
use tidegate_config::EnvironmentSpec;
use tidegate_expr::{Variable, VariableSource};
use tidegate_pipeline::{Environment, EnvironmentAction};

/// `CI_ENVIRONMENT_*` as they are known when a pipeline is created.
pub(crate) fn facts(written: &EnvironmentSpec, expanded_name: &Arc<str>) -> Vec<Variable> {
    let fact = |key: &str, value: Arc<str>| Variable::new(key, value, VariableSource::Job);
    let tier = match &written.deployment_tier {
        Some(tier) => tier.value.clone(),
        None => tier(expanded_name).into(),
    };
    let action = written.action.unwrap_or_default();
    let mut facts = vec![
        fact("CI_ENVIRONMENT_NAME", expanded_name.clone()),
        fact("CI_ENVIRONMENT_ACTION", action.name().into()),
        fact("CI_ENVIRONMENT_TIER", tier),
    ];
    if let Some(url) = &written.url {
        facts.push(fact("CI_ENVIRONMENT_URL", url.value.clone()));
    }
    facts
}

/// The environment of a planned job.
pub(crate) fn planned(written: &EnvironmentSpec, expanded_name: Arc<str>) -> Environment {
    let text = |text: &Option<tidegate_config::Text>| text.as_ref().map(|t| t.value.clone());
    Environment {
        name: written.name.value.clone(),
        expanded_name,
        url: text(&written.url),
        action: written.action.unwrap_or_default(),
        on_stop: text(&written.on_stop),
        auto_stop_in: text(&written.auto_stop_in),
        deployment_tier: text(&written.deployment_tier),
    }
}

/// Whether a job with this environment starts a deployment.
pub(crate) fn deploys(written: &EnvironmentSpec) -> bool {
    written.action.unwrap_or_default() == EnvironmentAction::Start
}

/// The tier GitLab guesses of an environment's name.
fn tier(name: &str) -> &'static str {
    static TIERS: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        let regex = |text: &str| Regex::new(text).expect("the pattern is fixed");
        [
            (regex("(?i)(dev|review|trunk)"), "development"),
            (
                regex("(?i)(test|tst|int|ac(ce|)pt|qa|qc|control|quality)"),
                "testing",
            ),
            (regex("(?i)(st(a|)g|mod(e|)l|pre|demo|non)"), "staging"),
            (regex("(?i)(pr(o|)d|live)"), "production"),
        ]
    });
    TIERS
        .iter()
        .find(|(pattern, _)| pattern.is_match(name))
        .map_or("other", |(_, tier)| *tier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_guessed_of_the_name() {
        for (name, expected) in [
            ("review/x", "development"),
            ("qa", "testing"),
            ("Staging", "staging"),
            ("preprod", "staging"),
            ("production", "production"),
            ("moon", "other"),
        ] {
            assert_eq!(tier(name), expected, "{name}");
        }
    }
}
