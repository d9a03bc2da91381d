//! References to variables in texts of includes and inputs (reference `config.md` §4.2, `compose.md` §9.3).

use std::sync::LazyLock;

use regex::{Captures, Regex};
use tidegate_expr::Lookup;

/// The text with every reference replaced; names nobody knows become nothing.
pub(crate) fn expanded(text: &str, variables: &impl Lookup) -> String {
    replaced(text, |name, _| {
        let variable = variables.lookup(name);
        variable
            .and_then(|variable| variable.value.as_deref())
            .unwrap_or_default()
            .to_owned()
    })
}

/// The text with references to known variables replaced, others left as written.
pub(crate) fn expanded_where_known(text: &str, variables: &impl Lookup) -> String {
    replaced(text, |name, written| match variables.lookup(name) {
        Some(variable) => variable.value.as_deref().unwrap_or_default().to_owned(),
        None => written.to_owned(),
    })
}

/// The names a text refers to.
pub(crate) fn referenced(text: &str) -> impl Iterator<Item = &str> {
    let pattern = REFERENCE.as_ref();
    pattern
        .into_iter()
        .flat_map(|pattern| pattern.captures_iter(text))
        .filter_map(|found| name_of(&found))
}

/// Where masked values stand in a text, `x` for each of their characters, as GitLab does in messages.
pub(crate) fn masked(text: &str, variables: &tidegate_expr::Variables) -> String {
    let mut result = text.to_owned();
    for variable in variables.iter().filter(|variable| variable.masked) {
        if let Some(value) = variable.value.as_deref().filter(|value| !value.is_empty()) {
            result = result.replace(value, &"x".repeat(value.chars().count()));
        }
    }
    result
}

static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"\$([A-Za-z_][A-Za-z0-9_]*)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|%([A-Za-z_][A-Za-z0-9_]*)%",
    )
    .ok()
});

fn name_of<'t>(found: &Captures<'t>) -> Option<&'t str> {
    (1..=3)
        .find_map(|group| found.get(group))
        .map(|name| name.as_str())
}

fn replaced(text: &str, value: impl Fn(&str, &str) -> String) -> String {
    let Some(pattern) = REFERENCE.as_ref().filter(|_| text.contains(['$', '%'])) else {
        return text.to_owned();
    };
    let replacement = |found: &Captures<'_>| {
        let written = found.get(0).map_or("", |whole| whole.as_str());
        value(name_of(found).unwrap_or_default(), written)
    };
    pattern.replace_all(text, replacement).into_owned()
}

#[cfg(test)]
mod tests {
    use tidegate_expr::{Variable, VariableSource, Variables};

    use super::*;

    fn known() -> Variables {
        let mut masked = Variable::new("M", "secret", VariableSource::SettingProject);
        masked.masked = true;
        [Variable::new("A", "a", VariableSource::Pipeline), masked]
            .into_iter()
            .collect()
    }

    #[test]
    fn unknown_names_vanish_or_stay() {
        assert_eq!(expanded("$A-${A}-%A%-$B-$1", &known()), "a-a-a--$1");
        assert_eq!(
            expanded_where_known("$A $B ${C} $$A", &known()),
            "a $B ${C} $a"
        );
    }

    #[test]
    fn masked_values_become_crosses() {
        assert_eq!(masked("x/secret.yml", &known()), "x/xxxxxx.yml");
    }
}
