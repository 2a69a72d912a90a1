//! One record of the log: a header that seals it, what is known of the message, and its content.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Records begin at multiples of this, so that a place fits into 18 bits of a number.
pub(crate) const ALIGN: u64 = 64;
/// Octets in a segment.
pub(crate) const SEGMENT: u64 = 16 << 20;
/// Magic, seal, segment (8), offset, length of the facts, length of the content.
const HEADER: usize = 28;
const MAGIC: [u8; 4] = *b"PRm1";

/// What records of one database are sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(pub i64);

impl Identity {
    fn seal(self) -> crc32fast::Hasher {
        let mut seal = crc32fast::Hasher::new();
        seal.update(&self.0.to_le_bytes());
        seal
    }
}

/// Where a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Number of the segment, counted from 1 and never used again.
    pub segment: u64,
    /// Octets from its beginning.
    pub offset: u64,
}

impl Position {
    /// The position that a message's number holds.
    pub(crate) fn of(id: i64) -> Self {
        let id = id.unsigned_abs();
        Self {
            segment: id >> 18,
            offset: (id & 0x3_ffff) * ALIGN,
        }
    }

    /// The number of the message that lies here. Below 2^39 for the first two million segments (32 TB of mail), so that
    /// a recipient's number, 14 bits longer, is exact as a number of JavaScript too.
    pub(crate) fn id(self) -> i64 {
        i64::try_from((self.segment << 18) | (self.offset / ALIGN)).unwrap_or(i64::MAX)
    }
}

/// A record that was read and is sound.
pub(crate) struct Record {
    pub facts: Vec<u8>,
    pub content: Vec<u8>,
    /// Where the next one begins.
    pub end: u64,
}

/// Octets that a record takes, up to the place where the next may begin.
pub(crate) fn space(facts: usize, content: usize) -> u64 {
    ((HEADER + facts + content) as u64).next_multiple_of(ALIGN)
}

/// Appends the record to `out`, sealed for its position.
pub(crate) fn write(
    out: &mut Vec<u8>,
    identity: Identity,
    at: Position,
    facts: &[u8],
    content: &[u8],
) {
    let begin = out.len();
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&at.segment.to_le_bytes());
    let word = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    header[16..20].copy_from_slice(&word(at.offset));
    header[20..24].copy_from_slice(&word(facts.len() as u64));
    header[24..28].copy_from_slice(&word(content.len() as u64));
    let mut seal = identity.seal();
    seal.update(&header[8..]);
    seal.update(facts);
    seal.update(content);
    header[4..8].copy_from_slice(&seal.finalize().to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(facts);
    out.extend_from_slice(content);
    let end = begin + usize::try_from(space(facts.len(), content.len())).unwrap_or(0);
    out.resize(end.max(out.len()), 0);
}

/// Whether a record of this size can be kept in the log, and so be read back: what is written and what is read go by the
/// same bounds.
pub(crate) fn fits(facts: usize, content: usize) -> bool {
    content <= super::IN_LOG && space(facts, content) <= SEGMENT
}

/// What a header says of its record.
struct Header {
    seal: u32,
    facts: usize,
    content: usize,
}

impl Header {
    /// `None` where no record of this place begins.
    fn read(octets: &[u8], at: Position) -> Option<Self> {
        let word = |from: usize| {
            let four = octets.get(from..from + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(four))
        };
        let segment = u64::from_le_bytes(octets.get(8..16)?.try_into().ok()?);
        let (facts, content) = (word(20)? as usize, word(24)? as usize);
        let in_place = octets.starts_with(&MAGIC)
            && segment == at.segment
            && u64::from(word(16)?) == at.offset;
        (in_place && fits(facts, content)).then_some(Self {
            seal: word(4)?,
            facts,
            content,
        })
    }
}

/// The record whose octets these are. `None` where none, or not a whole one, lies.
pub(crate) fn parse(octets: &[u8], identity: Identity, at: Position) -> Option<Record> {
    let header = Header::read(octets, at)?;
    let body = octets.get(HEADER..HEADER + header.facts + header.content)?;
    let mut seal = identity.seal();
    seal.update(octets.get(8..HEADER)?);
    seal.update(body);
    if seal.finalize() != header.seal {
        return None;
    }
    let (facts, content) = body.split_at(header.facts);
    Some(Record {
        facts: facts.to_vec(),
        content: content.to_vec(),
        end: at.offset + space(facts.len(), content.len()),
    })
}

/// Whether a record of any database and any place may begin with these octets.
pub(crate) fn may_begin(octets: &[u8]) -> bool {
    octets.starts_with(&MAGIC)
}

/// The record at a position of a segment. `None` where none, or not a whole one, lies.
pub(crate) fn read(file: &File, identity: Identity, at: Position) -> io::Result<Option<Record>> {
    let mut octets = vec![0; HEADER];
    if !fill(file, &mut octets, at.offset)? {
        return Ok(None);
    }
    let Some(header) = Header::read(&octets, at) else {
        return Ok(None);
    };
    octets.resize(HEADER + header.facts + header.content, 0);
    if !fill(file, &mut octets, at.offset)? {
        return Ok(None);
    }
    Ok(parse(&octets, identity, at))
}

/// Breaks the header of a record that must not be found again.
pub(crate) fn strike_out(file: &File, offset: u64) -> io::Result<()> {
    file.write_all_at(&[0; MAGIC.len()], offset)
}

/// Fills the buffer; false when the file ends before.
fn fill(file: &File, buffer: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
