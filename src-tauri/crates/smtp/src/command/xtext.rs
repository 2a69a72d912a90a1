//! The `xtext` of ESMTP parameters (RFC 3461 §4).

/// Decodes xtext whose meaning is printable ASCII, as RFC 3461 demands of ENVID and of an original recipient.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            // hexchar: only upper-case digits.
            b'+' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'=' => return None,
            // xchar
            b'!'..=b'~' => byte,
            _ => return None,
        };
        if !matches!(byte, b' '..=b'~') {
            return None;
        }
        decoded.push(char::from(byte));
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
