//! Rules of the repository that a machine can check.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The crates from the ground up; each may use only those before it (ARCHITECTURE.md, "The map").
const LAYERS: [&str; 19] = [
    "source",
    "yaml",
    "glob",
    "expr",
    "scenario",
    "pipeline",
    "config",
    "lint",
    "plan",
    "schedule",
    "store",
    "world",
    "settings",
    "workspace",
    "remote",
    "exec",
    "run",
    "report",
    "tidegate",
];

/// Edges the order alone would allow, but that must not be: what each crate knows nothing of.
const FORBIDDEN: [(&str, &[&str]); 8] = [
    ("glob", &["source", "yaml"]),
    ("expr", &["yaml", "glob"]),
    (
        "schedule",
        &[
            "source", "yaml", "glob", "expr", "scenario", "config", "plan",
        ],
    ),
    (
        "store",
        &[
            "source", "yaml", "glob", "expr", "scenario", "config", "plan", "pipeline",
        ],
    ),
    (
        "workspace",
        &[
            "source", "yaml", "expr", "scenario", "config", "plan", "pipeline", "store",
        ],
    ),
    (
        "exec",
        &[
            "source", "yaml", "scenario", "config", "plan", "schedule", "store", "world",
        ],
    ),
    (
        "remote",
        &[
            "source", "yaml", "glob", "expr", "config", "plan", "pipeline", "schedule", "settings",
        ],
    ),
    ("run", &["yaml", "config", "plan", "world", "remote"]),
];

/// Crates that stand beside the layers; they may use everything.
const BESIDE: [&str; 4] = ["testkit", "conformance", "bench", "xtask"];

/// Checks everything and names what is wrong, one line each.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let problems = layering(&edges(root)?);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

/// Normal dependencies between the workspace's own crates, by short name.
fn edges(root: &Path) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root);
    let output = cargo
        .output()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("failed to read cargo's metadata: {error}"))?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo's metadata has no packages")?;
    Ok(packages
        .iter()
        .map(|package| (short(&package["name"]), dependencies(package)))
        .collect())
}

fn dependencies(package: &serde_json::Value) -> Vec<String> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    let normal = all.filter(|dependency| dependency["kind"].is_null());
    let ours = normal.filter(|dependency| !dependency["path"].is_null());
    ours.map(|dependency| short(&dependency["name"])).collect()
}

fn short(name: &serde_json::Value) -> String {
    let name = name.as_str().unwrap_or_default();
    name.strip_prefix("tidegate-").unwrap_or(name).to_owned()
}

fn layering(edges: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut problems = Vec::new();
    for (user, used) in edges {
        if BESIDE.contains(&&**user) {
            continue;
        }
        let Some(height) = LAYERS.iter().position(|layer| layer == user) else {
            problems.push(format!(
                "crate `{user}` has no layer; name it in xtask/src/tidy.rs"
            ));
            continue;
        };
        let forbidden = FORBIDDEN
            .iter()
            .find(|(name, _)| name == user)
            .map_or(&[][..], |f| f.1);
        for below in used {
            if !LAYERS[..height].contains(&&**below) {
                problems.push(format!(
                    "crate `{user}` uses `{below}`, which is not below it"
                ));
            } else if forbidden.contains(&&**below) {
                problems.push(format!("crate `{user}` must know nothing of `{below}`"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_its_layers() {
        assert_eq!(check(&crate::root()), Ok(()));
    }

    #[test]
    fn an_edge_upwards_and_a_forbidden_edge_are_found() {
        let edge = |user: &str, used: &str| (user.to_owned(), vec![used.to_owned()]);
        let found = layering(&BTreeMap::from([
            edge("yaml", "config"),
            edge("run", "plan"),
        ]));
        assert_eq!(
            found,
            [
                "crate `run` must know nothing of `plan`",
                "crate `yaml` uses `config`, which is not below it",
            ]
        );
    }
}
