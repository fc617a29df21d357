//! The stack as the SDK's HTTP client.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use tokio::time::timeout;

use super::error::{HttpError, Kind};
use super::{Http, host_of, read, send};

/// The most bytes of an answer's body that the SDK is given: those of a batch that is refused whole are some KiB.
const BODY_BYTES: usize = 1 << 20;

impl Http {
    /// For X-Ray and STS: each call by way of the proxy, where there is one.
    pub(in crate::upstream::aws) fn for_services(&self) -> SharedHttpClient {
        SharedHttpClient::new(SdkClient { http: self.clone(), direct: false })
    }

    /// For the chain of credentials: no call to a metadata service goes to the proxy.
    pub(in crate::upstream::aws) fn for_credentials(&self) -> SharedHttpClient {
        SharedHttpClient::new(SdkClient { http: self.clone(), direct: true })
    }
}

/// The SDK's view of the stack.
#[derive(Debug, Clone)]
struct SdkClient {
    http: Http,
    /// Whether calls to metadata services pass by the proxy.
    direct: bool,
}

impl HttpClient for SdkClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        // The time to connect is the stack's.
        SharedHttpConnector::new(Connector { client: self.clone(), head: settings.read_timeout() })
    }
}

#[derive(Debug, Clone)]
struct Connector {
    client: SdkClient,
    /// The longest until the head of an answer.
    head: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer = this.answer(request).await.map_err(|error| match error.kind {
                Kind::Timeout => ConnectorError::timeout(error.into()),
                Kind::Refused | Kind::UnknownHost => ConnectorError::io(error.into()).never_connected(),
                Kind::Other => ConnectorError::io(error.into()),
            })?;
            HttpResponse::try_from(answer.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl Connector {
    async fn answer(&self, request: http::Request<SdkBody>) -> Result<http::Response<Bytes>, HttpError> {
        let http = &self.client.http;
        let direct = self.client.direct && request.uri().host().is_some_and(|host| http.is_metadata(host));
        let client = if direct { http.metadata()? } else { &http.0.service };
        let host = host_of(request.uri());
        let head = send(client, request);
        let answer = match self.head {
            None => head.await?,
            Some(longest) => match timeout(longest, head).await {
                Ok(answer) => answer?,
                Err(_) => {
                    let message = format!("{host}: no answer within {longest:?}");
                    return Err(HttpError { kind: Kind::Timeout, message });
                }
            },
        };
        // Where the body breaks off the status still tells what became of the request.
        let (answer, _) = read(answer, BODY_BYTES).await;
        Ok(answer)
    }
}
