//! The TCP server: a thread with a small runtime that accepts connections and serves HTTP/1.1 on them.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use futures_util::future::{Either, select};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use super::wire::Wire;

/// The most connections at a time. Others wait in the kernel's backlog. Each program whose SDK asks for sampling targets keeps one
/// open, and file descriptors often end at 1024.
const CONNECTIONS: usize = 512;

/// The longest that a request's head may take, and that a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// From how many bytes of a request's head on it is answered 431. What one read brings beyond that still passes: twice as many do
/// not.
const HEAD_BYTES: usize = 64 << 10;

/// The most headers of a request.
const HEADERS: usize = 100;

/// The longest that requests which are under way may take once the server is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// How long nothing is accepted after an error, so that a lasting one (no file descriptors) does not spin.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves on a bound socket.
    pub(crate) fn start(listener: TcpListener, router: Router) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = watch::channel(());
        let serve = move || {
            runtime.block_on(accept(listener, router, stopped));
            // What is left has had its time; the sockets close.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("xray-tcp".to_owned()).spawn(serve)?;
        Ok(Self { addr, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, router: Router, stopped: watch::Receiver<()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = stopped.clone();
    let mut stop = pin!(async move { while stop.changed().await.is_ok() {} });
    loop {
        let next = pin!(async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        });
        match select(stop.as_mut(), next).await {
            Either::Left(_) => break,
            Either::Right(((place, Ok((stream, peer))), _)) => {
                let connection = serve(Wire::new(stream, peer), router.clone(), stopped.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Either::Right(((_, Err(_)), _)) => sleep(AFTER_ERROR).await,
        }
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(LAST_ANSWERS, places.acquire_many(all)).await;
}

/// Serves one connection to its end. Its errors are the client's: it went away, it was slow, it sent no HTTP.
async fn serve(wire: Wire, router: Router, mut stopped: watch::Receiver<()>) {
    let io = TokioIo::new(wire.io());
    let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(wire.clone());
        router.call(request)
    });
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS)
            .serve_connection(io, answer)
    );
    let mut stop = pin!(async move { while stopped.changed().await.is_ok() {} });
    let mut stopping = false;
    poll_fn(|cx| {
        if !stopping && stop.as_mut().poll(cx).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}
