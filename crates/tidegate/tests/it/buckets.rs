//! Caches in buckets: S3 against moto; Azure against Azurite; Google Cloud Storage, for which no emulator of the interface in use can
//! be installed, against moto too, since its XML interface asks for objects as S3 does.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidegate_testkit::{Ended, Sandbox, skip};

use crate::remote_cache::{PIPELINE, command_on, green, project};
use crate::{never_says, says};

/// A secret of every service, as text and as Azure wants its keys.
const SECRET: &str = "hush-hush-hush-hush-hush";
const SECRET_BASE64: &str = "aHVzaC1odXNoLWh1c2gtaHVzaC1odXNo";

/// A server with buckets, of one test alone, which ends with it.
pub(crate) struct Buckets {
    process: Child,
    address: String,
    pub(crate) endpoint: String,
    scheme: &'static str,
    variables: Vec<(&'static str, String)>,
}

impl Buckets {
    /// S3; `None` where there is no such server on this machine.
    pub(crate) fn s3() -> Option<Buckets> {
        let mut buckets = Buckets::moto("s3")?;
        buckets.variables = vec![
            ("AWS_ACCESS_KEY_ID", "someone".into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
        ];
        Some(buckets)
    }

    /// Google's language towards moto, which takes out of a token what S3 puts into its signature.
    fn gcs() -> Option<Buckets> {
        let mut buckets = Buckets::moto("gs")?;
        let token = format!("Credential={SECRET}/20260101/us-east-1/s3/aws4_request");
        buckets.variables = vec![("GOOGLE_BEARER_TOKEN", token)];
        Some(buckets)
    }

    fn azure() -> Option<Buckets> {
        let port = free_port();
        let mut server = Command::new(program("TIDEGATE_AZURITE_BLOB", "azurite-blob"));
        server
            .args(["--silent", "--inMemoryPersistence", "--disableTelemetry"])
            .args(["--skipApiVersionCheck", "--blobPort", &port.to_string()])
            .env("AZURITE_ACCOUNTS", format!("ci:{SECRET_BASE64}"));
        let mut buckets = Buckets::start(server, port, "azurite-blob", "npm install azurite")?;
        buckets.endpoint += "/ci";
        buckets.scheme = "az";
        buckets.variables = vec![
            ("AZURE_STORAGE_ACCOUNT", "ci".into()),
            ("AZURE_STORAGE_KEY", SECRET_BASE64.into()),
        ];
        Some(buckets)
    }

    fn moto(scheme: &'static str) -> Option<Buckets> {
        let port = free_port();
        let mut server = Command::new(program("TIDEGATE_MOTO_SERVER", "moto_server"));
        server.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let install = "pip install 'moto[s3]' flask flask-cors";
        let mut buckets = Buckets::start(server, port, "moto_server", install)?;
        buckets.scheme = scheme;
        Some(buckets)
    }

    fn start(mut server: Command, port: u16, name: &str, install: &str) -> Option<Buckets> {
        server.stdin(Stdio::null());
        server.stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = server.spawn() else {
            skip(&format!("{name} is not installed (`{install}`)"));
            return None;
        };
        let address = format!("127.0.0.1:{port}");
        let buckets = Buckets {
            process,
            endpoint: format!("http://{address}"),
            address,
            scheme: "",
            variables: Vec::new(),
        };
        let began = Instant::now();
        while TcpStream::connect(&buckets.address).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{name} does not listen"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(buckets)
    }

    /// Makes the bucket, as its owner does.
    pub(crate) fn make(&self, name: &str) {
        let (path, headers) = match self.scheme {
            "az" => (format!("/ci/{name}?restype=container"), azure_headers(name)),
            _ => (format!("/{name}"), String::new()),
        };
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "PUT {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.contains(" 200 ") || answer.contains(" 201 "),
            "{answer}"
        );
    }

    /// Runs Tidegate on a machine of its own as somebody the server knows.
    pub(crate) fn run(&self, machine: &str, repo: &Sandbox, args: &[&str]) -> Ended {
        let mut command = command_on(machine, repo, args);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ended::of(command.output().unwrap())
    }

    /// The settings for a bucket of this server.
    fn settings(&self, bucket: &str, more: &str) -> String {
        format!(
            "[cache.remote]\nurl = \"{}://{bucket}/ci\"\nendpoint = \"{}\"\nproject = 7\n{more}",
            self.scheme, self.endpoint
        )
    }
}

impl Drop for Buckets {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    listening.local_addr().unwrap().port()
}

fn program(variable: &str, usual: &str) -> std::ffi::OsString {
    std::env::var_os(variable).unwrap_or(usual.into())
}

/// What proves to Azurite that the account itself makes a container (Azure's "Shared Key" authorization).
fn azure_headers(container: &str) -> String {
    let said = |command: &str, input: &str| {
        let script = format!("set -o pipefail; printf %b '{input}' | {command}");
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{command}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let date = said("LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT'", "");
    let of_azure = format!("x-ms-date:{date}\\nx-ms-version:2021-08-06");
    let signed = format!(
        "PUT{}{of_azure}\\n/ci/ci/{container}\\nrestype:container",
        "\\n".repeat(12)
    );
    let sign = format!("openssl dgst -sha256 -hmac {SECRET} -binary | openssl base64 -A");
    let signature = said(&sign, &signed);
    format!(
        "x-ms-date: {date}\r\nx-ms-version: 2021-08-06\r\nAuthorization: SharedKey ci:{signature}\r\n"
    )
}

#[test]
fn machines_share_a_bucket_of_s3_in_each_format() {
    let Some(s3) = Buckets::s3() else { return };
    machines_share(&s3);
}

#[test]
fn machines_share_a_bucket_of_google_in_each_format() {
    let Some(gcs) = Buckets::gcs() else { return };
    machines_share(&gcs);
}

#[test]
fn machines_share_a_container_of_azure_in_each_format() {
    let Some(azure) = Buckets::azure() else {
        return;
    };
    machines_share(&azure);
}

fn machines_share(buckets: &Buckets) {
    for format in ["tidegate", "gitlab-runner"] {
        // The library writes `-` as `%2D` for Google, which moto takes as it stands.
        let bucket = format.replace('-', "");
        buckets.make(&bucket);
        let settings = buckets.settings(&bucket, &format!("format = \"{format}\"\n"));
        // Larger than one part of an upload, and nothing to pack.
        let pipeline = PIPELINE.replace(
            "ln -s",
            "dd if=/dev/urandom of=deps/large bs=1M count=20 status=none, cksum deps/large, ln -s",
        );
        let pipeline = pipeline.replace("'echo \"used", "cksum deps/large, 'echo \"used");
        let repo = project(&pipeline, &settings);
        let first = green(buckets.run("one", &repo, &["run"]));
        says(&first, "made 1");
        says(&first, "Saved in the remote cache: ");
        let second = green(buckets.run("two", &repo, &["run"]));
        never_says(&second, "made");
        says(&second, "Fetched from the remote cache: 3 files");
        says(&second, "used 1");
        let sum = |ended: &Ended| {
            let line = ended
                .stdout
                .lines()
                .find(|line| line.ends_with("20971520 deps/large"));
            line.and_then(|line| line.split(" | ").nth(1))
                .map(str::to_owned)
        };
        assert!(
            sum(&first).is_some() && sum(&first) == sum(&second),
            "{}",
            second.shown()
        );
        let listed = green(buckets.run("three", &repo, &["cache", "ls", "--remote"]));
        says(&listed, "-non_protected");
        let health = buckets.run("one", &repo, &["doctor"]);
        says(&health, &format!("{}://{bucket}", buckets.scheme));
        for ended in [&first, &second, &listed, &health] {
            let shown = ended.shown();
            assert!(
                !shown.contains(SECRET) && !shown.contains(SECRET_BASE64),
                "{shown}"
            );
        }
        let pruned = green(buckets.run(
            "one",
            &repo,
            &["cache", "prune", "--remote", "--max-age-days", "0"],
        ));
        says(&pruned, "1 caches");
        says(&green(buckets.run("three", &repo, &["run"])), "made 1");
    }
}

#[test]
fn a_bucket_that_is_not_there_is_told_and_the_job_goes_without() {
    let services = [(Buckets::s3(), "NoSuchBucket"), (Buckets::azure(), "404")];
    for (buckets, expected) in services {
        let Some(buckets) = buckets else { return };
        let repo = project(PIPELINE, &buckets.settings("nowhere", ""));
        let ended = green(buckets.run("one", &repo, &["run"]));
        says(&ended, expected);
        says(&ended, "used 1");
        let health = buckets.run("one", &repo, &["doctor"]);
        says(&health, expected);
    }
}

#[test]
fn a_wrong_key_is_told_without_showing_it_and_the_job_goes_without() {
    let Some(mut azure) = Buckets::azure() else {
        return;
    };
    azure.make("team");
    let wrong = "d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmct";
    azure.variables[1].1 = wrong.into();
    let repo = project(PIPELINE, &azure.settings("team", ""));
    let ended = green(azure.run("one", &repo, &["run"]));
    says(&ended, "failed to use the remote cache: access is denied");
    says(&ended, "used 1");
    never_says(&ended, wrong);
}

#[test]
fn where_nothing_says_who_asks_that_is_told_and_nobody_is_asked() {
    for (scheme, expected) in [
        ("s3", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("gs", "set GOOGLE_APPLICATION_CREDENTIALS"),
        ("az", "set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY"),
    ] {
        let settings = format!("[cache.remote]\nurl = \"{scheme}://team\"\nproject = 7\n");
        let repo = project(PIPELINE, &settings);
        let ended = green(Ended::of(
            command_on("one", &repo, &["run"]).output().unwrap(),
        ));
        assert!(ended.stderr.contains(expected), "{}", ended.shown());
        says(&ended, "used 1");
    }
}

/// An endpoint of the project's file needs no trust where nobody shows credentials: so nobody's may go there.
#[test]
fn whoever_asks_anonymously_never_shows_who_the_machine_is() {
    let Some(gcs) = Buckets::gcs() else { return };
    gcs.make("team");
    let metadata = TcpListener::bind("127.0.0.1:0").unwrap();
    metadata.set_nonblocking(true).unwrap();
    let repo = project(
        PIPELINE,
        &gcs.settings(
            "team",
            "credentials = \"anonymous\"\ntransfer_timeout = \"3s\"\n",
        ),
    );
    let address = metadata.local_addr().unwrap().to_string();
    let mut command = command_on("one", &repo, &["run"]);
    command
        .env("GCE_METADATA_HOST", &address)
        .env("GCE_METADATA_IP", &address);
    let ended = green(Ended::of(command.output().unwrap()));
    says(&ended, "failed to use the remote cache");
    let asked = metadata.accept();
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::WouldBlock);
}
