//! Facts that other people's servers know. Independent ones are fetched at the same time, and none that is not needed.
//!
//! Each question has its own bound, so what is asked for a recipient takes 24 s at most: the longest, SPF, 20 s, and 4 s to
//! find out whether any name server answers at all. Where none does, that is found out within 10 s and remembered. What is
//! asked for a message takes 2 min at most, which clamd may use; RFC 5321 §4.5.3.2.6 gives a server 10 min.

use policy::facts::{
    AuthResult, ClientName, ContentTests, DnsblAnswer, NameFact, ScanFact, SpfFact,
};
use policy::{Facts, Needs};
use settings::Settings;
use settings::security::ClientHostname;
use smtp::{Domain, ReversePath};
use store::spool::Content;

use crate::checks::{self, Want, clamd, who};
use crate::shared::Shared;

/// Fetches what the rules about a recipient read.
pub async fn of_recipient(shared: &Shared, settings: &Settings, facts: &mut Facts, needs: Needs) {
    let asks = [
        needs.client_name,
        needs.helo_name,
        needs.sender_domain,
        needs.dnsbl,
        needs.spf,
    ];
    if !asks.contains(&true) {
        return;
    }
    let (auth, ip) = (&shared.auth, facts.client.ip);
    let names = auth.names();
    let policy = &settings.security.connection_policy;
    let must_be_sure = policy.client_hostname == ClientHostname::ForwardConfirmed;
    let helo = facts.helo.as_deref().unwrap_or_default();
    let domain = sender_domain(facts).filter(|_| needs.sender_domain);
    let ask = async || {
        tokio::join!(
            when(needs.client_name, who::client_name(names, ip, must_be_sure)),
            when(needs.helo_name, who::host(names, helo)),
            async {
                match domain {
                    Some(domain) => Some(who::mail_domain(names, domain).await),
                    None => None,
                }
            },
            when(
                needs.dnsbl,
                checks::dnsbl(names, ip, &settings.security.checks.dnsbl_zones)
            ),
            when(needs.spf, spf(shared, settings, facts)),
        )
    };
    let answers = match names.unless_down(Box::pin(ask())).await {
        Ok(answers) => answers,
        // Each says at once that it cannot be known.
        Err(_) => Box::pin(ask()).await,
    };
    let (client_name, helo_name, sender_domain, dnsbl, spf) = answers;
    let in_doubt = matches!(client_name, Some(ClientName::Unknown(_)))
        || matches!(helo_name, Some(NameFact::Unknown(_)))
        || matches!(sender_domain, Some(NameFact::Unknown(_)))
        || dnsbl
            .iter()
            .flatten()
            .any(|fact| matches!(fact.answer, DnsblAnswer::Failed(_)))
        || spf
            .as_ref()
            .is_some_and(|fact| fact.result == AuthResult::TempError);
    facts.client_name = client_name.or(facts.client_name.take());
    facts.helo_name = helo_name.or(facts.helo_name.take());
    facts.sender_domain = sender_domain.or(facts.sender_domain.take());
    facts.dnsbl = dnsbl.or(facts.dnsbl.take());
    facts.spf = spf.or(facts.spf.take());
    if in_doubt {
        facts.resolver_down = names.down().await;
    }
}

/// Fetches what the rules about the message read.
pub async fn of_message(
    shared: &Shared,
    settings: &Settings,
    facts: &mut Facts,
    needs: Needs,
    content: &Content,
) {
    let want = Want {
        dkim: needs.dkim,
        dmarc: needs.dmarc,
        arc: needs.arc,
    };
    if needs.spf {
        let ask = async || spf(shared, settings, facts).await;
        let answer = match shared.auth.names().unless_down(Box::pin(ask())).await {
            Ok(answer) => answer,
            Err(_) => Box::pin(ask()).await,
        };
        facts.spf = Some(answer);
    }
    if want == Want::default() && !needs.antivirus {
        return;
    }
    let message = facts.message.clone().unwrap_or_default();
    let (tests, antivirus) = tokio::join!(
        checks::content(&shared.auth, content, &message, facts.spf.as_ref(), want),
        when(needs.antivirus, scan(settings, content)),
    );
    let undecided = |result: AuthResult| result == AuthResult::TempError;
    let in_doubt = tests
        .dmarc
        .as_ref()
        .is_some_and(|dmarc| undecided(dmarc.result))
        || tests
            .dkim
            .iter()
            .flatten()
            .any(|dkim| undecided(dkim.result));
    facts.tests = Some(ContentTests { antivirus, ..tests });
    if in_doubt {
        facts.resolver_down = shared.auth.names().down().await;
    }
}

async fn when<T>(wanted: bool, fetch: impl Future<Output = T>) -> Option<T> {
    if wanted { Some(fetch.await) } else { None }
}

fn sender_domain(facts: &Facts) -> Option<&Domain> {
    match &facts.envelope.sender {
        Some(ReversePath::Address(address)) => address.domain(),
        _ => None,
    }
}

async fn spf(shared: &Shared, settings: &Settings, facts: &Facts) -> SpfFact {
    let host = settings.general.hostname.clone();
    checks::spf(
        &shared.auth,
        facts.client.ip,
        facts.helo.as_deref().unwrap_or_default(),
        facts.envelope.sender.as_ref().unwrap_or(&ReversePath::Null),
        &host.unwrap_or_else(Domain::localhost),
    )
    .await
}

async fn scan(settings: &Settings, content: &Content) -> ScanFact {
    match &settings.service.clamd {
        Some(address) => clamd::scan(address, content).await,
        None => ScanFact::Unavailable("no address of clamd is set".into()),
    }
}
