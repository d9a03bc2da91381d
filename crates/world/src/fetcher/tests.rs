use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::sources::{FetchLimits, Location, ProjectSource};

/// A shelf in memory.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

impl Shelf for Memory {
    fn find(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.borrow().get(name).cloned())
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.0.borrow_mut().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
}

/// A server on loopback that answers by path and counts requests; it ends with its value.
struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn new(answer: impl Fn(&str) -> String + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (requests, stop) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, ended) = (requests.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                respond(stream, &answer);
            }
        });
        Server {
            address,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn respond(mut stream: TcpStream, answer: &impl Fn(&str) -> String) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    let _ = reader.read_line(&mut first);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let _ = stream.write_all(answer(path).as_bytes());
}

fn http(code: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {code} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn repository(dir: &Path) {
    git(dir, &["init", "--quiet", "--initial-branch", "trunk"]);
}

fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(args);
    let output = git.current_dir(dir).output().expect("git is here");
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn commit(dir: &Path, path: &str, text: &str) -> String {
    let full = dir.join(path);
    std::fs::create_dir_all(full.parent().expect("below")).expect("writable");
    std::fs::write(full, text).expect("writable");
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message", text]);
    git(dir, &["rev-parse", "HEAD"])
}

/// Everything one test needs; fetchers are made of it again and again, as runs would.
struct Bench {
    dir: tempfile::TempDir,
    shelf: Memory,
    sources: Sources,
}

impl Bench {
    fn new() -> Bench {
        let limits = FetchLimits {
            back_off: Duration::from_millis(1),
            request: Duration::from_secs(20),
            ..FetchLimits::default()
        };
        Bench {
            dir: tempfile::tempdir().expect("a temporary directory"),
            shelf: Memory::default(),
            sources: Sources {
                limits,
                ..Sources::default()
            },
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).expect("writable");
        path
    }

    /// A repository that is mapped as `g/p` by URL.
    fn upstream(&mut self) -> PathBuf {
        let path = self.folder("upstream");
        repository(&path);
        self.map(Location::Url(format!("file://{}", path.display())));
        path
    }

    fn map(&mut self, location: Location) {
        self.sources.projects = vec![ProjectSource {
            pattern: "g/p".to_owned(),
            location,
            default_ref: None,
        }];
    }

    fn fetcher(&self, network: Network, lock: &Lock) -> Fetcher<'_> {
        Fetcher::new(FetcherSetup {
            sources: self.sources.clone(),
            network,
            lock: lock.clone(),
            shelf: &self.shelf,
            mirrors: self.dir.path().join("mirrors"),
            credentials: Credentials::default(),
        })
    }

    fn fresh(&self) -> Fetcher<'_> {
        self.fetcher(Network::WhenNeeded, &Lock::default())
    }
}

fn known<T>(answer: Answer<T>) -> T {
    match answer {
        Ok(Fact::Known(value)) => value,
        Ok(Fact::Unknown(why)) => panic!("unknown: {why}"),
        Err(error) => panic!("{error}"),
    }
}

fn why<T: std::fmt::Debug>(answer: Answer<T>) -> Why {
    match answer {
        Ok(Fact::Unknown(why)) => why,
        other => panic!("not unknown: {other:?}"),
    }
}

fn text(content: Content) -> Option<String> {
    content.map(|content| String::from_utf8_lossy(&content).into_owned())
}

fn body(text: &str) -> Remote {
    Remote::Body(text.as_bytes().into())
}

#[test]
fn a_url_is_fetched_once_pinned_and_then_answered_without_a_connection() {
    let bench = Bench::new();
    let server = Server::new(|_| http(200, "a: 1\n"));
    let url = server.url("/a.yml?private_token=s3cret");
    let first = bench.fresh();
    assert_eq!(known(first.remote(&url)), body("a: 1\n"));
    assert_eq!(known(first.remote(&url)), body("a: 1\n"));
    let lock = first.changed_lock().expect("something was pinned");
    assert!(!lock.render().contains("s3cret"), "{}", lock.render());
    assert!(lock.render().contains(&digest(b"a: 1\n")));
    for network in [Network::WhenNeeded, Network::Forbidden] {
        let again = bench.fetcher(network, &lock);
        assert_eq!(known(again.remote(&url)), body("a: 1\n"));
        assert_eq!(again.changed_lock(), None);
    }
    assert_eq!(server.requests(), 1);
    assert!(
        !bench
            .shelf
            .0
            .borrow()
            .keys()
            .any(|name| name.contains("s3cret"))
    );
}

#[test]
fn what_changed_behind_a_pin_is_an_error_that_names_both_until_it_is_updated() {
    let bench = Bench::new();
    let server = Server::new(|_| http(200, "new"));
    let url = server.url("/a.yml");
    let mut lock = Lock::default();
    let key = LockKey {
        kind: LockKind::Remote,
        address: url.clone(),
        name: String::new(),
    };
    let pin = Pin {
        digest: Some(digest(b"old")),
        ..Pin::default()
    };
    lock.set(key, pin);
    let told = why(bench.fetcher(Network::WhenNeeded, &lock).remote(&url)).to_string();
    assert!(
        told.contains(&digest(b"old")) && told.contains(&digest(b"new")),
        "{told}"
    );
    let refreshed = bench.fetcher(Network::Refresh, &lock);
    assert_eq!(known(refreshed.remote(&url)), body("new"));
    let lock = refreshed.changed_lock().expect("the pin changed");
    assert!(lock.render().contains(&digest(b"new")) && !lock.render().contains(&digest(b"old")));
}

#[test]
fn offline_nothing_is_asked_but_what_an_earlier_run_found_is_known() {
    let bench = Bench::new();
    let server = Server::new(|_| http(200, "a"));
    let url = server.url("/a.yml");
    let offline = bench.fetcher(Network::Forbidden, &Lock::default());
    assert_eq!(why(offline.remote(&url)), Why::Offline);
    assert_eq!(server.requests(), 0);
    known(bench.fresh().remote(&url));
    let offline = bench.fetcher(Network::Forbidden, &Lock::default());
    assert_eq!(known(offline.remote(&url)), body("a"));
}

#[test]
fn a_shelf_with_other_bytes_is_not_believed() {
    let bench = Bench::new();
    let server = Server::new(|_| http(200, "right"));
    let url = server.url("/a.yml");
    let first = bench.fresh();
    known(first.remote(&url));
    let lock = first.changed_lock().expect("it was pinned");
    bench
        .shelf
        .keep(&digest(b"right"), b"wrong")
        .expect("memory");
    assert_eq!(
        known(bench.fetcher(Network::WhenNeeded, &lock).remote(&url)),
        body("right")
    );
}

#[test]
fn answers_are_those_gitlab_has_messages_for() {
    let mut bench = Bench::new();
    bench.sources.limits.bytes = 10;
    let server = Server::new(|path| match path {
        "/big" => http(200, "more than ten bytes"),
        "/moved" => {
            "HTTP/1.1 302 X\r\nLocation: /ok\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_owned()
        }
        "/ok" => http(200, "ok"),
        "/junk" => "SMTP ready\r\n\r\n".to_owned(),
        "/cut" => "HTTP/1.1 200 X\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab".to_owned(),
        path => http(path.trim_start_matches('/').parse().unwrap_or(404), ""),
    });
    let fetcher = bench.fresh();
    let ask = |path: &str| known(fetcher.remote(&server.url(path)));
    assert_eq!(
        ask("/404"),
        Remote::Status {
            code: 404,
            attempts: 1
        }
    );
    assert_eq!(
        ask("/403"),
        Remote::Status {
            code: 403,
            attempts: 1
        }
    );
    assert_eq!(server.requests(), 2);
    assert_eq!(
        ask("/503"),
        Remote::Status {
            code: 503,
            attempts: 3
        }
    );
    assert_eq!(server.requests(), 5);
    assert_eq!(ask("/moved"), body("ok"));
    assert_eq!(ask("/junk"), Remote::HttpError);
    assert_eq!(ask("/cut"), Remote::SocketError);
    let told = why(fetcher.remote(&server.url("/big"))).to_string();
    assert_eq!(told, "it is larger than 10 bytes");
    assert_eq!(
        fetcher
            .changed_lock()
            .map(|lock| lock.render().matches("digest").count()),
        Some(1)
    );
}

#[test]
fn nobody_there_and_nobody_answering_differ() {
    let mut bench = Bench::new();
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    let address = free.local_addr().expect("it is bound");
    drop(free);
    assert_eq!(
        known(bench.fresh().remote(&format!("http://{address}/a"))),
        Remote::SocketError
    );
    bench.sources.limits.request = Duration::from_millis(50);
    // The system accepts connections for it, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    let address = silent.local_addr().expect("it is bound");
    assert_eq!(
        known(bench.fresh().remote(&format!("http://{address}/a"))),
        Remote::TimedOut
    );
    bench.sources.limits.total = Duration::ZERO;
    assert_eq!(
        why(bench.fresh().remote(&format!("http://{address}/a"))),
        Why::TimedOut
    );
}

#[test]
fn what_the_settings_deny_is_not_fetched_not_even_by_a_redirect() {
    let mut bench = Bench::new();
    let server = Server::new(|path| match path {
        "/a" => {
            "HTTP/1.1 302 X\r\nLocation: /secret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_owned()
        }
        _ => http(200, "x"),
    });
    bench.sources.remote.deny = vec!["*/secret".to_owned()];
    let fetcher = bench.fresh();
    assert!(matches!(
        why(fetcher.remote(&server.url("/secret"))),
        Why::Refused(_)
    ));
    assert_eq!(server.requests(), 0);
    assert!(matches!(
        why(fetcher.remote(&server.url("/a"))),
        Why::Refused(_)
    ));
}

#[test]
fn templates_are_searched_as_gitlab_does() {
    let mut bench = Bench::new();
    let dir = bench.folder("templates");
    for path in [
        "Bash",
        "Pages/Hugo",
        "Jobs/Build",
        "Security/SAST",
        "Security/Other",
        "Verify/Browser-Performance",
    ] {
        let full = dir.join(format!("{path}.gitlab-ci.yml"));
        std::fs::create_dir_all(full.parent().expect("below")).expect("writable");
        std::fs::write(full, path).expect("writable");
    }
    std::fs::write(bench.dir.path().join("out.gitlab-ci.yml"), "out").expect("writable");
    bench.sources.templates = Some(TemplateSource::Directory(dir));
    let fetcher = bench.fresh();
    let ask = |name: &str| text(known(fetcher.template(name)));
    assert_eq!(ask("Bash.gitlab-ci.yml").as_deref(), Some("Bash"));
    assert_eq!(ask("Hugo").as_deref(), Some("Pages/Hugo"));
    assert_eq!(
        ask("Jobs/Build.gitlab-ci.yml").as_deref(),
        Some("Jobs/Build")
    );
    assert_eq!(ask("SAST").as_deref(), Some("Security/SAST"));
    assert_eq!(ask("Other"), None);
    assert_eq!(ask("Verify/Browser-Performance"), None);
    assert_eq!(ask("../out"), None);
    assert_eq!(fetcher.changed_lock(), None);
}

#[test]
fn templates_come_from_a_url_too() {
    let mut bench = Bench::new();
    let server = Server::new(|path| match path {
        "/t/Pages/Hugo.gitlab-ci.yml" => http(200, "hugo"),
        "/t/C%2B%2B.gitlab-ci.yml" => http(200, "c++"),
        _ => http(404, ""),
    });
    bench.sources.templates = Some(TemplateSource::Url(server.url("/t/")));
    let fetcher = bench.fresh();
    assert_eq!(
        text(known(fetcher.template("Hugo.gitlab-ci.yml"))).as_deref(),
        Some("hugo")
    );
    assert_eq!(text(known(fetcher.template("C++"))).as_deref(), Some("c++"));
    assert_eq!(text(known(fetcher.template("None"))), None);
    let lock = fetcher.changed_lock().expect("two are pinned");
    let asked = server.requests();
    let offline = bench.fetcher(Network::Forbidden, &lock);
    assert_eq!(
        text(known(offline.template("Hugo"))).as_deref(),
        Some("hugo")
    );
    assert_eq!(why(offline.template("None")), Why::Offline);
    assert_eq!(server.requests(), asked);
}

#[test]
fn a_project_by_url_is_resolved_pinned_and_read_offline() {
    let mut bench = Bench::new();
    let upstream = bench.upstream();
    let old = commit(&upstream, "ci/a.yml", "one");
    git(&upstream, &["tag", "--annotate", "--message", "x", "v1"]);
    let new = commit(&upstream, "ci/a.yml", "two");
    let first = bench.fresh();
    let facts = known(first.project("g/p")).expect("it exists");
    assert_eq!(facts.default_branch, "trunk");
    assert_eq!(
        known(first.revision("g/p", "trunk")).as_deref(),
        Some(&*new)
    );
    assert_eq!(known(first.revision("g/p", "v1")).as_deref(), Some(&*old));
    assert_eq!(known(first.revision("g/p", "nope")), None);
    assert_eq!(
        text(known(first.file("g/p", &old, "ci/a.yml"))).as_deref(),
        Some("one")
    );
    assert_eq!(
        text(known(first.file("g/p", &new, "ci/a.yml"))).as_deref(),
        Some("two")
    );
    assert_eq!(text(known(first.file("g/p", &new, "../a.yml"))), None);
    assert_eq!(text(known(first.file("g/p", &new, "ci"))), None);
    assert!(known(first.tree("g/p", &new)).contains("ci/a.yml"));
    let lock = first.changed_lock().expect("refs were pinned");
    let newest = commit(&upstream, "ci/a.yml", "three");
    // Pinned: the branch stays where it was, and nobody is asked.
    let offline = bench.fetcher(Network::Forbidden, &lock);
    assert_eq!(known(offline.project("g/p")), Some(facts));
    assert_eq!(
        known(offline.revision("g/p", "trunk")).as_deref(),
        Some(&*new)
    );
    assert_eq!(
        text(known(offline.file("g/p", &new, "ci/a.yml"))).as_deref(),
        Some("two")
    );
    assert_eq!(why(offline.revision("g/p", "other")), Why::Offline);
    let pinned = bench.fetcher(Network::WhenNeeded, &lock);
    assert_eq!(
        known(pinned.revision("g/p", "trunk")).as_deref(),
        Some(&*new)
    );
    assert_eq!(pinned.changed_lock(), None);
    let refreshed = bench.fetcher(Network::Refresh, &lock);
    assert_eq!(
        known(refreshed.revision("g/p", "trunk")).as_deref(),
        Some(&*newest)
    );
    assert!(
        refreshed
            .changed_lock()
            .expect("it moved")
            .render()
            .contains(&newest)
    );
}

#[test]
fn a_pinned_commit_that_is_not_kept_is_fetched_by_its_id() {
    let mut bench = Bench::new();
    let upstream = bench.upstream();
    let old = commit(&upstream, "a.yml", "one");
    let first = bench.fresh();
    known(first.revision("g/p", "trunk"));
    let lock = first.changed_lock().expect("it was pinned");
    commit(&upstream, "a.yml", "two");
    std::fs::remove_dir_all(bench.dir.path().join("mirrors")).expect("it was there");
    let offline = bench.fetcher(Network::Forbidden, &lock);
    assert_eq!(
        known(offline.revision("g/p", "trunk")).as_deref(),
        Some(&*old)
    );
    assert_eq!(why(offline.file("g/p", &old, "a.yml")), Why::Offline);
    let online = bench.fetcher(Network::WhenNeeded, &lock);
    assert_eq!(
        text(known(online.file("g/p", &old, "a.yml"))).as_deref(),
        Some("one")
    );
    let gone = "1".repeat(40);
    let told = why(online.file("g/p", &gone, "a.yml")).to_string();
    assert!(told.contains(&gone) && told.contains("--update"), "{told}");
}

#[test]
fn commits_are_found_by_id_whole_or_abbreviated() {
    let mut bench = Bench::new();
    let upstream = bench.upstream();
    let old = commit(&upstream, "a.yml", "one");
    commit(&upstream, "a.yml", "two");
    let fetcher = bench.fresh();
    assert_eq!(known(fetcher.revision("g/p", &old)).as_deref(), Some(&*old));
    assert_eq!(known(fetcher.revision("g/p", &"1".repeat(40))), None);
    assert_eq!(
        known(fetcher.revision("g/p", &old[..10])).as_deref(),
        Some(&*old)
    );
    assert_eq!(known(fetcher.revision("g/p", "0000000")), None);
    assert!(matches!(
        why(fetcher.revision("g/p", "trunk~1")),
        Why::Failed(_)
    ));
}

#[test]
fn a_repository_that_is_not_there_is_no_project() {
    let mut bench = Bench::new();
    let missing = bench.dir.path().join("nowhere");
    bench.map(Location::Url(format!("file://{}", missing.display())));
    let fetcher = bench.fresh();
    assert_eq!(known(fetcher.project("g/p")), None);
    assert!(matches!(
        why(fetcher.project("g/other")),
        Why::NotConfigured(_)
    ));
    assert_eq!(
        why(bench
            .fetcher(Network::Forbidden, &Lock::default())
            .project("g/p")),
        Why::Offline
    );
}

#[test]
fn urls_that_hold_a_password_or_run_a_command_are_not_used() {
    let mut bench = Bench::new();
    let witness = bench.dir.path().join("witness");
    bench.map(Location::Url("https://me:s3cret@h.org/g/p.git".to_owned()));
    let told = why(bench.fresh().project("g/p")).to_string();
    assert!(
        !told.contains("s3cret") && told.contains("credential helper"),
        "{told}"
    );
    bench.map(Location::Url(format!("ext::touch {}", witness.display())));
    why(bench.fresh().project("g/p"));
    bench.map(Location::Url(format!(
        "--upload-pack=touch {}",
        witness.display()
    )));
    why(bench.fresh().project("g/p"));
    assert!(!witness.exists());
}

#[test]
fn a_directory_with_a_repository_answers_at_commits_and_a_plain_one_as_it_lies() {
    let mut bench = Bench::new();
    let dir = bench.folder("local");
    repository(&dir);
    let old = commit(&dir, "a.yml", "one");
    let new = commit(&dir, "a.yml", "two");
    std::fs::write(dir.join("a.yml"), "dirty").expect("writable");
    std::fs::write(bench.dir.path().join("outside"), "secret").expect("writable");
    std::os::unix::fs::symlink("../outside", dir.join("link.yml")).expect("writable");
    let location = |work_tree| Location::Directory {
        path: dir.clone(),
        work_tree,
    };
    bench.map(location(false));
    let fetcher = bench.fetcher(Network::Forbidden, &Lock::default());
    let facts = known(fetcher.project("g/p")).expect("it exists");
    assert_eq!(facts.default_branch, "trunk");
    assert_eq!(
        known(fetcher.revision("g/p", "trunk")).as_deref(),
        Some(&*new)
    );
    assert_eq!(
        known(fetcher.revision("g/p", "trunk~1")).as_deref(),
        Some(&*old)
    );
    assert_eq!(known(fetcher.revision("g/p", "nope")), None);
    assert_eq!(
        text(known(fetcher.file("g/p", &old, "a.yml"))).as_deref(),
        Some("one")
    );
    assert_eq!(fetcher.changed_lock(), None);
    bench.map(location(true));
    let fetcher = bench.fresh();
    let sha = known(fetcher.revision("g/p", "anything")).expect("every ref");
    assert_eq!(
        text(known(fetcher.file("g/p", &sha, "a.yml"))).as_deref(),
        Some("dirty")
    );
    assert_eq!(text(known(fetcher.file("g/p", &sha, "link.yml"))), None);
    assert_eq!(text(known(fetcher.file("g/p", &sha, "../outside"))), None);
    let tree = known(fetcher.tree("g/p", &sha));
    assert_eq!(tree.len(), 2, "git's own folder is not listed: {tree:?}");
    bench.map(Location::Directory {
        path: bench.dir.path().join("missing"),
        work_tree: false,
    });
    assert!(matches!(
        why(bench.fresh().project("g/p")),
        Why::NotConfigured(_)
    ));
}

#[test]
fn components_are_resolved_with_tags_in_mirrors_and_directories() {
    let mut bench = Bench::new();
    let upstream = bench.upstream();
    let first = commit(&upstream, "templates/lint.yml", "1.0.0");
    git(&upstream, &["tag", "1.0.0"]);
    let second = commit(&upstream, "templates/deploy/template.yml", "1.1.0");
    git(
        &upstream,
        &["tag", "--annotate", "--message", "x", "v1.1.0"],
    );
    let third = commit(&upstream, "templates/lint.yml", "2.0.0-rc.1");
    git(&upstream, &["tag", "2.0.0-rc.1"]);
    let by_url = bench.sources.projects.clone();
    for at in 0..2 {
        if at == 1 {
            bench.map(Location::Directory {
                path: upstream.clone(),
                work_tree: false,
            });
        }
        let fetcher = bench.fresh();
        let ask = |name: &str, version: &str| {
            let found = known(fetcher.component("g/p", name, version))?;
            Some((found.sha, found.version, found.path))
        };
        let lint = "templates/lint.yml".to_owned();
        let released = |sha: &str, version: &str, path: &str| {
            Some((sha.to_owned(), Some(version.to_owned()), path.to_owned()))
        };
        assert_eq!(ask("lint", "~latest"), released(&second, "v1.1.0", &lint));
        assert_eq!(ask("lint", "1.0"), released(&first, "1.0.0", &lint));
        let deploy = "templates/deploy/template.yml";
        assert_eq!(ask("deploy", "1"), released(&second, "v1.1.0", deploy));
        assert_eq!(
            ask("lint", "2.0.0-rc.1"),
            released(&third, "2.0.0-rc.1", &lint)
        );
        assert_eq!(
            ask("lint", "trunk"),
            Some((third.clone(), None, lint.clone()))
        );
        assert_eq!(ask("lint", &first), Some((first.clone(), None, lint)));
        assert_eq!(ask("lint", "2"), None);
        assert_eq!(ask("deploy", "1.0.0"), None);
        assert_eq!(ask("../x", "1.0.0"), None);
        assert_eq!(fetcher.changed_lock().is_some(), at == 0);
    }
    bench.sources.projects = by_url;
    let lock = bench.fresh();
    known(lock.component("g/p", "lint", "~latest"));
    let lock = lock.changed_lock().expect("it was pinned");
    git(&upstream, &["tag", "3.0.0"]);
    let pinned = bench.fetcher(Network::WhenNeeded, &lock);
    let found = known(pinned.component("g/p", "lint", "~latest")).expect("it exists");
    assert_eq!(found.version.as_deref(), Some("v1.1.0"));
}

#[test]
fn a_pin_from_another_place_does_not_count() {
    let mut bench = Bench::new();
    let upstream = bench.upstream();
    commit(&upstream, "a.yml", "one");
    let first = bench.fresh();
    known(first.revision("g/p", "trunk"));
    let lock = first.changed_lock().expect("it was pinned");
    let fork = bench.folder("fork");
    repository(&fork);
    let forked = commit(&fork, "a.yml", "fork");
    bench.map(Location::Url(format!("file://{}", fork.display())));
    let moved = bench.fetcher(Network::WhenNeeded, &lock);
    assert_eq!(
        known(moved.revision("g/p", "trunk")).as_deref(),
        Some(&*forked)
    );
}
