//! What a scenario says of the world outside: what the DNS, other people's tests and clamd say, and who else is connected.
//! A real server is told the same by a name server and a clamd of the test's own.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result, bail, ensure};

/// One line about the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum World {
    /// A record of a name, or the name of an address.
    Record(String, Record),
    /// The DNS has no answer for this name.
    Fails(String),
    /// No name server answers at all.
    NoDns,
    /// A list in the DNS has this client under this answer, with these words.
    Dnsbl(String, IpAddr, Ipv4Addr, String),
    /// The list cannot be asked about this client.
    DnsblFails(String, IpAddr),
    /// What comes out for a domain, and the domain's words.
    Spf(String, Spoken, String),
    /// What comes out for the signature of this domain in the messages that follow; on a real server they have to have it.
    Dkim(String, Spoken),
    /// What comes out for a domain that asks for this: `none`, `quarantine` or `reject`.
    Dmarc(String, Spoken, String),
    /// clamd finds this in all messages that follow.
    Virus(String),
    /// clamd cannot be asked.
    NoScanner,
    /// clamd takes no message of the size of those that follow.
    ScannerTooSmall,
    /// So many connections from that address are open already.
    Open(usize, IpAddr),
    /// The next client sends something before it is greeted.
    Early,
    /// The minute of all clients is over.
    Minute,
    /// It is another day.
    Day,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A or AAAA.
    Host(IpAddr),
    /// MX; `.` takes no mail.
    Mx(String),
    /// TXT.
    Txt(String),
    /// PTR; the name before it is an address.
    Ptr(IpAddr, String),
}

/// Results of tests, as RFC 8601 spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 8601 §2.7")]
pub enum Spoken {
    None,
    Pass,
    Fail,
    SoftFail,
    Neutral,
    Policy,
    TempError,
    PermError,
}

fn spoken(word: &str) -> Result<Spoken> {
    Ok(match word {
        "none" => Spoken::None,
        "pass" => Spoken::Pass,
        "fail" => Spoken::Fail,
        "softfail" => Spoken::SoftFail,
        "neutral" => Spoken::Neutral,
        "policy" => Spoken::Policy,
        "temperror" => Spoken::TempError,
        "permerror" => Spoken::PermError,
        other => bail!("`{other}` is no result of a test"),
    })
}

/// Reads a line about the world; none where `word` begins no such line.
pub(super) fn line(word: &str, argument: &str) -> Result<Option<World>> {
    let mut words = argument.splitn(3, ' ');
    let mut next = || words.next().unwrap_or_default().to_owned();
    let (first, second, rest) = (next(), next(), next());
    Ok(Some(match word {
        "dns" => dns(&first, &second, &rest)?,
        "dnsbl" => {
            let client = address(&second)?;
            match rest.split_once(' ').unwrap_or((&rest, "")) {
                ("fails", "") => World::DnsblFails(first, client),
                (answer, text) => {
                    let answer = answer
                        .parse()
                        .with_context(|| format!("`{answer}` is no answer of a list"))?;
                    World::Dnsbl(first, client, answer, text.into())
                }
            }
        }
        "spf" => World::Spf(first, spoken(&second)?, rest),
        "dkim" => World::Dkim(first, spoken(&second)?),
        "dmarc" => {
            ensure!(
                ["none", "quarantine", "reject", ""].contains(&rest.as_str()),
                "`{rest}` is no policy"
            );
            World::Dmarc(first, spoken(&second)?, rest)
        }
        "virus" => World::Virus(argument.into()),
        "scanner" => match argument {
            "away" => World::NoScanner,
            "too small" => World::ScannerTooSmall,
            other => bail!("a scanner can be `away` or `too small`, not `{other}`"),
        },
        "open" => {
            let count = first
                .parse()
                .with_context(|| format!("`{first}` is no number"))?;
            World::Open(count, address(&second)?)
        }
        "early" => World::Early,
        "later" => match argument {
            "minute" => World::Minute,
            "day" => World::Day,
            other => bail!("`{other}` does not go by"),
        },
        _ => return Ok(None),
    }))
}

fn dns(name: &str, kind: &str, value: &str) -> Result<World> {
    if (name, kind) == ("down", "") {
        return Ok(World::NoDns);
    }
    let record = match kind {
        "a" | "aaaa" => Record::Host(address(value)?),
        "mx" => Record::Mx(value.into()),
        "txt" => Record::Txt(value.into()),
        "ptr" => Record::Ptr(address(name)?, value.into()),
        "fails" => return Ok(World::Fails(name.into())),
        other => bail!("`{other}` is no record; there are a, aaaa, mx, txt, ptr and fails"),
    };
    Ok(World::Record(name.into(), record))
}

fn address(word: &str) -> Result<IpAddr> {
    word.parse()
        .with_context(|| format!("`{word}` is no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_the_world_are_read_and_wrong_ones_are_told() {
        let read = |word, argument| line(word, argument).unwrap().unwrap();
        assert_eq!(
            read("dns", "elsewhere.example mx ."),
            World::Record("elsewhere.example".into(), Record::Mx(".".into()))
        );
        assert_eq!(read("dns", "down"), World::NoDns);
        assert_eq!(
            read("dnsbl", "zen.example 127.0.0.5 127.0.0.2 see the list"),
            World::Dnsbl(
                "zen.example".into(),
                Ipv4Addr::new(127, 0, 0, 5).into(),
                Ipv4Addr::new(127, 0, 0, 2),
                "see the list".into()
            )
        );
        assert_eq!(line("anything", "else").unwrap(), None);
        for (word, argument) in [
            ("dns", "elsewhere.example srv x"),
            ("spf", "elsewhere.example perhaps"),
            ("dmarc", "elsewhere.example fail never"),
            ("scanner", "tired"),
            ("later", "year"),
            ("open", "many 127.0.0.5"),
        ] {
            assert!(line(word, argument).is_err(), "{word} {argument}");
        }
    }
}
