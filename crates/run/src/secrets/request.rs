//! What `secrets` and `id_tokens` say, brought to one form (reference `config.md` §9.18, §9.20).

use serde_json::Value;
use tidegate_pipeline::Build;

use super::Unprovided;

/// The engine that Vault's short form means where it names none.
const DEFAULT_ENGINE: &str = "kv-v2";

/// One secret or token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request {
    /// The variable it becomes.
    pub(super) variable: String,
    /// `vault`, …; empty for an ID token.
    pub(super) provider: String,
    /// Which secret, unexpanded; the audiences of an ID token.
    pub(super) address: String,
    /// The job sees a path to a file with the value.
    pub(super) file: bool,
    /// `token`, unexpanded.
    pub(super) token: Option<String>,
}

impl Request {
    pub(super) fn is_token(&self) -> bool {
        self.provider.is_empty()
    }

    pub(super) fn keyword(&self) -> &'static str {
        if self.is_token() {
            "id_tokens"
        } else {
            "secrets"
        }
    }

    /// The most exact key of the settings.
    pub(super) fn key(&self, address: &str) -> String {
        if self.is_token() {
            self.variable.clone()
        } else {
            format!("{}:{address}", self.provider)
        }
    }

    pub(super) fn unprovided(&self) -> Unprovided {
        Unprovided {
            keyword: self.keyword(),
            key: self.key(&self.address),
            variable: self.variable.clone(),
        }
    }
}

/// Everything a job asks for, ID tokens first.
pub(super) fn requests(build: &Build) -> Vec<Request> {
    let keyword = |name: &str| {
        let written = build.further.iter().find(|(key, _)| **key == *name);
        let parsed = written.and_then(|(_, json)| serde_json::from_str(json).ok());
        match parsed {
            Some(Value::Object(map)) => map,
            _ => serde_json::Map::new(),
        }
    };
    let tokens = keyword("id_tokens")
        .into_iter()
        .map(|(variable, written)| Request {
            variable,
            provider: String::new(),
            address: audiences(&written["aud"]),
            file: false,
            token: None,
        });
    let secrets = keyword("secrets").into_iter();
    let secrets = secrets.filter_map(|(variable, written)| secret(variable, &written));
    tokens.chain(secrets).collect()
}

fn audiences(written: &Value) -> String {
    match written {
        Value::Array(list) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            texts.join(",")
        }
        one => one.as_str().unwrap_or_default().to_owned(),
    }
}

fn secret(variable: String, written: &Value) -> Option<Request> {
    let map = written.as_object()?;
    let (provider, of_provider) = map
        .iter()
        .find(|(key, _)| !["file", "token"].contains(&key.as_str()))?;
    let token = map.get("token").and_then(Value::as_str);
    Some(Request {
        variable,
        address: address(provider, of_provider),
        provider: provider.clone(),
        file: map.get("file").and_then(Value::as_bool).unwrap_or(true),
        token: token.map(str::to_owned),
    })
}

fn address(provider: &str, written: &Value) -> String {
    let text = |key: &str| match &written[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    if let Value::String(short) = written {
        let default = format!("@{DEFAULT_ENGINE}");
        let bare = short.strip_suffix(&default).filter(|_| provider == "vault");
        return bare.unwrap_or(short).to_owned();
    }
    let joined = |name: String, separator: char, more: String| match more.is_empty() {
        true => name,
        false => format!("{name}{separator}{more}"),
    };
    match provider {
        "vault" => {
            let engine = written["engine"]["path"].as_str().unwrap_or_default();
            let engine = if engine == DEFAULT_ENGINE { "" } else { engine };
            let place = format!("{}/{}", text("path"), text("field"));
            joined(place, '@', engine.to_owned())
        }
        "aws_secrets_manager" => joined(text("secret_id"), '#', text("field")),
        "gcp_secret_manager" | "azure_key_vault" => joined(text("name"), '@', text("version")),
        _ => text("name"),
    }
}
