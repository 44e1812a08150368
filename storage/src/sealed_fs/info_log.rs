//! RocksDB's info log: to `tracing`, never to a file.
//!
//! RocksDB writes keys into its messages now and then, quoted or in hex, and keys are document
//! content. So only warnings and worse go on, and without whatever could be a key.

/// RocksDB's level of a warning; errors and fatal ones are above, headers above those.
const WARN_LEVEL: u8 = 2;
const HEADER_LEVEL: u8 = 5;
/// A longer message is cut here.
const MAX_MESSAGE: usize = 400;
/// A run of this many hex digits could be a key. File numbers have six digits.
const HEX_RUN: usize = 8;

/// Takes one message of RocksDB.
pub(super) fn record(level: u8, message: &[u8]) {
    if !(WARN_LEVEL..HEADER_LEVEL).contains(&level) {
        return;
    }
    let message = redact(message);
    // An instance whose directory was removed while a reader still held it closes when the reader ends. What an open finds
    // matters, not what a close misses: the next open verifies all of it.
    let closing = message.contains("MANIFEST verification on Close");
    if level == WARN_LEVEL || closing {
        tracing::warn!(target: "rocksdb", "{message}");
    } else {
        tracing::error!(target: "rocksdb", "{message}");
    }
}

/// Leaves out of a message what could be a key: quoted text, long runs of hex digits, bytes that
/// are not printable ASCII, and all that follows the word `key`.
pub(super) fn redact(message: &[u8]) -> String {
    let message = &message[..message.len().min(MAX_MESSAGE)];
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((&first, tail)) = rest.split_first() {
        if rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(b"key") {
            out.push_str("key [redacted]");
            break;
        }
        if matches!(first, b'"' | b'\'' | b'`') {
            out.push_str("[redacted]");
            // Without a closing quote nothing more is trusted.
            match tail.iter().rposition(|b| *b == first) {
                Some(close) => rest = &tail[close + 1..],
                None => break,
            }
            continue;
        }
        let hex = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if hex >= HEX_RUN {
            out.push_str("[redacted]");
            rest = &rest[hex..];
        } else if hex > 0 {
            out.extend(rest[..hex].iter().map(|b| char::from(*b)));
            rest = &rest[hex..];
        } else {
            out.push(if matches!(first, b' '..=b'~') { char::from(first) } else { '?' });
            rest = tail;
        }
    }
    out.trim_end_matches(['?', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn nothing_that_could_be_a_key_remains() {
        for (message, expected) in [
            (&b"Unexpected key 61626364 for type"[..], "Unexpected key [redacted]"),
            (b"bad entry 'abc' in 000012.sst\n", "bad entry [redacted] in 000012.sst"),
            (b"it is 'don't' here", "it is [redacted] here"),
            (b"open \"abc", "open [redacted]"),
            (b"range 0x6162636465 ends", "range 0x[redacted] ends"),
            (b"bytes \x01\xff.", "bytes ??."),
            (b"Unexpected Key: abc", "Unexpected key [redacted]"),
            (b"dead 123456 beef", "dead 123456 beef"),
        ] {
            assert_eq!(redact(message), expected);
        }
        assert!(redact(&[b'x'; 5000]).len() <= 400);
    }
}
