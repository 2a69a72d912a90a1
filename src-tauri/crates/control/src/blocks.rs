//! Clients that are blocked for a while: for mail to accounts that do not exist, and for failed sign-ins.

use serde::{Deserialize, Serialize};
use server::{LIFT, OfClient, clock, live};
use settings::Problem;
use store::{StoreError, ban, login_failure};
use ts_rs::TS;

use crate::rates::parse;
use crate::{Control, Failure, FailureKind, Owner};

/// Most that are listed of each kind.
const MOST: u32 = 1_000;

/// Why a client is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// It wrote to too many accounts that do not exist, so it cannot connect for the rest of the day.
    NonexistentAccounts,
    /// Too many sign-ins failed, so it cannot sign in for a while.
    FailedLogins,
}

/// A client that is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct BlockedClient {
    /// An IPv4 address, or an IPv6 network of 64 bits.
    pub client: String,
    /// The address that was seen last.
    pub ip: String,
    /// Why.
    pub reason: BlockReason,
    /// Accounts that do not exist, or failures.
    pub count: u32,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Until when, milliseconds since 1970.
    pub until_ms: i64,
    /// The last recipient or login that it tried.
    pub last: String,
}

impl Control {
    /// Who is blocked, the latest first, at most 1,000.
    ///
    /// # Errors
    /// The disk.
    pub fn blocks_list(&self) -> Result<Vec<BlockedClient>, Failure> {
        let now = clock::now_ms();
        let (bans, logins) = self.store.read(|conn| {
            Ok::<_, StoreError>((
                ban::blocked(conn, now, MOST)?,
                login_failure::blocked(conn, now)?,
            ))
        })?;
        let bans = bans.into_iter().map(|ban| BlockedClient {
            client: shown(&ban.client),
            ip: ban.ip,
            reason: BlockReason::NonexistentAccounts,
            count: ban.accounts,
            since_ms: ban.since_ms,
            until_ms: ban.until_ms,
            last: ban.last,
        });
        let logins = logins.into_iter().map(|blocked| BlockedClient {
            client: shown(&blocked.ip),
            ip: blocked.ip,
            reason: BlockReason::FailedLogins,
            count: blocked.failures,
            since_ms: blocked.until_ms - login_failure::BLOCK_MS,
            until_ms: blocked.until_ms,
            last: blocked.last_login,
        });
        let mut all: Vec<BlockedClient> = bans.chain(logins).collect();
        all.sort_by_key(|blocked| std::cmp::Reverse(blocked.since_ms));
        all.truncate(MOST as usize);
        Ok(all)
    }

    /// Ends a block at once.
    ///
    /// # Errors
    /// What is no client, when the server does not answer, or the disk.
    pub fn blocks_lift(&self, client: &str, reason: BlockReason) -> Result<(), Failure> {
        let ip = parse(client)?;
        match reason {
            BlockReason::FailedLogins => {
                self.store
                    .write_blocking(move |tx| login_failure::lift(tx, ip))?;
            }
            BlockReason::NonexistentAccounts if self.owner()? == Owner::None => {
                self.store
                    .write_blocking(move |tx| ban::forget(tx, &ip.to_string()))?;
            }
            BlockReason::NonexistentAccounts => {
                let body = serde_json::to_value(OfClient { ip }).unwrap_or_default();
                let answer = self.ask_server(LIFT, body)?;
                if let Some(problems) = answer.get("problems") {
                    let problems: Vec<Problem> =
                        serde_json::from_value(problems.clone()).unwrap_or_default();
                    return Err(Failure {
                        kind: FailureKind::Io,
                        ..Failure::problems(problems)
                    });
                }
            }
        }
        Ok(())
    }
}

/// A client as people read it.
fn shown(client: &str) -> String {
    client
        .parse()
        .map_or_else(|_| client.to_owned(), live::name)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use store::DataDir;

    use super::*;

    /// An office whose sign-ins failed from `ip` until it was blocked.
    fn blocked(folder: &tempfile::TempDir, ip: &str) -> Control {
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        let ip: IpAddr = ip.parse().unwrap();
        control
            .store
            .write_blocking(move |tx| {
                for _ in 0..login_failure::FAILURES {
                    login_failure::record(tx, ip, "alice", clock::now_ms())?;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
        control
    }

    #[test]
    fn any_address_of_a_blocked_network_lifts_the_block_of_failed_sign_ins() {
        for lifted in [
            "2001:db8:1:2::/64",
            "2001:db8:1:2::",
            " 2001:db8:1:2:a:b:c:d ",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let control = blocked(&folder, "2001:db8:1:2::");
            let list = control.blocks_list().unwrap();
            assert_eq!(list.len(), 1);
            assert_eq!(
                (&*list[0].client, list[0].reason, list[0].count),
                ("2001:db8:1:2::/64", BlockReason::FailedLogins, 10)
            );
            control
                .blocks_lift("2001:db8:1:3::1", BlockReason::FailedLogins)
                .unwrap();
            assert_eq!(control.blocks_list().unwrap().len(), 1, "another network");
            control
                .blocks_lift(lifted, BlockReason::FailedLogins)
                .unwrap();
            assert_eq!(control.blocks_list().unwrap(), [], "{lifted}");
        }
    }
}
