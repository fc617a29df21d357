//! Daemons that cannot start.

use std::net::{TcpListener, UdpSocket};

use conformance::upstream::Double;

use crate::process::Start;

/// It ends with 1, and its one error names what is wrong.
#[track_caller]
fn refuses(start: Start, named: &str) {
    let ended = start.spawn().ended();
    assert_eq!(ended.status.code(), Some(1), "{:#?} {:#?}", ended.log, ended.errors);
    let errors: Vec<_> =
        ended.log.iter().chain(&ended.errors).filter(|line| line.contains("[Error]")).collect();
    assert!(errors.len() == 1 && errors[0].contains(named), "{errors:#?}");
}

#[test]
fn a_udp_port_that_is_taken_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    refuses_to_listen(&addr, "127.0.0.1:0", &addr);
}

#[test]
fn a_tcp_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    // The AWS daemon keeps running, without its proxy.
    refuses_to_listen("127.0.0.1:0", &addr, &addr);
}

/// One of these addresses is taken, and named.
#[track_caller]
fn refuses_to_listen(udp: &str, tcp: &str, taken: &str) {
    let double = Double::start().unwrap();
    let args = ["-b", udp, "-t", tcp, "-n", "us-east-1", "--endpoint", &double.url()];
    refuses(Start::bare().args(args), taken);
}

#[test]
fn two_daemons_do_not_share_a_port() {
    let double = Double::start().unwrap();
    let mut first = Start::before(&double).start();
    let udp = first.udp().to_string();
    refuses(
        Start::bare().args(["-b", &udp, "-t", "127.0.0.1:0", "-n", "us-east-1", "--endpoint", &double.url()]),
        &udp,
    );
    first.send_next(50);
    assert_eq!(first.settled().sent, 50);
    first.end();
}
