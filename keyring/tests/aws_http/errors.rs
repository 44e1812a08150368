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

#[tokio::test]
async fn a_code_is_read_in_every_shape_that_it_is_written_in() {
    let json = || ("content-type", "application/x-amz-json-1.1".to_owned());
    let kind = |value: &str| ("x-amzn-errortype", value.to_owned());
    for (headers, body) in [
        (vec![json()], "{\"__type\":\"AccessDeniedException\",\"Message\":\"told so\"}"),
        (vec![json()], "{\"__type\":\"com.amazonaws.kms#AccessDeniedException\",\"message\":\"told so\"}"),
        (
            vec![json()],
            "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"Message\":\"told so\"}",
        ),
        (vec![json(), kind("AccessDeniedException")], "{\"message\":\"told so\"}"),
        (
            vec![
                json(),
                kind("AccessDeniedException:http://internal.amazon.com/coral/com.amazon.coral.service/"),
            ],
            "{\"message\":\"told so\"}",
        ),
    ] {
        let server = Server::start(move |_, _| Answer::Http(400, headers.clone(), body.to_owned())).await;
        let kms = kms(config(&server));
        for error in [
            kms.encrypt(&home(), &key(), b"x", &context()).await.unwrap_err(),
            kms.decrypt(&home(), &key(), b"x", &context()).await.unwrap_err(),
            kms.describe(&home(), &key()).await.unwrap_err(),
        ] {
            assert_eq!((error.code.as_str(), error.class), ("AccessDeniedException", Denied), "{body}");
            assert_eq!((error.message.as_str(), error.help_code()), ("told so", "CK0003"), "{body}");
        }
    }
}

#[tokio::test]
async fn an_error_without_a_code_is_an_outage() {
    for (status, body) in [(400, "{}"), (403, "<html>a proxy of somebody</html>"), (500, ""), (503, "{}")] {
        let server = Server::start(move |_, _| Answer::Http(status, Vec::new(), body.to_owned())).await;
        let error = kms(config(&server)).encrypt(&home(), &key(), b"x", &context()).await.unwrap_err();
        assert_eq!(error.class, Unreachable, "{status} {body}: {error}");
        assert!(!error.to_string().contains("html"), "{error}");
    }
}

#[tokio::test]
async fn throttling_is_no_verdict_whatever_it_is_called() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (400, "LimitExceededException"),
        (429, "TooManyRequestsException"),
        (429, "NeverHeardOfException"),
    ] {
        let (error, _) = error_for(status, code).await;
        assert_eq!((error.class, error.help_code()), (NoVerdict, "CK0012"), "{code}");
    }
}
