//! A service of gRPC without protobuf: its messages are texts. Client and server are tonic's, over real HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut};
use futures_util::stream::{self, Stream, StreamExt};
use http::uri::PathAndQuery;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::server::{
    ClientStreamingService, NamedService, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tower::{Layer, ServiceBuilder};
use xray_runtime::{Recorder, XRayGrpcLayer, XRayGrpcService, XRayLayer, xray_capture};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Texts = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// Messages that are texts as they stand.
#[derive(Clone, Copy, Default)]
pub(crate) struct Text;

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
        Ok(Some(String::from_utf8(bytes.to_vec()).unwrap()))
    }
}

/// `demo.Greeter`: `Say` one for one, `List` one for many, `Join` many for one, `Echo` many for many.
#[derive(Clone, Copy)]
pub(crate) struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "demo.Greeter";
}

/// A text that begins with a number fails with that code, in the middle where it is a stream.
fn told(text: &str) -> Result<String, Status> {
    match text.split_once(' ').and_then(|(code, rest)| Some((code.parse::<i32>().ok()?, rest))) {
        Some((code, rest)) if code != 0 => Err(Status::new(Code::from_i32(code), rest)),
        _ => Ok(format!("hello {text}")),
    }
}

#[xray_capture(error = "error")]
fn look_up() -> Result<String, Status> {
    Err(Status::not_found("nobody of that name"))
}

impl UnaryService<String> for Greeter {
    type Response = String;
    type Future = BoxFuture<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        Box::pin(async move {
            let header =
                request.metadata().get("x-amzn-trace-id").map(|value| value.to_str().unwrap().to_owned());
            match request.into_inner().as_str() {
                "header" => Ok(Response::new(header.unwrap_or_default())),
                "never" => std::future::pending().await,
                "captured" => look_up().map(Response::new),
                text => told(text).map(Response::new),
            }
        })
    }
}

impl ServerStreamingService<String> for Greeter {
    type Response = String;
    type ResponseStream = Texts;
    type Future = BoxFuture<Result<Response<Texts>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let text = request.into_inner();
        let texts = stream::iter([Ok("one".to_owned()), Ok("two".to_owned()), told(&text)]);
        Box::pin(async move { Ok(Response::new(texts.boxed())) })
    }
}

impl ClientStreamingService<String> for Greeter {
    type Response = String;
    type Future = BoxFuture<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        Box::pin(async move {
            let texts: Vec<_> = request.into_inner().map(|text| text.unwrap()).collect().await;
            Ok(Response::new(texts.join(" ")))
        })
    }
}

/// Echo, under a type of its own: a stream in is the same argument as that of `Join`.
struct Echo;

impl StreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Texts;
    type Future = BoxFuture<Result<Response<Texts>, Status>>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner().boxed())) })
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
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Text);
            Ok(match request.uri().path() {
                "/demo.Greeter/Say" => grpc.unary(Self, request).await,
                "/demo.Greeter/List" => grpc.server_streaming(Self, request).await,
                "/demo.Greeter/Join" => grpc.client_streaming(Self, request).await,
                "/demo.Greeter/Echo" => grpc.streaming(Echo, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// Serves until the test's runtime ends, with a segment for each call.
pub(crate) async fn serve(recorder: &Recorder) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = XRayLayer::with_recorder(recorder);
    let server = Server::builder().layer(layer).add_service(Greeter);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}

/// A client of `demo.Greeter`.
pub(crate) struct Client(tonic::client::Grpc<XRayGrpcService<Channel>>);

fn path(method: &str) -> PathAndQuery {
    PathAndQuery::try_from(format!("/demo.Greeter/{method}")).unwrap()
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let endpoint = Endpoint::try_from(format!("http://{address}")).unwrap();
        Self::with(address, XRayGrpcLayer::new().endpoint(endpoint.uri().clone()))
    }

    pub(crate) fn with(address: SocketAddr, layer: XRayGrpcLayer) -> Self {
        let channel = Endpoint::try_from(format!("http://{address}")).unwrap().connect_lazy();
        Self(tonic::client::Grpc::new(ServiceBuilder::new().service(layer.layer(channel))))
    }

    pub(crate) async fn say(&mut self, text: impl Into<String>) -> Result<String, Status> {
        self.say_as(Request::new(text.into())).await
    }

    pub(crate) async fn say_as(&mut self, request: Request<String>) -> Result<String, Status> {
        self.0.ready().await.unwrap();
        self.0.unary(request, path("Say"), Text).await.map(Response::into_inner)
    }

    pub(crate) async fn list(&mut self, text: &str) -> Result<Streaming<String>, Status> {
        self.0.ready().await.unwrap();
        let request = Request::new(text.to_owned());
        self.0.server_streaming(request, path("List"), Text).await.map(Response::into_inner)
    }

    pub(crate) async fn join(&mut self, texts: [&'static str; 2]) -> Result<String, Status> {
        self.0.ready().await.unwrap();
        let request = Request::new(stream::iter(texts.map(str::to_owned)));
        self.0.client_streaming(request, path("Join"), Text).await.map(Response::into_inner)
    }

    pub(crate) async fn echo(
        &mut self,
        texts: impl Stream<Item = String> + Send + 'static,
    ) -> Result<Streaming<String>, Status> {
        self.0.ready().await.unwrap();
        self.0.streaming(Request::new(texts), path("Echo"), Text).await.map(Response::into_inner)
    }
}
