//! The default credential chain. The environment belongs to the whole process, so each case runs
//! this test binary again with an environment of its own, and that run says what happened.

use std::process::Command;

use coffer_keyring::kms::Kms;
use coffer_keyring::kms::aws::AwsKms;

use crate::server::{Answer, Server, config, context, home, key};

/// Set for the inner run: the address of the outer run's server.
const INNER: &str = "COFFER_TEST_CHAIN_SERVER";
const MARK: &str = "outcome: ";

fn inner(server: &Server, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "chain::the_default_chain_is_asked", "--nocapture"]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    // Neither the machine's own credentials nor those of a cloud that the tests may run in.
    command.envs([("HOME", "/nonexistent"), ("AWS_EC2_METADATA_DISABLED", "true"), (INNER, &server.url)]);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.split(MARK).nth(1));
    line.unwrap_or_else(|| panic!("the inner run said nothing: {text}")).to_owned()
}

async fn ask(url: String) -> String {
    let server = Server::start(|_, _| Answer::Close).await;
    let mut config = config(&server);
    config.endpoints = [(home(), url)].into();
    let kms = AwsKms::new(config).unwrap();
    match kms.encrypt(&home(), &key(), b"x", &context()).await {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("{:?} {}", error.class, error.code),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_chain_is_asked() {
    if let Ok(url) = std::env::var(INNER) {
        let outcome = ask(url).await;
        return println!("\n{MARK}{outcome}");
    }
    let server = Server::start(|_, request| match request.operation.as_str() {
        "AssumeRoleWithWebIdentity" => {
            let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                        <Message>no</Message></Error></ErrorResponse>";
            Answer::Http(403, vec![("content-type", "text/xml".to_owned())], body.to_owned())
        }
        _ => Answer::json(
            200,
            &serde_json::json!({ "KeyId": key().to_string(), "CiphertextBlob": "YmxvYg==" }),
        ),
    });
    let server = server.await;

    assert_eq!(inner(&server, &[]), "Unreachable CredentialsNotLoaded");
    assert!(server.requests().is_empty());

    let own = [("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "s")];
    assert_eq!(inner(&server, &own), "accepted");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let profile = "[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n";
    std::fs::write(&file, profile).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(inner(&server, &[("AWS_SHARED_CREDENTIALS_FILE", file)]), "accepted");
    let signers: Vec<_> =
        server.requests().iter().map(|request| request.headers["authorization"].clone()).collect();
    assert!(signers[0].contains("Credential=AKIDENVIRONMENT/"), "{signers:?}");
    assert!(signers[1].contains("Credential=AKIDPROFILE/"), "{signers:?}");

    // A role that the chain itself may no longer assume is a denial, not an outage.
    let token = dir.path().join("token");
    std::fs::write(&token, "token").unwrap();
    let identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod"),
        ("AWS_ROLE_SESSION_NAME", "coffer"),
        ("AWS_ENDPOINT_URL_STS", &server.url),
    ];
    assert_eq!(inner(&server, &identity), "Denied AccessDenied");
    assert_eq!(server.count("AssumeRoleWithWebIdentity"), 1);
}
