//! How AWS KMS is reached.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::kms::{IamArn, IamArnError, Region, is_private};

/// How AWS KMS is reached.
#[derive(Clone, Debug, Default)]
pub struct AwsKmsConfig {
    /// Other endpoints of KMS, per Region: a VPC endpoint, or an emulator on this machine.
    pub endpoints: BTreeMap<Region, String>,
    /// Another endpoint of STS, for all Regions. Without it the STS of the Region that is asked.
    pub sts_endpoint: Option<String>,
    /// A role to assume for KMS; without one the credentials of the default chain are used.
    pub assume_role: Option<AssumeRole>,
    /// Limits in time.
    pub timeouts: AwsTimeouts,
    /// Whether to connect to private addresses only: those of interface endpoints (AWS PrivateLink), and of this
    /// machine.
    pub require_private_network: bool,
}

/// A role to assume.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role's ARN.
    pub arn: String,
    /// The ExternalId that its trust policy asks for.
    pub external_id: Option<String>,
    /// The name of the session in the audit trail, like `coffer-member-1`.
    pub session_name: String,
}

impl std::fmt::Debug for AssumeRole {
    /// The ExternalId is no secret to AWS, and yet owners treat it as one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumeRole")
            .field("arn", &self.arn)
            .field("external_id", &self.external_id.as_ref().map(|_| "<redacted>"))
            .field("session_name", &self.session_name)
            .finish()
    }
}

/// Limits of a call, in time and in attempts. A probe has five seconds in all for credentials,
/// Encrypt and Decrypt, so one call has to end well before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsTimeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For one attempt.
    pub attempt: Duration,
    /// For all attempts of one call, with the pauses between them.
    pub total: Duration,
    /// Attempts of one call, 1 to 5.
    pub max_attempts: u32,
}

impl Default for AwsTimeouts {
    /// 1 s, 1.5 s, 3.5 s and two attempts: KMS answers in some 10 ms within a Region and in some
    /// 300 ms across the globe, three round trips for TLS included.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            attempt: Duration::from_millis(1500),
            total: Duration::from_millis(3500),
            max_attempts: 2,
        }
    }
}

/// A configuration that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsKmsConfigError {
    /// An endpoint that is no URL, or one that would send keys in the clear.
    #[error(
        "the endpoint `{0}` is not usable: it must start with https://, or with http:// and an \
         address of this machine (127.0.0.1, [::1] or localhost), since keys travel over it"
    )]
    Endpoint(String),
    /// Limits that contradict each other.
    #[error("the timeouts of KMS must be above zero, connect ≤ attempt ≤ total, with 1 to 5 attempts")]
    Timeouts,
    /// An endpoint that names a public address, where those are refused.
    #[error(
        "the endpoint `{0}` is a public address, and a private network is required: give that of an interface \
         endpoint (AWS PrivateLink)"
    )]
    PublicEndpoint(String),
    /// Not the ARN of a role.
    #[error(transparent)]
    Role(#[from] IamArnError),
    /// Not a session name that STS takes.
    #[error("`{0}` is not a session name: 2 to 64 of letters, digits and _+=,.@- are wanted")]
    SessionName(String),
}

impl AwsKmsConfig {
    /// Checks what can be checked without asking AWS.
    ///
    /// # Errors
    /// The first thing that cannot be meant.
    pub fn check(&self) -> Result<(), AwsKmsConfigError> {
        for endpoint in self.endpoints.values().chain(&self.sts_endpoint) {
            if !is_safe_endpoint(endpoint) {
                return Err(AwsKmsConfigError::Endpoint(endpoint.clone()));
            }
            // Names are looked at when they are resolved; addresses are never resolved.
            let public = literal_address(endpoint).is_some_and(|address| !is_private(address));
            if self.require_private_network && public {
                return Err(AwsKmsConfigError::PublicEndpoint(endpoint.clone()));
            }
        }
        let AwsTimeouts { connect, attempt, total, max_attempts } = self.timeouts;
        let ordered = !connect.is_zero() && connect <= attempt && attempt <= total;
        if !ordered || !(1..=5).contains(&max_attempts) {
            return Err(AwsKmsConfigError::Timeouts);
        }
        if let Some(role) = &self.assume_role {
            IamArn::parse_role(&role.arn)?;
            let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_+=,.@-".contains(&c);
            let name = &role.session_name;
            if !(2..=64).contains(&name.len()) || !name.bytes().all(allowed) {
                return Err(AwsKmsConfigError::SessionName(name.clone()));
            }
        }
        Ok(())
    }
}

/// The address in an endpoint that names one instead of a host.
fn literal_address(endpoint: &str) -> Option<IpAddr> {
    let authority = endpoint.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    host.parse().ok()
}

fn is_safe_endpoint(endpoint: &str) -> bool {
    if let Some(rest) = endpoint.strip_prefix("https://") {
        return rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    }
    let Some(rest) = endpoint.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
        authority.strip_prefix(host).is_some_and(|port| {
            port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_leave_the_machine_in_the_clear() {
        for good in [
            "https://kms.eu-central-1.amazonaws.com",
            "https://vpce-1.kms.eu-west-1.vpce.amazonaws.com/",
            "http://127.0.0.1:4566",
            "http://localhost",
            "http://[::1]:4566/",
        ] {
            assert!(is_safe_endpoint(good), "{good}");
        }
        for bad in [
            "",
            "kms.eu-central-1.amazonaws.com",
            "https://",
            "http://10.0.0.1:4566",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "http://127.0.0.1:80@example.com",
            "ftp://127.0.0.1",
        ] {
            assert!(!is_safe_endpoint(bad), "{bad}");
        }
    }

    #[test]
    fn a_public_address_is_no_private_network() {
        let refused = |endpoint: &str| {
            let sts_endpoint = Some(endpoint.to_owned());
            let config =
                AwsKmsConfig { sts_endpoint, require_private_network: true, ..AwsKmsConfig::default() };
            config.check().is_err()
        };
        for public in ["https://52.94.1.1", "https://52.94.1.1:443/x", "https://[2600:1f00::1]:443"] {
            assert!(refused(public), "{public}");
        }
        for other in
            ["https://10.0.0.7", "https://[fd00::7]", "http://127.0.0.1:4566", "https://sts.example.com"]
        {
            assert!(!refused(other), "{other}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let config = AwsKmsConfig::default();
        assert_eq!(config.check(), Ok(()));
        let mut slow = config.clone();
        slow.timeouts.connect = Duration::from_secs(9);
        assert_eq!(slow.check(), Err(AwsKmsConfigError::Timeouts));
        let role = |arn: &str, session_name: &str| AwsKmsConfig {
            assume_role: Some(AssumeRole {
                arn: arn.to_owned(),
                external_id: None,
                session_name: session_name.to_owned(),
            }),
            ..AwsKmsConfig::default()
        };
        assert_eq!(role("arn:aws:iam::111122223333:role/coffer", "coffer-1").check(), Ok(()));
        assert!(matches!(role("coffer", "coffer-1").check(), Err(AwsKmsConfigError::Role(_))));
        assert!(matches!(
            role("arn:aws:iam::111122223333:role/coffer", "a b").check(),
            Err(AwsKmsConfigError::SessionName(_))
        ));
    }
}
