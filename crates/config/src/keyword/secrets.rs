//! `secrets`, `identity` and `dast_configuration` of GitLab's paid editions (reference `config.md` §9.20–9.22).

use tidegate_yaml::{Map, Node, Value};

use super::schema::Schema;
use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Faults, Place, raw_fault, specified};

const PROVIDERS: [&str; 5] = [
    "vault",
    "azure_key_vault",
    "gcp_secret_manager",
    "akeyless",
    "gitlab_secrets_manager",
];

/// Checks the secrets of a job.
pub(crate) fn secrets(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let Some(map) = Check::new(place, node, faults).map(node) else {
        return;
    };
    for (key, node) in map {
        let name = to_s(&key.value, Keys::Symbols);
        secret(&place.child(&name), node, faults);
    }
}

fn secret(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    let Some(map) = check.map(node) else { return };
    let mut known = PROVIDERS.to_vec();
    known.extend(["aws_secrets_manager", "file", "token"]);
    check.known_keys(node, &known);
    if !map.contains("aws_secrets_manager") {
        check.exactly_one_key(map, &PROVIDERS);
    }
    check.boolean("file", specified(map, "file"));
    let token = check.string("token", specified(map, "token"));
    if map.contains("gcp_secret_manager") && token.is_none() {
        check.fault("token is required with gcp secrets manager");
    }
    if !check.passed() {
        return;
    }
    for (key, provider) in map {
        let name = key.as_str().unwrap_or_default();
        let place = place.child(name);
        match name {
            "vault" => vault(&place, provider, faults),
            "azure_key_vault" => named(&place, provider, &["name", "version"], faults),
            "gcp_secret_manager" => named(&place, provider, &["name", "version"], faults),
            "gitlab_secrets_manager" => gitlab(&place, provider, faults),
            "aws_secrets_manager" => aws(&place, provider, faults),
            "akeyless" => {
                Check::new(&place, provider, faults).map(provider);
            }
            _ => {}
        }
    }
}

fn vault(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    if matches!(node.value, Value::Str(_)) {
        Check::new(place, node, faults).present("config", Some(node));
        return;
    }
    let Some(map) = node.as_map() else {
        faults.push(raw_fault(place, node.span, "should be a hash or a string"));
        return;
    };
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &["engine", "path", "field"]);
    check.required_string("path", specified(map, "path"));
    check.required_string("field", specified(map, "field"));
    check.present("engine", specified(map, "engine"));
    if !check.passed() {
        return;
    }
    if let Some(node) = specified(map, "engine") {
        let place = place.child("engine");
        let mut check = Check::new(&place, node, faults);
        if let Some(map) = check.map(node) {
            check.known_keys(node, &["name", "path"]);
            check.required_string("name", specified(map, "name"));
            check.required_string("path", specified(map, "path"));
        }
    }
}

fn named(place: &Place<'_>, node: &Node, keys: &[&str], faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    let Some(map) = check.map(node) else { return };
    check.known_keys(node, keys);
    check.required_string("name", specified(map, "name"));
}

fn gitlab(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    named(place, node, &["name", "source"], faults);
    let source = node.as_map().and_then(|map| specified(map, "source"));
    let Some(node) = source else { return };
    let fits = node
        .as_str()
        .is_some_and(|text| text == "project" || text.len() > 6 && text.starts_with("group/"));
    let text = "source must follow the format group/group_full_path or 'project'";
    Check::new(place, node, faults).ensure(fits, node.span, text);
}

static AWS: Schema = Schema {
    required: &["secret_id"],
    ..Schema::object(&[
        ("secret_id", Schema::STRING),
        ("version_id", Schema::STRING),
        ("version_stage", Schema::STRING),
        ("region", Schema::STRING),
        ("role_arn", Schema::STRING),
        ("role_session_name", Schema::STRING),
        ("field", Schema::STRING),
    ])
};

fn aws(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    if matches!(node.value, Value::Str(_)) {
        return;
    }
    let mut check = Check::new(place, node, faults);
    for error in AWS.errors(node) {
        check.fault_at(node.span, format_args!("config {error}"));
    }
}

/// Checks `identity`.
pub(crate) fn identity(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let fits = matches!(&node.value, Value::Str(text) if &**text == "google_cloud");
    let text = "config should be one of: google_cloud";
    Check::new(place, node, faults).ensure(fits, node.span, text);
}

/// Checks `dast_configuration`.
pub(crate) fn dast_configuration(place: &Place<'_>, node: &Node, faults: &mut Faults) {
    let mut check = Check::new(place, node, faults);
    let Some(map) = check.map(node) else { return };
    check.known_keys(node, &["site_profile", "scanner_profile"]);
    let field = |map: &Map, key: &str| specified(map, key).cloned();
    check.string("site profile", field(map, "site_profile").as_ref());
    check.string("scanner profile", field(map, "scanner_profile").as_ref());
}

#[cfg(test)]
mod tests {
    use crate::settings::{Edition, Settings};
    use crate::typed::testing::{check, check_with, gitlab};

    #[test]
    fn paid_keywords_are_unknown_in_the_free_edition_and_checked_in_the_other() {
        let paid = Settings {
            edition: Edition::Enterprise,
            ..gitlab()
        };
        let yaml = "j: {script: x, identity: aws}";
        check(yaml, &["jobs:j config contains unknown keys: identity"]);
        let expected = ["jobs:j:identity config should be one of: google_cloud"];
        check_with(&paid, yaml, &expected);
        check_with(
            &paid,
            "j: {script: x, secrets: {A: {file: 1}}}",
            &[
                "jobs:j:secrets:a config must use exactly one of these keys: vault, \
                 azure_key_vault, gcp_secret_manager, akeyless, gitlab_secrets_manager",
                "jobs:j:secrets:a file should be a boolean value",
            ],
        );
        check_with(
            &paid,
            "j: {script: x, secrets: {A: {vault: 1}, B: {vault: {path: p, field: f}}}}",
            &[
                "jobs:j:secrets:A:vault should be a hash or a string",
                "jobs:j:secrets:b:vault engine can't be blank",
            ],
        );
        check_with(
            &paid,
            "j: {script: x, needs: [{project: g/p, ref: main, job: b}], dast_configuration: {}}",
            &[],
        );
        check_with(
            &paid,
            "j: {script: x, needs: [{pipeline: g/p}]}",
            &["jobs:j:needs config uses invalid types: bridge"],
        );
        check_with(&paid, "j: {needs: [{pipeline: g/p}]}", &[]);
    }
}
