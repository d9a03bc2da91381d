use super::*;

fn build(secrets: &str) -> Build {
    Build {
        further: vec![("secrets".into(), secrets.into())],
        ..Build::default()
    }
}

fn addresses(secrets: &str) -> Vec<String> {
    let all = requests(&build(secrets));
    all.iter().map(|it| it.key(&it.address)).collect()
}

#[test]
fn every_form_of_a_secret_has_one_address() {
    assert_eq!(
        addresses(
            r#"{"A": {"vault": "ops/db/password@ops"}, "B": {"vault": "ops/db/password@kv-v2"},
                "C": {"vault": {"engine": {"name": "kv-v2", "path": "ops"}, "path": "ops/db", "field": "password"}},
                "D": {"vault": {"engine": {"name": "kv-v2", "path": "kv-v2"}, "path": "ops/db", "field": "password"}, "file": false},
                "E": {"gcp_secret_manager": {"name": "n", "version": 2}, "token": "$T"},
                "F": {"azure_key_vault": {"name": "n"}},
                "G": {"aws_secrets_manager": "s#f"}, "H": {"aws_secrets_manager": {"secret_id": "s", "field": "f"}},
                "I": {"gitlab_secrets_manager": {"name": "n"}}}"#
        ),
        [
            "vault:ops/db/password@ops",
            "vault:ops/db/password",
            "vault:ops/db/password@ops",
            "vault:ops/db/password",
            "gcp_secret_manager:n@2",
            "azure_key_vault:n",
            "aws_secrets_manager:s#f",
            "aws_secrets_manager:s#f",
            "gitlab_secrets_manager:n",
        ]
    );
}

fn chosen(keys: &[&str]) -> Option<String> {
    let source = |key: &&str| {
        (
            String::from(*key),
            SecretSource::Variable((*key).to_owned()),
        )
    };
    let providers = Providers {
        secrets: keys.iter().map(source).collect(),
        ..Providers::default()
    };
    let all = requests(&build(r#"{"PASSWORD": {"vault": "ops/[db]/password"}}"#));
    match providers.source(&all[0], &all[0].address)? {
        SecretSource::Variable(name) => Some(name.clone()),
        _ => None,
    }
}

#[test]
fn the_most_exact_key_counts() {
    let address = "vault:ops/[db]/password";
    assert_eq!(
        chosen(&["*", "PASSWORD", address]).as_deref(),
        Some(address)
    );
    assert_eq!(
        chosen(&["vault:*", "PASSWORD"]).as_deref(),
        Some("PASSWORD")
    );
    assert_eq!(
        chosen(&["vault:*", "vault:ops/*"]).as_deref(),
        Some("vault:ops/*")
    );
    assert_eq!(chosen(&["va*:*db*word"]).as_deref(), Some("va*:*db*word"));
    assert_eq!(chosen(&["PASS*"]).as_deref(), Some("PASS*"));
    assert_eq!(
        chosen(&["vault:other/*", "OTHER", "vault:ops/d/password"]),
        None
    );
}

#[test]
fn what_nothing_provides_is_known_before_unless_its_address_is_open() {
    let providers = Providers {
        secrets: vec![(
            "vault:a/*".to_owned(),
            SecretSource::Variable("X".to_owned()),
        )],
        ..Providers::default()
    };
    let missing = providers.unprovided(&build(
        r#"{"A": {"vault": "a/x"}, "B": {"vault": "b/x"}, "C": {"vault": "$WHERE/x"}, "D": {"akeyless": {"name": "$N"}}}"#,
    ));
    let keys: Vec<&str> = missing.iter().map(|it| &*it.key).collect();
    assert_eq!(keys, ["vault:b/x", "akeyless:$N"]);
}
