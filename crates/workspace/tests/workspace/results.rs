//! What is told and taken from a workspace after a job.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tidegate_workspace::{
    Collected, Mode, What, Why, Workspace, collect, collect_delta, collect_entries,
};

use crate::stage::{Stage, job, on_each_backend, shell};

fn changes(workspace: &Workspace) -> Vec<String> {
    let changes = workspace.changes().unwrap();
    let sign = |what| match what {
        What::Added => '+',
        What::Modified => '~',
        What::Deleted => '-',
    };
    changes
        .iter()
        .map(|c| format!("{}{}", sign(c.what), c.path.display()))
        .collect()
}

fn paths(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

#[test]
fn an_idle_job_changes_nothing() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("mkdir -p a/b; echo x > a/b/c; ln -s a/b l");
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "cat a/b/c l/c; ls -R; : >> a/b/c; touch -a a/b/c",
        );
        assert_eq!(changes(&workspace), [""; 0], "{backend}");
    });
}

#[test]
fn every_kind_of_change_is_told_with_all_paths_below() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer(
            "mkdir -p gone/deep kept replaced; echo 1 > gone/deep/f; echo 1 > edited; \
             echo 1 > sneaky; echo 1 > kept/f; echo 1 > mode; echo 1 > replaced/old; \
             echo 1 > replaced/both; ln -s 1 link; echo 1 > file-to-dir; mkdir dir-to-file; \
             echo 1 > dir-to-file/in; touch -d 2020-01-01 sneaky replaced/both",
        );
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "rm -r gone; echo 2 > edited; echo 2 > sneaky; touch -d 2020-01-01 sneaky; \
             chmod 600 mode; cp -a replaced keep; rm -r replaced; mkdir replaced; \
             cp -a keep/both replaced/; rm -r keep; ln -sf 2 link; rm file-to-dir; \
             mkdir file-to-dir; echo 1 > file-to-dir/in; rm -r dir-to-file; echo 1 > dir-to-file; \
             mkdir -p new/deep; echo 1 > new/deep/f",
        );
        let expected = [
            "~dir-to-file",
            "-dir-to-file/in",
            "~edited",
            "~file-to-dir",
            "+file-to-dir/in",
            "-gone",
            "-gone/deep",
            "-gone/deep/f",
            "~link",
            "~mode",
            "+new",
            "+new/deep",
            "+new/deep/f",
            "-replaced/old",
            "~sneaky",
        ];
        assert_eq!(changes(&workspace), expected, "{backend}");
    });
}

#[test]
fn many_changes_in_one_directory_are_told_one_by_one() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("mkdir -p d/e; for n in $(seq 10 49); do echo 1 > d/e/$n; done");
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "cd d/e; for n in $(seq 20 49); do echo 2 > $n; done; rm 4*; for n in $(seq 50 59); \
             do echo 3 > $n; done",
        );
        let signs = (20..60).map(|n| match n {
            20..40 => format!("~d/e/{n}"),
            40..50 => format!("-d/e/{n}"),
            _ => format!("+d/e/{n}"),
        });
        assert_eq!(changes(&workspace), signs.collect::<Vec<_>>(), "{backend}");
    });
}

#[test]
fn collected_trees_are_plain_and_keep_modes_times_and_links() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("mkdir d; echo low > d/low; echo low > low; touch -d 2020-01-01 low");
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "mkdir d/empty bin; chmod 2750 d/empty; echo up > d/up; ln -s ../low d/sym; \
             echo '#!/bin/sh' > bin/tool; chmod 755 bin/tool; touch -d 2021-01-01 bin/tool; \
             echo no > other; mkfifo pipe",
        );
        // A written-out tree gives nothing away that has other names.
        let link = backend.is_overlay().then_some(Mode::Link);
        let modes = [Some(Mode::Copy), link, Some(Mode::Move)];
        for (place, mode) in modes.into_iter().flatten().enumerate() {
            let into = stage.path().join(format!("staged-{place}"));
            let wanted = paths(&[
                "low", "d", "d/low", "d/up", "d/empty", "d/sym", "bin", "bin/tool", "pipe",
                "absent", "d/sym/x",
            ]);
            let got = collect(&workspace.union().unwrap(), &wanted, &into, mode).unwrap();

            assert_eq!(
                (got.files, got.symlinks, got.dirs, got.bytes),
                (4, 1, 3, 21),
                "{backend}"
            );
            let refused: Vec<_> = got
                .refused
                .iter()
                .map(|r| (r.path.to_str().unwrap(), r.why))
                .collect();
            let expected = [
                ("absent", Why::Missing),
                ("d/sym/x", Why::Missing),
                ("pipe", Why::Fifo),
            ];
            assert_eq!(refused, expected);
            shell(
                &into,
                "test \"$(find . | sort | xargs)\" = \
                 '. ./bin ./bin/tool ./d ./d/empty ./d/low ./d/sym ./d/up ./low'; \
                 test \"$(stat -c %a d/empty bin/tool | xargs)\" = '2750 755'; \
                 test \"$(stat -c %y low bin/tool | cut -d' ' -f1 | xargs)\" = \
                 '2020-01-01 2021-01-01'; test \"$(readlink d/sym)\" = ../low; \
                 test \"$(cat d/up)\" = up",
            );
            if backend.is_overlay() {
                let stored = fs::metadata(stage.path().join("layer 0/low")).unwrap();
                assert_eq!(fs::metadata(into.join("low")).unwrap().ino(), stored.ino());
            }
        }
        let left = workspace.union().unwrap();
        assert!(
            left.lookup(Path::new("bin/tool")).unwrap().is_none(),
            "{backend}: moved"
        );
        assert!(
            left.lookup(Path::new("other")).unwrap().is_some(),
            "{backend}: not selected"
        );
    });
}

#[test]
fn a_whole_new_directory_moves_at_once_and_hides_nothing_as_a_layer() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("mkdir -p vendor; echo old > vendor/old");
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "rm -r vendor; mkdir -p vendor/deep; echo new > vendor/deep/new",
        );
        let inode = |path: &Path| fs::symlink_metadata(path).unwrap().ino();
        let root = workspace.upper().unwrap_or(workspace.spec().dir.clone());
        let before = inode(&root.join("vendor"));
        let into = stage.path().join("staged");
        let wanted = paths(&["vendor", "vendor/deep", "vendor/deep/new"]);
        collect(&workspace.union().unwrap(), &wanted, &into, Mode::Move).unwrap();
        assert_eq!(inode(&into.join("vendor")), before, "{backend}");

        stage.layers.push(tidegate_workspace::Layer::stored(into));
        let next = stage.workspace("next", backend);
        assert_eq!(
            job(&next, "find vendor -type f | sort"),
            "vendor/deep/new\nvendor/old\n"
        );
    });
}

#[test]
fn a_directory_moves_only_when_all_of_it_was_selected() {
    on_each_backend(|backend| {
        let stage = Stage::new();
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "mkdir -p d/e; echo 1 > d/a; echo 1 > d/e/b; echo secret > d/e/c",
        );
        let into = stage.path().join("staged");
        let wanted = paths(&["d", "d/a", "d/e", "d/e/b"]);
        collect(&workspace.union().unwrap(), &wanted, &into, Mode::Move).unwrap();
        shell(
            &into,
            "test \"$(find . | sort | xargs)\" = '. ./d ./d/a ./d/e ./d/e/b'",
        );
    });
}

/// Collects what a walk saw at and below `d`, but for what `without` says.
fn collect_walked(workspace: &Workspace, into: &Path, without: &str) -> Collected {
    let union = workspace.union().unwrap();
    let below = union.walk(Path::new("")).unwrap().into_iter();
    let wanted =
        below.filter(|entry| entry.path.starts_with("d") && !entry.path.ends_with(without));
    collect_entries(&union, wanted.collect(), into, Mode::Move).unwrap()
}

#[test]
fn what_a_walk_saw_of_a_directory_that_moves_is_what_is_there_afterwards() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("mkdir -p d; echo old > d/old; mkdir kept; echo 1 > kept/one");
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "rm -r d; mkdir -p d/e; echo new > d/e/new; ln -s e d/link; rm kept/one",
        );
        let into = stage.path().join("staged");
        let taken = collect_walked(&workspace, &into, "none");
        for entry in &taken.whole {
            let meta = fs::symlink_metadata(into.join(&entry.path)).unwrap();
            let time = (entry.mtime.seconds, i64::from(entry.mtime.nanos));
            assert_eq!(
                (meta.mtime(), meta.mtime_nsec()),
                time,
                "{backend} {entry:?}"
            );
            assert_eq!(
                meta.permissions().mode() & 0o7777,
                entry.mode,
                "{backend} {entry:?}"
            );
        }
        let told: Vec<_> = taken
            .whole
            .iter()
            .map(|entry| entry.path.to_str().unwrap())
            .collect();
        assert!(
            told.is_empty() || told == ["d", "d/e", "d/e/new", "d/link"],
            "{backend} {told:?}"
        );
        shell(
            &into,
            "test \"$(find . | sort | xargs)\" = '. ./d ./d/e ./d/e/new ./d/link'",
        );
        stage.layers.push(tidegate_workspace::Layer::stored(into));
        let next = stage.workspace("next", backend);
        let files = job(&next, "find d -type f | sort");
        assert_eq!(files, "d/e/new\nd/old\n", "{backend}");
    });
}

#[test]
fn a_new_directory_is_known_whole_where_layers_are_mounted() {
    on_each_backend(|backend| {
        let stage = Stage::new();
        let workspace = stage.workspace("job", backend);
        job(&workspace, "mkdir -p d/e; echo 1 > d/a; echo 1 > d/e/b");
        let mounted = workspace.upper().is_some();
        let taken = collect_walked(&workspace, &stage.path().join("staged"), "none");
        let told: Vec<_> = taken
            .whole
            .iter()
            .map(|entry| entry.path.to_str().unwrap())
            .collect();
        let all: &[&str] = if mounted {
            &["d", "d/a", "d/e", "d/e/b"]
        } else {
            &[]
        };
        assert_eq!(told, all, "{backend}");
    });
}

#[test]
fn a_directory_of_which_something_is_left_out_does_not_move_whole() {
    on_each_backend(|backend| {
        let stage = Stage::new();
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "mkdir -p d/e d/f; echo 1 > d/e/b; echo secret > d/e/c; echo 1 > d/f/g; mkfifo d/f/pipe",
        );
        let into = stage.path().join("staged");
        let taken = collect_walked(&workspace, &into, "c");
        assert_eq!(taken.whole, [], "{backend}");
        shell(
            &into,
            "test \"$(find . | sort | xargs)\" = '. ./d ./d/e ./d/e/b ./d/f ./d/f/g'",
        );
    });
}

#[test]
fn a_directory_with_deletions_in_it_leaves_them_behind() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("mkdir -p d; echo old > d/gone");
        let workspace = stage.workspace("job", backend);
        job(&workspace, "rm d/gone; echo new > d/new");
        let into = stage.path().join("staged");
        collect_walked(&workspace, &into, "none");
        shell(&into, "test \"$(find . | sort | xargs)\" = '. ./d ./d/new'");
    });
}

#[test]
fn files_of_a_written_out_tree_with_names_elsewhere_are_not_shared_with_the_store() {
    on_each_backend(|backend| {
        let stage = Stage::new();
        let workspace = stage.workspace("job", backend);
        job(&workspace, "mkdir d; echo 1 > d/a; ln d/a b");
        for (name, mode) in [("linked", Mode::Link), ("moved", Mode::Move)] {
            let into = stage.path().join(name);
            collect(
                &workspace.union().unwrap(),
                &paths(&["d", "d/a"]),
                &into,
                mode,
            )
            .unwrap();
            let links = fs::metadata(into.join("d/a")).unwrap().nlink();
            assert_eq!(links > 1, backend.is_overlay(), "{backend} {name}");
        }
    });
}

#[test]
fn a_delta_holds_what_changed_and_names_what_is_gone() {
    on_each_backend(|backend| {
        let mut stage = Stage::new();
        stage.layer("mkdir c; echo 1 > c/kept; echo 1 > c/gone; echo 1 > c/edited; echo 1 > x");
        let workspace = stage.workspace("job", backend);
        job(
            &workspace,
            "rm c/gone x; echo 2 > c/edited; echo 2 > c/new; echo 2 > y",
        );
        let into = stage.path().join("staged");
        let in_cache = |change: &tidegate_workspace::Change| change.path.starts_with("c");
        let (got, deleted) = collect_delta(&workspace, in_cache, &into, Mode::Copy).unwrap();
        assert_eq!(got.files, 2, "{backend}");
        assert_eq!(deleted, paths(&["c/gone"]));
        shell(
            &into,
            "test \"$(find . -type f | sort | xargs)\" = './c/edited ./c/new'",
        );
    });
}
