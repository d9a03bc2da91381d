//! Tokens for fetching, and the only hosts each may be sent to.
//!
//! A token reaches git through its environment, never through arguments or files, and only for `https` URLs of hosts the user
//! named: a repository that is only being looked at must not be able to send it elsewhere by mapping a project to its own server.

use std::collections::BTreeSet;
use std::fmt;

use crate::address::scheme_and_host;

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[MASKED]")
    }
}

/// What can be said to a server that asks who is there; git's credential helpers answer for everything else.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Credentials {
    token: Option<Token>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Token {
    user: &'static str,
    secret: Secret,
    hosts: BTreeSet<String>,
}

impl Credentials {
    /// Takes `GITLAB_TOKEN`, else `CI_JOB_TOKEN`, from an environment.
    ///
    /// `GITLAB_TOKEN` is for `GITLAB_HOST` (without it, `CI_SERVER_FQDN`, else gitlab.com) and the hosts in `more`;
    /// `CI_JOB_TOKEN` only for `CI_SERVER_FQDN` and `CI_SERVER_HOST`. `more` must come from the user, never from a repository.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
        more: &[String],
    ) -> Credentials {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let server = || variable("CI_SERVER_FQDN").or_else(|| variable("CI_SERVER_HOST"));
        if let Some(secret) = variable("GITLAB_TOKEN") {
            let named = variable("GITLAB_HOST").or_else(server);
            let mut hosts = BTreeSet::from([named.unwrap_or_else(|| "gitlab.com".to_owned())]);
            hosts.extend(more.iter().cloned());
            return Credentials::new("oauth2", secret, hosts);
        }
        match (variable("CI_JOB_TOKEN"), server()) {
            (Some(secret), Some(server)) => {
                let mut hosts = BTreeSet::from([server]);
                hosts.extend(variable("CI_SERVER_HOST"));
                Credentials::new("gitlab-ci-token", secret, hosts)
            }
            _ => Credentials::default(),
        }
    }

    fn new(user: &'static str, secret: String, hosts: BTreeSet<String>) -> Credentials {
        let bare = |host: &String| match host.split_once("://") {
            Some((_, rest)) => rest.trim_end_matches('/').to_lowercase(),
            None => host.to_lowercase(),
        };
        Credentials {
            token: Some(Token {
                user,
                secret: Secret(secret.trim().to_owned()),
                hosts: hosts.iter().map(bare).collect(),
            }),
        }
    }

    /// The configuration key and value that make git send the token with requests to the host of `url`.
    pub(crate) fn header_for(&self, url: &str) -> Option<(String, String)> {
        let token = self.token.as_ref()?;
        let (scheme, host) = scheme_and_host(url)?;
        if scheme != "https" || !token.hosts.contains(&host.to_lowercase()) {
            return None;
        }
        let pair = format!("{}:{}", token.user, token.secret.0);
        let header = format!("Authorization: Basic {}", base64(pair.as_bytes()));
        Some((format!("http.https://{host}/.extraHeader"), header))
    }

    /// The text with the token replaced, wherever a program may have repeated it.
    pub(crate) fn masked(&self, text: &str) -> String {
        let Some(token) = &self.token else {
            return text.to_owned();
        };
        let pair = format!("{}:{}", token.user, token.secret.0);
        text.replace(&base64(pair.as_bytes()), "[MASKED]")
            .replace(&token.secret.0, "[MASKED]")
    }
}

/// RFC 4648 §4, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut word = [0; 3];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() {
                letter as char
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Credentials {
        let find = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Credentials::from_environment(find, &[])
    }

    #[test]
    fn a_token_is_only_for_its_host() {
        let credentials = from(&[
            ("GITLAB_TOKEN", "glpat-1"),
            ("GITLAB_HOST", "https://h.org"),
        ]);
        let header = credentials.header_for("https://h.org/a/b.git");
        let expected = (
            "http.https://h.org/.extraHeader".to_owned(),
            "Authorization: Basic b2F1dGgyOmdscGF0LTE=".to_owned(),
        );
        assert_eq!(header, Some(expected));
        for url in [
            "http://h.org/a/b.git",
            "https://evil.org/a/b.git",
            "https://h.org.evil.org/a.git",
            "https://h.org@evil.org/a.git",
            "https://h.org:8443/a.git",
            "ssh://git@h.org/a/b.git",
            "git@h.org:a/b.git",
        ] {
            assert_eq!(credentials.header_for(url), None, "{url}");
        }
    }

    #[test]
    fn a_job_token_is_for_the_server_of_the_job() {
        let credentials = from(&[("CI_JOB_TOKEN", "t"), ("CI_SERVER_FQDN", "h.org:8443")]);
        assert!(credentials.header_for("https://h.org:8443/a.git").is_some());
        assert_eq!(credentials.header_for("https://gitlab.com/a.git"), None);
        assert_eq!(from(&[("CI_JOB_TOKEN", "t")]), Credentials::default());
    }

    #[test]
    fn tokens_are_not_shown() {
        let credentials = from(&[("GITLAB_TOKEN", "glpat-1")]);
        assert!(!format!("{credentials:?}").contains("glpat"));
        assert_eq!(
            credentials.masked("glpat-1 and b2F1dGgyOmdscGF0LTE="),
            "[MASKED] and [MASKED]"
        );
    }

    #[test]
    fn base64_pads() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
