//! URLs as people write them: what of them may be shown, what names the same thing, which host they lead to.

/// The URL without user and password, which nobody else may see.
pub(crate) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

/// The URL as it may be written down and shown: without user and password, and with the values of query parameters that look
/// like secrets replaced.
pub(crate) fn redacted(url: &str) -> String {
    let url = without_credentials(url);
    let Some((address, query)) = url.split_once('?') else {
        return url;
    };
    let masked: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}=[MASKED]"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{address}?{}", masked.join("&"))
}

/// Names of parameters that carry secrets: `private_token`, `job_token`, `X-Amz-Signature`, `sig`, `api_key`.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "signature", "key", "auth"]
        .iter()
        .any(|word| name.contains(word))
        || name == "sig"
}

/// Whether a password stands in the URL.
pub(crate) fn has_password(url: &str) -> bool {
    authority(url)
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'))
}

/// What is the same for all ways to reach one repository: `host/path` for `https://`, `ssh://` and `user@host:path`, so that a
/// lock file does not change with the protocol its reader prefers.
pub(crate) fn identity(url: &str) -> String {
    let shown = redacted(url);
    let named = match shown.split_once("://") {
        Some(("file", _)) => return shown,
        Some((_, rest)) => rest.to_owned(),
        None => match scp(&shown) {
            Some((host, path)) => format!("{host}/{path}"),
            None => return shown,
        },
    };
    let named = named.trim_end_matches('/');
    named.strip_suffix(".git").unwrap_or(named).to_owned()
}

/// Scheme and host, the latter with its port, of a URL of a network protocol.
pub(crate) fn scheme_and_host(url: &str) -> Option<(&str, &str)> {
    let (scheme, _) = url.split_once("://")?;
    let authority = authority(url)?;
    let host = authority.rsplit('@').next().unwrap_or(authority);
    (!host.is_empty()).then_some((scheme, host))
}

/// A pattern for the repositories beside `origin`, the remote of the project `path`: `git@h:a/b.git` gives `git@h:*.git`.
///
/// Where the URL does not end in the project's path, all of it behind the host is taken for one. `None` where the remote is not on
/// a server.
pub fn origin_pattern(origin: &str, path: &str) -> Option<String> {
    // A user name belongs to ssh; over HTTP it may be a token's.
    let origin = match origin.starts_with("http") {
        true => without_credentials(origin),
        false if has_password(origin) => return None,
        false => origin.to_owned(),
    };
    let root = match origin.split_once("://") {
        Some((scheme, rest)) if ["https", "http", "ssh", "git"].contains(&scheme) => {
            scheme.len() + 3 + rest.find('/')? + 1
        }
        Some(_) => return None,
        None => {
            scp(&origin)?;
            origin.find(':')? + 1
        }
    };
    let trimmed = origin.trim_end_matches('/');
    let bare = trimmed.strip_suffix(".git").unwrap_or(trimmed);
    let beside = || {
        let at = bare
            .len()
            .checked_sub(path.len())
            .filter(|at| *at >= root)?;
        let (base, tail) = (bare.get(..at)?, bare.get(at..)?);
        let ends_there = tail.eq_ignore_ascii_case(path) && base.ends_with(['/', ':']);
        ends_there.then_some(base)
    };
    let base = beside().or_else(|| bare.get(..root))?;
    Some(format!("{base}*.git"))
}

fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.get(..end)
}

/// Host and path of `user@host:path`; a path of the local machine has no colon before its first slash.
fn scp(url: &str) -> Option<(&str, &str)> {
    let (host, path) = url.split_once(':')?;
    if host.contains('/') || host.is_empty() {
        return None;
    }
    let host = host.rsplit('@').next().unwrap_or(host);
    Some((host, path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let shown = |url| redacted(url);
        assert_eq!(
            shown("https://me:pw@h.org/a.yml?private_token=x&ref=main"),
            "https://h.org/a.yml?private_token=[MASKED]&ref=main"
        );
        assert_eq!(shown("https://t@h.org?sig=1"), "https://h.org?sig=[MASKED]");
        assert_eq!(shown("https://h.org/a@b.yml"), "https://h.org/a@b.yml");
    }

    #[test]
    fn a_repository_is_the_same_over_all_protocols() {
        for url in [
            "https://h.org/a/b.git",
            "https://me:pw@h.org/a/b/",
            "ssh://git@h.org/a/b.git",
            "git@h.org:a/b.git",
        ] {
            assert_eq!(identity(url), "h.org/a/b", "{url}");
        }
        assert_eq!(identity("file:///srv/a.git"), "file:///srv/a.git");
        assert_eq!(identity("/srv/a.git"), "/srv/a.git");
    }

    #[test]
    fn projects_beside_the_origin_are_found() {
        let pattern = |origin| origin_pattern(origin, "a/b");
        assert_eq!(
            pattern("git@h.org:a/b.git").as_deref(),
            Some("git@h.org:*.git")
        );
        assert_eq!(
            pattern("https://me:pw@h.org/A/b").as_deref(),
            Some("https://h.org/*.git")
        );
        assert_eq!(
            pattern("ssh://git@h.org:22/a/b.git/").as_deref(),
            Some("ssh://git@h.org:22/*.git")
        );
        let rooted = pattern("https://h.org/gitlab/a/b.git");
        assert_eq!(rooted.as_deref(), Some("https://h.org/gitlab/*.git"));
        for other in ["https://h.org/other.git", "https://h.org/xa/b.git"] {
            assert_eq!(pattern(other).as_deref(), Some("https://h.org/*.git"));
        }
        assert_eq!(pattern("file:///srv/a/b.git"), None);
        assert_eq!(pattern("/srv/a/b.git"), None);
    }

    #[test]
    fn a_password_is_seen() {
        assert!(has_password("https://me:pw@h.org/a"));
        assert!(!has_password("ssh://git@h.org:22/a"));
        assert!(!has_password("https://h.org/a:b@c"));
    }
}
