//! Questions to the DNS, each with its own time-out, and several at the same time.

use std::future::poll_fn;
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::timeout;

use crate::names::{Answer, Names};

/// One question with all its attempts and the aliases it leads through.
pub(super) const WAIT: Duration = Duration::from_secs(5);
/// Labels of the longest name (RFC 1035 §2.3.4).
const MAX_LABELS: usize = 127;

/// The name that these labels make, whatever octets they hold. `None` when one is empty or longer than 63 octets, or all
/// are longer than 255.
pub(super) fn name<'a>(labels: impl IntoIterator<Item = &'a str>) -> Option<Name> {
    let labels: Vec<&[u8]> = labels.into_iter().map(str::as_bytes).collect();
    if labels.len() > MAX_LABELS || labels.iter().any(|label| label.is_empty()) {
        return None;
    }
    Name::from_labels(labels).ok()
}

/// The records of one kind at a name.
pub(super) async fn records(names: &Names, name: Name, kind: RecordType) -> Answer<RData> {
    // The resolver's state is large, and there may be many questions in one task.
    timeout(WAIT, Box::pin(names.asked(name, kind)))
        .await
        .unwrap_or_else(|_| Answer::Unknown("no name server answered in time".into()))
}

/// The TXT records at a name, each with its strings put together (RFC 7208 §3.3).
pub(super) async fn txt(names: &Names, name: Name) -> Answer<Vec<u8>> {
    only(
        records(names, name, RecordType::TXT).await,
        |data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        },
    )
}

/// The addresses of a name that are of the same family as `like`.
pub(super) async fn addresses(names: &Names, name: Name, like: IpAddr) -> Answer<IpAddr> {
    let kind = if like.is_ipv4() {
        RecordType::A
    } else {
        RecordType::AAAA
    };
    only(records(names, name, kind).await, |data| data.ip_addr())
}

/// An answer with what is wanted of each record.
pub(super) fn only<T>(answer: Answer<RData>, pick: impl Fn(&RData) -> Option<T>) -> Answer<T> {
    match answer {
        Answer::Found(data) => {
            let found: Vec<T> = data.iter().filter_map(pick).collect();
            if found.is_empty() {
                Answer::NoRecords
            } else {
                Answer::Found(found)
            }
        }
        Answer::NoRecords => Answer::NoRecords,
        Answer::NoName => Answer::NoName,
        Answer::Unknown(why) => Answer::Unknown(why),
    }
}

/// Waits for all at the same time; what they brought, in their order.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    poll_fn(|context| {
        let mut done = true;
        for (future, output) in &mut waiting {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => done = false,
                }
            }
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

/// A stranger's words on one line of ASCII.
pub(super) fn one_line(text: &[u8], longest: usize) -> String {
    let line: String = String::from_utf8_lossy(text)
        .chars()
        .take(longest)
        .map(|character| match character {
            ' '..='~' => character,
            _ if character.is_control() || character.is_whitespace() => ' ',
            _ => '?',
        })
        .collect();
    line.trim().to_owned()
}
