//! As much of HTTP/1.1 as a proxy needs that changes nothing: where a message ends.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest message taken; KMS's are some KiB.
const MAX_LEN: usize = 1 << 20;

/// A whole message, as it came.
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    head_len: usize,
}

impl Message {
    fn head(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.head_len]).into_owned()
    }

    /// A header by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.head().lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The operation that is asked for: `Encrypt`, `AssumeRole`.
    pub(super) fn operation(&self) -> String {
        let target = self.header("x-amz-target");
        if let Some(operation) = target.as_deref().and_then(|target| target.split('.').nth(1)) {
            return operation.to_owned();
        }
        let body = String::from_utf8_lossy(&self.bytes[self.head_len..]).into_owned();
        let action = body.split('&').find_map(|pair| pair.trim_start().strip_prefix("Action="));
        action.unwrap_or("unknown").to_owned()
    }
}

/// Reads one message from a connection that carries one after the other; `None` where it ended before the first byte.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Message>> {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if !more(stream, &mut bytes).await? {
            if bytes.is_empty() {
                return Ok(None);
            }
            return Err(io::Error::other("a message ended in its head"));
        }
    };
    let mut message = Message { bytes, head_len };
    let length = message.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let chunked = message.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
    let complete = |bytes: &[u8]| match length {
        Some(length) => bytes.len() >= head_len + length,
        None => !chunked || bytes.ends_with(b"\r\n0\r\n\r\n"),
    };
    while !complete(&message.bytes) {
        if !more(stream, &mut message.bytes).await? {
            return Err(io::Error::other("a message ended in its body"));
        }
    }
    Ok(Some(message))
}

async fn more(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> io::Result<bool> {
    if bytes.len() > MAX_LEN {
        return Err(io::Error::other("a message that is too long"));
    }
    Ok(stream.read_buf(bytes).await? > 0)
}
