//! The header of a report, without the fields that describe its content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::line::{Letters, field, one_line};
use super::{Action, Report};

/// RFC 5321 §4.5.3.1: more than any address or date has.
const MAX_VALUE: usize = 320;
/// Octets of an identifier that is repeated.
const MAX_MESSAGE_ID: usize = 250;

pub(super) fn fields(report: &Report<'_>) -> String {
    let date = one_line(report.now, MAX_VALUE, Letters::Ascii);
    let from = format!("Mail Delivery System <{}>", report.from.to_ascii_domain());
    let mut text = field("Date", &date);
    text += &field("From", &from);
    text += &field("To", &format!("<{}>", report.to.to_ascii_domain()));
    text += &field("Subject", &encoded_words(&subject(report)));
    text += &field("Message-ID", &own_message_id(report.message_id));
    if let Some(id) = report.original_message_id.and_then(safe_message_id) {
        // RFC 5322 §3.6.4.
        text += &field("In-Reply-To", id);
        text += &field("References", id);
    }
    // RFC 3834 §5: so that no other automaton answers.
    text += "Auto-Submitted: auto-replied\r\n";
    text
}

fn subject(report: &Report<'_>) -> String {
    let mut actions = report.recipients.iter().map(|recipient| recipient.action);
    let action = actions.next();
    let same = actions.all(|other| Some(other) == action);
    let to = match report.recipients {
        [only] => one_line(&only.address.to_string(), MAX_VALUE, Letters::Unicode),
        several => format!("{} recipients", several.len()),
    };
    match action.filter(|_| same) {
        Some(Action::Failed) => format!("Your message to {to} could not be delivered"),
        Some(Action::Delayed) => format!("Your message to {to} is delayed"),
        Some(Action::Delivered) => format!("Your message to {to} was delivered"),
        Some(Action::Relayed) => format!("Your message to {to} was passed on"),
        Some(Action::Expanded) => format!("Your message to {to} was distributed"),
        None if report.recipients.iter().any(|r| r.action == Action::Failed) => {
            "Your message could not be delivered to all recipients".to_owned()
        }
        None => "What became of your message".to_owned(),
    }
}

/// A text beyond ASCII as encoded words (RFC 2047 §2, at most 75 characters each).
fn encoded_words(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    const OCTETS: usize = 42;
    let mut words: Vec<String> = Vec::new();
    let mut chunk = String::new();
    for character in text.chars() {
        if chunk.len() + character.len_utf8() > OCTETS {
            words.push(encoded_word(&chunk));
            chunk.clear();
        }
        chunk.push(character);
    }
    words.push(encoded_word(&chunk));
    words.join(" ")
}

fn encoded_word(text: &str) -> String {
    format!("=?utf-8?B?{}?=", STANDARD.encode(text))
}

/// An identifier of a stranger, when it can be repeated without harm: `<left@right>`, printable ASCII.
fn safe_message_id(id: &str) -> Option<&str> {
    let id = id.trim_ascii();
    let inner = id.strip_prefix('<')?.strip_suffix('>')?;
    let harmless = |byte: u8| byte.is_ascii_graphic() && !b"<>(),;:\\\"".contains(&byte);
    let sound = id.len() <= MAX_MESSAGE_ID && inner.bytes().all(harmless);
    let parts = inner.split('@').map(str::is_empty).collect::<Vec<_>>();
    (sound && parts == [false, false]).then_some(id)
}

fn own_message_id(id: &str) -> String {
    let inner: String = id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "@.-_+=[]".contains(*c))
        .take(MAX_MESSAGE_ID)
        .collect();
    format!("<{inner}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_harmless_identifier_is_repeated() {
        assert_eq!(
            safe_message_id(" <a.b@c.example> "),
            Some("<a.b@c.example>")
        );
        for id in [
            "",
            "a@b",
            "<a>",
            "<@b>",
            "<a@>",
            "<a@b@c>",
            "<a b@c>",
            "<a@b>\r\nX: y",
            "<a@b> <c@d>",
            "<ë@b>",
        ] {
            assert_eq!(safe_message_id(id), None, "{id:?}");
        }
        assert_eq!(safe_message_id(&format!("<a@{}>", "b".repeat(300))), None);
    }

    #[test]
    fn a_text_beyond_ascii_is_readable_again() {
        let text = "Your message to zoë@büro.example could not be delivered — ".repeat(4);
        let words = encoded_words(&text);
        assert!(words.is_ascii() && words.split(' ').all(|word| word.len() <= 75));
        assert_eq!(crate::text::decode_words(words.as_bytes()), text);
        assert_eq!(encoded_words("plain"), "plain");
    }
}
