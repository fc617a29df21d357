//! A gRPC call, with and without the layers: a service that answers at once and in the process, its trailers read to the end.

use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use harness::calls::Calls;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use xray_runtime::{XRayGrpcLayer, XRayLayer};

use crate::recorder::Recording;

pub(crate) fn client_calls(recording: Recording) -> Calls {
    let traced = XRayGrpcLayer::new().endpoint("http://stock.internal:50051".parse().expect("an address"));
    recording.in_segments(|| call(service_fn(answer)), move || call(traced.layer(service_fn(answer))))
}

/// The segment is the layer's own.
pub(crate) fn server_calls(recording: Recording) -> Calls {
    let layer = XRayLayer::new();
    let (plain, traced) = (Rc::clone(&recording.runtime), Rc::clone(&recording.runtime));
    recording.calls(
        move |calls| (0..calls).for_each(|_| plain.block_on(call(service_fn(answer)))),
        move |calls| (0..calls).for_each(|_| traced.block_on(call(layer.layer(service_fn(answer))))),
    )
}

async fn call<S, B>(service: S)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    B: http_body::Body,
{
    let request = Request::post("/shop.v1.Stock/Get")
        .header("content-type", "application/grpc")
        .header("user-agent", "tonic/0.14")
        .body(Full::new(Bytes::from_static(b"\0\0\0\0\x02\x08\x07")))
        .expect("a request");
    let Ok(response) = service.oneshot(request).await else { panic!("the service answers") };
    let Ok(collected) = response.into_body().collect().await else { panic!("the body is whole") };
    assert!(collected.trailers().is_some());
}

fn answer(
    _: Request<Full<Bytes>>,
) -> impl Future<Output = Result<Response<impl http_body::Body<Error = Infallible>>, Infallible>> {
    let body = Full::new(Bytes::from_static(b"\0\0\0\0\x02\x08\x2a")).with_trailers(async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Some(Ok(trailers))
    });
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    std::future::ready(Ok(response))
}
