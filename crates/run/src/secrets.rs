//! `secrets` and `id_tokens` of jobs: what they ask for, and getting it from where the user's settings say.

mod request;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tidegate_exec::{JobVariables, output_of};
use tidegate_pipeline::{Build, VariableSpec};

use request::{Request, requests};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretSource {
    /// An environment variable of the user.
    Variable(String),
    /// What is in a file.
    File(PathBuf),
    /// What a command prints; a shell reads it.
    Command(String),
}

/// Where the values of secrets and ID tokens come from.
#[derive(Clone, Default)]
pub struct Providers {
    /// Of secrets, by variable, `provider:address`, or a pattern of either.
    pub secrets: Vec<(String, SecretSource)>,
    /// Of ID tokens, by variable or a pattern.
    pub id_tokens: Vec<(String, SecretSource)>,
    /// Where commands run.
    pub directory: PathBuf,
    /// The user's environment, whatever of it jobs see.
    pub environment: Vec<(OsString, OsString)>,
}

/// A secret or token that no source stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unprovided {
    /// `secrets` or `id_tokens`.
    pub keyword: &'static str,
    /// Name of its variable.
    pub variable: String,
    /// What a key of the settings could be.
    pub key: String,
}

/// What a job asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Vec<Request>);

impl Requests {
    pub(crate) fn of(build: &Build) -> Requests {
        Requests(requests(build))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Providers {
    /// What a job asks for and nothing provides, as far as can be told before it runs.
    pub fn unprovided(&self, build: &Build) -> Vec<Unprovided> {
        let requests = requests(build).into_iter();
        let missing = requests.filter(|request| {
            // With variables in it the address is only known when the job starts.
            let open = request.address.contains('$');
            let of_provider = |(key, _): &(String, SecretSource)| {
                open && key.starts_with(&format!("{}:", request.provider))
            };
            self.source(request, &request.address).is_none()
                && !self.secrets.iter().any(of_provider)
        });
        missing.map(|request| request.unprovided()).collect()
    }

    /// The variables a job asks for, ID tokens first, since secrets may be got with them.
    pub(crate) fn provide(
        &self,
        requests: &Requests,
        variables: impl Fn(&[VariableSpec]) -> Result<JobVariables, String>,
    ) -> Result<Vec<VariableSpec>, String> {
        let mut got: Vec<VariableSpec> = Vec::new();
        for request in &requests.0 {
            let known = variables(&got)?;
            let value = self.value(request, &known);
            let value = value.map_err(|why| {
                let (keyword, name) = (request.keyword(), &request.variable);
                format!("get `{name}` of `{keyword}`: {why}")
            })?;
            got.push(VariableSpec {
                key: request.variable.as_str().into(),
                value: value.into(),
                file: request.file,
                masked: true,
                raw: true,
            });
        }
        Ok(got)
    }

    fn value(&self, request: &Request, variables: &JobVariables) -> Result<String, String> {
        let address = variables.expand(&request.address);
        let Some(source) = self.source(request, &address) else {
            let key = request.key(&address);
            return Err(format!("no key of the settings stands for `{key}`"));
        };
        let bytes = match source {
            SecretSource::Variable(name) => {
                let found = self.environment.iter().find(|(key, _)| **key == **name);
                let (_, value) = found.ok_or_else(|| format!("there is no variable `{name}`"))?;
                value.clone().into_encoded_bytes()
            }
            SecretSource::File(path) => {
                std::fs::read(path).map_err(|error| format!("read {}: {error}", path.display()))?
            }
            SecretSource::Command(command) => {
                let environment = self.told(request, &address, variables);
                output_of(command, &self.directory, &environment, LIMIT)
                    .map_err(|error| format!("run `{command}`: {error}"))?
            }
        };
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(text.to_owned())
    }

    /// The environment of a command: the user's, and what is asked for.
    fn told(
        &self,
        request: &Request,
        address: &str,
        variables: &JobVariables,
    ) -> Vec<(OsString, OsString)> {
        let mut all = self.environment.clone();
        let mut tell = |key: &str, value: &str| all.push((key.into(), value.into()));
        if request.is_token() {
            tell("TIDEGATE_ID_TOKEN_NAME", &request.variable);
            tell("TIDEGATE_ID_TOKEN_AUD", address);
            return all;
        }
        tell("TIDEGATE_SECRET_PROVIDER", &request.provider);
        tell("TIDEGATE_SECRET_ADDRESS", address);
        tell("TIDEGATE_SECRET_NAME", &request.variable);
        if let Some(token) = &request.token {
            tell("TIDEGATE_SECRET_TOKEN", &variables.expand(token));
        }
        all
    }

    /// The source of a request: by its address, by its variable, then by the longest pattern.
    fn source(&self, request: &Request, address: &str) -> Option<&SecretSource> {
        let sources = if request.is_token() {
            &self.id_tokens
        } else {
            &self.secrets
        };
        let full = request.key(address);
        let exact = |name: &str| sources.iter().find(|(key, _)| key == name);
        let patterns = sources.iter().filter(|(key, _)| key.contains('*'));
        let matching = patterns.filter(|(key, _)| fits(key, &full) || fits(key, &request.variable));
        exact(&full)
            .or_else(|| exact(&request.variable))
            .or_else(|| matching.max_by_key(|(key, _)| key.len()))
            .map(|(_, source)| source)
    }
}

/// Whether a pattern matches: `*` is any text, everything else stands for itself.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
