//! Carries the requests of `object_store` with the HTTP client the rest of the program uses.
//!
//! So there is one TLS stack, one list of trusted certificates and no asynchronous network code: a request blocks the thread that
//! polls it, which is a thread that waits for this one answer anyway.

use std::io::Read;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use ureq::tls::TlsConfig;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How much of an answer is handed on at once.
const PIECE: usize = 1 << 16;

/// Makes clients that give up after a time.
#[derive(Debug)]
pub(crate) struct Connector {
    /// For one request with its answer.
    pub(crate) within: Duration,
    /// The place is on this machine: a proxy cannot know it.
    pub(crate) loopback: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let tls = TlsConfig::builder()
            .root_certs(tidegate_world::trusted_roots())
            .build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Requests are signed for the host they name.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(self.within))
            .timeout_connect(Some(CONNECT.min(self.within)))
            .tls_config(tls)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")));
        let config = match self.loopback {
            true => config.proxy(None),
            false => config,
        };
        Ok(HttpClient::new(Service(config.build().new_agent())))
    }
}

#[derive(Debug)]
struct Service(ureq::Agent);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let sends = body.content_length() > 0 || matches!(parts.method.as_str(), "PUT" | "POST");
        let answer = if sends {
            let content = gathered(body);
            self.0.run(http::Request::from_parts(parts, content))
        } else {
            self.0.run(http::Request::from_parts(parts, ()))
        };
        let (parts, body) = answer.map_err(failed)?.into_parts();
        let body = Answer(Mutex::new(Box::new(body.into_reader())));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

/// The pieces of a body in one: none is longer than a part of an upload.
fn gathered(body: object_store::client::HttpRequestBody) -> Vec<u8> {
    if let Some(bytes) = body.as_bytes() {
        return bytes.to_vec();
    }
    let mut body = Pin::from(Box::new(body));
    let mut content = Vec::with_capacity(body.content_length());
    let mut context = Context::from_waker(std::task::Waker::noop());
    // A body that is already in memory is always ready.
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        if let Some(data) = frame.data_ref() {
            content.extend_from_slice(data);
        }
    }
    content
}

/// The content of an answer, read when it is asked for.
struct Answer(Mutex<Box<dyn Read + Send>>);

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let mut piece = vec![0; PIECE];
        let reader = self
            .0
            .get_mut()
            .unwrap_or_else(|poison| poison.into_inner());
        Poll::Ready(match reader.read(&mut piece) {
            Ok(0) => None,
            Ok(length) => {
                piece.truncate(length);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                Some(Err(HttpError::new(HttpErrorKind::Timeout, error)))
            }
            Err(error) => Some(Err(HttpError::new(HttpErrorKind::Interrupted, error))),
        })
    }
}

/// What an error means for another try.
fn failed(error: ureq::Error) -> HttpError {
    use ureq::Error;
    let kind = match &error {
        Error::Timeout(_) | Error::BodyStalled => HttpErrorKind::Timeout,
        Error::Io(io) if io.kind() == std::io::ErrorKind::TimedOut => HttpErrorKind::Timeout,
        // rustls reports what it does not accept as an error of the stream: no other try will be accepted.
        Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => HttpErrorKind::Decode,
        Error::Io(_) | Error::HostNotFound | Error::ConnectionFailed => HttpErrorKind::Connect,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}
