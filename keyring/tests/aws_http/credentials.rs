//! Who we are: roles are assumed, sessions renewed, and what fails there is told apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use coffer_keyring::kms::aws::{AssumeRole, AwsKms, AwsKmsConfig};
use coffer_keyring::kms::{Kms, KmsErrorClass};

use crate::server::{Answer, Request, Server, config, context, home, key, kms};

const LATER: &str = "2099-01-01T00:00:00Z";

fn session(number: usize, expiration: &str) -> Answer {
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials><AccessKeyId>ASIASESSION{number}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
         <SessionToken>token{number}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>r</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/c/s</Arn>\
         </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    );
    Answer::Http(200, vec![("content-type", "text/xml".to_owned())], body)
}

fn sts_error(status: u16, code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>told so</Message></Error><RequestId>req-2</RequestId></ErrorResponse>"
    );
    Answer::Http(status, vec![("content-type", "text/xml".to_owned())], body)
}

fn encrypted() -> Answer {
    Answer::json(200, &serde_json::json!({ "KeyId": key().to_string(), "CiphertextBlob": "YmxvYg==" }))
}

fn with_role(server: &Server) -> AwsKmsConfig {
    AwsKmsConfig {
        sts_endpoint: Some(server.url.clone()),
        assume_role: Some(AssumeRole {
            arn: "arn:aws:iam::111122223333:role/coffer".to_owned(),
            external_id: Some("ext-1".to_owned()),
            session_name: "coffer-member-1".to_owned(),
        }),
        ..config(server)
    }
}

fn signer(request: &Request) -> String {
    let header = &request.headers["authorization"];
    header.split("Credential=").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id_and_its_session_is_kept() {
    let server = Server::start(|before, request| match request.operation.as_str() {
        "AssumeRole" => session(before, LATER),
        _ => encrypted(),
    });
    let server = server.await;
    let kms = kms(with_role(&server));
    for _ in 0..3 {
        kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    }
    let requests = server.requests();
    let operations: Vec<_> = requests.iter().map(|request| request.operation.as_str()).collect();
    assert_eq!(operations, ["AssumeRole", "Encrypt", "Encrypt", "Encrypt"]);
    assert!(requests[0].body.contains("ExternalId=ext-1"), "{}", requests[0].body);
    assert!(requests[0].body.contains("RoleSessionName=coffer-member-1"));
    assert_eq!(signer(&requests[0]), "AKIDOWN");
    assert_eq!(signer(&requests[1]), "ASIASESSION0");
    assert_eq!(requests[1].headers["x-amz-security-token"], "token0");

    // A probe asks again, whatever is cached, and what it got is used from then on.
    kms.refresh_credentials(&home()).await.unwrap();
    assert_eq!(server.count("AssumeRole"), 2);
    kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    assert_eq!(signer(server.requests().last().unwrap()), "ASIASESSION4");
    assert!(!format!("{kms:?}").contains("ext-1") && !format!("{kms:?}").contains("own-secret"));
}

#[tokio::test]
async fn what_sts_refuses_is_classed_by_its_code() {
    for (status, code, class) in [
        (403, "AccessDenied", KmsErrorClass::Denied),
        (403, "InvalidClientTokenId", KmsErrorClass::Denied),
        (403, "SignatureDoesNotMatch", KmsErrorClass::Denied),
        (403, "ExpiredToken", KmsErrorClass::Unreachable),
        (400, "Throttling", KmsErrorClass::NoVerdict),
        (503, "ServiceUnavailable", KmsErrorClass::Unreachable),
    ] {
        let server = Server::start(move |_, _| sts_error(status, code)).await;
        let kms = kms(with_role(&server));
        let error = kms.refresh_credentials(&home()).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.class), (code, class), "{error}");
        let error = kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap_err();
        assert_eq!(error.class, class);
        assert_eq!(server.count("Encrypt"), 0, "nothing is signed with our own credentials instead");
    }
}

#[tokio::test]
async fn a_valid_session_outlives_an_outage_of_sts() {
    let out = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&out);
    let server = Server::start(move |before, request| match request.operation.as_str() {
        "AssumeRole" if told.load(Ordering::Relaxed) => Answer::Close,
        "AssumeRole" => session(before, LATER),
        _ => encrypted(),
    });
    let server = server.await;
    let kms = kms(with_role(&server));
    kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    out.store(true, Ordering::Relaxed);
    let error = kms.refresh_credentials(&home()).await.unwrap_err();
    assert_eq!(error.class, KmsErrorClass::Unreachable);
    kms.encrypt(&home(), &key(), b"x", &context()).await.expect("the session is still good");
}

#[tokio::test]
async fn a_session_that_ended_is_renewed() {
    let server = Server::start(|before, request| match request.operation.as_str() {
        "AssumeRole" => session(before, "2001-01-01T00:00:00Z"),
        _ => encrypted(),
    });
    let server = server.await;
    let kms = kms(with_role(&server));
    for _ in 0..2 {
        kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    }
    assert_eq!(server.count("AssumeRole"), 2);
}

#[tokio::test]
async fn an_expired_token_is_renewed_and_the_call_tried_again_once() {
    let server = Server::start(|before, request| match (request.operation.as_str(), before) {
        ("AssumeRole", _) => session(before, LATER),
        (_, 1) => Answer::error(400, "ExpiredTokenException"),
        _ => encrypted(),
    });
    let server = server.await;
    kms(with_role(&server)).encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    let requests = server.requests();
    let operations: Vec<_> = requests.iter().map(|request| request.operation.as_str()).collect();
    assert_eq!(operations, ["AssumeRole", "Encrypt", "AssumeRole", "Encrypt"]);

    let server = Server::start(|before, request| match request.operation.as_str() {
        "AssumeRole" => session(before, LATER),
        _ => Answer::error(400, "ExpiredTokenException"),
    });
    let server = server.await;
    let error = kms(with_role(&server)).encrypt(&home(), &key(), b"x", &context()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("ExpiredTokenException", KmsErrorClass::Unreachable));
    assert_eq!(server.count("Encrypt"), 2, "it ends");
}

/// A provider that has none, or one more each time.
#[derive(Debug)]
struct Scripted(Option<AtomicUsize>);

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(match &self.0 {
            Some(number) => {
                let id = format!("AKID{}", number.fetch_add(1, Ordering::Relaxed));
                Ok(Credentials::new(id, "secret", None, None, "test"))
            }
            None => Err(CredentialsError::not_loaded("nowhere to be found")),
        })
    }
}

#[tokio::test]
async fn no_credentials_at_all_are_an_outage() {
    let server = Server::start(|_, _| encrypted()).await;
    let kms = AwsKms::with_credentials(config(&server), Scripted(None)).unwrap();
    let error = kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("CredentialsNotLoaded", KmsErrorClass::Unreachable));
    assert!(error.to_string().contains("nowhere to be found"), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn credentials_without_a_role_are_fresh_at_every_probe() {
    let server = Server::start(|_, _| encrypted()).await;
    let kms = AwsKms::with_credentials(config(&server), Scripted(Some(AtomicUsize::new(0)))).unwrap();
    let encrypt = async || kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    encrypt().await;
    encrypt().await;
    kms.refresh_credentials(&home()).await.unwrap();
    encrypt().await;
    let signers: Vec<_> = server.requests().iter().map(signer).collect();
    assert_eq!(signers, ["AKID0", "AKID0", "AKID1"]);
}

/// A date so many seconds from now, as STS writes it.
fn in_seconds(seconds: u64) -> String {
    let moment = SystemTime::now() + Duration::from_secs(seconds);
    DateTime::from(moment).fmt(Format::DateTime).unwrap()
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends_and_used_to_its_end_where_that_fails() {
    let out = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&out);
    let server = Server::start(move |before, request| match request.operation.as_str() {
        "AssumeRole" if told.load(Ordering::Relaxed) => Answer::Close,
        "AssumeRole" => session(before, &in_seconds(45)),
        _ => encrypted(),
    });
    let server = server.await;
    let kms = kms(with_role(&server));
    for _ in 0..2 {
        kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    }
    assert_eq!(server.count("AssumeRole"), 2, "a session that ends within a minute is not waited for");
    out.store(true, Ordering::Relaxed);
    kms.encrypt(&home(), &key(), b"x", &context()).await.expect("it has not ended yet");
}

#[tokio::test]
async fn an_ended_session_with_sts_out_is_an_outage_of_credentials() {
    let out = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&out);
    let server = Server::start(move |before, request| match request.operation.as_str() {
        "AssumeRole" if told.load(Ordering::Relaxed) => Answer::Close,
        "AssumeRole" => session(before, LATER),
        _ if told.load(Ordering::Relaxed) => Answer::error(400, "ExpiredTokenException"),
        _ => encrypted(),
    });
    let server = server.await;
    let kms = kms(with_role(&server));
    kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap();
    out.store(true, Ordering::Relaxed);
    let error = kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("ExpiredTokenException", KmsErrorClass::Unreachable));
    assert_eq!(error.help_code(), "CK0011");
    let error = kms.refresh_credentials(&home()).await.unwrap_err();
    assert_eq!((error.class, error.of_credentials), (KmsErrorClass::Unreachable, true), "{error}");
    assert_eq!(error.help_code(), "CK0011");
}

#[tokio::test]
async fn a_signature_that_sts_refuses_is_judged_by_the_clock() {
    for (ahead, class) in [(0, KmsErrorClass::Denied), (900, KmsErrorClass::NoVerdict)] {
        let server = Server::start(move |_, _| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let there = DateTime::from_secs(i64::try_from(now.as_secs()).unwrap() + ahead);
            let Answer::Http(status, mut headers, body) = sts_error(403, "SignatureDoesNotMatch") else {
                unreachable!()
            };
            headers.push(("date", there.fmt(Format::HttpDate).unwrap()));
            Answer::Http(status, headers, body)
        });
        let server = server.await;
        let error = kms(with_role(&server)).refresh_credentials(&home()).await.unwrap_err();
        assert_eq!(error.class, class, "{ahead}: {error}");
        assert_eq!(error.help_code(), if ahead == 0 { "CK0005" } else { "CK0013" });
    }
}

#[tokio::test]
async fn a_role_has_to_prove_that_it_reaches_the_key() {
    let server = Server::start(|before, request| match request.operation.as_str() {
        "AssumeRole" => session(before, LATER),
        _ => Answer::error(400, "AccessDeniedException"),
    });
    let server = server.await;
    let findings = kms(with_role(&server)).check_role_reaches(&key(), &home(), &context()).await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].help_code, findings[0].warning), ("CK0003", false));
    assert!(
        findings[0].problem.starts_with("arn:aws:iam::111122223333:role/coffer does not reach arn:aws:kms:")
    );

    let findings = kms(config(&server)).check_role_reaches(&key(), &home(), &context()).await;
    assert_eq!(findings.len(), 1, "without a role there is nothing to prove: {findings:?}");
}
