//! Tries a relay step by step, as mail would go to it, and tells each step as it happens.
//!
//! The settings are those of a draft, not the stored ones. No message is sent. What the steps do on the wire is
//! [`server::deliver`]'s; here they get names and advice.

mod advice;
mod certificate;
mod steps;

use std::time::Duration;

use policy::Destination;
use serde::Deserialize;
use server::deliver::link::{self, Hop, HopAddress, HopTls, Link, Phase, Trouble};
use server::deliver::route::route;
use server::deliver::trust::Trust;
use server::names::Names;
use settings::{Problem, RelayCertificate, RelayTlsMode, Settings};
use smtp::{Address, ReversePath};
use tokio::time::timeout;
use ts_rs::TS;
use zeroize::Zeroizing;

use crate::{Control, Failure, FailureKind};
pub use certificate::SeenCertificate;
use steps::Steps;
pub use steps::{RelayStep, StepName, StepResult};

/// Longest wait for each step.
const WAIT: Duration = Duration::from_secs(10);
/// A relay that answers every line at the last moment is given up.
const WAIT_FOR_ALL: Duration = Duration::from_secs(90);
/// Addresses that are tried when nothing answers at the first.
const MOST_ADDRESSES: usize = 3;

/// A relay to try, as the pane has it, stored or not.
#[derive(Clone, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct RelayTest {
    /// As `delivery.relay_server`.
    pub server: String,
    /// As `delivery.relay_port`.
    pub port: u16,
    /// As `delivery.relay_tls`.
    pub tls: bool,
    /// As `delivery.relay_tls_mode`.
    pub tls_mode: RelayTlsMode,
    /// As `delivery.relay_certificate`.
    pub certificate: RelayCertificate,
    /// As `delivery.relay_auth`.
    pub auth: bool,
    /// As `delivery.relay_username`.
    pub username: String,
    /// The password; `null` for the stored one.
    pub password: Option<String>,
    /// As `delivery.relay_auth_in_clear`.
    pub auth_in_clear: bool,
    /// Sender to try; `null` or empty for none.
    pub from: Option<String>,
    /// Recipient to try; `null` or empty for none.
    pub to: Option<String>,
}

/// Sender and recipient to try.
struct Envelope {
    from: Address,
    to: Address,
}

impl Control {
    /// Tries a relay. `on_step` gets a step when it begins, with every line said in it, and when it is over: each time the
    /// whole step, in the place of what was told of it before. Returns all steps. Takes at most two minutes; blocking.
    ///
    /// # Errors
    /// What is wrong with the draft, so that nothing could be tried.
    pub fn relay_test(
        &self,
        test: RelayTest,
        on_step: &mut (dyn FnMut(&RelayStep) + Send),
    ) -> Result<Vec<RelayStep>, Failure> {
        let settings = self.draft(&test)?;
        let envelope = envelope(&test)?;
        let password = self.password(test)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(FailureKind::Io, format!("the test cannot start: {error}"))
            })?;
        let mut steps = Steps::new(on_step);
        runtime.block_on(async {
            let all = run(&settings, password, envelope, &mut steps);
            if timeout(WAIT_FOR_ALL, all).await.is_err() {
                let text = "everything together took too long; the relay answers, but too slowly";
                steps.fail(None, text.to_owned());
            }
        });
        // A look-up that hangs must not keep the person waiting.
        runtime.shutdown_background();
        Ok(steps.over())
    }

    /// The stored settings with the draft in their place.
    fn draft(&self, test: &RelayTest) -> Result<Settings, Failure> {
        let mut settings = self.snapshot()?.settings;
        let delivery = &mut settings.delivery;
        delivery.relay_enabled = true;
        delivery.relay_server.clone_from(&test.server);
        delivery.relay_port = test.port;
        delivery.relay_tls = test.tls;
        delivery.relay_tls_mode = test.tls_mode;
        delivery.relay_certificate = test.certificate.clone();
        delivery.relay_auth = test.auth;
        delivery.relay_username.clone_from(&test.username);
        delivery.relay_auth_in_clear = test.auth_in_clear;
        let problems: Vec<Problem> = settings
            .check()
            .into_iter()
            .filter(|problem| problem.path.starts_with("delivery.relay_"))
            .collect();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(Failure::problems(problems))
        }
    }

    fn password(&self, test: RelayTest) -> Result<Option<Zeroizing<String>>, Failure> {
        let typed = test.password.map(Zeroizing::new);
        if !test.auth {
            return Ok(None);
        }
        let password = match typed {
            Some(typed) => Some(typed),
            None => self.relay_password().get()?,
        };
        match password.filter(|password| !password.is_empty()) {
            Some(password) => Ok(Some(password)),
            None => Err(Failure::problem(Problem::new(
                "delivery.relay_password",
                "password_needed",
                "no password for the relay is stored; type it, or switch signing in off",
            ))),
        }
    }
}

fn envelope(test: &RelayTest) -> Result<Option<Envelope>, Failure> {
    let (from, to) = (written(test.from.as_deref()), written(test.to.as_deref()));
    if from.is_empty() && to.is_empty() {
        return Ok(None);
    }
    let read = |path: &str, text: &str| {
        Address::parse(text).map_err(|error| {
            let message = format!("\"{text}\" is no address: {error}");
            Problem::new(path, "not_an_address", message).arg("value", text)
        })
    };
    match (read("from", from), read("to", to)) {
        (Ok(from), Ok(to)) => Ok(Some(Envelope { from, to })),
        (from, to) => Err(Failure::problems(
            [from.err(), to.err()].into_iter().flatten().collect(),
        )),
    }
}

fn written(text: Option<&str>) -> &str {
    text.unwrap_or_default().trim()
}

async fn run(
    settings: &Settings,
    password: Option<Zeroizing<String>>,
    envelope: Option<Envelope>,
    steps: &mut Steps<'_>,
) {
    let trust = Trust::new();
    let Some(hops) = find(settings, &trust, password, steps).await else {
        return;
    };
    let Some(mut link) = open(&hops, &trust, steps).await else {
        return;
    };
    opened(&link, settings, steps);
    match envelope {
        Some(envelope) => mail(&mut link, &envelope, steps).await,
        None => steps.skip(
            StepName::Mail,
            "no sender and recipient were given to try".into(),
        ),
    }
    steps.begin(StepName::Quit);
    link.quit_watched(WAIT, &mut |line| steps.hear(line)).await;
    steps.pass("done".into());
}

/// DNS: where the relay is.
async fn find(
    settings: &Settings,
    trust: &Trust,
    password: Option<Zeroizing<String>>,
    steps: &mut Steps<'_>,
) -> Option<Vec<Hop>> {
    steps.begin(StepName::Dns);
    let names = Names::new(&settings.service.dns_servers);
    let asked = route(&Destination::Relay, settings, &names, trust, password);
    let hops = match timeout(WAIT, asked).await {
        Ok(Ok(hops)) => hops,
        Ok(Err(trouble)) => {
            steps.fail(None, advice::with(&trouble, settings));
            return None;
        }
        Err(_) => {
            let text = "no name server answered in time; check this machine's network, or service.dns_servers";
            steps.fail(None, text.into());
            return None;
        }
    };
    let addresses: Vec<String> = hops
        .iter()
        .map(|hop| match &hop.at {
            HopAddress::Tcp(address) => address.ip().to_string(),
            HopAddress::Unix(path) => path.display().to_string(),
        })
        .collect();
    let name = hops.first().map_or("", |hop| hop.name.as_str());
    steps.pass(match addresses.as_slice() {
        [only] if only == name => format!("{name} is an address; nothing to look up"),
        [only] => format!("{name} has the address {only}"),
        _ => format!("{name} has the addresses {}", addresses.join(", ")),
    });
    Some(hops)
}

/// Everything up to the login, at the first address that answers.
async fn open(hops: &[Hop], trust: &Trust, steps: &mut Steps<'_>) -> Option<Link> {
    steps.begin(StepName::Connect);
    let last = hops.len().min(MOST_ADDRESSES).saturating_sub(1);
    for (place, hop) in hops.iter().enumerate().take(MOST_ADDRESSES) {
        steps.opening = true;
        let opened = link::open_watched(hop, Some(WAIT), &mut |line| steps.hear(line)).await;
        steps.opening = false;
        let trouble = match opened {
            Ok(link) => return Some(link),
            Err(trouble) => trouble,
        };
        // Another address may answer; whatever spoke, speaks for the relay.
        if steps.is_at(StepName::Connect) && trouble.phase == Phase::Connect && place < last {
            continue;
        }
        fail(hop, &trouble, trust, steps).await;
        return None;
    }
    None
}

async fn fail(hop: &Hop, trouble: &Trouble, trust: &Trust, steps: &mut Steps<'_>) {
    let text = advice::of_hop(hop, trouble);
    steps.fail(StepName::of(trouble.phase), text);
    // Which certificate was refused is what the person must see to choose it.
    if trouble.phase == Phase::Tls
        && let Some(mut seen) = refused_certificate(hop, trust).await
    {
        seen.verified = false;
        seen.problem.get_or_insert_with(|| trouble.text.clone());
        steps.saw(seen);
    }
}

/// The certificate that is shown to somebody who asks nothing of it. Nothing is sent there but a greeting.
async fn refused_certificate(hop: &Hop, trust: &Trust) -> Option<SeenCertificate> {
    let any = trust.any().ok()?;
    let look = Hop {
        tls: HopTls {
            config: any.config,
            judge: any.judge,
            ..hop.tls.clone()
        },
        auth: None,
        ..hop.clone()
    };
    let link = link::open_watched(&look, Some(WAIT), &mut |_| {})
        .await
        .ok()?;
    let seen = seen(&link);
    link.quit_watched(WAIT, &mut |_| {}).await;
    seen
}

fn seen(link: &Link) -> Option<SeenCertificate> {
    let tls = link.summary().tls?;
    SeenCertificate::read(&tls.certificate?, tls.verified, tls.why_not)
}

/// What the conversation that is now open is like.
fn opened(link: &Link, settings: &Settings, steps: &mut Steps<'_>) {
    let summary = link.summary();
    steps.end_current();
    match (&summary.tls, &summary.clear_because) {
        (Some(tls), _) => {
            let worth = match (&settings.delivery.relay_certificate, &tls.why_not) {
                (RelayCertificate::Pin(_), None) => "the certificate is the chosen one".into(),
                (_, None) => "the certificate is verified".into(),
                (_, Some(why)) => {
                    format!("any certificate is taken; verified it would not be: {why}")
                }
            };
            let text = format!("encrypted with {} {}; {worth}", tls.version, tls.cipher);
            steps.amend(StepName::Tls, text);
            if let Some(seen) = seen(link) {
                steps.saw(seen);
            }
        }
        (None, Some(why)) => steps.skip(
            StepName::Tls,
            format!("went on without encryption, because it failed: {why}"),
        ),
        (None, None) => steps.skip(
            StepName::Tls,
            "the relay offers no encryption; whoever listens on the way can read the mail".into(),
        ),
    }
    if summary.authenticated {
        let text = format!("signed in as {}", settings.delivery.relay_username);
        steps.amend(StepName::Auth, text);
    } else {
        steps.skip(StepName::Auth, "signing in is switched off".into());
    }
}

/// MAIL, RCPT and RSET: whether the relay would take mail from this sender to this recipient.
async fn mail(link: &mut Link, envelope: &Envelope, steps: &mut Steps<'_>) {
    steps.begin(StepName::Mail);
    let sender = ReversePath::Address(envelope.from.clone());
    let tried = link
        .probe(&sender, &envelope.to, WAIT, &mut |line| steps.hear(line))
        .await;
    match tried {
        Ok(()) => steps.pass(format!(
            "the relay takes mail from {} to {}",
            envelope.from, envelope.to
        )),
        Err(trouble) => steps.fail(Some(StepName::Mail), advice::of_mail(&trouble)),
    }
}

#[cfg(test)]
mod tests;
