//! Fetches URLs as GitLab does: attempts, back-off and answers of reference `config.md` §4.5.

use std::cell::OnceCell;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tidegate_scenario::{Remote, Why};
use ureq::ResponseExt as _;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::address::scheme_and_host;
use crate::budget::Budget;
use crate::sources::{FetchLimits, RemotePolicy};

/// Bundles of trusted certificates, as distributions place them.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// The HTTP client; made on first use, since reading certificates takes milliseconds.
#[derive(Default)]
pub(crate) struct Http {
    agent: OnceCell<ureq::Agent>,
}

/// How one attempt ended.
enum Attempt {
    Done(Remote),
    /// Worth another try; the answer stands if it was the last.
    Again(Remote),
    Failed(Why),
}

impl Http {
    /// Gets `url`. Statuses, sockets and timeouts are answers GitLab has a message for; whatever it has none for is unknown.
    pub(crate) fn get(
        &self,
        url: &str,
        limits: &FetchLimits,
        policy: &RemotePolicy,
        budget: &Budget,
    ) -> Result<Remote, Why> {
        let mut wait = limits.back_off;
        let mut attempt = 1;
        loop {
            let within = budget.next().ok_or(Why::TimedOut)?;
            match self.attempt(url, limits.bytes, policy, within) {
                Attempt::Failed(why) => return Err(why),
                Attempt::Again(answer) if attempt >= limits.attempts => {
                    return Ok(counted(answer, attempt));
                }
                Attempt::Done(answer) => return Ok(counted(answer, attempt)),
                Attempt::Again(_) => {}
            }
            thread::sleep(wait.min(budget.next().unwrap_or_default()));
            wait *= 2;
            attempt += 1;
        }
    }

    fn attempt(&self, url: &str, most: u64, policy: &RemotePolicy, within: Duration) -> Attempt {
        let request = self.agent().get(url).config().timeout_global(Some(within));
        // A proxy cannot know this machine's own addresses.
        let request = match is_loopback(url) {
            true => request.proxy(None).build(),
            false => request.build(),
        };
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return failed(error),
        };
        let last = response.get_uri().to_string();
        if !policy.allows(&last) && last != url {
            let text = format!(
                "it is redirected to {}, which the settings deny",
                crate::address::redacted(&last)
            );
            return Attempt::Failed(Why::Refused(text));
        }
        let code = response.status().as_u16();
        let status = Remote::Status { code, attempts: 0 };
        match code {
            200..=299 => {}
            500.. => return Attempt::Again(status),
            _ => return Attempt::Done(status),
        }
        match response.body_mut().with_config().limit(most).read_to_vec() {
            Ok(body) => Attempt::Done(Remote::Body(body.into())),
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                let text = format!("it is larger than {most} bytes");
                Attempt::Failed(Why::Failed(text))
            }
            Err(error) => failed(error),
        }
    }

    fn agent(&self) -> &ureq::Agent {
        self.agent.get_or_init(|| {
            let tls = TlsConfig::builder().root_certs(trusted_roots()).build();
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .tls_config(tls)
                .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
                .build()
                .new_agent()
        })
    }
}

fn counted(answer: Remote, attempts: u32) -> Remote {
    match answer {
        Remote::Status { code, .. } => Remote::Status { code, attempts },
        other => other,
    }
}

fn failed(error: ureq::Error) -> Attempt {
    use ureq::Error;
    match error {
        Error::Timeout(_) | Error::BodyStalled => Attempt::Again(Remote::TimedOut),
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            Attempt::Again(Remote::TimedOut)
        }
        // rustls reports what it does not accept as an error of the stream.
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Attempt::Failed(Why::Failed(format!("the connection is not safe: {error}")))
        }
        Error::Io(_) | Error::HostNotFound | Error::ConnectionFailed => {
            Attempt::Again(Remote::SocketError)
        }
        Error::Protocol(_)
        | Error::Http(_)
        | Error::BadUri(_)
        | Error::RedirectFailed
        | Error::TooManyRedirects
        | Error::LargeResponseHeader(..) => Attempt::Again(Remote::HttpError),
        other => Attempt::Failed(Why::Failed(other.to_string())),
    }
}

fn is_loopback(url: &str) -> bool {
    let Some((_, host)) = scheme_and_host(url) else {
        return false;
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name == "[::1]" || name.starts_with("127.")
}

/// The certificates the machine trusts, where a company's own are among them; else those that came with the program.
pub fn trusted_roots() -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE");
    let named = named.as_deref().map(Path::new);
    let bundles = named.into_iter().chain(BUNDLES.iter().map(Path::new));
    for bundle in bundles {
        let certificates = std::fs::read(bundle).map(|pem| certificates(&pem));
        if let Ok(certificates) = certificates
            && !certificates.is_empty()
        {
            return RootCerts::new_with_certs(&certificates);
        }
    }
    RootCerts::WebPki
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).filter_map(Result::ok);
    items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect()
}
