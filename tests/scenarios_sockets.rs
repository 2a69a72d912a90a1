//! The scenarios over real sockets: a real `postroomd`, clients that come from the addresses the scenario names, real
//! Maildirs, and the mail log as `postroomd explain` shows it. What the policy alone was found to do, the server does.
//!
//! One server plays all scenarios of a file; settings change while it runs, as they do in an office.

#[path = "scenarios_sockets/outside.rs"]
mod outside;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use anyhow::{Context as _, Result, anyhow, ensure};
use postroom_tests::machine::until;
use postroom_tests::scenario::{
    self, Entry, LOGINS, Peer, Port, Scenario, World, fixture, lay_over, play,
};
use postroom_tests::{Daemon, Dialogue, Reply, User, all_scenarios, verb, verb_with};
use serde_json::{Value, json};
use settings::Settings;

use outside::Outside;

const USERS: [User; 4] = [
    User {
        name: LOGINS[0],
        password: "secret-alice",
    },
    User {
        name: LOGINS[1],
        password: "secret-bob",
    },
    User {
        name: LOGINS[2],
        password: "secret-carol",
    },
    User {
        name: LOGINS[3],
        password: "secret-dora",
    },
];

/// A running server and the client that talks to it.
struct Office {
    daemon: Daemon,
    /// The settings that were applied last.
    applied: Value,
    client: Option<Dialogue>,
    /// The last message that was accepted and not looked for yet.
    accepted: Option<String>,
    /// Copies for elsewhere by their number in the queue, with the destination they were first seen with: settings that
    /// change give them another one.
    seen_waiting: BTreeMap<i64, String>,
    /// What the server is told about strangers; without it, nobody answers it.
    outside: Option<Outside>,
}

impl Office {
    fn open() -> Result<Self> {
        Ok(Self {
            daemon: Daemon::start(&json!({}), &USERS)?,
            applied: Value::Null,
            client: None,
            accepted: None,
            seen_waiting: BTreeMap::new(),
            outside: None,
        })
    }

    /// A server with a world around it.
    fn open_in_the_world() -> Result<Self> {
        Ok(Self {
            outside: Some(Outside::start()?),
            ..Self::open()?
        })
    }

    /// Where the server asks the world.
    fn reaches_outside(&self, mut document: Value) -> Value {
        if let Some(outside) = &self.outside {
            let service = &mut document["service"];
            service["clamd"] = json!(outside.clamd().to_string());
            if !outside.down {
                service["dns_servers"] = json!([outside.dns().to_string()]);
            }
        }
        document
    }

    /// Nothing that waits can leave, for nobody listens where the fixture sends it.
    fn see_waiting(&mut self) -> Result<()> {
        // Messages are entered in their order, some time after the reply.
        if let Some(token) = self.accepted.take() {
            self.entry(&token)?;
        }
        let printed = self
            .daemon
            .command(&["--json", "queue", "list", "--limit", "100000"])?;
        let page: Value = serde_json::from_str(&printed).context(printed)?;
        for row in page["rows"].as_array().into_iter().flatten() {
            let (id, destination) = (row["id"].as_i64(), text(&row["destination"]));
            if destination != "mailbox" {
                let id = id.context("a row without a number")?;
                self.seen_waiting.entry(id).or_insert(destination);
            }
        }
        Ok(())
    }

    fn put(&mut self, wanted: Value) -> Result<()> {
        let done = verb_with(
            &self.daemon.data_folder(),
            &["settings", "apply", "-"],
            &wanted.to_string(),
        )?;
        ensure!(
            done.code == 0,
            "the settings were not applied: {}",
            done.err
        );
        self.applied = wanted;
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Dialogue> {
        self.client.as_mut().context("there is no connection")
    }
}

/// All sections as they must be in the end; the ports stay as they are.
fn whole(document: &Value) -> Result<Value> {
    let settings = Settings::default()
        .merged(document)
        .map_err(|problems| anyhow!("{problems:?}"))?;
    Ok(json!({
        "general": settings.general,
        "delivery": settings.delivery,
        "security": settings.security,
        "users": settings.users,
        "groups": settings.groups,
        "service": {
            "local_networks": settings.service.local_networks,
            "exempt_hosts": settings.service.exempt_hosts,
            "dns_servers": settings.service.dns_servers,
        },
    }))
}

impl Peer for Office {
    fn apply(&mut self, document: &Value) -> Result<()> {
        let wanted = self.reaches_outside(whole(document)?);
        if wanted != self.applied {
            self.see_waiting()?;
            self.put(wanted)?;
        }
        Ok(())
    }

    fn world(&mut self, world: &World) -> Result<()> {
        let server = self.daemon.smtp()?;
        let outside = self.outside.as_mut().context("there is no world here")?;
        outside.say(world, server)?;
        if *world == World::NoDns {
            let mut cut_off = self.applied.clone();
            cut_off["service"]["dns_servers"] = fixture()["service"]["dns_servers"].clone();
            self.put(cut_off)?;
        }
        Ok(())
    }

    fn problems(&mut self, document: &Value) -> Result<Vec<(String, String)>> {
        let arguments = ["settings", "check", "-", "--json"];
        let asked = verb_with(
            &self.daemon.data_folder(),
            &arguments,
            &document.to_string(),
        )?;
        if asked.code == 0 {
            return Ok(Vec::new());
        }
        let failure: Value = serde_json::from_str(&asked.err).with_context(|| asked.err.clone())?;
        let problems = failure["problems"]
            .as_array()
            .context("no list of problems")?;
        Ok(problems
            .iter()
            .map(|problem| (text(&problem["path"]), text(&problem["code"])))
            .collect())
    }

    fn connect(&mut self, from: IpAddr, port: Port) -> Result<()> {
        self.hang_up();
        let address = match port {
            Port::Smtp => self.daemon.smtp()?,
            Port::Submission => self.daemon.submission()?,
            Port::Submissions => self.daemon.submissions()?,
        };
        let mut client = Dialogue::connect_from(from, address)?;
        if port == Port::Submissions {
            client.secure()?;
        }
        self.client = Some(client);
        Ok(())
    }

    fn send(&mut self, octets: &[u8]) -> Result<()> {
        self.client()?.send(octets)
    }

    fn reply(&mut self) -> Result<Reply> {
        let reply = self.client()?.reply()?;
        if let Some((_, token)) = reply.text().split_once("queued as ") {
            self.accepted = Some(token.into());
        }
        Ok(reply)
    }

    fn handshake(&mut self) -> Result<()> {
        self.client()?.secure()
    }

    fn is_closed(&mut self) -> Result<bool> {
        self.client()?.is_closed()
    }

    fn hang_up(&mut self) {
        // The mail log is complete before the goodbye is sent; a client that just went away would be too early for it.
        if let Some(mut client) = self.client.take()
            && client.send(b"QUIT\r\n").is_ok()
        {
            let _ = client.reply();
        }
    }

    fn delivered(&mut self) -> Result<BTreeMap<String, usize>> {
        self.daemon.mailboxes_are_served()?;
        let mut counts = BTreeMap::new();
        for mailbox in fs::read_dir(self.daemon.data_folder().join("mail"))? {
            let name = mailbox?.file_name().to_string_lossy().into_owned();
            let mail = self.daemon.mail(&name);
            ensure!(
                mail.unfinished()?.is_empty(),
                "{name} has mail that is not finished"
            );
            counts.insert(name, mail.messages()?.len());
        }
        Ok(counts)
    }

    fn waiting(&mut self) -> Result<Option<BTreeMap<String, usize>>> {
        self.see_waiting()?;
        let mut counts = BTreeMap::new();
        for destination in self.seen_waiting.values() {
            *counts.entry(destination.clone()).or_default() += 1;
        }
        Ok(Some(counts))
    }

    fn letter_holds(&mut self, mailbox: &str, text: &str) -> Result<Option<bool>> {
        let letters = self.daemon.delivered(mailbox)?.messages()?;
        let holds = |letter: &Vec<u8>| unfolded(&String::from_utf8_lossy(letter)).contains(text);
        Ok(Some(letters.iter().any(holds)))
    }

    fn entry(&mut self, token: &str) -> Result<Entry> {
        until(&format!("the entry of {token}"), || {
            let asked = verb(&self.daemon.data_folder(), &["explain", token, "--json"])?;
            let entries: Value = serde_json::from_str(&asked.out).unwrap_or_default();
            Ok(entries.get(0).map(read))
        })
    }
}

fn read(entry: &Value) -> Entry {
    let steps = entry["steps"].as_array().into_iter().flatten();
    Entry {
        decided_by: text(&entry["decided_by"]),
        outcome: text(&entry["outcome"]),
        steps: steps
            .map(|step| {
                (
                    text(&step["check"]),
                    text(&step["result"]),
                    text(&step["text"]),
                )
            })
            .collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

/// Folded header lines on one line, so that a scenario need not know where they are folded.
fn unfolded(letter: &str) -> String {
    letter.replace("\r\n\t", " ").replace("\r\n ", " ")
}

/// Plays the scenarios of a file and tells of all that went wrong.
///
/// Those about strangers have a server each: it remembers what clients did and what the DNS said, which is the point of it.
fn run(section: &str, name: &str) -> Result<()> {
    let scenarios = scenario::read(section, name)?;
    let mut failures = Vec::new();
    let mut fail = |scenario: &Scenario, error: anyhow::Error, office: &mut Office| {
        office.hang_up();
        failures.push(format!(
            "{section}/{name}.txt: {}: {error:#}\nthe server's log:\n{}",
            scenario.name,
            office.daemon.log().unwrap_or_default()
        ));
    };
    let mut office = None;
    for scenario in scenarios.iter().filter(|scenario| scenario.fits_loopback()) {
        let settings = lay_over(fixture(), &scenario.settings);
        let mut here = match office.take() {
            Some(office) if section != "security" => office,
            _ if section == "security" => Office::open_in_the_world()?,
            _ => Office::open()?,
        };
        if let Err(error) = play(scenario, &settings, &mut here) {
            fail(scenario, error, &mut here);
        }
        office = Some(here);
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}

macro_rules! tests {
    ($($section:ident: [$($name:ident),* $(,)?]),* $(,)?) => {
        $(
            mod $section {
                use super::{Result, run};
                $(
                    #[test]
                    fn $name() -> Result<()> {
                        run(stringify!($section), stringify!($name))
                    }
                )*
            }
        )*
    };
}
all_scenarios!(tests);
