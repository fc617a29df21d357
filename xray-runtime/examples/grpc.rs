//! A gRPC server and its client in one process: two segments of one trace.
//!
//! `cargo run -p xray-runtime --example grpc --features grpc`, with `xray-daemon tail --waterfall` beside it, shows the trace.
//!
//! Messages are texts, so that it needs no protobuf compiler. Services and clients that tonic generates take the same two layers.

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut};
use http::uri::PathAndQuery;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use tower::{Layer, ServiceBuilder};
use xray_runtime::{Recorder, XRayGrpcLayer, XRayLayer, xray_capture};

/// The method.
const GREET: &str = "/demo.Greeter/Greet";

#[xray_capture(error = "error")]
async fn greet(name: String) -> Result<String, Status> {
    if name.is_empty() {
        return Err(Status::invalid_argument("whom shall I greet?"));
    }
    Ok(format!("hello {name}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let xray = Recorder::builder().service("greeter").without_sampling().install()?;
    let caller = Recorder::builder().service("caller").without_sampling().build()?;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::try_from(format!("http://{}", listener.local_addr()?))?;
    // tonic has the client's address in a type of its own: as a `SocketAddr` it becomes `client_ip` of the segment.
    let layers = ServiceBuilder::new()
        .map_request(|mut request: http::Request<_>| {
            let peer = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            request
        })
        .layer(XRayLayer::new());
    let server = Server::builder().layer(layers).add_service(Greeter);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let layer = XRayGrpcLayer::new().endpoint(endpoint.uri().clone());
    let mut client = tonic::client::Grpc::new(layer.layer(endpoint.connect_lazy()));
    let calls = async {
        for name in ["Ada", ""] {
            client.ready().await?;
            match client.unary(Request::new(name.to_owned()), PathAndQuery::from_static(GREET), Text).await {
                Ok(greeting) => println!("{}", greeting.into_inner()),
                Err(status) => println!("{status}"),
            }
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    caller.segment("caller").instrument(calls).await?;

    caller.flush(Duration::from_secs(1));
    xray.flush(Duration::from_secs(1));
    Ok(())
}

/// What tonic's build would make of a `.proto` file.
#[derive(Clone)]
struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "demo.Greeter";
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl UnaryService<String> for Greeter {
    type Response = String;
    type Future = BoxFuture<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        Box::pin(async { greet(request.into_inner()).await.map(Response::new) })
    }
}

impl tower::Service<http::Request<Body>> for Greeter {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async {
            if request.uri().path() != GREET {
                return Ok(Status::unimplemented("no such method").into_http());
            }
            Ok(tonic::server::Grpc::new(Text).unary(Self, request).await)
        })
    }
}

/// Messages that are texts as they stand.
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        String::from_utf8(bytes.into()).map(Some).map_err(|_| Status::invalid_argument("no text"))
    }
}
