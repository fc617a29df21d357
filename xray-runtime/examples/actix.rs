//! A server of actix-web with a segment for each request.
//!
//! `cargo run -p xray-runtime --example actix --features actix`, with `xray-daemon tail --waterfall` beside it, shows two
//! traces: a request that is answered, and one whose error says why it is not.

#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use actix_web::http::StatusCode;
use actix_web::{App, HttpServer, ResponseError, web};
use xray_runtime::{Recorder, XRayActix, xray_capture};

#[derive(Debug)]
struct NoSuchUser(u32);

impl fmt::Display for NoSuchUser {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "there is no user {}", self.0)
    }
}

impl Error for NoSuchUser {}

impl ResponseError for NoSuchUser {
    fn status_code(&self) -> StatusCode {
        StatusCode::NOT_FOUND
    }
}

#[xray_capture(error = "error")]
async fn find(id: u32) -> Result<&'static str, NoSuchUser> {
    tokio::task::yield_now().await;
    if id == 1 { Ok("Ada") } else { Err(NoSuchUser(id)) }
}

async fn user(id: web::Path<u32>) -> Result<String, NoSuchUser> {
    Ok(format!("hello {}", find(*id).await?))
}

// `#[actix_web::main]` does as well, with actix-web's feature `macros`.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let _xray = Recorder::builder().service("users").without_sampling().install()?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(|| {
        App::new().route("/users/{id}", web::get().to(user)).wrap(XRayActix::new().skip_path("/health*"))
    })
    .workers(1)
    .listen(listener)?
    .run();

    let handle = server.handle();
    let client = tokio::task::spawn_blocking(move || {
        for id in [1, 7] {
            println!("{}", get(address, &format!("/users/{id}"))?);
        }
        Ok::<_, std::io::Error>(())
    });
    let stop = async {
        let got = client.await;
        handle.stop(true).await;
        got
    };
    let (served, got) = tokio::join!(server, stop);
    served?;
    got??;
    Ok(())
}

/// The body of the answer.
fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").map_or(answer.as_str(), |(_, body)| body).to_owned())
}
