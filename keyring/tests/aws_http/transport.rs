//! A Region that cannot be reached, or answers nonsense, is an outage and ends in time.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coffer_keyring::kms::aws::{AwsKmsConfig, AwsTimeouts};
use coffer_keyring::kms::{Kms, KmsError, KmsErrorClass};

use crate::server::{Answer, Server, config, context, home, key, kms};

async fn decrypt(config: AwsKmsConfig) -> KmsError {
    kms(config).decrypt(&home(), &key(), b"blob", &context()).await.unwrap_err()
}

fn at(url: &str) -> AwsKmsConfig {
    AwsKmsConfig { endpoints: [(home(), url.to_owned())].into(), ..AwsKmsConfig::default() }
}

#[tokio::test]
async fn a_refused_connection_is_an_outage() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = decrypt(at(&url)).await;
    assert_eq!((error.code.as_str(), error.class), ("DispatchFailure", KmsErrorClass::Unreachable));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_an_outage() {
    // RFC 6761: `invalid` never resolves.
    let error = decrypt(at("https://kms.invalid")).await;
    assert_eq!(error.class, KmsErrorClass::Unreachable, "{error}");
    assert!(["DispatchFailure", "TimeoutError"].contains(&error.code.as_str()), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_an_outage() {
    let server = Server::start(|_, _| Answer::Close).await;
    let error = decrypt(at(&server.url.replace("http://", "https://"))).await;
    assert_eq!(error.class, KmsErrorClass::Unreachable, "{error}");
}

#[tokio::test]
async fn silence_is_an_outage_and_ends_in_time() {
    let server = Server::start(|_, _| Answer::Hang).await;
    let timeouts = AwsTimeouts {
        connect: Duration::from_millis(200),
        attempt: Duration::from_millis(300),
        total: Duration::from_millis(1000),
        max_attempts: 2,
    };
    let started = Instant::now();
    let error = decrypt(AwsKmsConfig { timeouts, ..config(&server) }).await;
    assert_eq!((error.code.as_str(), error.class), ("TimeoutError", KmsErrorClass::Unreachable));
    let took = started.elapsed();
    assert!(took >= timeouts.attempt && took < Duration::from_secs(4), "{took:?}");
    assert_eq!(server.count("Decrypt"), 2, "the attempts are bounded");
}

#[tokio::test]
async fn nonsense_is_an_outage_and_no_part_of_an_answer_is_shown() {
    let secret = STANDARD.encode("the plaintext of the master key");
    let cut = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: 9999\r\n\r\n\
         {{\"Plaintext\":\"{secret}\""
    );
    let bad_json = format!("{{\"Plaintext\":\"{secret}\",}}");
    let plain = bad_json.clone();
    let answers: [Box<dyn Fn() -> Answer + Send + Sync>; 5] = [
        Box::new(|| Answer::Close),
        Box::new(|| Answer::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        Box::new(move || Answer::Bytes(cut.clone().into_bytes())),
        Box::new(move || Answer::Http(200, Vec::new(), bad_json.clone())),
        Box::new(move || Answer::Http(502, Vec::new(), plain.clone())),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let server = Server::start(move |_, _| answer()).await;
        let error = decrypt(config(&server)).await;
        assert_eq!(error.class, KmsErrorClass::Unreachable, "{at}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&secret) && !shown.contains("master key"), "{at}: {shown}");
    }
}

#[tokio::test]
async fn this_machine_is_a_private_network() {
    let server = Server::start(|_, _| {
        let answer =
            serde_json::json!({ "KeyId": key().to_string(), "Plaintext": STANDARD.encode("secret") });
        Answer::json(200, &answer)
    });
    let server = server.await;
    let port = server.url.rsplit(':').next().unwrap();
    for url in [server.url.clone(), format!("http://localhost:{port}")] {
        let config = AwsKmsConfig { require_private_network: true, ..at(&url) };
        kms(config).decrypt(&home(), &key(), b"blob", &context()).await.unwrap();
    }
}
