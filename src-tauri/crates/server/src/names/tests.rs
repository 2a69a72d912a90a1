use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::task::AbortOnDropHandle;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn data(addresses: &[&str]) -> Answer<RData> {
    Answer::Found(addresses.iter().map(|text| ip(text).into()).collect())
}

fn checked(names: &Names, why: Option<&str>, ago: Duration) {
    let at = Instant::now().checked_sub(ago).unwrap();
    names.state.lock().unwrap().checked = Some((at, why.map(str::to_owned)));
}

#[test]
fn what_was_found_out_is_believed_for_a_while() {
    let (names, down) = (Names::default(), Some("down".to_owned()));
    let second = Duration::from_secs(1);
    assert_eq!(names.believed(), None);
    checked(&names, None, Duration::ZERO);
    assert_eq!(names.believed(), Some(None));
    checked(&names, None, UP_HOLDS);
    assert_eq!(names.believed(), None);
    assert_eq!(names.believed(), None);
    checked(&names, Some("down"), DOWN_HOLDS - second);
    assert_eq!(names.believed(), Some(down.clone()));
    // One asks again, and nobody else meanwhile.
    checked(&names, Some("down"), DOWN_HOLDS);
    assert_eq!(names.believed(), None);
    assert_eq!(names.believed(), Some(down));
    names.forget();
    assert_eq!(names.believed(), None);
}

#[tokio::test]
async fn that_somebody_answers_again_is_found_out() {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let names = Names::new(&[socket.local_addr().unwrap()]);
    let _server = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let mut answer = Message::from_vec(&buffer[..length]).unwrap();
            answer.metadata.message_type = MessageType::Response;
            answer.metadata.response_code = ResponseCode::NXDomain;
            let answer = answer.to_vec().unwrap();
            socket.send_to(&answer, client).await.unwrap();
        }
    }));
    checked(&names, Some("down"), DOWN_HOLDS - Duration::from_secs(5));
    assert_eq!(names.unless_down(async { 1 }).await, Err("down".into()));
    checked(&names, Some("down"), DOWN_HOLDS);
    assert_eq!(names.unless_down(async { 1 }).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_questions_that_nobody_answers() {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let names = Names::new(&[socket.local_addr().unwrap()]);
    for most in [PATIENCE + WAIT_FOR_SIGN, Duration::ZERO] {
        let begun = tokio::time::Instant::now();
        let answers = names.unless_down(std::future::pending::<()>()).await;
        assert!(answers.is_err());
        assert!(begun.elapsed() <= most + Duration::from_millis(100));
    }
}

#[test]
fn addresses_of_both_kinds_take_turns() {
    let mixed = take_turns(
        vec![ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")],
        vec![ip("2001:db8::1")],
    );
    assert_eq!(
        mixed,
        [
            ip("192.0.2.1"),
            ip("2001:db8::1"),
            ip("192.0.2.2"),
            ip("192.0.2.3")
        ]
    );
}

#[test]
fn an_address_counts_although_the_other_question_failed() {
    let failed = || Answer::Unknown("no answer".into());
    let one = Answer::Found(vec![ip("192.0.2.1")]);
    assert_eq!(both(data(&["192.0.2.1"]), failed()), one);
    assert_eq!(both(data(&["192.0.2.1"]), Answer::NoName), one);
    assert_eq!(
        both(Answer::NoRecords, failed()),
        Answer::Unknown("no answer".into())
    );
    assert_eq!(
        both(failed(), Answer::NoName),
        Answer::Unknown("no answer".into())
    );
}

#[test]
fn a_name_is_missing_only_when_both_questions_say_so() {
    assert_eq!(both(Answer::NoName, Answer::NoName), Answer::NoName);
    assert_eq!(both(Answer::NoRecords, Answer::NoName), Answer::NoRecords);
}

/// A name server that says over TCP what it is asked for: a TXT record of as many octets as the first label says, to be
/// kept for an hour. Over UDP it says that this would not fit. With the questions over TCP.
async fn wordy() -> (SocketAddr, Arc<AtomicUsize>, [AbortOnDropHandle<()>; 2]) {
    let (stream, datagrams) = loop {
        let stream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(datagrams) = UdpSocket::bind(stream.local_addr().unwrap()).await {
            break (stream, datagrams);
        }
    };
    let address = stream.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let over_udp = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = datagrams.recv_from(&mut buffer).await.unwrap();
            let mut reply = reply_to(&Message::from_vec(&buffer[..length]).unwrap());
            reply.metadata.truncation = true;
            datagrams
                .send_to(&reply.to_vec().unwrap(), client)
                .await
                .unwrap();
        }
    });
    let over_tcp = tokio::spawn(async move {
        loop {
            let (mut client, _) = stream.accept().await.unwrap();
            while let Ok(length) = client.read_u16().await {
                let mut question = vec![0; length.into()];
                client.read_exact(&mut question).await.unwrap();
                count.fetch_add(1, SeqCst);
                let question = Message::from_vec(&question).unwrap();
                let name = question.queries[0].name().clone();
                let size = name.to_ascii().split('.').next().unwrap().parse().unwrap();
                let text = "x".repeat(size);
                let parts = text.as_bytes().chunks(255);
                let parts = parts.map(|part| String::from_utf8_lossy(part).into_owned());
                let mut reply = reply_to(&question);
                let data = RData::TXT(TXT::new(parts.collect()));
                reply.add_answer(Record::from_rdata(name, 3_600, data));
                let reply = reply.to_vec().unwrap();
                client.write_u16(reply.len() as u16).await.unwrap();
                client.write_all(&reply).await.unwrap();
            }
        }
    });
    let tasks = [over_udp, over_tcp].map(AbortOnDropHandle::new);
    (address, asked, tasks)
}

fn reply_to(question: &Message) -> Message {
    let mut reply = Message::new(
        question.metadata.id,
        MessageType::Response,
        question.metadata.op_code,
    );
    reply.metadata.recursion_available = true;
    reply.add_query(question.queries[0].clone());
    reply
}

#[tokio::test]
async fn an_answer_is_remembered_unless_it_is_large() {
    let (address, asked, _tasks) = wordy().await;
    let names = Names::new(&[address]);
    for (name, questions) in [("300.example.", 1), ("40000.example.", 3)] {
        asked.store(0, SeqCst);
        for _ in 0..3 {
            let answer = names.records(name, RecordType::TXT).await;
            assert!(matches!(answer, Answer::Found(_)), "{answer:?}");
        }
        assert_eq!(asked.load(SeqCst), questions, "{name}");
    }
}
