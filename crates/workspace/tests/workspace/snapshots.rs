//! Base snapshots of a user's tree.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_workspace::snapshot::{Previous, Snapshot, Why, snapshot};
use tidegate_workspace::{Kind, Manifest};

use crate::stage::{fingerprint, shell};

struct Tree {
    tmp: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl Tree {
    /// A user's tree made by a shell script, old enough to be trusted.
    fn new(script: &str, files: &[&str]) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join("src")).unwrap();
        shell(&tmp.path().join("src"), script);
        std::thread::sleep(Duration::from_millis(80));
        Tree {
            tmp,
            files: files.iter().map(PathBuf::from).collect(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }

    fn take(&self, name: &str, previous: Option<(&str, &Manifest)>) -> Snapshot {
        let dir = previous.map(|(name, _)| self.at(name));
        let previous = dir
            .as_ref()
            .zip(previous)
            .map(|(dir, (_, manifest))| Previous { dir, manifest });
        snapshot(&self.at("src"), &self.files, &self.at(name), previous).unwrap()
    }
}

#[test]
fn files_links_modes_and_times_are_kept_and_the_source_is_untouched() {
    let tree = Tree::new(
        "mkdir -p a/b; echo 1 > a/b/tool; chmod 755 a/b/tool; touch -d 2020-02-02 a/b/tool; \
         ln -s b/tool a/link; ln -s /etc abs; : > empty; echo no > unlisted",
        &["a/b/tool", "a/link", "abs", "empty", "a/b/tool"],
    );
    let before = fingerprint(&tree.at("src"));
    let taken = tree.take("one", None);
    assert_eq!((taken.copied, taken.linked, taken.reused), (4, 0, false));
    assert_eq!(taken.skipped, []);
    let paths: Vec<_> = taken
        .manifest
        .entries()
        .iter()
        .map(|e| (e.path.clone(), e.kind))
        .collect();
    let expected = [
        ("a/b/tool", Kind::File),
        ("a/link", Kind::Symlink),
        ("abs", Kind::Symlink),
        ("empty", Kind::File),
    ];
    assert_eq!(
        paths,
        expected.map(|(path, kind)| (PathBuf::from(path), kind))
    );
    shell(
        &tree.at("one"),
        "test \"$(find . | sort | xargs)\" = '. ./a ./a/b ./a/b/tool ./a/link ./abs ./empty'; \
         test \"$(stat -c '%a %y' a/b/tool | cut -c1-14)\" = '755 2020-02-02'; \
         test \"$(readlink a/link abs | xargs)\" = 'b/tool /etc'",
    );
    assert_ne!(
        fs::metadata(tree.at("one/a/b/tool")).unwrap().ino(),
        fs::metadata(tree.at("src/a/b/tool")).unwrap().ino()
    );
    assert_eq!(fingerprint(&tree.at("src")), before);
}

#[test]
fn an_unchanged_tree_reuses_the_snapshot() {
    let tree = Tree::new("mkdir a; echo 1 > a/b; ln -s b a/c", &["a/b", "a/c"]);
    let one = tree.take("one", None);
    let two = tree.take("two", Some(("one", &one.manifest)));
    assert!(two.reused);
    assert_eq!(two.manifest, one.manifest);
    assert!(!tree.at("two").exists());
}

#[test]
fn a_changed_file_is_copied_and_the_rest_is_shared() {
    let tree = Tree::new(
        "echo 1 > same; echo 1 > edited; echo 1 > mode",
        &["same", "edited", "mode"],
    );
    let one = tree.take("one", None);
    // Same size, mtime set back: only the change time tells.
    shell(
        &tree.at("src"),
        "touch -r edited /tmp/ref.$$; echo 2 > edited; touch -r /tmp/ref.$$ edited; \
         rm /tmp/ref.$$; chmod 600 mode",
    );
    let two = tree.take("two", Some(("one", &one.manifest)));
    assert_eq!((two.copied, two.linked, two.reused), (2, 1, false));
    let inode = |path: &str| fs::metadata(tree.at(path)).unwrap().ino();
    assert_eq!(inode("one/same"), inode("two/same"));
    assert_eq!(fs::read_to_string(tree.at("two/edited")).unwrap(), "2\n");
    assert_eq!(fs::read_to_string(tree.at("one/edited")).unwrap(), "1\n");
    shell(&tree.at("two"), "test $(stat -c %a mode) = 600");
}

#[test]
fn a_file_that_just_changed_is_read_again() {
    let tree = Tree::new("echo 1 > file", &["file"]);
    fs::write(tree.at("src/file"), "2").unwrap();
    let one = tree.take("one", None);
    assert!(!one.manifest.entries()[0].settled);
    let two = tree.take("two", Some(("one", &one.manifest)));
    assert_eq!((two.copied, two.reused), (1, false));
}

#[test]
fn removed_and_unlisted_files_are_gone_from_the_next_snapshot() {
    let mut tree = Tree::new("echo 1 > a; echo 1 > b; echo 1 > c", &["a", "b", "c"]);
    let one = tree.take("one", None);
    fs::remove_file(tree.at("src/a")).unwrap();
    tree.files.pop();
    let two = tree.take("two", Some(("one", &one.manifest)));
    assert_eq!(two.skipped.len(), 1);
    assert_eq!(
        (two.skipped[0].path.as_path(), two.skipped[0].why),
        (Path::new("a"), Why::Vanished)
    );
    shell(&tree.at("two"), "test \"$(ls | xargs)\" = b");
}

#[test]
fn nothing_outside_the_tree_and_nothing_special_is_taken() {
    let tree = Tree::new(
        "mkdir real real/inner sub; echo secret > ../secret; echo 1 > real/inner/file; \
         mkfifo pipe; echo 1 > ok",
        &[
            "out/secret",
            "in/file",
            "in/inner/file",
            "pipe",
            "sub",
            "../secret",
            "/etc/passwd",
            "ok",
            "ok/below",
            "none/file",
        ],
    );
    symlink(tree.tmp.path(), tree.at("src/out")).unwrap();
    symlink("real", tree.at("src/in")).unwrap();
    let taken = tree.take("one", None);
    let why: Vec<_> = taken
        .skipped
        .iter()
        .map(|s| (s.path.to_str().unwrap(), s.why))
        .collect();
    let expected = [
        ("/etc/passwd", Why::Outside),
        ("../secret", Why::Outside),
        ("in/file", Why::BehindLink),
        ("in/inner/file", Why::BehindLink),
        ("none/file", Why::Vanished),
        ("ok/below", Why::Vanished),
        ("out/secret", Why::BehindLink),
        ("pipe", Why::Special),
        ("sub", Why::Directory),
    ];
    assert_eq!(why, expected);
    shell(&tree.at("one"), "test \"$(find . | xargs)\" = '. ./ok'");
}
