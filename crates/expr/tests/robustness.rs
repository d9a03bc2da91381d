//! Nothing panics or runs on, whatever the text.

use proptest::prelude::*;
use tidegate_expr::{
    Environment, Expression, NestedOptions, NoInputs, Pattern, PatternErrorCode, RefOptions,
    Variable, VariableSource, Variables, circular_reference, evaluate, evaluate_traced,
    expand_as_runner, expand_blank, expand_existing, job_group_name, slug, sort_and_expand,
};

fn expression() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("$A".to_owned()),
        Just("$[[ inputs.x ]]".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        "\"[a/]{0,3}\"",
        "/[a-c.*\\\\/()\\[\\]é]{1,5}/[imsUx]{0,2}",
        "==|!=|=~|!~|&&|\\|\\||!|\\(|\\)",
        "\\PC{1,2}",
    ];
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.join(" "))
}

fn pattern() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        4 => "[a-cé.^$|]",
        2 => "\\\\[dDsSwWbBAzCpPQEnx0-9kh.<]",
        1 => "\\\\[pP]\\{\\^?(Greek|Lu|L|C|Cs|Any)\\}",
        2 => "\\[\\^?[\\]a-c&~\\[-]{0,4}(\\\\[dWn]|\\[:\\^?(alpha|punct|word):\\])?\\]",
        2 => "[*+?]\\??|\\{[0-9]{0,1},?[0-9]?\\}",
        2 => "\\((\\?(i|s-i|mU|:|P<n>|-))?:?",
        2 => Just(")".to_owned()),
        1 => "\\PC",
    ];
    prop::collection::vec(atom, 0..10).prop_map(|atoms| atoms.concat())
}

fn variables() -> impl Strategy<Value = Variables> {
    let variable = ("[A-D]", "[A-D$%{}x]{0,8}")
        .prop_map(|(key, value)| Variable::new(key, value, VariableSource::YamlRoot));
    prop::collection::vec(variable, 0..8).prop_map(|all| all.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_expression_is_parsed_or_refused(text in expression(), variables in variables()) {
        match Expression::parse(&text) {
            Ok(expression) => {
                let environment = Environment { variables: &variables, inputs: &NoInputs };
                let trace = evaluate_traced(&expression, environment);
                let holds = evaluate(&expression, &variables).is_ok_and(|v| v.is_present());
                prop_assert_eq!(trace.holds(), holds);
            }
            Err(error) => {
                prop_assert!(text.get(error.at.clone()).is_some(), "{:?} in {}", error, text);
            }
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,30}") {
        if let Err(error) = Expression::parse(&text) {
            prop_assert!(text.get(error.at).is_some());
        }
        slug(&text);
        job_group_name(&text);
    }

    #[test]
    fn what_the_translation_accepts_the_engine_accepts(source in pattern(), text in "[a-c\\né]{0,5}") {
        match Pattern::compile(&source, "") {
            Ok(pattern) => {
                pattern.is_match(&text);
                pattern.last_match(&text);
            }
            Err(error) => prop_assert_ne!(error.code, PatternErrorCode::TooLarge, "{}", source),
        }
    }

    #[test]
    fn expanders_end(text in "[A-D$%{}x]{0,12}", variables in variables()) {
        expand_blank(&text, &variables, RefOptions::ALL);
        expand_existing(&text, &variables, RefOptions::FOR_RUNNER);
        expand_as_runner(&text, |_| None);
        let sorted = sort_and_expand(&variables, NestedOptions::FOR_RUNNER);
        prop_assert_eq!(sorted.err(), circular_reference(&variables));
    }
}
