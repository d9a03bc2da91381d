//! The names of objects.

use std::path::{Component, Path};

use sha2::{Digest, Sha256};

use crate::error::{RemoteError, Result};

/// What goes into the names of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The runner's `Path`, often empty.
    pub prefix: String,
    /// Short token of the runner the caches belong to; `None` where runners share them (`Shared = true`).
    pub runner: Option<String>,
    /// Whose caches they are.
    pub project: ProjectName,
    /// Keys are hashed, as runners with `FF_HASH_CACHE_KEYS` do.
    pub hashed_keys: bool,
}

/// What a project is called in names of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectName {
    /// Its `CI_PROJECT_ID`, as GitLab's runner names it.
    Number(u64),
    /// Where nobody says its number: its host and path.
    Path(String),
}

/// The end of keys of caches that only protected refs may use (reference `compose.md` §10.3).
const PROTECTED: &str = "-protected";
/// A name longer than this is hashed: file systems end at 255 bytes.
const LONGEST: usize = 200;

/// Whether a final key belongs to protected refs.
pub fn is_protected(key: &str) -> bool {
    key.ends_with(PROTECTED)
}

impl Naming {
    /// Where the runner puts what belongs to the project: `[<prefix>/][runner/<token>/]project/<id>` (reference `runner.md` §4.1,
    /// point 5).
    pub(crate) fn runner_directory(&self) -> Result<String> {
        let mut name = self.prefix()?;
        if let Some(token) = &self.runner {
            name.push_str(&format!("runner/{}/", inner(token)?));
        }
        let ProjectName::Number(number) = &self.project else {
            return Err(RemoteError::Setup(
                "GitLab's runner names caches by the number of the project: set `project` of `[cache.remote]`, or `id` of `[project]`"
                    .to_owned(),
            ));
        };
        name.push_str(&format!("project/{number}"));
        Ok(name)
    }

    /// The runner's name of a cache: the key itself, a zip under exactly that name.
    pub(crate) fn runner_object(&self, key: &str) -> Result<String> {
        let directory = self.runner_directory()?;
        if self.hashed_keys {
            let hash = hex(&Sha256::digest(key.as_bytes()));
            let shard = hash.get(..2).unwrap_or_default();
            return Ok(format!("{directory}/{shard}/{hash}"));
        }
        Ok(format!("{directory}/{}", inner(key)?))
    }

    /// Where our own format keeps what protected refs use, or the others: apart, so that a bucket's rules can keep them apart.
    pub(crate) fn own_directory(&self, protected: bool) -> Result<String> {
        let side = if protected { "protected" } else { "shared" };
        Ok(format!("{}/{side}", self.own_project()?))
    }

    /// Where our own format keeps what belongs to the project.
    pub(crate) fn own_project(&self) -> Result<String> {
        Ok(format!(
            "{}tidegate-1/project/{}",
            self.prefix()?,
            match &self.project {
                ProjectName::Number(number) => number.to_string(),
                ProjectName::Path(path) => one_part(path),
            }
        ))
    }

    /// Our own name of the index of a cache.
    pub(crate) fn own_index(&self, key: &str) -> Result<String> {
        let directory = self.own_directory(is_protected(key))?;
        Ok(format!("{directory}/keys/{}", one_part(key)))
    }

    fn prefix(&self) -> Result<String> {
        match self.prefix.trim_matches('/') {
            "" => Ok(String::new()),
            prefix => Ok(format!("{}/", inner(prefix)?)),
        }
    }
}

/// A key as one part of a name: nothing in it separates or climbs.
fn one_part(key: &str) -> String {
    let mut name = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                name.push(char::from(byte));
            }
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    // No key comes out as `.`, `..` or a name that is being written: those begin with a dot.
    if name.starts_with('.') {
        name.replace_range(..1, "%2E");
    }
    match name.len() {
        1..=LONGEST => name,
        _ => format!("%long-{}", blake3::hash(key.as_bytes()).to_hex()),
    }
}

/// The key that [`one_part`] made a name of; `None` where it was hashed.
pub(crate) fn key_of_part(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).ok()
}

/// A name that stays below where it is put, written in the only way it can be.
fn inner(name: &str) -> Result<&str> {
    let only_normal = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let canonical = name.split('/').all(|part| !part.is_empty() && part != ".");
    if !only_normal || !canonical || name.chars().any(|c| c.is_ascii_control()) {
        return Err(RemoteError::Name(name.escape_debug().to_string()));
    }
    Ok(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(runner: Option<&str>) -> Naming {
        Naming {
            prefix: "/team/caches/".to_owned(),
            runner: runner.map(str::to_owned),
            project: ProjectName::Number(7),
            hashed_keys: false,
        }
    }

    #[test]
    fn objects_have_the_names_a_runner_gives_them() {
        let name = |runner, key| naming(runner).runner_object(key).unwrap();
        assert_eq!(
            name(None, "k-non_protected"),
            "team/caches/project/7/k-non_protected"
        );
        assert_eq!(
            name(Some("abc"), "a/b-protected"),
            "team/caches/runner/abc/project/7/a/b-protected"
        );
        let hashed = Naming {
            prefix: String::new(),
            hashed_keys: true,
            ..naming(None)
        };
        // `printf k | sha256sum`
        assert_eq!(
            hashed.runner_object("k").unwrap(),
            "project/7/82/8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a"
        );
    }

    #[test]
    fn names_that_climb_are_refused() {
        for key in [
            "../8/k",
            "a/../../x",
            "/etc/passwd",
            "",
            ".",
            "a//b",
            "a\nb",
        ] {
            let named = naming(None).runner_object(key);
            assert!(matches!(named, Err(RemoteError::Name(_))), "{key:?}");
        }
        let climbing = Naming {
            prefix: "..".to_owned(),
            ..naming(None)
        };
        assert!(climbing.runner_object("k").is_err());
        assert!(climbing.own_index("k").is_err());
        assert!(naming(Some("../x")).runner_object("k").is_err());
    }

    #[test]
    fn our_own_names_are_one_part_and_keep_protected_apart() {
        let name = |key: &str| naming(None).own_index(key).unwrap();
        let shared = "team/caches/tidegate-1/project/7/shared/keys/";
        assert_eq!(
            name("a/b-non_protected"),
            format!("{shared}a%2Fb-non_protected")
        );
        assert_eq!(name("../x"), format!("{shared}%2E.%2Fx"));
        assert_eq!(
            name("k-protected"),
            "team/caches/tidegate-1/project/7/protected/keys/k-protected"
        );
        assert_eq!(key_of_part("a%2Fb-%C3%BC.%2E"), Some("a/b-ü..".to_owned()));
        assert_eq!(key_of_part("%long-12"), None);
        let long = name(&"ü".repeat(100));
        let by_path = Naming {
            project: ProjectName::Path("h.org/a/b".to_owned()),
            ..naming(None)
        };
        assert_eq!(
            by_path.own_index("k").unwrap(),
            "team/caches/tidegate-1/project/h.org%2Fa%2Fb/shared/keys/k"
        );
        // A runner would not find it.
        assert!(by_path.runner_object("k").is_err());
        assert!(long.starts_with(&format!("{shared}%long-")), "{long}");
        assert_ne!(long, name(&"ü".repeat(101)));
    }
}
