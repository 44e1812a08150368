//! Names are resolved here, and what is public is refused: what was checked is what is connected to.

use std::fmt;
use std::net::IpAddr;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

use crate::kms::is_private;

/// A resolver that gives no public address away.
#[derive(Clone, Debug, Default)]
pub(super) struct PrivateResolver {
    /// What every name is taken to resolve to: a test has no names that lead anywhere.
    #[cfg(test)]
    fixed: Option<Vec<IpAddr>>,
}

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
            let addresses = self.look_up(name).await.map_err(ResolveDnsError::new)?;
            all_private(name, addresses).map_err(ResolveDnsError::new)
        })
    }
}

impl PrivateResolver {
    async fn look_up(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        #[cfg(test)]
        if let Some(fixed) = &self.fixed {
            return Ok(fixed.clone());
        }
        // The port is not looked at.
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
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
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::super::credentials::Base;
    use super::super::{AssumeRole, AwsKms, AwsKmsConfig};
    use super::*;
    use crate::kms::{KeyArn, Kms, KmsErrorClass};

    #[test]
    fn one_public_address_among_private_ones_is_refused() {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let private = list(&["10.0.0.7", "fd00::7"]);
        assert_eq!(all_private("kms", private.clone()).unwrap(), private);
        let error = all_private("kms.example.com", list(&["10.0.0.7", "52.94.1.1"])).unwrap_err();
        assert!(error.to_string().starts_with("kms.example.com resolves to the public address 52.94.1.1"));
    }

    /// A provider for which every name leads to 203.0.113.7 (RFC 5737: nobody's).
    fn kms(config: AwsKmsConfig) -> AwsKms {
        let credentials = Credentials::new("AKID", "secret", None, None, "test");
        let base = Base::Given(SharedCredentialsProvider::new(credentials));
        let resolver = PrivateResolver { fixed: Some(vec!["203.0.113.7".parse().unwrap()]) };
        AwsKms::with_resolver(config, base, resolver).unwrap()
    }

    #[tokio::test]
    async fn an_endpoint_whose_name_leads_to_a_public_address_is_not_connected_to() {
        let key = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
        let key = KeyArn::parse(key).unwrap();
        let private = AwsKmsConfig { require_private_network: true, ..AwsKmsConfig::default() };
        let error = kms(private.clone()).describe(key.region(), &key).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.class), ("PublicEndpoint", KmsErrorClass::Misconfigured));
        assert_eq!((error.help_code(), error.of_credentials), ("CK0026", false), "{error}");
        let name = "kms.eu-central-1.amazonaws.com resolves to the public address 203.0.113.7";
        assert!(error.to_string().contains(name), "{error}");

        // The same for STS, whose answer would be the way in.
        let role = AssumeRole {
            arn: "arn:aws:iam::111122223333:role/coffer".to_owned(),
            external_id: None,
            session_name: "coffer-member-1".to_owned(),
        };
        let role = AwsKmsConfig { assume_role: Some(role), ..private };
        let error = kms(role).refresh_credentials(key.region()).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.of_credentials), ("PublicEndpoint", true), "{error}");
        assert_eq!(error.help_code(), "CK0026");
    }

    #[tokio::test]
    async fn names_of_this_machine_resolve() {
        assert!(!PrivateResolver::default().resolve_dns("localhost").await.unwrap().is_empty());
    }
}
