//! `blocks`: list, lift, rates.

use clap::Subcommand;
use serde_json::json;
use server::clock;

use super::output::Output;
use crate::{BlockReason, BlockedClient, Control, Failure, LiveClient};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List who is blocked, the latest first.
    List,
    /// End all blocks of a client at once, and forget what it did in this minute.
    Lift {
        /// Its address.
        ip: String,
    },
    /// Show how often clients come at the moment, the busiest first.
    Rates,
}

pub(super) fn run(control: &Control, verb: Verb, output: &Output) -> Result<(), Failure> {
    match verb {
        Verb::List => {
            output.value(&control.blocks_list()?, |list| {
                list.iter().map(line).collect::<Vec<_>>().join("\n")
            });
        }
        Verb::Lift { ip } => {
            // First what needs no answer of a server.
            control.blocks_lift(&ip, BlockReason::FailedLogins)?;
            control.blocks_lift(&ip, BlockReason::NonexistentAccounts)?;
            control.rates_unblock(&ip)?;
            output.done(&json!({}));
        }
        Verb::Rates => {
            output.value(&control.rates_live()?, |live| {
                live.clients
                    .iter()
                    .map(counters)
                    .collect::<Vec<_>>()
                    .join("\n")
            });
        }
    }
    Ok(())
}

fn line(blocked: &BlockedClient) -> String {
    let why = match blocked.reason {
        BlockReason::NonexistentAccounts => "accounts that do not exist",
        BlockReason::FailedLogins => "failed sign-ins",
    };
    format!(
        "{}\t{} {why}, until {}\t{}",
        blocked.client,
        blocked.count,
        clock::mail_date(blocked.until_ms),
        blocked.last
    )
}

fn counters(client: &LiveClient) -> String {
    let limited = if client.limited.is_empty() {
        String::new()
    } else {
        format!("\tat the limit: {}", client.limited.join(", "))
    };
    format!(
        "{}\t{} open, {} connections and {} messages in this minute{limited}",
        client.client, client.connections, client.connections_in_minute, client.messages_in_minute
    )
}
