//! The server's session against any octets, any cuts and any answers.
//!
//! The input is: eight octets that choose answers and cuts, then what the client sends. Checked: no panic, the same
//! actions however the octets are cut, questions only one at a time, nothing after the end, and no content beyond the
//! limit.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz session -- -dict=tests/fuzz/session.dict -max_total_time=60`
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::{Action, Answer, Domain, Input, Profile, Question, Reply, Role, Session};

const LIMIT: u64 = 200;

fn profile() -> Profile {
    Profile {
        role: Role::Submission,
        hostname: Domain::parse("mx.office.example").expect("a constant"),
        banner: "ESMTP".to_owned(),
        max_message_size: LIMIT,
        offers_starttls: true,
        offers_auth: true,
        auth_needs_tls: false,
        max_errors: 10,
        slow_errors: 5,
        max_junk_commands: 5,
        rejects_early: false,
        max_recipients_hard: 3,
    }
}

fn answer(choices: u64, asked: u32) -> Answer {
    match choices.rotate_right(asked * 3) % 8 {
        0 => Answer::Refuse(Reply::new(550, (7, 1), "no")),
        1 if asked > 4 => Answer::Close(Reply::new(421, (3, 0), "closing")),
        2 => Answer::AcceptWith(Reply::new(250, (0, 0), "yes")),
        _ => Answer::Accept,
    }
}

/// Ends at STARTTLS: what is dropped there depends on the cut.
fn drive(data: &[u8], step: usize, choices: u64) -> Vec<Action> {
    let mut session = Session::new(profile());
    let (mut done, mut asked, mut content) = (Vec::new(), 0, 0);
    let mut queue = session.handle(Input::Connected);
    let mut pieces = data.chunks(step);
    loop {
        while !queue.is_empty() {
            let actions = std::mem::take(&mut queue);
            let last = actions.len();
            for (index, action) in actions.into_iter().enumerate() {
                assert!(
                    !matches!(done.last(), Some(Action::Close)),
                    "nothing follows the end"
                );
                match (action, done.last_mut()) {
                    (Action::StartTls, _) => return done,
                    (Action::Content(more), before) => {
                        content += more.len() as u64;
                        assert!(!more.is_empty() && content <= LIMIT);
                        match before {
                            Some(Action::Content(first)) => first.extend(more),
                            _ => done.push(Action::Content(more)),
                        }
                    }
                    (action @ Action::Ask(_), _) => {
                        assert!(session.is_asking() && index + 1 == last);
                        if let Action::Ask(Question::Data { .. }) = action {
                            content = 0;
                        }
                        queue = session.handle(Input::Answer(answer(choices, asked)));
                        asked += 1;
                        done.push(action);
                    }
                    (action, _) => {
                        if let Action::Reply(reply) = &action {
                            assert!(
                                reply
                                    .to_wire()
                                    .split_inclusive(|b| *b == b'\n')
                                    .all(|line| line.ends_with(b"\r\n"))
                            );
                        }
                        done.push(action);
                    }
                }
            }
        }
        match pieces.next() {
            Some(piece) => queue = session.handle(Input::Bytes(piece)),
            None => return done,
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choices, data)) = input.split_first_chunk::<8>() else {
        return;
    };
    let choices = u64::from_le_bytes(*choices);
    let whole = drive(data, data.len().max(1), choices);
    assert_eq!(drive(data, 1, choices), whole);
    assert_eq!(drive(data, 1 + (choices % 61) as usize, choices), whole);
});
