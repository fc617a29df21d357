//! Where the daemon listens: `127.0.0.1:2000`, or `tcp:host:port udp:host:port`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// The port and host of a daemon. The host is a name or an IP address, and is not resolved here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// The host name or IP address; an IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    /// `host:port`, with brackets round an IPv6 address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The two addresses of a daemon: segments go over UDP, questions about sampling over TCP.
///
/// ```
/// use xray_runtime::DaemonAddress;
///
/// let both: DaemonAddress = "xray-daemon:2000".parse()?;
/// assert_eq!(both.udp(), both.tcp());
/// let each: DaemonAddress = "tcp:10.0.0.1:2000 udp:[::1]:2001".parse()?;
/// assert_eq!(each.udp().host(), "::1");
/// # Ok::<(), xray_runtime::InvalidDaemonAddress>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DaemonAddress {
    udp: Endpoint,
    tcp: Endpoint,
}

impl DaemonAddress {
    /// Where segments go.
    pub fn udp(&self) -> &Endpoint {
        &self.udp
    }

    /// Where sampling rules are asked for.
    pub fn tcp(&self) -> &Endpoint {
        &self.tcp
    }
}

impl Default for DaemonAddress {
    /// `127.0.0.1:2000`, where the daemon listens unless it is told otherwise.
    fn default() -> Self {
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: 2000 };
        Self { udp: endpoint.clone(), tcp: endpoint }
    }
}

impl fmt::Display for DaemonAddress {
    /// The shortest form that reads back to the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.udp == self.tcp { self.udp.fmt(f) } else { write!(f, "tcp:{} udp:{}", self.tcp, self.udp) }
    }
}

/// The text is no daemon address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a daemon address: `{text}`: {reason}; write `host:port`, or `tcp:host:port udp:host:port`")]
pub struct InvalidDaemonAddress {
    text: String,
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum Reason {
    #[error("it is empty")]
    Empty,
    #[error("one address alone serves both protocols, without `tcp:` or `udp:`")]
    OneProtocol,
    #[error("two addresses must be one `tcp:` and one `udp:`, in lower case")]
    Protocols,
    #[error("it has more than two addresses")]
    TooMany,
    #[error("the port is missing")]
    NoPort,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("the host is missing")]
    NoHost,
    #[error("an IPv6 address needs brackets, as in `[::1]:2000`")]
    Brackets,
    #[error("the host is not a name or an IP address")]
    Host,
}

impl FromStr for DaemonAddress {
    type Err = InvalidDaemonAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| InvalidDaemonAddress { text: text.chars().take(100).collect(), reason })
    }
}

fn parse(text: &str) -> Result<DaemonAddress, Reason> {
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Err(Reason::Empty),
        (Some(word), None, _) => {
            if word.starts_with("tcp:") || word.starts_with("udp:") {
                return Err(Reason::OneProtocol);
            }
            let endpoint = parse_endpoint(word)?;
            Ok(DaemonAddress { udp: endpoint.clone(), tcp: endpoint })
        }
        (Some(one), Some(other), None) => {
            let (tcp, udp) = if one.starts_with("tcp:") { (one, other) } else { (other, one) };
            match (tcp.strip_prefix("tcp:"), udp.strip_prefix("udp:")) {
                (Some(tcp), Some(udp)) => {
                    Ok(DaemonAddress { udp: parse_endpoint(udp)?, tcp: parse_endpoint(tcp)? })
                }
                _ => Err(Reason::Protocols),
            }
        }
        _ => Err(Reason::TooMany),
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, Reason> {
    let (host, port) = text.rsplit_once(':').ok_or(Reason::NoPort)?;
    if port.is_empty() {
        return Err(Reason::NoPort);
    }
    // `parse` alone would take `+2000`.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::Port);
    }
    let port = port.parse().ok().filter(|&port| port != 0).ok_or(Reason::Port)?;
    Ok(Endpoint { host: parse_host(host)?.to_owned(), port })
}

fn parse_host(host: &str) -> Result<&str, Reason> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        // A zone, as in `fe80::1%eth0`, is for the resolver to judge.
        let (number, zone) = address.split_once('%').unwrap_or((address, "zone"));
        let valid = number.parse::<Ipv6Addr>().is_ok() && !zone.is_empty();
        return if valid { Ok(address) } else { Err(Reason::Host) };
    }
    match host {
        "" => Err(Reason::NoHost),
        _ if host.contains(':') => Err(Reason::Brackets),
        _ if host.contains(['[', ']']) => Err(Reason::Host),
        _ => Ok(host),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_read_is_written_so_that_it_reads_alike(text in any::<String>(), near in "(tcp:|udp:)?(a|\\[::1\\]|)(:[0-9]{0,6})?( (tcp:|udp:)b:[1-9])?") {
            for text in [text, near] {
                if let Ok(address) = text.parse::<DaemonAddress>() {
                    prop_assert_eq!(address.to_string().parse(), Ok(address));
                }
            }
        }
    }

    #[test]
    fn the_default_is_what_it_says() {
        assert_eq!("127.0.0.1:2000".parse(), Ok(DaemonAddress::default()));
        assert_eq!(DaemonAddress::default().to_string(), "127.0.0.1:2000");
    }

    #[test]
    fn each_fault_is_named() {
        for (text, reason) in [
            ("  ", Reason::Empty),
            ("udp:a:1", Reason::OneProtocol),
            ("TCP:a:1 udp:a:1", Reason::Protocols),
            ("udp:a:1 udp:a:1", Reason::Protocols),
            ("tcp:a:1 udp:a:1 x", Reason::TooMany),
            ("localhost", Reason::NoPort),
            ("localhost:", Reason::NoPort),
            ("localhost:+1", Reason::Port),
            ("localhost:0", Reason::Port),
            ("localhost:65536", Reason::Port),
            (":2000", Reason::NoHost),
            ("::1:2000", Reason::Brackets),
            ("http://a:2000", Reason::Brackets),
            ("[a]:2000", Reason::Host),
            ("[]:2000", Reason::Host),
            ("[fe80::1%]:2000", Reason::Host),
            ("a]:2000", Reason::Host),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
        let error = "::1:2000".parse::<DaemonAddress>().unwrap_err().to_string();
        assert!(error.contains("`[::1]:2000`") && error.contains("write `host:port`"), "{error}");
    }

    #[test]
    fn a_zone_is_kept() {
        assert_eq!(parse("[fe80::1%eth0]:2000").unwrap().udp().host(), "fe80::1%eth0");
    }
}
