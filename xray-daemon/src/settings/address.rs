//! Addresses to listen on, as Go writes them.

use std::net::{SocketAddr, UdpSocket};

/// `address` with nothing left out, or what is wrong with it.
///
/// Names are not resolved here. A host that is left out (`:2000`) is every address of this machine.
pub(super) fn complete(address: &str) -> Result<String, &'static str> {
    if address.parse::<SocketAddr>().is_ok() {
        return Ok(address.to_owned());
    }
    let (host, port) = address.rsplit_once(':').ok_or("the port is missing")?;
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the port is no number");
    }
    if port.parse::<u16>().is_err() {
        return Err("ports end at 65535");
    }
    if host.is_empty() {
        // `[::]` takes IPv4 as well, where the machine has IPv6 at all.
        let any = if UdpSocket::bind("[::]:0").is_ok() { "[::]" } else { "0.0.0.0" };
        return Ok(format!("{any}:{port}"));
    }
    if host.contains("://") {
        return Err("it is host:port, without a scheme");
    }
    if host.contains([':', '[', ']']) {
        return Err("an IPv6 address stands in brackets, as in [::1]:2000");
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.len() > 253 || !host.bytes().all(is_name) {
        return Err("the host is neither a name nor an IP address");
    }
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_wanted() {
        for address in [
            "127.0.0.1:2000",
            "0.0.0.0:0",
            "[::1]:65535",
            "[::]:2000",
            "localhost:2000",
            "xray-daemon:2000",
            "xray_daemon.internal:1",
        ] {
            assert_eq!(complete(address).as_deref(), Ok(address));
        }
        let any = complete(":2000").unwrap();
        assert!(any == "[::]:2000" || any == "0.0.0.0:2000", "{any}");
        let refused = [
            ("", "the port is missing"),
            ("127.0.0.1", "the port is missing"),
            ("2000", "the port is missing"),
            ("127.0.0.1:", "the port is no number"),
            ("127.0.0.1:http", "the port is no number"),
            ("127.0.0.1:-1", "the port is no number"),
            ("127.0.0.1:+80", "the port is no number"),
            ("127.0.0.1:65536", "ports end at 65535"),
            ("127.0.0.1:99999999999999999999", "ports end at 65535"),
            ("::1:2000", "an IPv6 address stands in brackets, as in [::1]:2000"),
            ("[::1:2000", "an IPv6 address stands in brackets, as in [::1]:2000"),
            ("udp://127.0.0.1:2000", "it is host:port, without a scheme"),
            ("a b:2000", "the host is neither a name nor an IP address"),
            ("a/b:2000", "the host is neither a name nor an IP address"),
        ];
        for (address, why) in refused {
            assert_eq!(complete(address), Err(why), "{address}");
        }
    }
}
