//! What a job sees of its layers.

use std::path::Path;

use tidegate_workspace::{Backend, Kind, Origin};

use crate::stage::{Stage, job, on_each_backend, works};

#[test]
fn upper_layers_cover_lower_ones_and_directories_merge() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer(
            "mkdir src; echo base > src/a; echo base > src/b; echo file > turns; chmod 640 src/b",
        );
        stage.layer("mkdir -p src node_modules; echo cache > src/b; mkdir turns; echo x > turns/x");
        let workspace = stage.workspace("job", backend);
        let seen = job(
            &workspace,
            "cat src/a src/b; ls; ls turns; stat -c %a src/b",
        );
        assert_eq!(
            seen, "base\ncache\nnode_modules\nsrc\nturns\nx\n644\n",
            "{backend}"
        );
    });
}

#[test]
fn a_hundred_layers_with_long_names_mount() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        for n in 0..100 {
            let name = "long, with: separators\\".repeat(8);
            let dir = stage.path().join(&name).join(format!("{n}"));
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("same"), format!("{n}")).unwrap();
            std::fs::write(dir.join(format!("only-{n}")), "").unwrap();
            stage.layers.push(tidegate_workspace::Layer::stored(dir));
        }
        let workspace = stage.workspace("job", backend);
        assert_eq!(
            job(&workspace, "cat same; echo; ls | wc -l"),
            "99\n101\n",
            "{backend}"
        );
        let walk = workspace.union().unwrap().walk(Path::new("")).unwrap();
        assert_eq!(walk.entries.len(), 101);
    });
}

#[test]
fn without_layers_the_tree_is_empty_and_one_layer_given_twice_counts_once() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        let empty = stage.workspace("empty", backend);
        assert_eq!(job(&empty, "ls -A; echo made > new"), "");
        assert_eq!(
            empty.union().unwrap().read(Path::new("new")).unwrap(),
            b"made\n"
        );

        stage.layer("echo one > file");
        stage.layer("echo two > file");
        stage.layers.push(stage.layers[0].clone());
        let twice = stage.workspace("twice", backend);
        assert_eq!(job(&twice, "cat file"), "one\n");
    });
}

#[test]
fn the_job_keeps_its_own_user_and_starts_in_the_tree() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("echo x > file");
        let workspace = stage.workspace("job", backend);
        let own = rustix::process::geteuid().as_raw();
        let dir = stage.path().join("job/project");
        let seen = job(&workspace, "id -u; pwd -P; stat -c %u file");
        assert_eq!(
            seen,
            format!("{own}\n{}\n{own}\n", dir.display()),
            "{backend}"
        );
    });
}

#[test]
fn outside_the_namespace_the_directory_of_an_overlay_stays_empty() {
    for backend in [Backend::OverlayRoot, Backend::OverlayUser]
        .into_iter()
        .filter(|b| works(*b))
    {
        let mut stage = Stage::new();
        stage.layer("echo x > file");
        let workspace = stage.workspace("job", backend);
        job(&workspace, "echo y > made");
        let dir = std::fs::read_dir(stage.path().join("job/project")).unwrap();
        assert_eq!(dir.count(), 0);
        let made = workspace
            .union()
            .unwrap()
            .lookup(Path::new("made"))
            .unwrap()
            .unwrap();
        assert_eq!(
            (made.kind, made.origin, made.size),
            (Kind::File, Origin::Upper, 2)
        );
    }
}

#[test]
fn a_workspace_can_be_entered_again_and_shows_what_was_done() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("echo x > file; echo y > other");
        let workspace = stage.workspace("job", backend);
        job(&workspace, "rm file; echo z > other");
        assert_eq!(job(&workspace, "ls; cat other"), "other\nz\n", "{backend}");
    });
}

#[test]
fn a_directory_in_use_is_refused() {
    let mut stage = Stage::new();
    stage.layer("echo x > file");
    let workspace = stage.workspace("job", Backend::Copy);
    let again = tidegate_workspace::Workspace::prepare(workspace.spec().clone());
    assert!(
        again
            .unwrap_err()
            .to_string()
            .starts_with("use as a workspace ")
    );
}

#[test]
fn more_layers_than_an_overlay_can_have_are_refused_at_once() {
    let stage = Stage::new();
    let layers = (0..501).map(|n| tidegate_workspace::Layer::stored(format!("/layer/{n}")));
    let spec = tidegate_workspace::WorkspaceSpec {
        dir: stage.path().join("dir"),
        layers: layers.collect(),
        scratch: stage.path().join("scratch"),
        backend: Backend::OverlayUser,
    };
    let error = tidegate_workspace::Workspace::prepare(spec)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("stack more than 500 layers at "),
        "{error}"
    );
}
