//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::bail;
use rand::RngExt as _;

/// Where ports are taken from: below the range from which Linux gives ports to outgoing connections (32768 and up,
/// `net.ipv4.ip_local_port_range`), so that a member that restarts finds its port still free, and away from the
/// demo's 27101 to 27103.
const RANGE: std::ops::Range<u16> = 28_000..32_000;

/// Finds `count` different loopback ports that can be bound now.
///
/// # Errors
/// Where after many tries there are not enough.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    // All stay bound until the last is found: no port is given twice.
    let mut bound = Vec::with_capacity(count);
    for _ in 0..count * 200 {
        if bound.len() == count {
            break;
        }
        let port = rand::rng().random_range(RANGE);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            bound.push((port, listener));
        }
    }
    if bound.len() < count {
        bail!("found only {} of {count} free ports in {RANGE:?}", bound.len());
    }
    Ok(bound.into_iter().map(|(port, _)| port).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let mut ports = free_ports(20).unwrap();
        for port in &ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap();
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }
}
