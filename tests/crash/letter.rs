//! Letters of which each copy shows whether it is whole.

use anyhow::{Context as _, Result, ensure};

/// A letter with about so many octets.
pub fn letter(id: &str, size: usize) -> String {
    let line = format!("{id} is here, and so is every line of it, down to the last\n");
    let body = line.repeat(size / line.len() + 1);
    let seal = seal(body.as_bytes());
    format!(
        "From: alice@office.example\nSubject: {id}\nX-Whole: {} {seal:016x}\n\n{body}",
        body.len()
    )
}

/// The name of the letter that a copy holds.
///
/// # Errors
/// The copy is not whole.
pub fn whole(copy: &[u8]) -> Result<String> {
    let text = String::from_utf8(copy.to_vec())?.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").context("only a part of a head")?;
    let field = |name: &str| {
        let mut values = head.lines().filter_map(|line| line.strip_prefix(name));
        values.next().map(str::to_owned)
    };
    let id = field("Subject: ").context("no subject")?;
    let sealed = field("X-Whole: ").context("no seal")?;
    let found = format!("{} {:016x}", body.len(), seal(body.as_bytes()));
    ensure!(found == sealed, "{id}: {found} instead of {sealed}");
    Ok(id)
}

/// FNV-1a.
fn seal(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |sum, octet| {
        (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    })
}
