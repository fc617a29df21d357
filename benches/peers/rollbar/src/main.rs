//! Crate `rollbar` 0.7. It knows one address, Rollbar's own; it is told another way to send, which is its own way word by word
//! but for the address and TLS: one thread with a runtime of its own a report.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use backtrace::Backtrace;
use futures::Future;
use harness::reports::{OrderRefused, Reporter, Reporting, Setup, Stack, message};
use hyper::client::HttpConnector;
use hyper::{Body, Method, Request};
use rollbar::{Client, FrameBuilder, Level, ResponseStatus};
use tokio_01::runtime::current_thread;

type Sent = JoinHandle<Option<ResponseStatus>>;

static SINK: OnceLock<SocketAddr> = OnceLock::new();

fn main() {
    Reporter { scenarios: &["message", "error", "error-frames"] }.main(build)
}

fn build(setup: &Setup<'_>) -> Reporting {
    SINK.set(setup.sink).expect("set once");
    let client = Client::new("00112233445566778899aabbccddeeff", "benches");
    let under_way = Rc::new(RefCell::new(Vec::<Sent>::new()));
    let sent = Rc::clone(&under_way);
    let reporting = match setup.scenario {
        "message" => Reporting::new(move |n| {
            let text = message(n);
            let mut report = client.build_report();
            let report = report.with_send_strategy(Box::new(post));
            sent.borrow_mut().push(report.from_message(&text).with_level(Level::WARNING).send());
        }),
        "error" => Reporting::new(move |n| {
            let mut report = client.build_report();
            let report = report.with_send_strategy(Box::new(post));
            sent.borrow_mut().push(report.from_error(&OrderRefused(n)).with_frame(here()).send());
        }),
        _ => {
            let mut stack = Stack::default();
            Reporting::new(move |n| {
                stack.run(&mut || {
                    let backtrace = Backtrace::new();
                    let mut report = client.build_report();
                    let report = report.with_send_strategy(Box::new(post));
                    let error = OrderRefused(n);
                    let mut report = report.from_error(&error);
                    sent.borrow_mut().push(report.with_frame(here()).with_backtrace(&backtrace).send());
                });
            })
        }
    };
    reporting.flush(move || under_way.take().into_iter().for_each(|sent| drop(sent.join())))
}

/// As the crate's macros do.
fn here() -> FrameBuilder {
    FrameBuilder::new().with_line_number(line!()).with_file_name(file!()).build()
}

fn post(client: Arc<hyper::Client<HttpsConnector>>, payload: String) -> Sent {
    let url = format!("http://{}/api/1/item/", SINK.get().expect("set before"));
    let request =
        Request::builder().method(Method::POST).uri(url).body(Body::from(payload)).expect("a good request");
    let job = client
        .request(request)
        .map(|response| Some(ResponseStatus::from(response.status())))
        .map_err(|_| None::<ResponseStatus>);
    thread::spawn(move || current_thread::Runtime::new().unwrap().block_on(job).unwrap())
}

type HttpsConnector = hyper_tls::HttpsConnector<HttpConnector>;
