//! Objects in a bucket: S3 and what speaks its language, Google Cloud Storage, Azure Blob Storage.
//!
//! `object_store` is asynchronous; here every operation waits for it on a small runtime of its own, on the thread that asks.

use std::error::Error as _;
use std::fs::File;
use std::future::Future;
use std::io::{Read, Seek, Write};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutPayload, PutResult,
};

use crate::directory::too_long;
use crate::error::{At, RemoteError, Result};
use crate::objects::{ObjectFacts, Objects, Stop, Written};

/// Files up to this size travel in one request, longer ones in parts of at least this size.
const PART: u64 = 8 << 20;
/// A multipart upload has at most 10 000 parts.
const PARTS: u64 = 9_000;

/// A bucket.
pub(crate) struct Cloud {
    /// For contents.
    transfers: Arc<dyn ObjectStore>,
    /// For questions: gives up soon.
    questions: Arc<dyn ObjectStore>,
    /// What no message may show.
    secrets: Vec<String>,
}

impl Cloud {
    pub(crate) fn new(
        transfers: Arc<dyn ObjectStore>,
        questions: Arc<dyn ObjectStore>,
        secrets: Vec<String>,
    ) -> Cloud {
        Cloud {
            transfers,
            questions,
            secrets,
        }
    }

    /// Waits for an answer; one that nothing is there is `None`.
    fn ask<T>(&self, question: impl Future<Output = object_store::Result<T>>) -> Result<Option<T>> {
        match wait(question)? {
            Ok(answer) => Ok(Some(answer)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// As [`Cloud::ask`], where nothing being there (say, no bucket) is an error.
    fn demand<T>(&self, question: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        wait(question)?.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &object_store::Error) -> RemoteError {
        let mut text = error.to_string();
        for secret in self.secrets.iter().filter(|secret| secret.len() > 3) {
            text = text.replace(&**secret, "[MASKED]");
        }
        match error {
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => RemoteError::Denied(text),
            _ if is_outage(error) => RemoteError::Unreachable(text),
            _ => RemoteError::Failed(text),
        }
    }

    async fn receive(
        &self,
        path: &Path,
        most: u64,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> object_store::Result<std::result::Result<u64, RemoteError>> {
        let answer = self.transfers.get(path).await?;
        if answer.meta.size > most {
            return Ok(Err(too_long(path.as_ref(), most)));
        }
        let mut received = 0;
        let mut pieces = answer.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            received += piece.len() as u64;
            if received > most {
                return Ok(Err(too_long(path.as_ref(), most)));
            }
            let taken = take(&piece).at("write", FilePath::new("the fetched cache"));
            if let Err(error) = taken {
                return Ok(Err(error));
            }
        }
        Ok(Ok(received))
    }

    /// Sends a file; `None` where it was given up.
    async fn send(
        &self,
        path: &Path,
        from: &mut File,
        bytes: u64,
        attributes: Attributes,
        stop: Stop<'_>,
    ) -> object_store::Result<Option<PutResult>> {
        let local = |source: std::io::Error| object_store::Error::Generic {
            store: "the packed cache",
            source: source.into(),
        };
        if bytes <= PART {
            let mut content = Vec::new();
            from.read_to_end(&mut content).map_err(local)?;
            let payload = PutPayload::from(content);
            let put = self.transfers.put_opts(path, payload, attributes.into());
            return put.await.map(Some);
        }
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let mut upload = self.transfers.put_multipart_opts(path, options).await?;
        let size = PART.max(bytes / PARTS + 1);
        loop {
            if stop() {
                let _ = upload.abort().await;
                return Ok(None);
            }
            let mut part = Vec::new();
            let read = Read::by_ref(from).take(size).read_to_end(&mut part);
            let sent = match read.map_err(local) {
                Ok(0) => break,
                Ok(_) => upload.put_part(PutPayload::from(part)).await,
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                // Parts that stay are removed by the rules of the bucket; the first error says more.
                let _ = upload.abort().await;
                return Err(error);
            }
        }
        upload.complete().await.map(Some)
    }
}

impl Objects for Cloud {
    fn facts(&self, name: &str) -> Result<Option<ObjectFacts>> {
        let path = path(name)?;
        Ok(self.ask(self.questions.head(&path))?.map(facts))
    }

    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let path = path(name)?;
        let mut content = Vec::new();
        let take = |piece: &[u8]| {
            content.extend_from_slice(piece);
            Ok(())
        };
        match self.ask(self.receive(&path, most, take))? {
            Some(received) => received.map(|_| Some(content)),
            None => Ok(None),
        }
    }

    fn download(&self, name: &str, into: &mut File, most: u64) -> Result<Option<u64>> {
        let path = path(name)?;
        self.ask(self.receive(&path, most, |piece| into.write_all(piece)))?
            .transpose()
    }

    fn write(&self, name: &str, content: Vec<u8>) -> Result<Option<String>> {
        let path = path(name)?;
        let payload = PutPayload::from(content);
        let put = self
            .transfers
            .put_opts(&path, payload, attributes(None).into());
        Ok(self.demand(put)?.e_tag)
    }

    fn upload(&self, name: &str, from: &mut File, key: &str, stop: Stop<'_>) -> Result<Written> {
        let path = path(name)?;
        let packed = FilePath::new("the packed cache");
        let bytes = from.metadata().at("inspect", packed)?.len();
        from.rewind().at("read", packed)?;
        let sent = self.send(&path, from, bytes, attributes(Some(key)), stop);
        match self.demand(sent)? {
            Some(put) => Ok(Written {
                bytes,
                version: put.e_tag,
            }),
            None => Err(RemoteError::Stopped),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectFacts>> {
        let prefix = path(prefix)?;
        let all = async {
            let mut listed = self.transfers.list(Some(&prefix));
            let mut found = Vec::new();
            while let Some(meta) = listed.next().await {
                found.push(facts(meta?));
            }
            Ok(found)
        };
        let mut found = self.demand(all)?;
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = path(name)?;
        self.ask(self.transfers.delete(&path)).map(|_| ())
    }

    fn check(&self, prefix: &str) -> Result<()> {
        let prefix = path(prefix)?;
        let first = async {
            let mut listed = self.questions.list(Some(&prefix));
            listed.next().await.transpose().map(|_| ())
        };
        self.demand(first)
    }
}

/// What GitLab's runner notes with an archive (reference `runner.md` §4.3, §4.6).
fn attributes(key: Option<&str>) -> Attributes {
    let mut attributes = Attributes::new();
    let kind = AttributeValue::from("application/octet-stream");
    attributes.insert(Attribute::ContentType, kind);
    // A header holds nothing else.
    let key = key.filter(|key| key.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    if let Some(key) = key {
        let name = Attribute::Metadata("cachekey".into());
        attributes.insert(name, AttributeValue::from(key.to_owned()));
    }
    attributes
}

fn facts(meta: ObjectMeta) -> ObjectFacts {
    ObjectFacts {
        name: meta.location.to_string(),
        bytes: meta.size,
        modified: meta.last_modified.into(),
        version: meta
            .e_tag
            .unwrap_or_else(|| format!("{}-{}", meta.last_modified.to_rfc3339(), meta.size)),
    }
}

fn path(name: &str) -> Result<Path> {
    Path::parse(name).map_err(|_| RemoteError::Name(name.escape_debug().to_string()))
}

/// Whether nobody answered, as opposed to an answer that is an error.
fn is_outage(error: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(http) = error.downcast_ref::<object_store::client::HttpError>() {
            use object_store::client::HttpErrorKind as Kind;
            return !matches!(http.kind(), Kind::Decode | Kind::Unknown);
        }
        cause = error.source();
    }
    false
}

/// Waits for a future on this thread. The runtime only keeps the time between two tries: requests block (see [`crate::http`]).
fn wait<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .at("start a timer for", FilePath::new("the remote cache"))?;
    Ok(runtime.block_on(future))
}

/// How often and how long something is tried again.
pub(crate) fn retries(times: usize, within: Duration) -> object_store::RetryConfig {
    object_store::RetryConfig {
        backoff: object_store::BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: times,
        retry_timeout: within,
    }
}
