//! A function of AWS Lambda with the layer.
//!
//! `cargo run -p xray-runtime --example lambda --features lambda` plays Lambda: it gives the function two invocations, and prints the
//! documents that would go to the daemon, each a subsegment of the segment that Lambda itself sends. In Lambda (the binary as `bootstrap`)
//! and with `cargo lambda watch` it is the function.
#![allow(clippy::print_stdout)] // It is a program for a terminal.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::Command;

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};
use xray_runtime::{Recorder, XRayLambdaLayer, begin_subsegment, current_segment, xray_capture};

#[xray_capture]
async fn stock(item: &str) -> Result<u64, Error> {
    match item {
        "book" => Ok(3),
        _ => Err(format!("there is no {item}").into()),
    }
}

async fn order(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let item = event.payload["item"].as_str().unwrap_or_default().to_owned();
    // Of the handler's subsegment: the segment is Lambda's.
    current_segment().put_annotation("item", item.as_str());
    let left = stock(&item).await?;
    begin_subsegment("reserve").end();
    Ok(json!({ "left": left - 1 }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return play_lambda();
    }
    let _xray = Recorder::builder().service("orders").install()?;
    let xray = XRayLambdaLayer::new();
    Runtime::new(xray.handler(service_fn(order))).layer(xray).run().await
}

/// Starts this program again as the function, gives it invocations as Lambda does, and shows what it sends.
fn play_lambda() -> Result<(), Error> {
    let (api, daemon) = (TcpListener::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    daemon.set_nonblocking(true)?;
    let mut function = Command::new(std::env::current_exe()?)
        .env("AWS_LAMBDA_RUNTIME_API", api.local_addr()?.to_string())
        .env("AWS_XRAY_DAEMON_ADDRESS", daemon.local_addr()?.to_string())
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "orders"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("LAMBDA_TASK_ROOT", "/var/task")])
        .spawn()?;
    let mut invocations = [("book", '1'), ("pencil", '2')].into_iter();
    let (stream, _) = api.accept()?;
    let mut stream = BufReader::new(stream);
    loop {
        let (line, body) = request(&mut stream)?;
        if line.starts_with("POST") {
            println!("{line}\n  {body}");
            write!(stream.get_mut(), "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
            continue;
        }
        // It asks for the next: what it has recorded is here.
        let mut datagram = vec![0; 65_535];
        while let Ok(size) = daemon.recv(&mut datagram) {
            let text = String::from_utf8_lossy(&datagram[..size]);
            println!("  {}", text.lines().last().unwrap_or_default());
        }
        let Some((item, digit)) = invocations.next() else { break };
        let event = json!({ "item": item }).to_string();
        let trace =
            format!("Root=1-5759e988-bd862e3fe1be46a99427279{digit};Parent=53995c3f42cd8ad{digit};Sampled=1");
        let next = format!(
            "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: {digit}\r\nlambda-runtime-deadline-ms: 4102444800000\r\n\
             lambda-runtime-trace-id: {trace}\r\ncontent-length: {}\r\n\r\n{event}",
            event.len(),
        );
        stream.get_mut().write_all(next.as_bytes())?;
    }
    function.kill()?;
    function.wait()?;
    Ok(())
}

/// The first line of a request, and its body.
fn request(stream: &mut impl BufRead) -> Result<(String, String), Error> {
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first.trim().to_owned(), String::from_utf8(body)?))
}
