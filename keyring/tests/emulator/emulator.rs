//! The emulator of KMS, STS and IAM as a process, and what the owner of an account does in it. The tests of keyring and
//! of the processes both take this file in.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// How long the emulator may take to answer. It answers within milliseconds; a machine that is full may take seconds.
const ANSWER: Duration = Duration::from_secs(30);

/// A running emulator; it ends when this is dropped, or when the test dies.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    address: String,
}

impl Emulator {
    /// Starts one and waits until it listens.
    ///
    /// # Panics
    /// Where its Python environment is missing, or does not work.
    pub fn start() -> Self {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let python = std::env::var_os("COFFER_EMULATOR_PYTHON")
            .map_or_else(|| here.join(".venv/bin/python"), PathBuf::from);
        assert!(
            python.exists(),
            "the KMS emulator's Python environment is missing ({}): run `make test`, which makes it",
            python.display()
        );
        let mut process = Command::new(&python)
            .arg(here.join("keyring/tests/emulator/serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator's Python starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
        let line =
            lines.next().and_then(Result::ok).expect("the emulator prints its port, see its errors above");
        let port = line.strip_prefix("port ").expect("the emulator prints its port");
        Self { process, address: format!("127.0.0.1:{port}") }
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the owner of the account `account` (12 digits) does.
    pub fn owner(&self, account: &str) -> Owner {
        Owner { address: self.address.clone(), account: account.to_owned() }
    }

    /// Ends all sessions of assumed roles at once.
    ///
    /// # Panics
    /// Where the emulator does not answer.
    pub fn expire_sessions(&self) {
        let answer = post(&self.address, "/expire-sessions", "", "").expect("the emulator answers");
        assert_eq!(answer.0, 200, "{}", answer.1);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The owner of an account, who may do everything in it. Each call panics where the emulator refuses it: the test is
/// wrong then.
#[derive(Clone, Debug)]
pub struct Owner {
    address: String,
    account: String,
}

/// The credentials of a user.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public part.
    pub id: String,
    /// The secret part.
    pub secret: String,
}

impl Owner {
    /// Calls KMS in a Region.
    pub fn kms(&self, region: &str, operation: &str, body: &Value) -> Value {
        let headers = format!(
            "x-amz-target: TrentService.{operation}\r\ncontent-type: application/x-amz-json-1.1\r\n{}",
            self.signature(region, "kms"),
        );
        let (status, body) =
            post(&self.address, "/", &headers, &body.to_string()).expect("the emulator answers");
        assert_eq!(status, 200, "{operation}: {body}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(&body).expect("KMS answers in JSON") }
    }

    /// Calls IAM; the values must hold no characters that a form escapes but those of a JSON text.
    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut form = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            form += &format!("&{name}={}", escaped(value));
        }
        let headers = format!(
            "content-type: application/x-www-form-urlencoded\r\n{}",
            self.signature("us-east-1", "iam")
        );
        let (status, body) = post(&self.address, "/", &headers, &form).expect("the emulator answers");
        assert_eq!(status, 200, "{action}: {body}");
        body
    }

    /// The emulator takes an access key of twelve digits for the root of that account and checks no signature.
    fn signature(&self, region: &str, service: &str) -> String {
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential={}/20260101/{region}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n",
            self.account
        )
    }

    /// Makes a symmetric key and returns its ARN.
    pub fn create_key(&self, region: &str, multi_region: bool) -> String {
        let made = self.kms(region, "CreateKey", &json!({ "MultiRegion": multi_region }));
        made["KeyMetadata"]["Arn"].as_str().expect("CreateKey names the key").to_owned()
    }

    /// Replicates a multi-Region key and returns its ARN there.
    pub fn replicate_key(&self, arn: &str, to: &str) -> String {
        let request = json!({ "KeyId": arn, "ReplicaRegion": to });
        let made = self.kms(region_of(arn), "ReplicateKey", &request);
        made["ReplicaKeyMetadata"]["Arn"].as_str().expect("ReplicateKey names the replica").to_owned()
    }

    /// Disables a key in the Region of its ARN.
    pub fn disable_key(&self, arn: &str) {
        self.kms(region_of(arn), "DisableKey", &json!({ "KeyId": arn }));
    }

    /// Enables it there.
    pub fn enable_key(&self, arn: &str) {
        self.kms(region_of(arn), "EnableKey", &json!({ "KeyId": arn }));
    }

    /// Schedules its deletion there.
    pub fn schedule_key_deletion(&self, arn: &str) {
        let request = json!({ "KeyId": arn, "PendingWindowInDays": 7 });
        self.kms(region_of(arn), "ScheduleKeyDeletion", &request);
    }

    /// Calls the deletion off: the key is disabled then.
    pub fn cancel_key_deletion(&self, arn: &str) {
        self.kms(region_of(arn), "CancelKeyDeletion", &json!({ "KeyId": arn }));
    }

    /// Gives a key new material; a multi-Region key's replicas too.
    pub fn rotate_key(&self, arn: &str) {
        self.kms(region_of(arn), "RotateKeyOnDemand", &json!({ "KeyId": arn }));
    }

    /// Adds a statement to the policy of a key in the Region of its ARN.
    pub fn add_key_statement(&self, arn: &str, statement: &str) {
        let name = json!({ "KeyId": arn, "PolicyName": "default" });
        let held = self.kms(region_of(arn), "GetKeyPolicy", &name);
        let held = held["Policy"].as_str().expect("a key has a policy");
        let mut policy: Value = serde_json::from_str(held).expect("a policy is JSON");
        let statement = serde_json::from_str(statement).expect("a statement is JSON");
        policy["Statement"].as_array_mut().expect("a policy has statements").push(statement);
        self.set_key_policy(arn, &policy.to_string());
    }

    /// Replaces the policy of a key in the Region of its ARN.
    pub fn set_key_policy(&self, arn: &str, policy: &str) {
        let request = json!({ "KeyId": arn, "PolicyName": "default", "Policy": policy });
        self.kms(region_of(arn), "PutKeyPolicy", &request);
    }

    /// Makes a user and returns its ARN.
    pub fn create_user(&self, name: &str) -> String {
        self.iam("CreateUser", &[("UserName", name)]);
        format!("arn:aws:iam::{}:user/{name}", self.account)
    }

    /// Makes an access key for a user.
    pub fn create_access_key(&self, user: &str) -> AccessKey {
        let made = self.iam("CreateAccessKey", &[("UserName", user)]);
        let part = |tag: &str| {
            let (_, rest) =
                made.split_once(&format!("<{tag}>")).expect("CreateAccessKey answers with the key");
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        AccessKey { id: part("AccessKeyId"), secret: part("SecretAccessKey") }
    }

    /// Deletes an access key.
    pub fn delete_access_key(&self, user: &str, id: &str) {
        self.iam("DeleteAccessKey", &[("UserName", user), ("AccessKeyId", id)]);
    }

    /// Sets a policy of a user by its name.
    pub fn set_user_policy(&self, user: &str, name: &str, policy: &str) {
        let parameters = [("UserName", user), ("PolicyName", name), ("PolicyDocument", policy)];
        self.iam("PutUserPolicy", &parameters);
    }

    /// Takes a policy of a user away.
    pub fn delete_user_policy(&self, user: &str, name: &str) {
        self.iam("DeleteUserPolicy", &[("UserName", user), ("PolicyName", name)]);
    }

    /// Makes a role with its trust policy and returns its ARN.
    pub fn create_role(&self, name: &str, trust: &str) -> String {
        self.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", trust)]);
        format!("arn:aws:iam::{}:role/{name}", self.account)
    }

    /// Replaces the trust policy of a role.
    pub fn set_trust(&self, role: &str, trust: &str) {
        self.iam("UpdateAssumeRolePolicy", &[("RoleName", role), ("PolicyDocument", trust)]);
    }

    /// Sets a policy of a role by its name.
    pub fn set_role_policy(&self, role: &str, name: &str, policy: &str) {
        let parameters = [("RoleName", role), ("PolicyName", name), ("PolicyDocument", policy)];
        self.iam("PutRolePolicy", &parameters);
    }

    /// Takes a policy of a role away.
    pub fn delete_role_policy(&self, role: &str, name: &str) {
        self.iam("DeleteRolePolicy", &[("RoleName", role), ("PolicyName", name)]);
    }
}

/// The Region in a key's ARN.
fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).expect("a key's ARN names its Region")
}

/// A value of a form.
fn escaped(value: &str) -> String {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.~".contains(&c);
    value.bytes().map(|c| if plain(c) { char::from(c).to_string() } else { format!("%{c:02X}") }).collect()
}

/// One request on a connection of its own: the status and the body of the answer.
fn post(address: &str, path: &str, headers: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no answer of HTTP: {answer:?}")))?;
    Ok((status, body.to_owned()))
}
