//! The address of the client that a request came from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of a client's address an item tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IpPolicy {
    /// The whole address.
    #[default]
    Full,
    /// The last 8 bits of an IPv4 address and the last 80 bits of an IPv6 address are zero: the network, not the host.
    Anonymize,
    /// None.
    Off,
}

impl IpPolicy {
    /// What the policy leaves of an address. An IPv4 address that is mapped into IPv6 is told as IPv4.
    ///
    /// ```
    /// use rollbar_runtime::IpPolicy;
    ///
    /// let left = |address: &str| IpPolicy::Anonymize.apply(address.parse().unwrap()).unwrap().to_string();
    /// assert_eq!(left("203.0.113.9"), "203.0.113.0");
    /// assert_eq!(left("2001:db8:85a3::8a2e:370:7334"), "2001:db8:85a3::");
    /// ```
    #[must_use]
    pub fn apply(self, address: IpAddr) -> Option<IpAddr> {
        match (self, address.to_canonical()) {
            (Self::Off, _) => None,
            (Self::Full, address) => Some(address),
            (Self::Anonymize, IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                Some(Ipv4Addr::new(a, b, c, 0).into())
            }
            (Self::Anonymize, IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                Some(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into())
            }
        }
    }

    /// What the policy leaves of the first address of a list, as `X-Forwarded-For` has it. None when that is no address.
    pub(crate) fn apply_to_first(self, list: &str) -> Option<IpAddr> {
        let first = list.split(',').next()?.trim();
        self.apply(first.parse().ok()?)
    }
}

/// What says where a request came from, the best first: `X-Forwarded-For`, `X-Real-Ip`, the other end of the connection.
/// Empty ones are left out.
fn sources<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    remote: Option<&'a str>,
) -> impl Iterator<Item = &'a str> {
    let headers = ["X-Forwarded-For", "X-Real-Ip"].map(&header);
    headers.into_iter().chain([remote]).flatten().filter(|text| !text.is_empty())
}

/// The first text that says where a request came from, unread: it may be a list, or no address at all.
pub(crate) fn client_text<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    remote: Option<&'a str>,
) -> Option<&'a str> {
    sources(header, remote).next()
}

/// What the policy leaves of the address of the client: the first of `X-Forwarded-For`, `X-Real-Ip` (`header` gives the
/// value of a name in any case) and the other end of the connection that is an address.
#[cfg_attr(not(feature = "tower"), allow(dead_code))]
pub(crate) fn client_ip<'a>(
    policy: IpPolicy,
    header: impl Fn(&str) -> Option<&'a str>,
    remote: Option<&'a str>,
) -> Option<IpAddr> {
    sources(header, remote).find_map(|text| policy.apply_to_first(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(policy: IpPolicy, forwarded: &str, real: &str, remote: &str) -> Option<String> {
        let header = |name: &str| match name {
            "X-Forwarded-For" => Some(forwarded),
            "X-Real-Ip" => Some(real),
            _ => None,
        };
        client_ip(policy, header, Some(remote)).map(|address| address.to_string())
    }

    #[test]
    fn the_first_source_that_is_an_address() {
        for (forwarded, real, remote, expected) in [
            ("1.1.1.1, 2.2.2.2", "3.3.3.3", "4.4.4.4", Some("1.1.1.1")),
            ("unknown, 2.2.2.2", "3.3.3.3", "4.4.4.4", Some("3.3.3.3")),
            ("", "", "4.4.4.4", Some("4.4.4.4")),
            ("_hidden", "-", "::ffff:4.4.4.4", Some("4.4.4.4")),
            ("", "", "unix:", None),
        ] {
            assert_eq!(found(IpPolicy::Full, forwarded, real, remote).as_deref(), expected);
            assert_eq!(found(IpPolicy::Off, forwarded, real, remote), None);
        }
        assert_eq!(client_text(|_| None, Some("unix:")), Some("unix:"));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_address_of_the_network_or_none(text in ".*|([0-9a-f:.]{1,40},?){1,3}") {
            let full = IpPolicy::Full.apply_to_first(&text);
            let network = IpPolicy::Anonymize.apply_to_first(&text);
            prop_assert_eq!(full.is_some(), network.is_some());
            prop_assert_eq!(full.and_then(|full| IpPolicy::Anonymize.apply(full)), network);
            prop_assert_eq!(network.and_then(|network| IpPolicy::Anonymize.apply(network)), network);
        }
    }
}
