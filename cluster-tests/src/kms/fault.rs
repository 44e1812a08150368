//! The ways in which a service of a Region can fail.

use std::time::Duration;

/// What a proxy does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It forwards them.
    None,
    /// Nobody listens; open connections are closed.
    Refused,
    /// Connections are taken and nothing is ever answered.
    BlackHole,
    /// Connections are taken and reset at once.
    Reset,
    /// Something else than HTTP or TLS is answered, as a broken peer does.
    Garbage,
    /// An error of the service is answered.
    Error {
        /// The status of HTTP.
        status: u16,
        /// The code of the service.
        code: &'static str,
    },
    /// It forwards them after a while.
    Slow(Duration),
}

impl Fault {
    /// An error of KMS itself.
    pub const INTERNAL: Self = Self::Error { status: 500, code: "KMSInternalException" };

    /// A part of KMS that does not answer KMS.
    pub const DEPENDENCY_TIMEOUT: Self = Self::Error { status: 503, code: "DependencyTimeoutException" };

    /// Too many calls of this account.
    pub const THROTTLED: Self = Self::Error { status: 400, code: "ThrottlingException" };

    /// A session that is over.
    pub const EXPIRED_TOKEN: Self = Self::Error { status: 400, code: "ExpiredTokenException" };
}

/// Whose errors a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// KMS: JSON.
    Kms,
    /// STS: XML.
    Sts,
}

impl Service {
    /// The answer for an error, as bytes of HTTP/1.1.
    pub(super) fn error(self, status: u16, code: &str) -> Vec<u8> {
        let (content_type, body) = match self {
            Self::Kms => {
                let body = serde_json::json!({ "__type": code, "message": "the proxy of the test says so" });
                ("application/x-amz-json-1.1", body.to_string())
            }
            Self::Sts => (
                "text/xml",
                format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                     <Code>{code}</Code><Message>the proxy of the test says so</Message></Error>\
                     <RequestId>proxy</RequestId></ErrorResponse>"
                ),
            ),
        };
        format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: {content_type}\r\nx-amzn-requestid: proxy\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}
