//! What is asked of AWS, and how its answers are read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coffer_keyring::kms::{KeyState, Kms, KmsErrorClass, Region};

use crate::server::{Answer, Server, config, context, home, key, kms};

#[tokio::test]
async fn decrypt_names_the_key_the_context_and_the_region() {
    let server = Server::start(|_, _| {
        let answer = serde_json::json!({
            "KeyId": key().to_string(), "Plaintext": STANDARD.encode("secret"), "KeyMaterialId": "m1",
        });
        Answer::json(200, &answer)
    });
    let server = server.await;
    let kms = kms(config(&server));
    let answer = kms.decrypt(&home(), &key(), b"blob", &context()).await.unwrap();
    assert_eq!(answer.plaintext.as_slice(), b"secret");
    assert_eq!(answer.key_material_id.as_deref(), Some("m1"));
    assert_eq!(answer.request_id.as_deref(), Some("req-1"));
    let requests = server.requests();
    let request = &requests[0];
    assert_eq!(request.operation, "Decrypt");
    assert_eq!(
        request.json(),
        serde_json::json!({
            "CiphertextBlob": STANDARD.encode("blob"),
            "KeyId": key().to_string(),
            "EncryptionContext": { "coffer:member": "1", "coffer:cluster": "c" },
        })
    );
    let signature = &request.headers["authorization"];
    assert!(signature.contains("/eu-central-1/kms/aws4_request"), "{signature}");
}

#[tokio::test]
async fn an_answer_of_another_key_does_not_pass() {
    let other = key().to_string().replace("mrk-0", "mrk-1");
    let server = Server::start(move |_, _| {
        let answer = serde_json::json!({ "KeyId": other, "Plaintext": STANDARD.encode("secret") });
        Answer::json(200, &answer)
    });
    let server = server.await;
    let error = kms(config(&server)).decrypt(&home(), &key(), b"blob", &context()).await.unwrap_err();
    assert_eq!(error.class, KmsErrorClass::Misconfigured);
}

#[tokio::test]
async fn encrypt_sends_the_plaintext_once() {
    let server = Server::start(|_, _| {
        let answer =
            serde_json::json!({ "KeyId": key().to_string(), "CiphertextBlob": STANDARD.encode("blob") });
        Answer::json(200, &answer)
    });
    let server = server.await;
    let answer = kms(config(&server)).encrypt(&home(), &key(), b"secret", &context()).await.unwrap();
    assert_eq!((answer.ciphertext.as_slice(), answer.key_id), (&b"blob"[..], key().to_string()));
    let body = server.requests()[0].json();
    assert_eq!(body["Plaintext"], STANDARD.encode("secret"));
    assert_eq!(body["KeyId"], key().to_string());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_description_is_read_in_full() {
    let server = Server::start(|_, _| {
        let replica = key().in_region(&Region::parse("eu-west-1").unwrap()).unwrap();
        Answer::json(
            200,
            &serde_json::json!({ "KeyMetadata": {
                "KeyId": key().id(), "Arn": key().to_string(), "KeyState": "Disabled",
                "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT", "CurrentKeyMaterialId": "m2",
                "CreationDate": 1_700_000_000.25,
                "MultiRegion": true,
                "MultiRegionConfiguration": {
                    "MultiRegionKeyType": "PRIMARY",
                    "PrimaryKey": { "Arn": key().to_string(), "Region": "eu-central-1" },
                    "ReplicaKeys": [{ "Arn": replica.to_string(), "Region": "eu-west-1" }],
                },
            }}),
        )
    });
    let server = server.await;
    let found = kms(config(&server)).describe(&home(), &key()).await.unwrap();
    assert_eq!((found.arn, found.state), (key(), KeyState::Disabled));
    assert!(found.symmetric && !found.custom_key_store);
    assert_eq!(found.current_key_material_id.as_deref(), Some("m2"));
    assert_eq!(found.created.map(|created| created.unix()), Some(1_700_000_000));
    let regions = found.multi_region.unwrap();
    assert_eq!(regions.primary, home());
    assert_eq!(regions.replicas, [Region::parse("eu-west-1").unwrap()]);
}

#[tokio::test]
async fn other_kinds_of_keys_are_recognised() {
    let server = Server::start(|_, _| {
        Answer::json(
            200,
            &serde_json::json!({ "KeyMetadata": {
                "KeyId": key().id(), "Arn": key().to_string(), "KeyState": "Enabled",
                "KeyUsage": "SIGN_VERIFY", "KeySpec": "RSA_2048", "CustomKeyStoreId": "cks-1",
            }}),
        )
    });
    let server = server.await;
    let found = kms(config(&server)).describe(&home(), &key()).await.unwrap();
    assert!(!found.symmetric && found.custom_key_store);
    assert_eq!(found.multi_region, None);
}
