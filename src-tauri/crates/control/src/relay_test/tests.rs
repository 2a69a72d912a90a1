use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use store::DataDir;

use super::*;
use crate::User;

const PASSWORD: &str = "open sesame, 42";

/// The one who tries a relay.
struct Office {
    _folder: tempfile::TempDir,
    control: Control,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        let names =
            json!({"general": {"domain": "office.example", "hostname": "mail.office.example"}});
        control.settings_apply(&names, None, "test", "").unwrap();
        Self {
            _folder: folder,
            control,
        }
    }

    fn try_relay(&self, at: SocketAddr, more: Value) -> Vec<RelayStep> {
        self.attempt(at, more).unwrap()
    }

    fn attempt(&self, at: SocketAddr, more: Value) -> Result<Vec<RelayStep>, Failure> {
        let mut told: Vec<RelayStep> = Vec::new();
        let steps = self
            .control
            .relay_test(draft(at, more), &mut |step| match told
                .iter_mut()
                .find(|known| known.step == step.step)
            {
                Some(known) => *known = step.clone(),
                None => told.push(step.clone()),
            })?;
        assert_eq!(told, steps, "what was told live is what came of it");
        Ok(steps)
    }
}

fn draft(at: SocketAddr, more: Value) -> RelayTest {
    let mut test = json!({
        "server": at.ip(), "port": at.port(), "tls": false, "tls_mode": "auto", "certificate": "verify",
        "auth": false, "username": "", "password": null, "auth_in_clear": false, "from": null, "to": null,
    });
    for (name, value) in more.as_object().unwrap() {
        test[name] = value.clone();
    }
    serde_json::from_value(test).unwrap()
}

/// A server with a fixed answer to each verb, for one connection. Ends with the lines it was sent.
fn fake(answers: &'static [(&'static str, &'static str)]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 relay.example ESMTP\r\n").unwrap();
        let mut heard = Vec::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let Ok(line) = line else { break };
            let answer = answers.iter().find(|(verb, _)| line.starts_with(verb));
            let answer = answer.map_or("250 2.0.0 Ok", |(_, answer)| answer);
            heard.push(line);
            if stream
                .write_all(format!("{answer}\r\n").as_bytes())
                .is_err()
            {
                break;
            }
        }
        heard
    });
    (at, thread)
}

fn results(steps: &[RelayStep]) -> Vec<(StepName, StepResult)> {
    steps.iter().map(|step| (step.step, step.result)).collect()
}

fn step(steps: &[RelayStep], name: StepName) -> &RelayStep {
    steps.iter().find(|step| step.step == name).unwrap()
}

/// Another Postroom, as the relay.
struct Relay {
    _folder: tempfile::TempDir,
    control: Control,
}

impl Relay {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open(&DataDir::new(folder.path())).unwrap();
        let document = json!({
            "general": {"domain": "relay.example", "hostname": "mail.relay.example"},
            "service": {
                "smtp": ["127.0.0.1:0"], "submission": ["127.0.0.1:0"], "submissions": ["127.0.0.1:0"],
            },
        });
        control.settings_apply(&document, None, "test", "").unwrap();
        let user = User {
            name: "alice".into(),
            display_name: String::new(),
            enabled: true,
        };
        control.user_add(user, PASSWORD).unwrap();
        let control = control.serving().unwrap();
        // Answered by the server once it takes mail.
        let asking = Control::open(&DataDir::new(folder.path())).unwrap();
        asking.server_start().unwrap();
        Self {
            _folder: folder,
            control,
        }
    }

    fn address(&self, service: &str) -> SocketAddr {
        let status = self.control.status().unwrap();
        assert_eq!(status.state, "running", "{status:?}");
        let mut listeners = status.listeners.iter();
        let listener = listeners.find(|one| one.service == service).unwrap();
        listener.address.parse().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.control.quit();
    }
}

fn login(more: Value) -> Value {
    let mut login = json!({
        "tls": true, "auth": true, "username": "alice", "password": PASSWORD,
        "from": "alice@relay.example", "to": "alice@relay.example",
    });
    for (name, value) in more.as_object().unwrap() {
        login[name] = value.clone();
    }
    login
}

#[test]
fn a_relay_that_takes_everything_passes_and_gets_no_message() {
    use StepName::*;
    use StepResult::*;
    let (at, relay) = fake(&[
        (
            "EHLO",
            "250-relay.example\r\n250-8BITMIME\r\n250 SIZE 1000000",
        ),
        ("QUIT", "221 bye"),
    ]);
    let envelope = json!({"from": "ann@office.example", "to": "bob@far.example"});
    let steps = Office::new().try_relay(at, envelope);
    let expected = [
        (Dns, Passed),
        (Connect, Passed),
        (Greeting, Passed),
        (Ehlo, Passed),
        (Tls, Skipped),
        (Auth, Skipped),
        (StepName::Mail, Passed),
        (Quit, Passed),
    ];
    assert_eq!(results(&steps), expected, "{steps:#?}");
    assert_eq!(
        step(&steps, Ehlo).text,
        "the relay offers 8BITMIME, SIZE 1000000"
    );
    let heard = relay.join().unwrap();
    let verbs: Vec<&str> = heard.iter().filter_map(|line| line.get(..4)).collect();
    assert_eq!(verbs, ["EHLO", "MAIL", "RCPT", "RSET", "QUIT"]);
    let said = &step(&steps, StepName::Mail).transcript;
    assert!(
        said.iter()
            .any(|line| line.starts_with("C: RCPT TO:<bob@far.example>")),
        "{said:?}"
    );
    assert!(said.iter().any(|line| line == "C: RSET"), "{said:?}");
}

#[test]
fn a_refused_recipient_is_told_with_what_to_do() {
    let (at, relay) = fake(&[("RCPT", "554 5.7.1 Relay access denied")]);
    let envelope = json!({"from": "ann@office.example", "to": "bob@far.example"});
    let steps = Office::new().try_relay(at, envelope);
    let mail = step(&steps, StepName::Mail);
    assert_eq!(mail.result, StepResult::Failed);
    assert!(
        mail.text.contains("Relay access denied") && mail.text.contains("login"),
        "{}",
        mail.text
    );
    let heard = relay.join().unwrap();
    assert!(heard.iter().any(|line| line == "RSET"), "{heard:?}");
}

#[test]
fn a_refused_password_is_in_no_transcript() {
    let (at, relay) = fake(&[
        ("EHLO", "250-relay.example\r\n250 AUTH PLAIN"),
        (
            "AUTH",
            "535 5.7.8 no: AGFsaWNlAG9wZW4gc2VzYW1lLCA0Mg== is open sesame, 42",
        ),
    ]);
    let signing_in = json!({
        "auth": true, "username": "alice", "password": PASSWORD, "auth_in_clear": true,
    });
    let steps = Office::new().try_relay(at, signing_in);
    let auth = step(&steps, StepName::Auth);
    assert_eq!(auth.result, StepResult::Failed);
    assert!(
        auth.text.contains("check user name and password"),
        "{}",
        auth.text
    );
    assert_eq!(step(&steps, StepName::Mail).result, StepResult::Skipped);
    let all = serde_json::to_string(&steps).unwrap();
    assert!(
        !all.contains(PASSWORD) && !all.contains("AGFsaWNl"),
        "{all}"
    );
    let heard = relay.join().unwrap();
    assert!(
        heard
            .iter()
            .any(|line| line == "AUTH PLAIN AGFsaWNlAG9wZW4gc2VzYW1lLCA0Mg==")
    );
}

#[test]
fn a_port_at_which_nothing_listens_is_told_at_the_connection() {
    let at = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let steps = Office::new().try_relay(at, json!({}));
    let connect = step(&steps, StepName::Connect);
    assert_eq!(connect.result, StepResult::Failed);
    assert!(connect.text.contains("firewall"), "{}", connect.text);
    assert_eq!(results(&steps).len(), 8);
}

#[test]
fn a_relay_without_tls_is_told_at_tls_when_it_must_be() {
    let (at, relay) = fake(&[("EHLO", "250 relay.example")]);
    let steps = Office::new().try_relay(at, json!({"tls": true}));
    assert_eq!(step(&steps, StepName::Ehlo).result, StepResult::Passed);
    let tls = step(&steps, StepName::Tls);
    assert_eq!(tls.result, StepResult::Failed);
    assert!(
        tls.text.contains("switch the secure connection off"),
        "{}",
        tls.text
    );
    assert_eq!(step(&steps, StepName::Quit).result, StepResult::Skipped);
    relay.join().unwrap();
}

#[test]
fn a_certificate_nobody_vouches_for_is_shown_and_can_be_chosen() {
    let (office, relay) = (Office::new(), Relay::new());
    let at = relay.address("submission");
    let refused = office.try_relay(at, login(json!({})));
    let tls = step(&refused, StepName::Tls);
    assert_eq!(tls.result, StepResult::Failed, "{refused:#?}");
    let seen = tls.certificate.clone().unwrap();
    assert!(!seen.verified && seen.problem.is_some() && seen.valid_until_ms > seen.valid_from_ms);
    assert!(tls.text.contains(&seen.sha256), "{}", tls.text);
    assert!(
        seen.names.contains(&"mail.relay.example".to_owned()),
        "{seen:?}"
    );
    assert_eq!(step(&refused, StepName::Auth).result, StepResult::Skipped);

    let pinned = office.try_relay(at, login(json!({"certificate": {"pin": seen.sha256}})));
    let failed = pinned.iter().find(|step| step.result != StepResult::Passed);
    assert_eq!(failed, None);
    assert!(
        step(&pinned, StepName::Tls)
            .certificate
            .as_ref()
            .unwrap()
            .verified
    );
    assert_eq!(step(&pinned, StepName::Auth).text, "signed in as alice");
    let all = serde_json::to_string(&pinned).unwrap();
    assert!(
        !all.contains(PASSWORD) && !all.contains("AGFsaWNl"),
        "{all}"
    );

    let other = office.try_relay(at, login(json!({"certificate": {"pin": "0".repeat(64)}})));
    let tls = step(&other, StepName::Tls);
    assert_eq!(tls.result, StepResult::Failed);
    assert_eq!(tls.certificate.as_ref().unwrap().sha256, seen.sha256);
}

#[test]
fn tls_from_the_first_byte_comes_before_the_greeting_and_any_certificate_may_do() {
    let (office, relay) = (Office::new(), Relay::new());
    let implicit = json!({"tls_mode": "implicit", "certificate": "any"});
    let steps = office.try_relay(relay.address("submissions"), login(implicit));
    let names: Vec<StepName> = steps.iter().map(|step| step.step).collect();
    assert_eq!(
        names[1..4],
        [StepName::Connect, StepName::Tls, StepName::Greeting]
    );
    assert!(
        steps.iter().all(|step| step.result == StepResult::Passed),
        "{steps:#?}"
    );
    let seen = step(&steps, StepName::Tls).certificate.clone().unwrap();
    assert!(!seen.verified && seen.problem.is_some());
}

#[test]
fn a_draft_that_cannot_be_tried_is_refused_by_path() {
    let office = Office::new();
    let at = SocketAddr::from(([127, 0, 0, 1], 9));
    for (more, path) in [
        (json!({"server": ""}), "delivery.relay_server"),
        (
            json!({"auth": true, "password": "x"}),
            "delivery.relay_username",
        ),
        (
            json!({"auth": true, "username": "x"}),
            "delivery.relay_password",
        ),
        (json!({"from": "ann@office.example"}), "to"),
        (json!({"to": "bob@far.example", "from": "ann"}), "from"),
    ] {
        let refused = office.attempt(at, more.clone()).unwrap_err();
        assert_eq!(refused.problems[0].path, path, "{more}");
    }
}

#[test]
fn the_stored_password_is_used_when_none_is_typed() {
    let (office, relay) = (Office::new(), Relay::new());
    office.control.relay_password_set(PASSWORD).unwrap();
    let stored = login(json!({"password": null, "certificate": "any"}));
    let steps = office.try_relay(relay.address("submission"), stored);
    assert_eq!(
        step(&steps, StepName::Auth).result,
        StepResult::Passed,
        "{steps:#?}"
    );
}
