//! Names are resolved here, and what is public is refused: what was checked is what is connected to.

use std::fmt;
use std::net::IpAddr;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

use crate::kms::is_private;

/// A resolver that gives no public address away.
#[derive(Clone, Debug)]
pub(super) struct PrivateResolver;

/// A name that leads to the internet.
#[derive(Debug)]
pub(super) struct PublicAddress {
    name: String,
    address: IpAddr,
}

impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, address } = self;
        write!(
            f,
            "{name} resolves to the public address {address}, and encryption.require_private_network is set"
        )
    }
}

impl std::error::Error for PublicAddress {}

impl ResolveDns for PrivateResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let addresses = found.map(|address| address.ip()).collect();
            all_private(name, addresses).map_err(ResolveDnsError::new)
        })
    }
}

/// One public address is enough to refuse a name: which of several is connected to is not ours to say.
fn all_private(name: &str, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, PublicAddress> {
    match addresses.iter().find(|address| !is_private(**address)) {
        Some(address) => Err(PublicAddress { name: name.to_owned(), address: *address }),
        None => Ok(addresses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_public_address_among_private_ones_is_refused() {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let private = list(&["10.0.0.7", "fd00::7"]);
        assert_eq!(all_private("kms", private.clone()).unwrap(), private);
        let error = all_private("kms.example.com", list(&["10.0.0.7", "52.94.1.1"])).unwrap_err();
        assert!(error.to_string().starts_with("kms.example.com resolves to the public address 52.94.1.1"));
    }

    #[tokio::test]
    async fn names_of_this_machine_resolve() {
        assert!(!PrivateResolver.resolve_dns("localhost").await.unwrap().is_empty());
    }
}
