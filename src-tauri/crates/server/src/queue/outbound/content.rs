//! A message as a server gets it: as it is, or in seven bits where the server takes no more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use smtp::client::{Outcome, Trouble};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::deliver::link::{Body, Link, Outgoing, OutgoingRecipient};
use crate::queue::mail::{Mail, Waiting};

/// RFC 3463 §3.7: conversion required but not supported.
const CONVERSION_NEEDED: (u8, u8, u16) = (5, 6, 3);
/// Larger messages are not converted: it is done in memory.
const MOST_CONVERTED: u64 = 8 << 20;

/// Octets that all conversions together hold in memory, those included whose result is being sent. One that needs more is made
/// when there is no other.
const ROOM: usize = 16 << 20;
/// What a conversion needs at most, in lengths of the message: it as it is, its result, and what they grow through.
const LENGTHS: u64 = 4;
/// Who finds no room for so long is tried later.
const WAIT: Duration = Duration::from_secs(60);

/// The memory for conversions.
#[derive(Debug)]
pub(crate) struct Conversions(Arc<Semaphore>);

impl Default for Conversions {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM)))
    }
}

impl Conversions {
    /// Waits a while for the room to convert a message of so many octets.
    async fn room(&self, octets: u64) -> Option<OwnedSemaphorePermit> {
        let most = u32::try_from(ROOM).unwrap_or(u32::MAX);
        let wanted = u32::try_from(octets.saturating_mul(LENGTHS)).unwrap_or(most);
        let permit = Arc::clone(&self.0).acquire_many_owned(wanted.clamp(1, most));
        timeout(WAIT, permit).await.ok()?.ok()
    }
}

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

/// Bytes of a message that was made anew for a server, and their room.
struct Converted {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl Body for Converted {
    fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let length = self.bytes.len();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(length);
        let to = from.saturating_add(max).min(length);
        Ok(self.bytes.get(from..to).unwrap_or_default().to_vec())
    }
}

/// Why there is no message in seven bits.
enum Unconverted {
    /// It cannot be made.
    Impossible,
    /// Others use the memory.
    NoRoom,
}

/// Sends, and when the server takes no 8-bit content, sends it once more in seven bits (RFC 6152 §3). What cannot be made
/// so is refused as the server would. A message with a NUL goes in seven bits only, to whomever.
pub(super) async fn send_as_it_can(
    conversions: &Conversions,
    link: &mut Link,
    mail: &Arc<Mail>,
    recipients: &[Waiting],
) -> Vec<(i64, Outcome)> {
    let as_it_is = outgoing(mail, recipients);
    store::fail_point!("relay-before-sending");
    let mut refused = None;
    if !mail.carriage.nul {
        let outcomes = link.send(&as_it_is).await;
        store::fail_point!("relay-after-reply");
        if !(link.is_alive() && outcomes.iter().all(|(_, one)| asks_for_seven_bits(one))) {
            return outcomes;
        }
        refused = Some(outcomes);
    }
    let all = |trouble: Trouble| -> Vec<(i64, Outcome)> {
        let outcome = trouble.into_outcome();
        recipients
            .iter()
            .map(|waiting| (waiting.id, outcome.clone()))
            .collect()
    };
    match (in_seven_bits(conversions, mail, as_it_is).await, refused) {
        (Ok(converted), _) => link.send(&converted).await,
        (Err(Unconverted::NoRoom), _) => {
            let text = "too many other messages are being converted to 7-bit text just now; it is tried again later";
            all(Trouble::new((4, 3, 1), text))
        }
        (Err(Unconverted::Impossible), Some(refused)) => refused,
        (Err(Unconverted::Impossible), None) => {
            let text = "the message holds NUL octets, which no mail may hold on its way, and it cannot be converted";
            all(Trouble::new(CONVERSION_NEEDED, text))
        }
    }
}

/// Whether nothing was sent because the server does not take such content.
fn asks_for_seven_bits(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(trouble) if trouble.status == CONVERSION_NEEDED && trouble.reply.is_none())
}

/// The message in seven bits.
async fn in_seven_bits(
    conversions: &Conversions,
    mail: &Arc<Mail>,
    as_it_is: Outgoing,
) -> Result<Outgoing, Unconverted> {
    if mail.carriage.eight_bit_header || as_it_is.size > MOST_CONVERTED {
        return Err(Unconverted::Impossible);
    }
    let room = conversions.room(as_it_is.size).await;
    let mut room = room.ok_or(Unconverted::NoRoom)?;
    let whole = Arc::clone(mail);
    let body = tokio::task::spawn_blocking(move || {
        let most = usize::try_from(MOST_CONVERTED).unwrap_or(usize::MAX);
        let original = Whole(whole).read_at(0, most).ok()?;
        let mut bytes = message::seven_bit::convert(&original).ok()?;
        drop(original);
        bytes.shrink_to_fit();
        // What is left to be sent is all that it still holds.
        let unused = room.num_permits().saturating_sub(bytes.len());
        drop(room.split(unused));
        Some(Converted { bytes, _room: room })
    });
    let body = body.await.ok().flatten().ok_or(Unconverted::Impossible)?;
    Ok(Outgoing {
        size: body.bytes.len() as u64,
        body: Arc::new(body),
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

    const GERMAN: &str = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                          Content-Transfer-Encoding: 8bit\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn all_conversions_together_have_their_room_until_they_are_sent() {
        let conversions = Conversions::default();
        let convert = |body: &str| {
            let mail = mail(GERMAN, body, Carriage::default());
            let as_it_is = outgoing(&mail, &[]);
            let conversions = &conversions;
            async move { in_seven_bits(conversions, &mail, as_it_is).await }
        };
        let first = convert("grün\r\n").await.ok().unwrap();
        let used = ROOM - conversions.0.available_permits();
        assert_eq!(u64::try_from(used).unwrap(), first.size);
        // It would need all of the room.
        let large = "grüne Wiesen und so weiter\r\n".repeat(ROOM / 100);
        let none = convert(&large).await;
        assert!(matches!(none, Err(Unconverted::NoRoom)));
        drop(first);
        let second = convert(&large).await.ok().unwrap();
        assert!(second.size > large.len() as u64);
        drop(second);
        assert_eq!(conversions.0.available_permits(), ROOM);
    }

    #[tokio::test]
    async fn a_server_that_is_international_but_takes_no_8_bit_body_gets_seven_bits() {
        let offers = "S: 220 mx.test\nC: EHLO us.test\nS: 250-mx.test\nS: 250 SMTPUTF8\n";
        let rest = "C: MAIL FROM:<a@x.example>\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nD:\nS: 250 taken\n";
        let script = script(&format!("{offers}{rest}")).await;
        let mut link = open(&script.hop()).await.unwrap();
        let conversions = Conversions::default();
        let carriage = Carriage {
            eight_bit_body: true,
            ..Carriage::default()
        };
        let mail = mail(GERMAN, "grün\r\n", carriage);
        let recipients = [waiting(7, "b@y.example")];
        let outcomes = send_as_it_can(&conversions, &mut link, &mail, &recipients).await;
        assert_eq!(words(&outcomes[0].1), "delivered 250 taken");
        drop(link);
        let heard = script.heard().await;
        assert!(heard.iter().all(|line| line.is_ascii()), "{heard:?}");
    }
}
