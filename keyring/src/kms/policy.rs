//! The policies that AWS has to be given, so that members may use the key and nothing else.
//!
//! Invariants:
//! - Nothing more is allowed than the three actions on the key's ARNs, and to assume the role that does that.
//! - The text is a pure function of what is asked: the same each time, in the order that a reader expects.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::{IamArn, KeyArn, KeyArnError, Region};

/// What Coffer asks of the key: nothing else has to be allowed.
pub const ACTIONS: [&str; 3] = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"];

/// What policies are wanted for.
#[derive(Clone, Debug)]
pub struct PolicyRequest<'a> {
    /// The customer's key.
    pub cmk: &'a KeyArn,
    /// The Regions in which it is used; empty: the key's own.
    pub regions: &'a [Region],
    /// Who the members are before any role is assumed: a user, or the role of their machines.
    pub identity: &'a IamArn,
    /// The role that they assume, where they assume one.
    pub role: Option<&'a IamArn>,
    /// The ExternalId that the role is to ask for.
    pub external_id: Option<&'a str>,
    /// Addresses that calls are to come from, as AWS sees them: IP addresses with or without a port. Empty: from
    /// anywhere.
    pub source_addresses: &'a [String],
}

/// Policies, as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// For whoever uses the key: the role if there is one, else the identity.
    pub key_use: String,
    /// For the identity, where it assumes a role.
    pub assume_role: Option<String>,
    /// Who may assume the role: its trust policy.
    pub trust: Option<String>,
    /// A statement for the key's own policy, needed where the key is of another account than its user.
    pub key_statement: Option<String>,
    /// What a person should know of them.
    pub notes: Vec<String>,
}

/// Policies that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A Region that the key cannot be in.
    #[error(transparent)]
    Region(#[from] KeyArnError),
    /// What is to be assumed is no role.
    #[error("{0} is no role")]
    NoRole(Box<IamArn>),
    /// An ExternalId without a role.
    #[error("an ExternalId is given when a role is assumed: name the role too")]
    ExternalIdAlone,
    /// What is no address.
    #[error(
        "`{0}` is no IP address (or address:port): AWS compares addresses and not names, so give the address that \
         calls come from"
    )]
    Address(String),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    action: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<&'static str, Vec<String>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct Principal {
    aws: String,
}

impl Statement {
    fn allow(sid: &'static str, action: &[&'static str], resource: Vec<String>) -> Self {
        let (action, condition) = (action.to_vec(), BTreeMap::new());
        Self { sid, effect: "Allow", principal: None, action, resource, condition }
    }

    fn to(self, principal: &IamArn) -> Self {
        Self { principal: Some(Principal { aws: principal.to_string() }), ..self }
    }

    fn when(mut self, operator: &'static str, key: &'static str, values: Vec<String>) -> Self {
        if !values.is_empty() {
            self.condition.entry(operator).or_default().insert(key, values);
        }
        self
    }

    fn policy(self) -> String {
        text(&Policy { version: "2012-10-17", statement: vec![self] })
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("keys of maps are text")
}

/// Makes the policies.
///
/// # Errors
/// Where what is asked contradicts itself.
pub fn policies(request: &PolicyRequest<'_>) -> Result<Policies, PolicyError> {
    if let Some(role) = request.role.filter(|role| !role.is_role()) {
        return Err(PolicyError::NoRole(Box::new(role.clone())));
    }
    if request.role.is_none() && request.external_id.is_some() {
        return Err(PolicyError::ExternalIdAlone);
    }
    let mut keys = vec![request.cmk.clone()];
    for region in request.regions {
        let key = request.cmk.in_region(region)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if !request.regions.is_empty() {
        keys.retain(|key| request.regions.contains(key.region()));
    }
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let mut notes = Vec::new();
    let addresses = source_addresses(request.source_addresses, &mut notes)?;
    let from = |statement: Statement| statement.when("IpAddress", "aws:SourceIp", addresses.clone());

    let user = request.role.unwrap_or(request.identity);
    let key_use = from(Statement::allow("CofferUsesTheKey", &ACTIONS, keys.clone())).policy();
    let assume_role = request.role.map(|role| {
        from(Statement::allow("CofferAssumesTheRole", &["sts:AssumeRole"], vec![role.to_string()])).policy()
    });
    let trust = request.role.map(|_| {
        let external_id = request.external_id.iter().map(|id| (*id).to_owned()).collect();
        let statement = Statement::allow("CofferMayAssumeThisRole", &["sts:AssumeRole"], Vec::new());
        from(statement.to(request.identity).when("StringEquals", "sts:ExternalId", external_id)).policy()
    });
    let foreign = user.account() != request.cmk.account();
    let key_statement = foreign.then(|| {
        // In a key's policy `*` is that key.
        let statement = Statement::allow("CofferUsesThisKey", &ACTIONS, vec!["*".to_owned()]);
        text(&from(statement.to(user)))
    });
    if foreign {
        notes.push(format!(
            "the key is of the account {} and its user of {}: the statement belongs into the policy of the key in \
             every Region ({}), beside what is there",
            request.cmk.account(),
            user.account(),
            keys.join(", "),
        ));
    } else {
        notes.push(
            "the key's policy has to let IAM policies of its account give access, as the default one does"
                .to_owned(),
        );
    }
    if request.role.is_some() && request.external_id.is_none() {
        notes.push(
            "without an ExternalId whoever can make the members use another role's ARN can use yours: set one where \
             somebody else runs the members"
                .to_owned(),
        );
    }
    Ok(Policies { key_use, assume_role, trust, key_statement, notes })
}

/// Reads addresses and writes them as AWS compares them, each once.
fn source_addresses(addresses: &[String], notes: &mut Vec<String>) -> Result<Vec<String>, PolicyError> {
    let mut list = Vec::new();
    for text in addresses {
        let address =
            text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse::<IpAddr>());
        let address = address.map_err(|_| PolicyError::Address(text.chars().take(160).collect()))?;
        if super::private_network::is_private(address) {
            notes.push(format!(
                "{address} is a private address: AWS sees that of the gateway instead, and for calls through an \
                 interface endpoint aws:VpcSourceIp has to stand for aws:SourceIp",
            ));
        }
        let range = match address {
            IpAddr::V4(address) => format!("{address}/32"),
            IpAddr::V6(address) => format!("{address}/128"),
        };
        if !list.contains(&range) {
            list.push(range);
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";

    fn arn(text: &str) -> IamArn {
        IamArn::parse(text).unwrap()
    }

    fn golden(name: &str, text: &str, file: &str) {
        assert_eq!(text.trim_end(), file.trim_end(), "{name} has changed");
    }

    #[test]
    fn the_policies_of_a_role_of_another_account_are_as_they_were() {
        let regions = ["eu-central-1", "eu-west-1"].map(|name| Region::parse(name).unwrap());
        let made = policies(&PolicyRequest {
            cmk: &KeyArn::parse(KEY).unwrap(),
            regions: &regions,
            identity: &arn("arn:aws:iam::444455556666:role/machines"),
            role: Some(&arn("arn:aws:iam::444455556666:role/coffer")),
            external_id: Some("set-7"),
            source_addresses: &[
                "203.0.113.7:27101".to_owned(),
                "2001:db8::7".to_owned(),
                "203.0.113.7".to_owned(),
            ],
        })
        .unwrap();
        golden("key use", &made.key_use, include_str!("../../tests/golden/policies/key-use.json"));
        let assume = made.assume_role.unwrap();
        golden("assume role", &assume, include_str!("../../tests/golden/policies/assume-role.json"));
        golden("trust", &made.trust.unwrap(), include_str!("../../tests/golden/policies/trust.json"));
        let statement = made.key_statement.unwrap();
        golden("key statement", &statement, include_str!("../../tests/golden/policies/key-statement.json"));
        assert_eq!(made.notes.len(), 1, "{:?}", made.notes);
    }

    #[test]
    fn a_user_of_the_keys_account_needs_one_policy() {
        let cmk = KeyArn::parse(KEY).unwrap();
        let made = policies(&PolicyRequest {
            cmk: &cmk,
            regions: &[],
            identity: &arn("arn:aws:iam::111122223333:user/coffer"),
            role: None,
            external_id: None,
            source_addresses: &[],
        })
        .unwrap();
        assert_eq!((made.assume_role, made.trust, made.key_statement), (None, None, None));
        assert!(!made.key_use.contains("Condition") && made.key_use.contains(KEY), "{}", made.key_use);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let (cmk, user) = (KeyArn::parse(KEY).unwrap(), arn("arn:aws:iam::111122223333:user/coffer"));
        let request = PolicyRequest {
            cmk: &cmk,
            regions: &[],
            identity: &user,
            role: None,
            external_id: None,
            source_addresses: &[],
        };
        let refused = policies(&PolicyRequest { role: Some(&user), ..request.clone() });
        assert!(matches!(refused, Err(PolicyError::NoRole(_))));
        let refused = policies(&PolicyRequest { external_id: Some("x"), ..request.clone() });
        assert_eq!(refused, Err(PolicyError::ExternalIdAlone));
        let names = ["db-1.example.com:27101".to_owned()];
        let refused = policies(&PolicyRequest { source_addresses: &names, ..request.clone() });
        assert!(matches!(refused, Err(PolicyError::Address(_))));
        let private = ["10.0.0.1:27101".to_owned()];
        let made = policies(&PolicyRequest { source_addresses: &private, ..request.clone() }).unwrap();
        assert!(made.notes.iter().any(|note| note.contains("aws:VpcSourceIp")), "{:?}", made.notes);
        let single =
            KEY.replace("mrk-0123456789abcdef0123456789abcdef", "1234abcd-12ab-34cd-56ef-1234567890ab");
        let single = KeyArn::parse(&single).unwrap();
        let elsewhere = [Region::parse("eu-west-1").unwrap()];
        let refused = policies(&PolicyRequest { cmk: &single, regions: &elsewhere, ..request });
        assert!(matches!(refused, Err(PolicyError::Region(_))));
    }
}
