//! Each error of AWS arrives with its class.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use coffer_keyring::kms::KmsErrorClass::{self, Denied, Misconfigured, NoVerdict, Unreachable};
use coffer_keyring::kms::{KeyState, Kms, KmsError};

use crate::server::{Answer, Server, config, context, home, key, kms};

async fn error_for(status: u16, code: &'static str) -> (KmsError, usize) {
    let server = Server::start(move |_, _| Answer::error(status, code)).await;
    let error = kms(config(&server)).encrypt(&home(), &key(), b"x", &context()).await.unwrap_err();
    (error, server.count("Encrypt"))
}

#[tokio::test]
async fn every_code_has_its_class_and_its_number_of_attempts() {
    for (status, code, class, attempts) in [
        (409, "DisabledException", Denied, 1),
        (404, "NotFoundException", Denied, 1),
        (400, "AccessDeniedException", Denied, 1),
        (400, "UnrecognizedClientException", Denied, 1),
        (403, "InvalidClientTokenId", Denied, 1),
        (403, "InvalidSignatureException", Denied, 1),
        (500, "KeyUnavailableException", Unreachable, 2),
        (500, "KMSInternalException", Unreachable, 2),
        (503, "DependencyTimeoutException", Unreachable, 2),
        (400, "ThrottlingException", NoVerdict, 2),
        (400, "LimitExceededException", NoVerdict, 2),
        (400, "IncorrectKeyException", Misconfigured, 1),
        (400, "InvalidCiphertextException", Misconfigured, 1),
        (400, "InvalidKeyUsageException", Misconfigured, 1),
        (400, "InvalidArnException", Misconfigured, 1),
        (418, "NeverHeardOfException", Unreachable, 1),
    ] {
        let (error, seen) = error_for(status, code).await;
        assert_eq!((error.code.as_str(), error.class), (code, class), "{error}");
        assert_eq!(seen, attempts, "{code}");
        assert_eq!(error.request_id.as_deref(), Some("req-1"), "{code}");
        assert_eq!(error.message, format!("{code} it is"));
    }
}

#[tokio::test]
async fn an_invalid_state_is_explained_by_the_key() {
    for (state, class) in [
        ("PendingDeletion", Denied),
        ("PendingReplicaDeletion", Denied),
        ("PendingImport", Denied),
        ("Creating", Unreachable),
        ("Unavailable", Unreachable),
        ("Updating", NoVerdict),
        ("SomethingNew", Unreachable),
    ] {
        let server = Server::start(move |_, request| match request.operation.as_str() {
            "DescribeKey" => Answer::json(
                200,
                &serde_json::json!({ "KeyMetadata": {
                    "KeyId": key().id(), "Arn": key().to_string(), "KeyState": state,
                    "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT",
                }}),
            ),
            _ => Answer::error(409, "KMSInvalidStateException"),
        });
        let server = server.await;
        let kms = kms(config(&server));
        let error = kms.decrypt(&home(), &key(), b"blob", &context()).await.unwrap_err();
        assert_eq!(error.class, class, "{state}");
        assert_eq!(error.code, "KMSInvalidStateException");
        if state == "PendingDeletion" {
            assert_eq!(error.key_state, Some(KeyState::PendingDeletion));
            assert!(error.is_fact_of_key());
        }
    }
    // DescribeKey may be refused too; then nothing is known.
    let (error, _) = error_for(409, "KMSInvalidStateException").await;
    assert_eq!((error.class, error.key_state), (Unreachable, None));
}

#[tokio::test]
async fn a_refused_signature_is_judged_by_the_clock() {
    let verdict = async |ahead: i64| -> KmsErrorClass {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let there = DateTime::from_secs(i64::try_from(now.as_secs()).unwrap() + ahead);
        let date = there.fmt(Format::HttpDate).unwrap();
        let server = Server::start(move |_, _| {
            let body = "{\"__type\":\"InvalidSignatureException\"}".to_owned();
            Answer::Http(403, vec![("date", date.clone())], body)
        });
        let server = server.await;
        let kms = kms(config(&server));
        kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap_err().class
    };
    let limit = i64::try_from(Duration::from_secs(300).as_secs()).unwrap();
    assert_eq!(verdict(0).await, Denied);
    assert_eq!(verdict(limit - 60).await, Denied);
    assert_eq!(verdict(limit + 60).await, NoVerdict);
    assert_eq!(verdict(-limit - 60).await, NoVerdict);
}
