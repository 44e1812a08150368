//! Which addresses are of a private network, and of an endpoint's name, which of them may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is of this machine or of a network that the internet does not route: loopback, RFC 1918, link
/// local, shared address space (RFC 6598), unique local IPv6 (RFC 4193).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_private_v4(address),
            None => is_private_v6(address),
        },
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let shared = address.octets()[0] == 100 && address.octets()[1] & 0b1100_0000 == 0b0100_0000;
    address.is_loopback() || address.is_private() || address.is_link_local() || shared
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_internet_does_not_route_is_private() {
        for (text, private) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.0.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("100.127.255.255", true),
            ("100.128.0.1", false),
            ("52.94.0.1", false),
            ("0.0.0.0", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2600:1f00::1", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:52.94.0.1", false),
        ] {
            assert_eq!(is_private(text.parse().unwrap()), private, "{text}");
        }
    }
}
