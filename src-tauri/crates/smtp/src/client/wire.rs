//! The commands of a client as they go onto the wire, made from parsed values only.
//!
//! An address comes from its meaning and is quoted anew, and every other value is encoded, so nothing an address or a
//! parameter holds can end its brackets, add a parameter or begin a new line.

use std::fmt::Write as _;

use super::Mail;
use super::capabilities::Capabilities;
use crate::address::{Address, Host, ReversePath};
use crate::command::{Notify, RcptParameters, Ret};

/// Longest ENVID and ORCPT in the characters of their xtext (RFC 3461 §4.4, §4.2).
const MAX_ENVID: usize = 100;
const MAX_ORCPT: usize = 500;

/// MAIL with the parameters the server knows, without the line end.
pub(super) fn mail(mail: &Mail, capabilities: &Capabilities, utf8: bool) -> String {
    let mut line = match &mail.sender {
        ReversePath::Null => "MAIL FROM:<>".to_owned(),
        ReversePath::Unqualified(local) => format!("MAIL FROM:<{local}>"),
        ReversePath::Address(address) => format!("MAIL FROM:<{}>", spell(address, utf8)),
    };
    if capabilities.size && mail.size > 0 {
        add(&mut line, "SIZE", &mail.size.to_string());
    }
    // RFC 6531 §3.6: a message sent with SMTPUTF8 may hold 8-bit headers.
    if capabilities.eight_bit && (mail.eight_bit || utf8) {
        add(&mut line, "BODY", "8BITMIME");
    }
    if utf8 {
        line.push_str(" SMTPUTF8");
    }
    if capabilities.dsn {
        match mail.ret {
            Some(Ret::Full) => add(&mut line, "RET", "FULL"),
            Some(Ret::Headers) => add(&mut line, "RET", "HDRS"),
            None => {}
        }
        let envid = mail.envid.as_deref().map(xtext);
        if let Some(envid) = envid.filter(|id| !id.is_empty() && id.len() <= MAX_ENVID) {
            add(&mut line, "ENVID", &envid);
        }
    }
    line
}

/// RCPT with the parameters the server knows, without the line end.
pub(super) fn rcpt(
    address: &Address,
    parameters: &RcptParameters,
    capabilities: &Capabilities,
    utf8: bool,
) -> String {
    let mut line = format!("RCPT TO:<{}>", spell(address, utf8));
    if capabilities.dsn {
        if let Some(notify) = parameters.notify.and_then(notify) {
            add(&mut line, "NOTIFY", &notify);
        }
        let orcpt = parameters
            .orcpt
            .as_deref()
            .and_then(|orcpt| original_recipient(orcpt, utf8));
        if let Some(orcpt) = orcpt {
            add(&mut line, "ORCPT", &orcpt);
        }
    }
    line
}

fn add(line: &mut String, keyword: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = write!(line, " {keyword}={value}");
}

/// The address inside its brackets: with A-labels, or with U-labels where the wire has SMTPUTF8.
fn spell(address: &Address, utf8: bool) -> String {
    match address.host() {
        Host::Domain(_) if utf8 => address.to_string(),
        _ => address.to_ascii_domain(),
    }
}

fn notify(notify: Notify) -> Option<String> {
    let Notify::On {
        success,
        failure,
        delay,
    } = notify
    else {
        return Some("NEVER".to_owned());
    };
    let words: Vec<&str> = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")]
        .into_iter()
        .filter_map(|(wanted, word)| wanted.then_some(word))
        .collect();
    (!words.is_empty()).then(|| words.join(","))
}

/// RFC 3461 §4.2, RFC 6533 §3. One that cannot be written is left out: it is a help for the sender, not an address.
fn original_recipient(orcpt: &str, utf8: bool) -> Option<String> {
    let (kind, address) = orcpt.split_once(';')?;
    if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let address = if kind.eq_ignore_ascii_case("utf-8") {
        utf8_address(address, utf8)
    } else if address.is_ascii() {
        xtext(address)
    } else {
        return None;
    };
    let value = format!("{kind};{address}");
    (!address.is_empty() && value.len() <= MAX_ORCPT).then_some(value)
}

/// RFC 3461 §4 `xtext`.
fn xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' => {
                let _ = write!(encoded, "+{byte:02X}");
            }
            b'!'..=b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "+{byte:02X}");
            }
        }
    }
    encoded
}

/// RFC 6533 §3: `utf-8-addr-unitext` where the wire has SMTPUTF8, otherwise `utf-8-addr-xtext`. Escapes that are in
/// the text already stay.
fn utf8_address(text: &str, utf8: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        let stays = match c {
            '+' | '=' => false,
            '!'..='~' => true,
            '\u{85}' | '\u{2028}' | '\u{2029}' => false,
            _ => utf8 && !c.is_ascii() && !c.is_control(),
        };
        if stays {
            encoded.push(c);
        } else {
            let _ = write!(encoded, "\\x{{{:X}}}", u32::from(c));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_recipient_is_encoded_for_the_wire_it_goes_onto() {
        for (orcpt, utf8, wire) in [
            (
                "rfc822;a+b@x.example",
                false,
                Some("rfc822;a+2Bb@x.example"),
            ),
            ("rfc822;a b=c@x", false, Some("rfc822;a+20b+3Dc@x")),
            ("rfc822;a\r\nDATA", false, Some("rfc822;a+0D+0ADATA")),
            ("rfc822;ü@x", true, None),
            ("utf-8;ü@x", true, Some("utf-8;ü@x")),
            ("utf-8;ü@x", false, Some("utf-8;\\x{FC}@x")),
            ("utf-8;\\x{FC}+a@x", false, Some("utf-8;\\x{FC}\\x{2B}a@x")),
            (
                "utf-8;a b\r\n@x",
                true,
                Some("utf-8;a\\x{20}b\\x{D}\\x{A}@x"),
            ),
            ("no type", false, None),
            ("rf c;a", false, None),
            ("rfc822;", false, None),
        ] {
            assert_eq!(
                original_recipient(orcpt, utf8).as_deref(),
                wire,
                "{orcpt:?} {utf8}"
            );
        }
    }

    #[test]
    fn what_we_write_our_server_reads() {
        use crate::command::Command;
        let capabilities = Capabilities {
            size: true,
            eight_bit: true,
            smtputf8: true,
            dsn: true,
            ..Capabilities::default()
        };
        let parameters = RcptParameters {
            notify: Some(Notify::On {
                success: true,
                failure: false,
                delay: true,
            }),
            orcpt: Some("rfc822;a+b=c@x.example".to_owned()),
        };
        let address = Address::parse("\"a> NOTIFY=NEVER <b\"@x.example").unwrap();
        let line = rcpt(&address, &parameters, &capabilities, false);
        let Ok(Command::Rcpt {
            path,
            parameters: read,
            ..
        }) = Command::parse(line.as_bytes())
        else {
            panic!("{line}")
        };
        assert_eq!((path.address(), &read), (Some(&address), &parameters));
        let sent = Mail {
            sender: ReversePath::Address(address.clone()),
            size: 12,
            eight_bit: true,
            smtputf8: false,
            ret: Some(Ret::Headers),
            envid: Some("a b+=".to_owned()),
            recipients: Vec::new(),
        };
        let line = mail(&sent, &capabilities, true);
        let Ok(Command::Mail {
            path, parameters, ..
        }) = Command::parse(line.as_bytes())
        else {
            panic!("{line}")
        };
        assert_eq!(path.address(), Some(&address));
        assert_eq!(
            (parameters.size, parameters.ret, parameters.envid),
            (Some(12), sent.ret, sent.envid)
        );
        assert!(parameters.smtputf8);
    }
}
