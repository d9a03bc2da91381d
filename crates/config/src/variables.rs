//! References to variables in texts of includes and inputs (reference `config.md` §4.2, `compose.md` §9.3).

use tidegate_expr::{
    NestedOptions, RefOptions, Resolver, Variables, expand_blank, expand_existing, references,
};

/// The text with every reference replaced; names nobody knows become nothing.
pub(crate) fn expanded(text: &str, variables: &Variables) -> String {
    expand_blank(text, variables, RefOptions::ALL).into_string()
}

/// The text with references to known variables replaced, others left as written.
pub(crate) fn expanded_where_known(text: &str, variables: &Variables) -> String {
    expand_existing(text, variables, RefOptions::ALL).into_string()
}

/// The same with the references inside those values replaced as well.
pub(crate) fn expanded_deeply_where_known(text: &str, variables: &Variables) -> String {
    let values = Resolver::new(variables, NestedOptions::FOR_DECISIONS);
    expand_existing(text, &values, RefOptions::ALL).into_string()
}

/// The names a text refers to.
pub(crate) fn referenced(text: &str) -> impl Iterator<Item = &str> {
    references(text).map(|reference| reference.name)
}

/// Characters that GitLab's mark for a masked value stands for; longer values get an `x` for each further one.
const MARK_LENGTH: usize = 8;

/// The text with the values of masked variables hidden, as GitLab hides them in messages.
pub(crate) fn masked(text: &str, variables: &Variables) -> String {
    let mut result = text.to_owned();
    for variable in variables.iter().filter(|variable| variable.masked) {
        if let Some(value) = variable.value.as_deref().filter(|value| !value.is_empty()) {
            let further = value.chars().count().saturating_sub(MARK_LENGTH);
            result = result.replace(value, &format!("[MASKED]{}", "x".repeat(further)));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use tidegate_expr::{Variable, VariableSource};

    use super::*;

    fn known() -> Variables {
        let mut masked = Variable::new("M", "test_value", VariableSource::SettingProject);
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
    fn masked_values_are_hidden() {
        assert_eq!(
            masked("test_value/jobs.txt", &known()),
            "[MASKED]xx/jobs.txt"
        );
    }
}
