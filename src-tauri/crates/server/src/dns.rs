//! Questions to the DNS that the admin's panes ask. Every question has a time-out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::names;

/// A name server that has not answered by then does not.
const WAIT: Duration = Duration::from_secs(3);

/// What the DNS says of a domain and a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// MX hosts of the domain, best first, without the final dot.
    pub mx: Vec<String>,
    /// Addresses of the host.
    pub addresses: Vec<IpAddr>,
    /// The domain's SPF record.
    pub spf: Option<String>,
}

/// The answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// No name server could be asked.
    #[error("no name server answers: {0}")]
    Unreachable(String),
}

/// Looks up MX and SPF of `domain` and the addresses of `host`; `servers` empty means the system's. Blocking.
///
/// # Errors
/// When no server answers. A name that does not exist is an empty answer.
pub fn look_up(servers: &[SocketAddr], domain: &str, host: &str) -> Result<Records, DnsError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| DnsError::Unreachable(error.to_string()))?;
    runtime.block_on(async {
        let resolver = resolver(servers)?;
        let (mx, txt, v4, v6) = tokio::join!(
            records(&resolver, domain, RecordType::MX),
            records(&resolver, domain, RecordType::TXT),
            records(&resolver, host, RecordType::A),
            records(&resolver, host, RecordType::AAAA),
        );
        let mut mx: Vec<_> = mx?
            .into_iter()
            .filter_map(|data| match data {
                RData::MX(mx) => Some((
                    mx.preference,
                    mx.exchange.to_utf8().trim_end_matches('.').to_lowercase(),
                )),
                _ => None,
            })
            .collect();
        mx.sort();
        let addresses = v4?
            .into_iter()
            .chain(v6?)
            .filter_map(|data| data.ip_addr())
            .collect();
        let spf = txt?.into_iter().filter_map(|data| match data {
            RData::TXT(txt) => Some(
                txt.txt_data
                    .iter()
                    .map(|part| String::from_utf8_lossy(part))
                    .collect::<String>(),
            ),
            _ => None,
        });
        Ok(Records {
            mx: mx.into_iter().map(|(_, host)| host).collect(),
            addresses,
            // RFC 7208 §4.5
            spf: spf
                .into_iter()
                .find(|text| text == "v=spf1" || text.starts_with("v=spf1 ")),
        })
    })
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, DnsError> {
    names::resolver(servers, |options| {
        options.timeout = WAIT;
        options.attempts = 1;
    })
    .map_err(|error| DnsError::Unreachable(error.to_string()))
}

/// The records of one type; none if the name or the type does not exist.
async fn records(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
) -> Result<Vec<RData>, DnsError> {
    // The final dot keeps the system's search list out.
    match resolver.lookup(format!("{name}."), kind).await {
        Ok(lookup) => Ok(lookup
            .answers()
            .iter()
            .map(|record| record.data.clone())
            .collect()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(DnsError::Unreachable(error.to_string())),
    }
}
