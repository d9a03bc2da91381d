//! Which bucket, on whose servers, with whose credentials.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use crate::cloud::{Cloud, retries};
use crate::error::{RemoteError, Result};
use crate::http::Connector;

/// A bucket and how it is reached.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Whose language is spoken.
    pub service: Service,
    /// Name of the bucket, or of the container.
    pub name: String,
    /// Another server than the service's own, `https://minio.example.com`.
    pub endpoint: Option<String>,
    /// Region of S3.
    pub region: Option<String>,
    /// The bucket is named in the host, not in the path (S3).
    pub virtual_hosted: bool,
    /// Who asks.
    pub credentials: Credentials,
}

/// A service with buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Amazon S3, or what speaks its language.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

/// Who asks for objects. Never shown.
#[derive(Clone)]
pub enum Credentials {
    /// What the service's usual variables say: `AWS_*`, `GOOGLE_*`, `AZURE_*`.
    Variables(Vec<(String, String)>),
    /// A pair of keys of S3.
    Keys {
        /// Its name.
        access: String,
        /// The secret.
        secret: String,
    },
    /// Those of the machine, from the service's metadata server.
    Instance,
    /// None.
    Anonymous,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Variables(_) => "Variables([MASKED])",
            Credentials::Keys { .. } => "Keys([MASKED])",
            Credentials::Instance => "Instance",
            Credentials::Anonymous => "Anonymous",
        })
    }
}

impl Service {
    /// The name in URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            Service::S3 => "s3",
            Service::Gcs => "gs",
            Service::Azure => "az",
        }
    }

    /// What its usual variables begin with.
    pub fn variables(self) -> &'static str {
        match self {
            Service::S3 => "AWS_",
            Service::Gcs => "GOOGLE_",
            Service::Azure => "AZURE_",
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A question: whether something is there.
    pub question: Duration,
    /// One request that carries contents.
    pub transfer: Duration,
}

/// Variables that say who asks, for S3: with none of them the machine's metadata server would be asked.
const S3_IDENTITY: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

impl Bucket {
    pub(crate) fn open(&self, timeouts: Timeouts) -> Result<Cloud> {
        let questions = self.store(timeouts.question, 1)?;
        let transfers = self.store(timeouts.transfer, 2)?;
        let secrets = match &self.credentials {
            Credentials::Variables(variables) => variables
                .iter()
                .filter(|(name, _)| is_secret(name))
                .map(|(_, value)| value.clone())
                .collect(),
            Credentials::Keys { secret, .. } => vec![secret.clone()],
            Credentials::Instance | Credentials::Anonymous => Vec::new(),
        };
        Ok(Cloud::new(transfers, questions, secrets))
    }

    fn store(&self, within: Duration, again: usize) -> Result<Arc<dyn ObjectStore>> {
        let connector = Connector {
            within,
            loopback: self.endpoint.as_deref().is_some_and(is_loopback),
        };
        // The time of all tries together.
        let retry = retries(again, within);
        let built: object_store::Result<Arc<dyn ObjectStore>> = match self.service {
            Service::S3 => self
                .s3()?
                .with_http_connector(connector)
                .with_retry(retry)
                .build()
                .map(|store| Arc::new(store) as _),
            Service::Gcs => self
                .gcs()
                .with_http_connector(connector)
                .with_retry(retry)
                .build()
                .map(|store| Arc::new(store) as _),
            Service::Azure => self
                .azure()
                .with_http_connector(connector)
                .with_retry(retry)
                .build()
                .map(|store| Arc::new(store) as _),
        };
        built.map_err(|error| RemoteError::Setup(error.to_string()))
    }

    fn s3(&self) -> Result<AmazonS3Builder> {
        let mut builder = AmazonS3Builder::new();
        match &self.credentials {
            Credentials::Variables(variables) => {
                let known = |wanted: &str| variables.iter().any(|(name, _)| name == wanted);
                if !S3_IDENTITY.iter().any(|name| known(name)) {
                    return Err(RemoteError::Setup(
                        "nothing says who asks: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                         `credentials` in the settings"
                            .to_owned(),
                    ));
                }
                for (name, value) in variables {
                    if let Ok(key) = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()) {
                        builder = builder.with_config(key, value);
                    }
                }
            }
            Credentials::Keys { access, secret } => {
                builder = builder
                    .with_access_key_id(access)
                    .with_secret_access_key(secret);
            }
            Credentials::Anonymous => builder = builder.with_skip_signature(true),
            Credentials::Instance => {}
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(true);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        Ok(builder
            .with_bucket_name(&self.name)
            .with_virtual_hosted_style_request(self.virtual_hosted))
    }

    fn gcs(&self) -> GoogleCloudStorageBuilder {
        let mut builder = GoogleCloudStorageBuilder::new();
        match &self.credentials {
            Credentials::Variables(variables) => {
                for (name, value) in variables {
                    if let Ok(key) = GoogleConfigKey::from_str(&name.to_ascii_lowercase()) {
                        builder = builder.with_config(key, value);
                    }
                }
            }
            Credentials::Anonymous => builder = builder.with_skip_signature(true),
            Credentials::Keys { .. } | Credentials::Instance => {}
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_base_url(endpoint);
        }
        builder.with_bucket_name(&self.name)
    }

    fn azure(&self) -> MicrosoftAzureBuilder {
        let mut builder = MicrosoftAzureBuilder::new();
        match &self.credentials {
            Credentials::Variables(variables) => {
                for (name, value) in variables {
                    if let Ok(key) = AzureConfigKey::from_str(&name.to_ascii_lowercase()) {
                        builder = builder.with_config(key, value);
                    }
                }
            }
            Credentials::Keys { access, secret } => {
                builder = builder.with_account(access).with_access_key(secret);
            }
            Credentials::Anonymous => builder = builder.with_skip_signature(true),
            Credentials::Instance => {}
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder
                .with_endpoint(endpoint.clone())
                .with_allow_http(true);
        }
        builder.with_container_name(&self.name)
    }
}

fn is_secret(name: &str) -> bool {
    ["SECRET", "TOKEN", "KEY", "SAS"]
        .iter()
        .any(|part| name.contains(part))
}

/// Whether a URL is of this machine.
pub fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(six) => six.starts_with("::1]"),
        None => {
            let name = host.split(':').next().unwrap_or_default();
            let address = name.parse::<std::net::Ipv4Addr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}
