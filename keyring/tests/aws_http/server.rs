//! A server that answers each request as a test tells it to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use coffer_keyring::kms::aws::{AwsKms, AwsKmsConfig, AwsTimeouts};
use coffer_keyring::kms::{EncryptionContext, KeyArn, Region};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request, as far as the tests look at it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `Encrypt`, `Decrypt`, `DescribeKey`, or `AssumeRole`.
    pub operation: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, as text.
    pub body: String,
}

impl Request {
    /// The body of a KMS request.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the server does with a request.
pub enum Answer {
    /// A status, further headers and a body.
    Http(u16, Vec<(&'static str, String)>, String),
    /// Nothing, and the connection stays open.
    Hang,
    /// The connection is closed at once.
    Close,
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
}

impl Answer {
    /// An error of KMS.
    pub fn error(status: u16, code: &str) -> Self {
        let body = serde_json::json!({ "__type": code, "message": format!("{code} it is") });
        Self::json(status, &body)
    }

    /// An answer of KMS.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amzn-requestid", "req-1".to_owned()),
        ];
        Self::Http(status, headers, body.to_string())
    }
}

type Handler = dyn Fn(usize, &Request) -> Answer + Send + Sync;

/// A server on a port of its own; it ends with the test's runtime.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server that answers by `handler`, which is told how many requests came before.
    pub async fn start(handler: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, handler): (_, Arc<Handler>) = (Arc::clone(&requests), Arc::new(handler));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&handler)));
            }
        });
        Self { url, requests }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests asked for `operation`.
    pub fn count(&self, operation: &str) -> usize {
        self.requests().iter().filter(|request| request.operation == operation).count()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Request>>>, handler: Arc<Handler>) {
    let Some(request) = read(&mut stream).await else { return };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let bytes = match handler(before, &request) {
        Answer::Http(status, headers, body) => {
            let mut text = format!("HTTP/1.1 {status} Told\r\nconnection: close\r\n");
            for (name, value) in headers {
                text += &format!("{name}: {value}\r\n");
            }
            (text + &format!("content-length: {}\r\n\r\n{body}", body.len())).into_bytes()
        }
        Answer::Bytes(bytes) => bytes,
        Answer::Close => return,
        Answer::Hang => return std::future::pending().await,
    };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let headers: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let len: usize = headers.get("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
    while bytes.len() < head + 4 + len {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&bytes[head + 4..]).into_owned();
    let target = headers.get("x-amz-target").and_then(|target| target.split('.').nth(1));
    let operation = match target {
        Some(operation) => operation.to_owned(),
        None => body.split("Action=").nth(1)?.split('&').next()?.to_owned(),
    };
    Some(Request { operation, headers, body })
}

pub fn home() -> Region {
    Region::parse("eu-central-1").unwrap()
}

pub fn key() -> KeyArn {
    let text = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
    KeyArn::parse(text).unwrap()
}

pub fn context() -> EncryptionContext {
    EncryptionContext::default().with("coffer:member", "1").with("coffer:cluster", "c")
}

/// Limits short enough for tests, and long enough for a busy machine.
pub fn config(server: &Server) -> AwsKmsConfig {
    AwsKmsConfig {
        endpoints: [(home(), server.url.clone())].into(),
        timeouts: AwsTimeouts {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(5),
            total: Duration::from_secs(10),
            max_attempts: 2,
        },
        ..AwsKmsConfig::default()
    }
}

pub fn credentials() -> Credentials {
    Credentials::new("AKIDOWN", "own-secret", None, None, "test")
}

pub fn kms(config: AwsKmsConfig) -> AwsKms {
    AwsKms::with_credentials(config, credentials()).unwrap()
}
