//! The client and the server's session talk to each other: what one writes the other understands.

use proptest::prelude::*;

use super::tests::{mail, profile};
use super::*;
use crate::session::{self, Answer, Question, Session};

/// What the server learned.
#[derive(Debug, Default, PartialEq, Eq)]
struct Learned {
    login: Option<(String, String)>,
    recipients: Vec<String>,
    content: Vec<u8>,
    messages: usize,
}

/// The answer of a server that takes everything.
fn answer(question: Question, learned: &mut Learned) -> Answer {
    match question {
        Question::Auth(credentials) => {
            learned.login = Some((credentials.login, credentials.password.to_string()));
        }
        Question::Recipient { path, .. } => learned.recipients.push(path.to_string()),
        Question::Message { .. } => learned.messages += 1,
        _ => {}
    }
    Answer::Accept
}

/// Gives octets to the session and returns what it says; STARTTLS is done on the spot.
fn serve(session: &mut Session, input: session::Input<'_>, learned: &mut Learned) -> Vec<u8> {
    let mut said = Vec::new();
    let mut actions = session.handle(input);
    while !actions.is_empty() {
        for action in std::mem::take(&mut actions) {
            match action {
                session::Action::Reply(reply) => said.extend(reply.to_wire()),
                session::Action::Content(bytes) => learned.content.extend(bytes),
                session::Action::Ask(question) => {
                    let answer = answer(question, learned);
                    actions = session.handle(session::Input::Answer(answer));
                }
                session::Action::StartTls => {
                    let (version, cipher) = ("TLSv1.3".to_owned(), "any".to_owned());
                    actions = session.handle(session::Input::TlsStarted { version, cipher });
                }
                session::Action::Wait(_)
                | session::Action::TransactionEnded(_)
                | session::Action::Close => {}
            }
        }
    }
    said
}

/// Lets both talk until the messages are through; what the server says comes in pieces of `cut` octets.
fn talk(
    client: &mut Client,
    words: &str,
    mails: &[(Mail, Vec<u8>)],
    cut: usize,
) -> (Learned, Vec<Outcome>) {
    let mut session = Session::new(session::tests::profile(words));
    let (mut learned, mut outcomes) = (Learned::default(), Vec::new());
    let mut mails = mails.iter();
    let mut content = &[][..];
    let mut actions = client.handle(Input::Connected);
    let mut said = serve(&mut session, session::Input::Connected, &mut learned);
    loop {
        while !actions.is_empty() {
            for action in std::mem::take(&mut actions) {
                match action {
                    Action::Write(bytes) => {
                        let input = session::Input::Bytes(&bytes);
                        said.extend(serve(&mut session, input, &mut learned));
                    }
                    Action::StartTls => {
                        actions.extend(client.handle(Input::TlsStarted { private: true }))
                    }
                    Action::MoreContent => {
                        let (bytes, rest) = content.split_at(content.len().min(5));
                        content = rest;
                        let last = rest.is_empty();
                        actions.extend(client.handle(Input::Content { bytes, last }));
                    }
                    Action::Done(told) => outcomes.extend(told),
                    Action::Ready | Action::Close => {}
                    Action::Failed(trouble) => panic!("{trouble}"),
                }
            }
        }
        if !said.is_empty() {
            let piece: Vec<u8> = said.drain(..cut.min(said.len())).collect();
            actions = client.handle(Input::Bytes(&piece));
        } else if let Some((mail, bytes)) = mails.next() {
            content = bytes;
            actions = client.handle(Input::Mail(mail.clone()));
        } else {
            return (learned, outcomes);
        }
    }
}

#[test]
fn after_starttls_and_auth_messages_arrive_one_after_the_other() {
    let mut client = Client::new(profile("must login=secret"));
    let mail = |text: &str, body: &str| (mail(text), body.as_bytes().to_vec());
    let mails = [
        mail(
            "<a@x.example> <b@bücher.example> <\"c>~d\"@y.example> envid=x_y",
            "one\r\n.\r\n",
        ),
        mail(
            "<ä@x.example> <ü@y.example> notify=success orcpt=utf-8;ü@y",
            "two: ü\r\n",
        ),
        mail("<> <b@y.example>", ""),
    ];
    let (learned, outcomes) = talk(&mut client, "auth", &mails, 1000);
    assert_eq!(
        learned.login,
        Some(("alice".to_owned(), "secret".to_owned()))
    );
    assert_eq!(learned.messages, 3);
    assert_eq!(
        learned.recipients,
        [
            "<b@bücher.example>",
            "<\"c> d\"@y.example>",
            "<ü@y.example>",
            "<b@y.example>"
        ]
    );
    assert_eq!(
        String::from_utf8(learned.content).unwrap(),
        "one\r\n.\r\ntwo: ü\r\n"
    );
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Delivered { .. }))
    );
    assert_eq!(outcomes.len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_lines_arrive_as_they_were(text in "([.a\0é]{0,4}\r\n){0,12}", cut in 1usize..40) {
        let mut client = Client::new(profile(""));
        let mails = [(mail("<a@x.example> <b@y.example>"), text.clone().into_bytes())];
        let (learned, outcomes) = talk(&mut client, "", &mails, cut);
        prop_assert_eq!(learned.content, text.into_bytes());
        let delivered = matches!(outcomes.as_slice(), [Outcome::Delivered { .. }]);
        prop_assert!(learned.messages == 1 && delivered);
    }
}
