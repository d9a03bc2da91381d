//! Times the operations of a run on a tree of many files.
//!
//! `cargo run --release -p tidegate-workspace --example measure -- DIR [FILES]` makes its trees in
//! the existing directory DIR and removes them again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tidegate_workspace::probe::probe;
use tidegate_workspace::snapshot::{Previous, snapshot};
use tidegate_workspace::{Backend, Layer, Mode, Workspace, WorkspaceSpec, collect, remove_tree};

#[expect(clippy::print_stdout, reason = "its results")]
fn report(what: &str, rounds: usize, mut run: impl FnMut()) {
    let mut times: Vec<Duration> = (0..rounds).map(|_| timed(&mut run)).collect();
    times.sort_unstable();
    let (min, median) = (times.first(), times.get(times.len() / 2));
    println!(
        "{what:40} min {:>9.2?} median {:>9.2?}",
        min.unwrap(),
        median.unwrap()
    );
}

fn timed(run: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn main() {
    let mut args = std::env::args_os().skip(1);
    let root = PathBuf::from(args.next().expect("the first argument is a directory"));
    let count = args
        .next()
        .map_or(50_000, |n| n.to_string_lossy().parse().expect("a number"));
    let root = tempfile::tempdir_in(root).expect("the directory can be written");
    let (source, files) = make_tree(root.path(), count);
    std::thread::sleep(Duration::from_millis(100));

    report("probe", 5, || drop(probe(root.path())));
    let one = root.path().join("one");
    let mut taken = None;
    report("snapshot, first", 1, || {
        taken = snapshot(&source, &files, &one, None).ok()
    });
    let manifest = taken.expect("the first snapshot is taken").manifest;
    let previous = Previous {
        dir: &one,
        manifest: &manifest,
    };
    report("snapshot, unchanged", 7, || {
        let again = snapshot(&source, &files, &root.path().join("never"), Some(previous)).unwrap();
        assert!(again.reused);
    });
    fs::write(source.join(&files[0]), "changed").unwrap();
    report("snapshot, one file changed", 1, || {
        let two = snapshot(&source, &files, &root.path().join("two"), Some(previous)).unwrap();
        assert_eq!(two.copied, 1);
    });
    let bytes = manifest.to_bytes();
    report("manifest, read from bytes", 7, || {
        drop(tidegate_workspace::Manifest::from_bytes(&bytes))
    });
    for (backend, reason) in probe(root.path()).iter() {
        if reason.is_none() {
            backend_times(root.path(), &one, backend, count);
        }
    }
}

fn backend_times(root: &Path, layer: &Path, backend: Backend, count: usize) {
    let name = |what: &str| format!("{backend}: {what}");
    let spec = WorkspaceSpec {
        dir: root.join(format!("{backend}/dir")),
        layers: vec![Layer::stored(layer)],
        scratch: root.join(format!("{backend}/scratch")),
        backend,
    };
    let mut workspace = None;
    report(&name("prepare"), 1, || {
        workspace = Workspace::prepare(spec.clone()).ok()
    });
    let workspace = workspace.expect("the workspace is prepared");
    let job = |script: &str| {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]);
        workspace.plan().enter_on_spawn(&mut sh).unwrap();
        assert!(sh.status().unwrap().success());
    };
    report(&name("enter and run true"), 7, || job("true"));
    report(&name("walk"), 7, || {
        let walk = workspace.union().unwrap().walk(Path::new("")).unwrap();
        assert!(walk.entries.len() >= count);
    });
    report(&name("changes, none"), 5, || {
        assert_eq!(workspace.changes().unwrap(), [])
    });
    job("cp -r d0 new; rm -r d1");
    report(&name("changes, a hundredth"), 5, || {
        assert!(!workspace.changes().unwrap().is_empty())
    });
    job("find d2 d3 d4 d5 -type f -exec touch {} +");
    report(&name("changes, a tenth"), 5, || {
        assert!(!workspace.changes().unwrap().is_empty())
    });
    let paths: Vec<PathBuf> = {
        let walk = workspace.union().unwrap().walk(Path::new("")).unwrap();
        walk.entries.into_iter().map(|entry| entry.path).collect()
    };
    report(&name("collect all"), 1, || {
        let into = root.join(format!("{backend}/staged"));
        let got = collect(&workspace.union().unwrap(), &paths, &into, Mode::Move).unwrap();
        assert!(got.refused.is_empty());
    });
    report(&name("discard"), 1, || {
        let spec = workspace.spec();
        Workspace::discard_at(&spec.dir, &spec.scratch).unwrap();
    });
    remove_tree(&root.join(backend.name())).unwrap();
}

/// Files of 2 KB, 100 to a directory, in directories of ten directories.
fn make_tree(root: &Path, count: usize) -> (PathBuf, Vec<PathBuf>) {
    let source = root.join("source");
    let mut files = Vec::with_capacity(count);
    for file in 0..count {
        let dir = PathBuf::from(format!("d{}/e{}", file / 1000, file / 100 % 10));
        if file % 100 == 0 {
            fs::create_dir_all(source.join(&dir)).unwrap();
        }
        let path = dir.join(format!("file-{file}.txt"));
        fs::write(source.join(&path), [b'x'; 2048]).unwrap();
        files.push(path);
    }
    (source, files)
}
