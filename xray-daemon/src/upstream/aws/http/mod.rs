//! The one HTTP stack of all that talks to AWS: the reqwest that the crate has anyway, as the SDK's HTTP client.

mod body;
mod error;
mod names;
mod sdk;

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use reqwest::Url;
use tokio::time::timeout;

pub(super) use self::body::Written;
pub(super) use self::error::{HttpError, Kind, causes};

use self::body::Tracked;
use self::error::{kind_of, root_of};
use self::names::Names;
use super::hooks::Resolver;
use super::settings::AwsError;

/// The longest that a connection to AWS may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// The same to a metadata service, which is on this machine or nowhere.
const CONNECT_METADATA: Duration = Duration::from_secs(1);

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(90);

/// The longest that an answer's body may take after its head, for the SDK.
const BODY: Duration = Duration::from_secs(10);

/// The stack. Cheap to clone: one pool of connections.
#[derive(Clone)]
pub(super) struct Http(Arc<Inner>);

struct Inner {
    /// By way of the proxy, where there is one.
    service: reqwest::Client,
    settings: HttpSettings,
    /// Never by way of the proxy; most daemons need none.
    metadata: OnceLock<Result<reqwest::Client, HttpError>>,
}

/// What the stack has to know.
pub(super) struct HttpSettings {
    pub(super) proxy: Option<String>,
    pub(super) no_verify_ssl: bool,
    /// Hosts of metadata services and of container credentials, besides the addresses that are theirs by convention.
    pub(super) metadata_hosts: Vec<String>,
    /// The file of `AWS_CA_BUNDLE`, in place of the system's certificates.
    pub(super) ca_bundle: Option<String>,
    pub(super) resolver: Option<Resolver>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    pub(super) fn new(settings: HttpSettings) -> Result<Self, AwsError> {
        let proxy = settings.proxy.as_deref().map(proxy).transpose()?;
        let service = settings.client(proxy, CONNECT)?;
        Ok(Self(Arc::new(Inner { service, settings, metadata: OnceLock::new() })))
    }

    /// Sends a request to a service and reads the answer, whose body must be complete and of at most `most` bytes.
    pub(super) async fn call(
        &self,
        request: http::Request<SdkBody>,
        most: usize,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let host = host_of(request.uri());
        let answer = send(&self.0.service, request).await?;
        let (answer, end) = read(answer, most).await;
        let problem = match end {
            End::Complete => return Ok(answer),
            End::TooLarge => format!("its answer is larger than {most} bytes"),
            End::Broken(why) => format!("its answer broke off: {why}"),
        };
        Err(HttpError { kind: Kind::Other, message: format!("{host}: {problem}") })
    }

    fn metadata(&self) -> Result<&reqwest::Client, HttpError> {
        let made = self.0.metadata.get_or_init(|| {
            let made = self.0.settings.client(None, CONNECT_METADATA);
            made.map_err(|error| HttpError { kind: Kind::Other, message: error.to_string() })
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Whether a host is a metadata service, or this machine: no proxy can reach what is meant by it.
    fn is_metadata(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let by_address = match bare.parse() {
            Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
            // fd00:ec2::/32 is AWS's.
            Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2],
            Err(_) => bare.eq_ignore_ascii_case("localhost"),
        };
        by_address || self.0.settings.metadata_hosts.iter().any(|known| known.eq_ignore_ascii_case(bare))
    }
}

/// The proxy at an address.
fn proxy(address: &str) -> Result<reqwest::Proxy, AwsError> {
    let wrong = |reason: &str| AwsError::BadProxy(reason.to_owned());
    let address =
        if address.contains("://") { address.to_owned() } else { format!("http://{}", address.trim()) };
    let url = Url::parse(&address).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("only http and https proxies are known"));
    }
    // What it says of an error may hold the address.
    reqwest::Proxy::all(url).map_err(|_| wrong("it is no URL of a proxy"))
}

impl HttpSettings {
    fn client(&self, proxy: Option<reqwest::Proxy>, connect: Duration) -> Result<reqwest::Client, AwsError> {
        let builder = || {
            let builder = reqwest::Client::builder()
                // Neither lower-case variables nor NO_PROXY: as the AWS daemon.
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                // The relay decides whether there is another attempt.
                .retry(reqwest::retry::never())
                .http1_only()
                // What is forwarded must come out as it came, even where another crate of the program asks for more.
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .connect_timeout(connect)
                .pool_idle_timeout(IDLE)
                .tls_danger_accept_invalid_certs(self.no_verify_ssl)
                .dns_resolver(Names(self.resolver.clone()));
            match &proxy {
                Some(proxy) => builder.proxy(proxy.clone()),
                None => builder,
            }
        };
        if let Some(path) = &self.ca_bundle {
            let wrong = |reason: &dyn Error| AwsError::BadCertificates {
                path: path.clone(),
                reason: reason.to_string(),
            };
            let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(&error.without_url()))?;
            return builder()
                .tls_certs_only(certificates)
                .build()
                .map_err(|error| wrong(&error.without_url()));
        }
        builder().build().or_else(|error| {
            // An image without certificates: what needs none still works, and what does says which is not trusted.
            tracing::warn!(
                "the system's certificates cannot be read ({}); endpoints with https cannot be called. Install ca-certificates, or \
                 name a file in AWS_CA_BUNDLE",
                root_of(&error)
            );
            let without = builder().tls_certs_only(None).build();
            without.map_err(|error| AwsError::Http(root_of(&error)))
        })
    }
}

async fn send(
    client: &reqwest::Client,
    request: http::Request<SdkBody>,
) -> Result<reqwest::Response, HttpError> {
    let host = host_of(request.uri());
    let written = request.extensions().get::<Written>().cloned();
    let request = request.map(|body| reqwest::Body::wrap(Tracked::new(body, written)));
    let failed = |error: reqwest::Error| {
        let message = if error.is_connect() {
            format!("cannot connect to {host}: {}", root_of(&error))
        } else {
            format!("{host}: {}", root_of(&error))
        };
        HttpError { kind: kind_of(&error), message }
    };
    let request = reqwest::Request::try_from(request).map_err(failed)?;
    client.execute(request).await.map_err(failed)
}

/// How an answer's body ended.
enum End {
    Complete,
    TooLarge,
    Broken(String),
}

/// Reads an answer: what came of its body, up to `most` bytes.
async fn read(answer: reqwest::Response, most: usize) -> (http::Response<Bytes>, End) {
    let answer: http::Response<reqwest::Body> = answer.into();
    let (head, mut body) = answer.into_parts();
    let mut came = BytesMut::new();
    let whole = async {
        loop {
            match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                None => return End::Complete,
                Some(Err(error)) => return End::Broken(root_of(&error)),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let room = most - came.len();
                    came.extend_from_slice(data.get(..room).unwrap_or(&data));
                    if data.len() > room {
                        return End::TooLarge;
                    }
                }
            }
        }
    };
    let end =
        timeout(BODY, whole).await.unwrap_or_else(|_| End::Broken(format!("not complete after {BODY:?}")));
    (http::Response::from_parts(head, came.freeze()), end)
}

/// Host and port, without what else may stand there.
fn host_of(uri: &http::Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(proxy: Option<&str>, metadata_hosts: &[&str]) -> Http {
        Http::new(HttpSettings {
            proxy: proxy.map(str::to_owned),
            no_verify_ssl: false,
            metadata_hosts: metadata_hosts.iter().map(|host| (*host).to_owned()).collect(),
            ca_bundle: None,
            resolver: None,
        })
        .unwrap()
    }

    #[test]
    fn metadata_services_are_known() {
        let http = http(Some("http://127.0.0.1:1"), &["credentials.example"]);
        for host in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "127.0.0.1",
            "[::1]",
            "localhost",
            "Credentials.example",
        ] {
            assert!(http.is_metadata(host), "{host}");
        }
        for host in
            ["sts.eu-west-1.amazonaws.com", "169.255.0.1", "[fd01::1]", "10.0.0.1", "a.localhost.example"]
        {
            assert!(!http.is_metadata(host), "{host}");
        }
    }

    /// Sends a body to who accepts, and reads nothing.
    fn written(length: usize) -> bool {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let written = Written::default();
            let mut request = http::Request::post(url).body(SdkBody::from(vec![b'x'; length])).unwrap();
            request.extensions_mut().insert(written.clone());
            let http = http(None, &[]);
            timeout(Duration::from_millis(500), http.call(request, 0)).await.unwrap_err();
            written.is_whole()
        })
    }

    #[test]
    fn what_the_connection_does_not_take_is_not_written() {
        assert!(written(0));
        assert!(written(35_000));
        // More than the buffers of two sockets.
        assert!(!written(64 << 20));
    }
}
