//! One message: MAIL, RCPT, DATA, the content, and what the server says to it.

use std::collections::VecDeque;

use super::{
    Action, Client, Mail, Outcome, Phase, Protocol, Side, State, Stuffing, Trouble, outcome, wire,
};
use crate::address::{Address, ReversePath};
use crate::reply::Reply;

/// Most octets of commands that are sent before their replies are read. A server that cannot write its replies stops
/// reading, so a group has to fit into the buffers on the way (RFC 2920 §3.1).
const MAX_GROUP: usize = 8 * 1024;

/// Something that is answered by one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// The end of the message; in LMTP for this recipient.
    End(Option<usize>),
    /// The end of a message nobody is to get.
    EmptyEnd,
    /// RSET at the end of a probe.
    Undo,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Transaction {
    mail: Mail,
    /// The transaction uses SMTPUTF8.
    utf8: bool,
    outcomes: Vec<Option<Outcome>>,
    /// Recipients the server took, in the order of their commands.
    accepted: Vec<usize>,
    todo: VecDeque<Step>,
    /// Sent and not answered.
    sent: VecDeque<Step>,
    /// The content is on its way.
    content: Option<Stuffing>,
    octets: u64,
    /// The server answered something of this message.
    answered: bool,
    /// The connection served other messages before.
    reused: bool,
    /// Nothing is to be sent; the question is whether it could be.
    probe: bool,
}

impl Transaction {
    pub(super) fn phase(&self) -> Phase {
        if self.content.is_some() {
            return Phase::Content;
        }
        match self.sent.front().or(self.todo.front()) {
            Some(Step::Reset | Step::Undo) => Phase::Reset,
            Some(Step::Mail) => Phase::Mail,
            Some(Step::Rcpt(_)) => Phase::Rcpt,
            Some(Step::Data | Step::EmptyEnd) => Phase::Data,
            Some(Step::End(_)) | None => Phase::End,
        }
    }

    /// Gives those who are still waiting the same outcome.
    fn settle(&mut self, outcome: &Outcome) {
        for place in self.outcomes.iter_mut().filter(|place| place.is_none()) {
            *place = Some(outcome.clone());
        }
        self.accepted.clear();
    }

    fn settle_one(&mut self, recipient: usize, outcome: Outcome) {
        if let Some(place) = self.outcomes.get_mut(recipient) {
            place.get_or_insert(outcome);
        }
    }
}

impl Client {
    /// Begins a message, as far as the server's abilities allow it.
    pub(super) fn begin(&mut self, mail: Mail, probe: bool) {
        let recipients = mail.recipients.len();
        let mut transaction = Transaction {
            utf8: false,
            outcomes: vec![None; recipients],
            accepted: Vec::new(),
            todo: VecDeque::new(),
            sent: VecDeque::new(),
            content: None,
            octets: 0,
            answered: false,
            reused: self.messages > 0,
            probe,
            mail,
        };
        if !self.is_ready() {
            let text = format!("the connection to {} is not open", self.profile.peer);
            let trouble = Trouble::new((4, 4, 2), text).at(Phase::Mail).whole_hop();
            transaction.settle(&trouble.into_outcome());
            return self.tell(transaction);
        }
        if let Some(trouble) = self.impossible(&transaction.mail) {
            transaction.settle(&trouble.into_outcome());
            return self.tell(transaction);
        }
        self.choose_utf8(&mut transaction);
        if transaction.outcomes.iter().all(Option::is_some) {
            return self.tell(transaction);
        }
        if transaction.reused {
            transaction.todo.push_back(Step::Reset);
        }
        transaction.todo.push_back(Step::Mail);
        let open = (0..recipients).filter(|i| matches!(transaction.outcomes.get(*i), Some(None)));
        transaction.todo.extend(open.map(Step::Rcpt));
        let last = if probe { Step::Undo } else { Step::Data };
        transaction.todo.push_back(last);
        self.messages = self.messages.saturating_add(1);
        self.advance(Box::new(transaction));
    }

    /// What keeps the whole message from this server.
    fn impossible(&self, mail: &Mail) -> Option<Trouble> {
        let (can, peer) = (&self.capabilities, &self.profile.peer);
        let sender = matches!(&mail.sender, ReversePath::Address(address) if address.needs_smtputf8())
            || matches!(&mail.sender, ReversePath::Unqualified(local) if !local.is_ascii());
        let trouble = if can.max_size.is_some_and(|most| mail.size > most) {
            // RFC 1870 §6.1: need not even be tried.
            let most = can.max_size.unwrap_or_default();
            let text = format!(
                "the message has {} octets, and {peer} takes at most {most}",
                mail.size
            );
            Trouble::new((5, 3, 4), text)
        } else if mail.smtputf8 && !can.smtputf8 {
            // RFC 6531 §3.2: returned rather than changed.
            let text =
                format!("the message has international headers, and {peer} does not know them");
            Trouble::new((5, 6, 7), text)
        } else if sender && !can.smtputf8 {
            let text =
                format!("the sender's address is international, and {peer} does not know those");
            Trouble::new((5, 6, 7), text)
        } else if mail.eight_bit && !can.eight_bit {
            // RFC 6152 §3: sending it as it is would be a lie, and changing it breaks signatures. SMTPUTF8 alone is about
            // headers; a server that has it must offer 8BITMIME as well (RFC 6531 §3.1), and one that does not takes none.
            let text = format!("the message holds 8-bit text, and {peer} takes only 7-bit text");
            Trouble::new((5, 6, 3), text)
        } else {
            return None;
        };
        Some(trouble.at(Phase::Mail))
    }

    /// Uses SMTPUTF8 where something needs it; recipients that need it in vain have failed.
    fn choose_utf8(&self, transaction: &mut Transaction) {
        let mail = &transaction.mail;
        let sender = match &mail.sender {
            ReversePath::Null => false,
            ReversePath::Unqualified(local) => !local.is_ascii(),
            ReversePath::Address(address) => address.needs_smtputf8(),
        };
        let needs = |address: &Address| address.needs_smtputf8();
        let recipients = mail.recipients.iter().any(|to| needs(&to.address));
        if self.capabilities.smtputf8 {
            transaction.utf8 = mail.smtputf8 || sender || recipients;
            return;
        }
        for (place, to) in transaction.outcomes.iter_mut().zip(&mail.recipients) {
            if needs(&to.address) {
                let text = format!(
                    "the recipient's address is international, and {} does not know those",
                    self.profile.peer
                );
                let trouble = Trouble::new((5, 6, 7), text).at(Phase::Rcpt);
                *place = Some(trouble.into_outcome());
            }
        }
    }

    /// Sends the next commands: one, or as many as fit together where the server knows PIPELINING.
    fn advance(&mut self, mut transaction: Box<Transaction>) {
        let mut group = String::new();
        while let Some(step) = transaction.todo.front().copied() {
            let named = transaction.sent.iter().any(|s| matches!(s, Step::Rcpt(_)));
            if step == Step::Data && transaction.accepted.is_empty() && !named {
                transaction.todo.clear();
                break;
            }
            let (phase, line) = self.line(&transaction, step);
            if !group.is_empty() && group.len() + line.len() > MAX_GROUP {
                break;
            }
            self.transcript.add(phase, Side::Client, &line);
            group.push_str(&line);
            group.push_str("\r\n");
            transaction.todo.pop_front();
            transaction.sent.push_back(step);
            if !self.capabilities.pipelining {
                break;
            }
        }
        if group.is_empty() {
            return self.finish(*transaction);
        }
        self.state = State::Transaction(transaction);
        self.write(group.into_bytes());
    }

    fn line(&self, transaction: &Transaction, step: Step) -> (Phase, String) {
        let (can, utf8) = (&self.capabilities, transaction.utf8);
        match step {
            Step::Reset | Step::Undo => (Phase::Reset, "RSET".to_owned()),
            Step::Mail => (Phase::Mail, wire::mail(&transaction.mail, can, utf8)),
            Step::Rcpt(index) => {
                let to = transaction.mail.recipients.get(index);
                let line = to.map(|to| wire::rcpt(&to.address, &to.parameters, can, utf8));
                (Phase::Rcpt, line.unwrap_or_default())
            }
            Step::Data | Step::End(_) | Step::EmptyEnd => (Phase::Data, "DATA".to_owned()),
        }
    }

    pub(super) fn transaction_answered(
        &mut self,
        mut transaction: Box<Transaction>,
        reply: &Reply,
    ) {
        let phase = transaction.phase();
        transaction.answered = true;
        if transaction.content.is_some() {
            return self.interrupted(*transaction, reply);
        }
        let step = transaction.sent.pop_front();
        let class = reply.code() / 100;
        let makes_sense = match step {
            Some(Step::Data) => class != 2,
            _ => class != 3,
        };
        let Some(step) = step.filter(|_| makes_sense) else {
            // Back in its place, so that the text can say where this was.
            transaction.sent.extend(step);
            transaction.sent.rotate_right(usize::from(step.is_some()));
            self.state = State::Transaction(transaction);
            return self.garbage("its answer makes no sense there");
        };
        match (step, class) {
            (Step::Reset | Step::Mail, 2) | (Step::EmptyEnd | Step::Undo, _) => {}
            (Step::Reset, _) => {
                // Whatever this is, the next message can do without it.
                let mut trouble = self.refused(phase, reply);
                (trouble.status.0, trouble.stale) = (4, true);
                self.state = State::Transaction(transaction);
                return self.end(trouble);
            }
            (Step::Mail, _) => {
                transaction.todo.clear();
                transaction.settle(&self.refused(phase, reply).into_outcome());
            }
            (Step::Rcpt(index), 2) if transaction.probe => {
                transaction.settle_one(index, self.delivered(reply));
            }
            (Step::Rcpt(index), 2) => {
                if matches!(transaction.outcomes.get(index), Some(None)) {
                    transaction.accepted.push(index);
                }
            }
            (Step::Rcpt(index), _) => {
                transaction.settle_one(index, self.refused(phase, reply).into_outcome());
            }
            (Step::Data, 3) => return self.go_ahead(transaction),
            (Step::Data, _) => transaction.settle(&self.refused(phase, reply).into_outcome()),
            (Step::End(recipient), _) => {
                let outcome = self.verdict(reply);
                match recipient {
                    Some(index) => transaction.settle_one(index, outcome),
                    None => transaction.settle(&outcome),
                }
            }
        }
        if transaction.sent.is_empty() {
            self.advance(transaction);
        } else {
            self.state = State::Transaction(transaction);
        }
    }

    fn verdict(&self, reply: &Reply) -> Outcome {
        if reply.is_positive() {
            self.delivered(reply)
        } else {
            self.refused(Phase::End, reply).into_outcome()
        }
    }

    fn delivered(&self, reply: &Reply) -> Outcome {
        Outcome::Delivered {
            reply: outcome::kept(&self.shown(reply)),
            dsn_passed_on: self.capabilities.dsn,
        }
    }

    /// The server waits for the message.
    fn go_ahead(&mut self, mut transaction: Box<Transaction>) {
        if !transaction.accepted.is_empty() {
            transaction.content = Some(Stuffing::default());
            self.state = State::Transaction(transaction);
            self.actions.push(Action::MoreContent);
        } else if self.profile.protocol == Protocol::Smtp {
            // RFC 2920 §3.1: no recipient was taken, and DATA was on its way already: an empty message.
            transaction.sent.push_back(Step::EmptyEnd);
            self.state = State::Transaction(transaction);
            self.command(Phase::Data, ".", ".");
        } else {
            // RFC 2033 §4.2 forbids this reply, so nobody can say how many would follow the dot.
            self.finish(*transaction);
            self.hang_up();
        }
    }

    pub(super) fn content(&mut self, bytes: &[u8], last: bool) {
        let State::Transaction(transaction) = &mut self.state else {
            return;
        };
        let Some(stuffing) = &mut transaction.content else {
            return;
        };
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32 + 8);
        stuffing.push(bytes, &mut out);
        transaction.octets += bytes.len() as u64;
        self.progress += 1;
        if !last {
            self.actions
                .extend([Action::Write(out), Action::MoreContent]);
            return;
        }
        // The end goes out together with the last of the message, so that no pause of the network parts them.
        stuffing.finish(&mut out);
        transaction.content = None;
        match self.profile.protocol {
            Protocol::Smtp => transaction.sent.push_back(Step::End(None)),
            Protocol::Lmtp => {
                let each = transaction
                    .accepted
                    .iter()
                    .map(|index| Step::End(Some(*index)));
                transaction.sent.extend(each);
            }
        }
        let shown = format!("the message, {} octets, and its end", transaction.octets);
        self.transcript.add(Phase::Content, Side::Note, &shown);
        self.actions.push(Action::Write(out));
    }

    pub(super) fn content_lost(&mut self, why: &str) {
        if matches!(self.state, State::Transaction(_)) {
            let text = format!("the message could not be read while it was being sent: {why}");
            self.end(Trouble::new((4, 3, 0), text).at(Phase::Content));
        }
    }

    /// The server spoke in the middle of the content: it can only be a refusal, and the rest cannot be sent.
    fn interrupted(&mut self, mut transaction: Transaction, reply: &Reply) {
        if reply.is_positive() {
            self.state = State::Transaction(Box::new(transaction));
            return self.garbage("it answered the message before its end");
        }
        transaction.settle(&self.refused(Phase::Content, reply).into_outcome());
        self.tell(transaction);
        self.hang_up();
    }

    /// Everything was answered.
    fn finish(&mut self, transaction: Transaction) {
        self.state = State::Ready;
        self.tell(transaction);
    }

    fn hang_up(&mut self) {
        self.state = State::Closed;
        self.actions.push(Action::Close);
    }

    /// The conversation ended under the message.
    pub(super) fn give_up(&mut self, mut transaction: Transaction, mut trouble: Trouble) {
        trouble.stale |= transaction.reused && !transaction.answered;
        transaction.settle(&trouble.into_outcome());
        self.tell(transaction);
    }

    fn tell(&mut self, transaction: Transaction) {
        let phase = transaction.phase();
        let unsaid = || {
            let text = format!("{} gave no answer about this recipient", self.profile.peer);
            Trouble::new((4, 5, 0), text).at(phase).into_outcome()
        };
        let outcomes = transaction.outcomes.into_iter();
        let outcomes = outcomes
            .map(|outcome| outcome.unwrap_or_else(unsaid))
            .collect();
        self.actions.push(Action::Done(outcomes));
    }
}
