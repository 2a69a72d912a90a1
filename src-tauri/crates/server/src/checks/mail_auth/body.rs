//! What is kept of a message while the DNS is waited for: its header and the hashes of its body, and not the body.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::mail_auth::AuthenticatedMessage;
use ::mail_auth::common::crypto::HashAlgorithm;
use ::mail_auth::dkim::Canonicalization;
use store::spool::Content;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::shape;

/// Until a large message may be read.
const WAIT_FOR_PLACE: Duration = Duration::from_secs(30);

/// The hashes of a body, as different signatures ask for them.
pub(super) type Hashes = Vec<(Canonicalization, HashAlgorithm, u64, Vec<u8>)>;

/// A message without its body.
#[derive(Debug)]
pub(super) struct Kept {
    head: Vec<u8>,
    hashes: Hashes,
    /// The same without the lines of white space at the end of the body, where it has any.
    without_blank_tail: Option<Hashes>,
}

impl Kept {
    /// Reads a message and hashes its body where nobody else has to wait for it. A place among the `large` is held for so
    /// long as the message lies in memory only. `None` where it has no header, or a longer one than is read.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn read(content: &Content, large: &Arc<Semaphore>) -> Result<Option<Self>, String> {
        let place = match content {
            Content::Memory(_) => None,
            Content::File(_) => {
                let place = timeout(WAIT_FOR_PLACE, large.clone().acquire_owned()).await;
                let place = place.map_err(|_| "too many large messages are tested".to_owned())?;
                Some(place.map_err(|error| error.to_string())?)
            }
        };
        let content = content.clone();
        let kept = spawn_blocking(move || {
            let kept = whole(&content).map(|octets| Self::of(&octets));
            // Whoever asked may have gone meanwhile; the memory is used until here all the same.
            drop(place);
            kept
        });
        let kept = kept
            .await
            .unwrap_or_else(|_| Err(io::Error::other("reading was interrupted")));
        kept.map_err(|error| format!("the message cannot be read: {error}"))
    }

    fn of(octets: &[u8]) -> Option<Self> {
        let octets = shape::bounded(octets);
        let parsed = parse(&octets)?;
        // It stays in memory, and there may be one for each session; such a message is refused as it is.
        if u64::try_from(parsed.body_offset())
            .is_ok_and(|length| length > message::MAX_HEADER_BLOCK)
        {
            return None;
        }
        let copy = shape::without_blank_tail(&octets, parsed.body_offset());
        let again = copy.as_deref().and_then(parse);
        Some(Self {
            head: parsed.raw_headers().to_vec(),
            without_blank_tail: again.map(|again| again.body_hashes),
            hashes: parsed.body_hashes,
        })
    }

    /// The header with the hashes of the body that belongs to it.
    pub fn message(&self) -> Option<AuthenticatedMessage<'_>> {
        let mut message = parse(&self.head)?;
        message.body_hashes.clone_from(&self.hashes);
        Some(message)
    }

    /// The hashes of the body without the lines of white space at its end, where it has any. In the relaxed form these do
    /// not count (RFC 6376 §3.4.4).
    pub fn without_blank_tail(&self) -> Option<&Hashes> {
        self.without_blank_tail.as_ref()
    }
}

fn whole(content: &Content) -> io::Result<Arc<Vec<u8>>> {
    match content {
        Content::Memory(octets) => Ok(octets.clone()),
        Content::File(_) => {
            let length = usize::try_from(content.length()).map_err(io::Error::other)?;
            content.read_at(0, length).map(Arc::new)
        }
    }
}

/// Reads the header block and hashes the body, as often as different signatures ask for.
pub(super) fn parse(octets: &[u8]) -> Option<AuthenticatedMessage<'_>> {
    // Not strict: a signature of a part of the body is checked, and does not count.
    AuthenticatedMessage::parse_with_opts(octets, None, false)
}
