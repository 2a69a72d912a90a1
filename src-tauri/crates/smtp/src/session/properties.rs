//! What holds for every client, whatever it sends and however the network cuts it.

use super::tests::profile;
use super::*;
use proptest::prelude::*;

/// Feeds a session, answers its questions in turn, and returns what it did with adjacent content joined. Ends at
/// STARTTLS, behind which the cut decides what is dropped.
fn drive(words: &str, pieces: &[&[u8]], answers: &[u8]) -> (Vec<Action>, usize) {
    let mut session = Session::new(profile(&format!(
        "auth clear size=60 errors=8 recipients=3 {words}"
    )));
    let (mut done, mut asked, mut fullest) = (Vec::new(), 0, 0);
    let mut queue = session.handle(Input::Connected);
    let mut pieces = pieces.iter();
    loop {
        while !queue.is_empty() {
            let actions = std::mem::take(&mut queue);
            for action in actions {
                match (action, done.last_mut()) {
                    (Action::Content(more), Some(Action::Content(content))) => content.extend(more),
                    (Action::StartTls, _) => return (done, fullest),
                    (action, _) => {
                        if matches!(action, Action::Ask(_)) {
                            let answer = answer(answers.get(asked).copied().unwrap_or_default());
                            asked += 1;
                            queue = session.handle(Input::Answer(answer));
                        }
                        done.push(action);
                    }
                }
            }
        }
        fullest = fullest.max(session.buffer.len());
        match pieces.next() {
            Some(piece) => queue = session.handle(Input::Bytes(piece)),
            None => return (done, fullest),
        }
    }
}

fn answer(number: u8) -> Answer {
    match number % 16 {
        0 => Answer::Refuse(Reply::new(550, (7, 1), "no")),
        1 => Answer::AcceptWith(Reply::new(250, (0, 0), "yes")),
        2 if number > 128 => Answer::Close(Reply::new(421, (3, 0), "closing")),
        _ => Answer::Accept,
    }
}

fn cut<'a>(data: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).collect();
    cuts.extend([0, data.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|w| &data[w[0]..w[1]]).collect()
}

/// Pieces of conversations, so that chance gets past the first command.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop::sample::select(vec![
        "EHLO c.example\r\n",
        "HELO c\r\n",
        "MAIL FROM:<a@x.example>\r\n",
        "MAIL FROM:<ü@x.example> SMTPUTF8\r\n",
        "RCPT TO:<b@office.example>\r\n",
        "RCPT TO:<b@office.example>\n",
        "DATA\r\n",
        "BDAT 5\r\n",
        "BDAT 5 LAST\r\n",
        "BDAT 0 LAST\r\n",
        "BDAT x\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "QUIT\r\n",
        "AUTH PLAIN\r\n",
        "AUTH LOGIN\r\n",
        "AUTH PLAIN AGFsaWNlAHg=\r\n",
        "YWxpY2U=\r\n",
        "*\r\n",
        ".\r\n",
        "\r\n.\r\n",
        "..\r\n",
        "a line\r\n",
        "\r",
        "\n",
        ".",
        "12345",
        "STARTTLS\r\n",
        "\x16",
        "\x03",
    ]);
    let piece = prop_oneof![
        20 => fragment.prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (4080usize..4110).prop_map(|n| [vec![b'x'; n], b"\r\n".to_vec()].concat()),
    ];
    let opening = prop::sample::select(vec![
        "",
        "EHLO c\r\n",
        "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\n",
    ]);
    (opening, prop::collection::vec(piece, 0..24))
        .prop_map(|(opening, pieces)| [opening.as_bytes().to_vec(), pieces.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_same_octets_lead_to_the_same_actions_however_they_are_cut(
        data in conversation(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
        answers in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let (whole, _) = drive("", &[&data], &answers);
        let (parts, fullest) = drive("", &cut(&data, &cuts), &answers);
        prop_assert!(fullest <= MAX_AUTH_LINE, "only the beginning of a line waits");
        if data.len() < 1000 {
            let singles: Vec<&[u8]> = data.chunks(1).collect();
            prop_assert_eq!(&drive("", &singles, &answers).0, &whole);
        }
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn who_is_found_to_speak_early_is_sent_away_and_nobody_else_fares_otherwise_than_before(
        data in conversation(),
        answers in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let (patient, _) = drive("", &[&data], &answers);
        let (strict, _) = drive("strict", &[&data], &answers);
        let early = strict.iter().position(|action| *action == Action::Ask(Question::SpokeEarly));
        match early {
            None => prop_assert_eq!(strict, patient),
            Some(at) => {
                prop_assert_eq!(&strict[..at], &patient[..at]);
                prop_assert!(matches!(strict[at + 1], Action::Reply(_)));
                prop_assert_eq!(strict.last(), Some(&Action::Close));
                prop_assert!(strict.len() <= at + 4);
            }
        }
    }

    #[test]
    fn any_octets_are_survived_within_the_buffer(pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), 1usize..1000), 0..20)) {
        let mut session = Session::new(profile(""));
        // Never answered, so everything waits.
        session.handle(Input::Connected);
        for (piece, times) in &pieces {
            session.handle(Input::Bytes(&piece.repeat(*times)));
            prop_assert!(session.buffer.len() <= MAX_BUFFER);
        }
        session.handle(Input::Answer(Answer::Accept));
        prop_assert!(session.handle(Input::PeerClosed).len() <= 2);
    }

    #[test]
    fn stuffed_content_arrives_as_it_was(text in "([.a\0é]{0,4}\r\n){0,12}", cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        let stuffed = format!("\r\n{text}").replace("\r\n.", "\r\n..");
        let data = format!("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n{}.\r\nQUIT\r\n", &stuffed[2..]);
        let mut session = Session::new(profile(""));
        let (mut content, mut messages, mut closed) = (Vec::new(), 0, false);
        let mut actions = session.handle(Input::Connected);
        let pieces = cut(data.as_bytes(), &cuts);
        let mut pieces = pieces.iter();
        while let Some(piece) = { while !actions.is_empty() {
            for action in std::mem::take(&mut actions) {
                match action {
                    Action::Content(more) => content.extend(more),
                    Action::Ask(question) => {
                        messages += usize::from(question == Question::Message { size: text.len() as u64, oversize: false });
                        actions = session.handle(Input::Answer(Answer::Accept));
                    }
                    Action::Close => closed = true,
                    _ => {}
                }
            }
        } pieces.next() } {
            actions = session.handle(Input::Bytes(piece));
        }
        prop_assert_eq!(content, text.as_bytes());
        prop_assert!(messages == 1 && closed);
    }
}

#[test]
fn a_large_message_streams() {
    let mut session = Session::new(Profile {
        max_message_size: 1 << 30,
        ..profile("")
    });
    let opening = b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n";
    let mut actions = session.handle(Input::Connected);
    actions.extend(session.handle(Input::Bytes(opening)));
    while session.is_asking() {
        session.handle(Input::Answer(Answer::Accept));
    }
    let line = [&[b'A'; 76][..], b"\r\n"].concat();
    let block = line.repeat(840);
    let mut octets = 0;
    for _ in 0..1600 {
        for action in session.handle(Input::Bytes(&block)) {
            let Action::Content(content) = action else {
                panic!("{action:?}")
            };
            octets += content.len();
        }
        assert_eq!(session.buffer.len(), 0);
    }
    assert_eq!(octets, block.len() * 1600);
    let size = octets as u64;
    assert_eq!(
        session.handle(Input::Bytes(b".\r\n")),
        [Action::Ask(Question::Message {
            size,
            oversize: false
        })]
    );
}
