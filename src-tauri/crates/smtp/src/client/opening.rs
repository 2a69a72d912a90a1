//! From the greeting to the point where a message can be given.

use super::sasl::{Exchange, MARK, Mechanism, choices};
use super::{Action, Capabilities, Client, Phase, Protocol, StartTls, State, Tls, Trouble};
use crate::domain::Domain;
use crate::reply::Reply;

impl Client {
    pub(super) fn greeted(&mut self, reply: &Reply) {
        self.state = State::Greeting;
        match reply.code() / 100 {
            2 if self.is_ourselves(reply) => self.loops(),
            2 => self.hello(true),
            3 => self.garbage("its greeting is no greeting"),
            _ => self.turned_away(reply),
        }
    }

    fn hello(&mut self, extended: bool) {
        let verb = match (self.profile.protocol, extended) {
            (Protocol::Smtp, true) => "EHLO",
            (Protocol::Smtp, false) => "HELO",
            (Protocol::Lmtp, _) => "LHLO",
        };
        let line = format!("{verb} {}", self.profile.helo.ascii());
        self.state = State::Hello { extended };
        self.command(Phase::Hello, &line, &line);
    }

    pub(super) fn hello_answered(&mut self, extended: bool, reply: &Reply) {
        self.state = State::Hello { extended };
        match reply.code() / 100 {
            2 if self.is_ourselves(reply) => return self.loops(),
            2 if extended => self.capabilities = Capabilities::read(reply),
            2 => self.capabilities = Capabilities::default(),
            // RFC 5321 §3.2: a server that knows no EHLO may know HELO. LMTP has nothing older (RFC 2033 §4.1).
            5 if extended && self.profile.protocol == Protocol::Smtp => return self.hello(false),
            3 => return self.garbage("its answer to EHLO makes no sense"),
            _ => return self.turned_away(reply),
        }
        self.secure();
    }

    /// Goes on to STARTTLS, where it is wanted and not done.
    fn secure(&mut self) {
        if self.tls != Tls::None || self.profile.starttls == StartTls::Never {
            return self.sign_in();
        }
        if self.capabilities.starttls {
            self.state = State::StartTls;
            self.command(Phase::Tls, "STARTTLS", "STARTTLS");
        } else if self.profile.starttls == StartTls::Required {
            let text = format!(
                "{} offers no TLS, and without it nothing is sent there",
                self.profile.peer
            );
            self.part(Trouble::new((4, 7, 4), text).at(Phase::Tls).whole_hop());
        } else {
            self.sign_in();
        }
    }

    pub(super) fn starttls_answered(&mut self, reply: &Reply) {
        self.state = State::StartTls;
        match reply.code() / 100 {
            2 if self.replies.is_empty() => {
                self.state = State::Handshake;
                self.actions.push(Action::StartTls);
            }
            // RFC 3207 §4.2: what came in clear text with the go-ahead could be put in by anyone on the way.
            2 => self.garbage("it went on in clear text after agreeing to TLS"),
            3 => self.garbage("its answer to STARTTLS makes no sense"),
            _ if self.profile.starttls == StartTls::IfOffered => self.sign_in(),
            _ => self.turned_away(reply),
        }
    }

    pub(super) fn tls_started(&mut self, private: bool) {
        // RFC 3207 §4.2: nothing learned in clear text counts any more.
        self.replies.clear();
        self.early = false;
        self.capabilities = Capabilities::default();
        self.tls = if private {
            Tls::Private
        } else {
            Tls::Unverified
        };
        if matches!(self.state, State::Handshake) {
            self.hello(true);
        }
    }

    /// Goes on to AUTH, where it is wanted.
    fn sign_in(&mut self) {
        let Some(login) = &self.profile.login else {
            return self.opened();
        };
        let private = self.tls == Tls::Private;
        let mechanisms = choices(&self.capabilities, private, login.in_clear);
        if login.username.contains('\0') || login.password.contains('\0') {
            return self.cannot_sign_in((4, 7, 8), "the login for it cannot be sent");
        }
        if !mechanisms.is_empty() {
            self.auth(mechanisms);
        } else if !self.capabilities.auth {
            self.cannot_sign_in((4, 7, 4), "offers no way to sign in");
        } else if private || login.in_clear {
            self.cannot_sign_in((4, 7, 4), "offers no way to sign in that is known here");
        } else if self.tls == Tls::Unverified {
            let text = "has a certificate that proves nothing, so the password is not sent there";
            self.cannot_sign_in((4, 7, 11), text);
        } else {
            let text = "would read the password in clear text, so it is not sent there";
            self.cannot_sign_in((4, 7, 11), text);
        }
    }

    fn cannot_sign_in(&mut self, status: (u8, u8, u16), why: &str) {
        let text = format!("{} {why}", self.profile.peer);
        self.part(Trouble::new(status, text).at(Phase::Auth).whole_hop());
    }

    /// Tries the first of the mechanisms.
    fn auth(&mut self, mut others: Vec<Mechanism>) {
        let Some(login) = self.profile.login.as_ref().filter(|_| !others.is_empty()) else {
            return self.opened();
        };
        let mechanism = others.remove(0);
        let (exchange, command) = Exchange::begin(mechanism, login);
        let mut shown = format!("AUTH {}", mechanism.name());
        if command.len() > shown.len() {
            shown.push(' ');
            shown.push_str(MARK);
        }
        self.state = State::Auth { exchange, others };
        self.command(Phase::Auth, &command, &shown);
    }

    pub(super) fn auth_answered(
        &mut self,
        mut exchange: Exchange,
        others: Vec<Mechanism>,
        reply: &Reply,
    ) {
        let challenge = reply.lines().first().map_or("", String::as_str);
        let response = (reply.code() == 334).then(|| exchange.respond(challenge));
        let mechanism = exchange.mechanism().name();
        self.state = State::Auth {
            exchange,
            others: others.clone(),
        };
        match (response, reply.code()) {
            (Some(Some(response)), _) => {
                self.secrets.add(&response);
                self.command(Phase::Auth, &response, MARK);
            }
            (Some(None), _) | (None, 300..400) => {
                self.garbage(&format!("its question is no part of AUTH {mechanism}"));
            }
            (None, 200..300) => {
                self.authenticated = true;
                self.opened();
            }
            // RFC 4954 §4, §6: it does not have this mechanism after all. A wrong password (535) is not tried twice:
            // that could lock the account.
            (None, 504 | 534) if !others.is_empty() => self.auth(others),
            (None, _) => self.turned_away(reply),
        }
    }

    fn opened(&mut self) {
        self.state = State::Ready;
        self.actions.push(Action::Ready);
    }

    /// Whether the server calls itself by our name (then we have reached ourselves). A name every machine has for
    /// itself proves nothing, and a mail store beside us rightly has ours.
    fn is_ourselves(&self, reply: &Reply) -> bool {
        let first = reply.lines().first().map_or("", String::as_str);
        let name = first.split([' ', '\t']).next().unwrap_or_default();
        self.profile.protocol == Protocol::Smtp
            && self.profile.helo.is_fqdn()
            && Domain::parse(name).is_ok_and(|name| name == self.profile.helo)
    }

    fn loops(&mut self) {
        let text = format!(
            "mail loops back to myself: {} greets with this server's own name",
            self.profile.peer
        );
        let phase = self.phase();
        self.part(Trouble::new((5, 4, 6), text).at(phase).whole_hop());
    }

    fn turned_away(&mut self, reply: &Reply) {
        let trouble = self.refused(self.phase(), reply);
        self.part(trouble);
    }

    /// Ends an opening that went wrong with a goodbye, for which nobody waits.
    fn part(&mut self, trouble: Trouble) {
        self.command(Phase::Quit, "QUIT", "QUIT");
        // The goodbye goes out before the trouble is told.
        self.end(trouble);
    }
}
