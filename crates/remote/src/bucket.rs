//! Which bucket, on whose servers, with whose credentials.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ObjectStore, StaticCredentialProvider};

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

    /// Variables that say who asks: with none of them the machine's metadata server would be asked, and be waited for where there is none.
    fn identities(self) -> &'static [&'static str] {
        match self {
            Service::S3 => &[
                "AWS_ACCESS_KEY_ID",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_SKIP_SIGNATURE",
            ],
            Service::Gcs => &[
                "GOOGLE_APPLICATION_CREDENTIALS",
                "GOOGLE_SERVICE_ACCOUNT",
                "GOOGLE_SERVICE_ACCOUNT_PATH",
                "GOOGLE_SERVICE_ACCOUNT_KEY",
                "GOOGLE_BEARER_TOKEN",
                "GOOGLE_SKIP_SIGNATURE",
            ],
            Service::Azure => &[
                "AZURE_STORAGE_KEY",
                "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_ACCESS_KEY",
                "AZURE_STORAGE_MASTER_KEY",
                "AZURE_STORAGE_SAS_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_TOKEN",
                "AZURE_STORAGE_CLIENT_SECRET",
                "AZURE_CLIENT_SECRET",
                "AZURE_FEDERATED_TOKEN_FILE",
                "AZURE_MSI_ENDPOINT",
                "AZURE_IDENTITY_ENDPOINT",
                "AZURE_USE_AZURE_CLI",
                "AZURE_SKIP_SIGNATURE",
            ],
        }
    }

    /// The usual one of them, for messages.
    fn usual_identity(self) -> &'static str {
        match self {
            Service::S3 => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Service::Gcs => "GOOGLE_APPLICATION_CREDENTIALS",
            Service::Azure => "AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY",
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
                .gcs()?
                .with_http_connector(connector)
                .with_retry(retry)
                .build()
                .map(|store| Arc::new(store) as _),
            Service::Azure => self
                .azure()?
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
                self.demand_identity(variables)?;
                for (key, value) in recognised::<AmazonS3ConfigKey>(variables) {
                    builder = builder.with_config(key, value);
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

    fn gcs(&self) -> Result<GoogleCloudStorageBuilder> {
        let mut builder = GoogleCloudStorageBuilder::new();
        match &self.credentials {
            Credentials::Variables(variables) => {
                if !has_gcloud_login() {
                    self.demand_identity(variables)?;
                }
                for (key, value) in recognised::<GoogleConfigKey>(variables) {
                    builder = builder.with_config(key, value);
                }
            }
            Credentials::Anonymous => {
                // Writing sends a token although nothing is to be signed: it would be the machine's, and go to whoever the
                // endpoint is.
                let nobody = GcpCredential {
                    bearer: String::new(),
                };
                builder = builder
                    .with_skip_signature(true)
                    .with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
            }
            Credentials::Keys { .. } => {
                return Err(RemoteError::Setup(format!(
                    "Google Cloud Storage knows no pair of keys: set {} instead of `access_key` and `secret_key`",
                    self.service.usual_identity()
                )));
            }
            Credentials::Instance => {}
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_base_url(endpoint);
        }
        Ok(builder.with_bucket_name(&self.name))
    }

    fn azure(&self) -> Result<MicrosoftAzureBuilder> {
        let mut builder = MicrosoftAzureBuilder::new();
        match &self.credentials {
            Credentials::Variables(variables) => {
                self.demand_identity(variables)?;
                // Those of Azure's own command line, which the library does not know.
                for (name, value) in variables {
                    builder = match &**name {
                        "AZURE_STORAGE_ACCOUNT" => builder.with_account(value),
                        "AZURE_STORAGE_KEY" => builder.with_access_key(value),
                        _ => builder,
                    };
                }
                for (key, value) in recognised::<AzureConfigKey>(variables) {
                    builder = builder.with_config(key, value);
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
        Ok(builder.with_container_name(&self.name))
    }

    fn demand_identity(&self, variables: &[(String, String)]) -> Result<()> {
        let known = self.service.identities();
        if variables.iter().any(|(name, _)| known.contains(&&**name)) {
            return Ok(());
        }
        Err(RemoteError::Setup(format!(
            "nothing says who asks: set {}, or `credentials` in the settings",
            self.service.usual_identity()
        )))
    }
}

/// The variables that a builder knows.
fn recognised<Key: FromStr>(variables: &[(String, String)]) -> impl Iterator<Item = (Key, &str)> {
    variables.iter().filter_map(|(name, value)| {
        let key = Key::from_str(&name.to_ascii_lowercase()).ok()?;
        Some((key, &**value))
    })
}

/// Whether `gcloud auth application-default login` left where the library looks who the user is.
fn has_gcloud_login() -> bool {
    std::env::home_dir().is_some_and(|home| {
        home.join(".config/gcloud/application_default_credentials.json")
            .is_file()
    })
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
