//! The default event: a push of the present work tree to the present branch.

use tidegate_scenario::{Commit, Ref, Role, Scenario, User};

use crate::checkout::Checkout;

/// Makes the scenario of a push of the work tree to the branch it stands on.
///
/// *Before* is the upstream of the branch (`base` overrides it); a branch without one is a new branch, as GitLab sees the first
/// push. A detached head is a tag pipeline when a tag points at it. A directory without git is a push to `main`. The ref counts as
/// not protected and the user as a Developer until settings say otherwise (DESIGN, `Scenario::local`).
pub fn local_scenario(checkout: &Checkout, base: Option<&str>) -> Scenario {
    let mut scenario = Scenario::push("main");
    scenario.project.path = project_path(checkout);
    scenario
        .project
        .config_path
        .clone_from(&checkout.config_path);
    if let Some(host) = checkout
        .remote
        .as_deref()
        .and_then(remote_parts)
        .map(|(host, _)| host)
    {
        scenario.server.host = host;
    }
    scenario.user = user(checkout);
    let Some(head) = &checkout.head else {
        scenario.new_branch = true;
        return scenario;
    };
    scenario.git_ref = match (&head.branch, &head.tag) {
        (Some(branch), _) => Ref::Branch(branch.clone()),
        (None, Some(tag)) => Ref::Tag(tag.clone()),
        (None, None) => Ref::Branch("HEAD".to_owned()),
    };
    scenario.project.default_branch = default_branch(checkout);
    let before = base
        .or(head.upstream.as_deref())
        .and_then(|name| checkout.commit_of(name));
    scenario.new_branch = before.is_none();
    scenario.commit = Commit {
        sha: head.sha.clone().unwrap_or_default(),
        before_sha: before.filter(|_| head.tag.is_none()),
        message: head.message.clone(),
        author: head.author.clone(),
        timestamp: head.timestamp.clone(),
        tag_message: None,
    };
    scenario
}

fn default_branch(checkout: &Checkout) -> String {
    if let Some(default) = &checkout.remote_default {
        return default.clone();
    }
    let current = checkout.head.as_ref().and_then(|head| head.branch.clone());
    let usual = ["main", "master"].map(str::to_owned);
    if let Some(current) = current.as_ref().filter(|branch| usual.contains(branch)) {
        return current.clone();
    }
    let exists = |name: &String| checkout.commit_of(&format!("refs/heads/{name}")).is_some();
    usual
        .into_iter()
        .find(exists)
        .or(current)
        .unwrap_or_else(|| "main".to_owned())
}

fn user(checkout: &Checkout) -> User {
    let (name, email) = &checkout.user;
    let email = email.clone().unwrap_or_default();
    let login = email
        .split('@')
        .next()
        .filter(|login| !login.is_empty())
        .unwrap_or("local");
    let login = login.to_owned();
    User {
        id: 1,
        name: name.clone().unwrap_or_else(|| login.clone()),
        login,
        email,
        role: Role::Developer,
    }
}

/// The path the remote names, or `local/<directory>`.
fn project_path(checkout: &Checkout) -> String {
    let named = checkout
        .remote
        .as_deref()
        .and_then(remote_parts)
        .map(|(_, path)| path);
    named.unwrap_or_else(|| {
        let directory = checkout
            .root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        format!(
            "local/{}",
            directory.unwrap_or_else(|| "project".to_owned())
        )
    })
}

/// Host and project path of a remote URL; `None` for paths of the local machine.
fn remote_parts(url: &str) -> Option<(String, String)> {
    let (host, path) = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?,
        // `user@host:path`; a path of the local machine has no such colon.
        None => url
            .split_once(':')
            .filter(|(host, _)| !host.contains('/'))?,
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = host.split(':').next().unwrap_or(host);
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!host.is_empty() && !path.is_empty()).then(|| (host.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_name_host_and_project() {
        let parts = |url| remote_parts(url).map(|(host, path)| format!("{host} {path}"));
        assert_eq!(
            parts("https://gitlab.com/a/b.git").as_deref(),
            Some("gitlab.com a/b")
        );
        assert_eq!(
            parts("ssh://git@h.org:22/a/b/c").as_deref(),
            Some("h.org a/b/c")
        );
        assert_eq!(parts("git@h.org:a/b.git").as_deref(), Some("h.org a/b"));
        assert_eq!(
            parts("https://u:p@h.org:8443/a/b/").as_deref(),
            Some("h.org a/b")
        );
        assert_eq!(parts("/srv/git/a.git"), None);
        assert_eq!(parts("file:///srv/a.git"), None);
        assert_eq!(parts("../a"), None);
    }
}
