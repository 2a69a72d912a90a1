//! A message as a server gets it: as it is, or in seven bits where the server takes no more.

use std::io;
use std::sync::Arc;

use smtp::client::{Outcome, Trouble};

use crate::deliver::link::{Body, Link, Outgoing, OutgoingRecipient};
use crate::queue::mail::{Mail, Waiting};

/// RFC 3463 §3.7: conversion required but not supported.
const CONVERSION_NEEDED: (u8, u8, u16) = (5, 6, 3);
/// Larger messages are not converted: it is done in memory.
const MOST_CONVERTED: u64 = 8 << 20;

/// Head and content of a message as the next server gets them.
struct Whole(Arc<Mail>);

impl Body for Whole {
    fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let head = self.0.head.as_bytes();
        let length = head.len() as u64;
        if offset >= length {
            return self.0.content.read_at(offset - length, max);
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut part = head.get(from..).unwrap_or_default().to_vec();
        part.truncate(max);
        if part.len() < max {
            part.extend(self.0.content.read_at(0, max - part.len())?);
        }
        Ok(part)
    }
}

fn outgoing(mail: &Arc<Mail>, recipients: &[Waiting]) -> Outgoing {
    let carriage = &mail.carriage;
    Outgoing {
        sender: mail.sender.clone(),
        size: mail.head.len() as u64 + mail.content.length(),
        body: Arc::new(Whole(Arc::clone(mail))),
        eight_bit: carriage.eight_bit_body,
        smtputf8: carriage.eight_bit_header,
        ret: carriage.mail.ret,
        envid: carriage.mail.envid.clone(),
        recipients: recipients
            .iter()
            .map(|waiting| OutgoingRecipient {
                id: waiting.id,
                address: waiting.address.clone(),
                parameters: waiting.parameters.clone(),
            })
            .collect(),
    }
}

/// Bytes of a message that was made anew for a server.
struct Converted(Vec<u8>);

impl Body for Converted {
    fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.0.len());
        let to = from.saturating_add(max).min(self.0.len());
        Ok(self.0.get(from..to).unwrap_or_default().to_vec())
    }
}

/// Sends, and when the server takes no 8-bit content, sends it once more in seven bits (RFC 6152 §3). What cannot be made
/// so is refused as the server would. A message with a NUL goes in seven bits only, to whomever.
pub(super) async fn send_as_it_can(
    link: &mut Link,
    mail: &Arc<Mail>,
    recipients: &[Waiting],
) -> Vec<(i64, Outcome)> {
    let as_it_is = outgoing(mail, recipients);
    store::fail_point!("relay-before-sending");
    if !mail.carriage.nul {
        let outcomes = link.send(&as_it_is).await;
        store::fail_point!("relay-after-reply");
        if !(link.is_alive() && outcomes.iter().all(|(_, one)| asks_for_seven_bits(one))) {
            return outcomes;
        }
        return match in_seven_bits(mail, as_it_is).await {
            Some(converted) => link.send(&converted).await,
            None => outcomes,
        };
    }
    match in_seven_bits(mail, as_it_is).await {
        Some(converted) => link.send(&converted).await,
        None => recipients
            .iter()
            .map(|waiting| {
                let text = "the message holds NUL octets, which no mail may hold on its way, and it cannot be converted";
                let trouble = Trouble::new(CONVERSION_NEEDED, text);
                (waiting.id, Outcome::Failed(trouble))
            })
            .collect(),
    }
}

/// Whether nothing was sent because the server does not take such content.
fn asks_for_seven_bits(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(trouble) if trouble.status == CONVERSION_NEEDED && trouble.reply.is_none())
}

/// The message in seven bits; `None` where that cannot be done.
async fn in_seven_bits(mail: &Arc<Mail>, as_it_is: Outgoing) -> Option<Outgoing> {
    if mail.carriage.eight_bit_header || as_it_is.size > MOST_CONVERTED {
        return None;
    }
    let whole = Arc::clone(mail);
    let converted = tokio::task::spawn_blocking(move || {
        let most = usize::try_from(MOST_CONVERTED).unwrap_or(usize::MAX);
        let bytes = Whole(whole).read_at(0, most).ok()?;
        message::seven_bit::convert(&bytes).ok()
    });
    let bytes = converted.await.ok()??;
    Some(Outgoing {
        size: bytes.len() as u64,
        body: Arc::new(Converted(bytes)),
        eight_bit: false,
        ..as_it_is
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::link::open;
    use crate::deliver::link::tests::{scripted::script, words};
    use crate::queue::mail::Carriage;
    use crate::queue::outbound::samples::{mail, waiting};

    #[tokio::test]
    async fn a_server_that_is_international_but_takes_no_8_bit_body_gets_seven_bits() {
        let offers = "S: 220 mx.test\nC: EHLO us.test\nS: 250-mx.test\nS: 250 SMTPUTF8\n";
        let rest = "C: MAIL FROM:<a@x.example>\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nD:\nS: 250 taken\n";
        let script = script(&format!("{offers}{rest}")).await;
        let mut link = open(&script.hop()).await.unwrap();
        let head = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Transfer-Encoding: 8bit\r\n\r\n";
        let carriage = Carriage {
            eight_bit_body: true,
            ..Carriage::default()
        };
        let mail = mail(head, "grün\r\n", carriage);
        let recipients = [waiting(7, "b@y.example")];
        let outcomes = send_as_it_can(&mut link, &mail, &recipients).await;
        assert_eq!(words(&outcomes[0].1), "delivered 250 taken");
        drop(link);
        let heard = script.heard().await;
        assert!(heard.iter().all(|line| line.is_ascii()), "{heard:?}");
    }
}
