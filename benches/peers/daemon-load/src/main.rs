//! Both ends of `benches/run daemon`: what sends segments to a daemon, and the AWS X-Ray that it relays them to.

mod segment;
mod send;
mod upstream;

const USAGE: &str =
    "one of: send UDP_ADDRESS SEGMENTS RATE (a second; 0 for as many as go) | upstream DELAY_MILLISECONDS";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["send", address, segments, rate] => {
            let sent = send::send(address, segments.parse().expect(USAGE), rate.parse().expect(USAGE));
            println!("{}", sent.expect("a socket on this machine"));
        }
        ["upstream", delay] => upstream::serve(delay.parse().expect(USAGE)),
        _ => panic!("{USAGE}"),
    }
}
