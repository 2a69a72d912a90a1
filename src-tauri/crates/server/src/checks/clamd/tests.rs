use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};

use super::*;

fn memory(bytes: &[u8]) -> Content {
    Content::Memory(Arc::new(bytes.to_vec()))
}

/// Reads a whole INSTREAM and returns what was in it.
async fn take(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await.unwrap();
    assert_eq!(&command, b"zINSTREAM\0");
    let mut content = Vec::new();
    loop {
        let length = stream.read_u32().await.unwrap();
        if length == 0 {
            return content;
        }
        let mut chunk = vec![0; length.try_into().unwrap()];
        stream.read_exact(&mut chunk).await.unwrap();
        content.extend(chunk);
    }
}

/// Has a message scanned by a clamd that does this with the connection.
async fn scanned_by<F>(content: Content, clamd: impl FnOnce(TcpStream) -> F) -> ScanFact
where
    F: Future<Output = ()>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let address: ClamdAddress = address.to_string().parse().unwrap();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        clamd(stream).await;
    };
    let (fact, ()) = tokio::join!(scan(&address, &content), serve);
    fact
}

async fn answered(reply: &'static [u8]) -> ScanFact {
    scanned_by(
        memory(b"Subject: x\r\n\r\nhello\r\n"),
        async |mut stream| {
            assert_eq!(take(&mut stream).await, b"Subject: x\r\n\r\nhello\r\n");
            stream.write_all(reply).await.unwrap();
        },
    )
    .await
}

fn is_unavailable(fact: &ScanFact, words: &str) -> bool {
    matches!(fact, ScanFact::Unavailable(why) if why.contains(words))
}

#[tokio::test]
async fn verdicts_are_read() {
    assert_eq!(answered(b"stream: OK\0").await, ScanFact::Clean);
    assert_eq!(
        answered(b"stream: Eicar-Test-Signature FOUND\0").await,
        ScanFact::Malware("Eicar-Test-Signature".into())
    );
    assert_eq!(
        answered(b"INSTREAM size limit exceeded. ERROR\0").await,
        ScanFact::TooLarge
    );
}

#[tokio::test]
async fn whatever_is_no_verdict_is_none() {
    for reply in [
        b"stream: Can't allocate memory ERROR\0".as_slice(),
        b"stream: OK".as_slice(),
        b"stream: OK\n".as_slice(),
        b"OK\0".as_slice(),
        b"stream: OK FOUND OK\0".as_slice(),
        b"stream:  FOUND\0".as_slice(),
        b"stream: FOUND\0".as_slice(),
        b"stream: ok\0".as_slice(),
        b"UNKNOWN COMMAND\0".as_slice(),
        b"\0".as_slice(),
        b"\xff\xfe\0".as_slice(),
        b"".as_slice(),
    ] {
        let fact = answered(reply).await;
        assert!(
            matches!(fact, ScanFact::Unavailable(_)),
            "{:?}: {fact:?}",
            String::from_utf8_lossy(reply)
        );
    }
}

#[tokio::test]
async fn a_name_of_malware_is_one_line_of_bounded_length() {
    let mut reply = b"stream: Bad\r\nName \xc3\xa9".to_vec();
    reply.extend([b'x'; 500]);
    reply.extend(b" FOUND\0");
    let fact = scanned_by(memory(b"x"), async |mut stream| {
        take(&mut stream).await;
        stream.write_all(&reply).await.unwrap();
    })
    .await;
    let ScanFact::Malware(name) = fact else {
        panic!("{fact:?}")
    };
    assert!(name.starts_with("Bad  Name ?xxx"), "{name}");
    assert_eq!(name.len(), 200);
}

#[tokio::test]
async fn a_reply_without_an_end_is_given_up() {
    let fact = scanned_by(memory(b"x"), async |mut stream| {
        take(&mut stream).await;
        while stream.write_all(&[b'x'; 1000]).await.is_ok() {}
    })
    .await;
    assert!(is_unavailable(&fact, "no end"), "{fact:?}");
}

#[tokio::test]
async fn a_message_goes_out_whole_whatever_its_size() {
    for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let fact = scanned_by(memory(&bytes), async |mut stream| {
            assert_eq!(take(&mut stream).await, bytes);
            stream.write_all(b"stream: OK\0").await.unwrap();
        })
        .await;
        assert_eq!(fact, ScanFact::Clean);
    }
}

#[tokio::test]
async fn a_message_in_the_spool_is_read_piece_by_piece() {
    let spool = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3 * CHUNK + 17).map(|n| (n % 251) as u8).collect();
    let mut arriving = crate::content::Arriving::default();
    arriving.push(bytes.clone(), spool.path()).await;
    let arrived = arriving.finish(spool.path()).await.unwrap();
    assert!(matches!(arrived.content, Content::File(_)));
    let fact = scanned_by(arrived.content.clone(), async |mut stream| {
        assert_eq!(take(&mut stream).await, bytes);
        stream.write_all(b"stream: OK\0").await.unwrap();
    })
    .await;
    assert_eq!(fact, ScanFact::Clean);
}

#[tokio::test]
async fn a_refusal_in_the_middle_is_heard_while_the_message_goes_out() {
    let large = memory(&vec![b'x'; 32 << 20]);
    let fact = scanned_by(large, async |mut stream| {
        let mut first = [0; 1000];
        stream.read_exact(&mut first).await.unwrap();
        // Nothing more is read, as clamd does it.
        stream
            .write_all(b"INSTREAM size limit exceeded. ERROR\0")
            .await
            .unwrap();
        let mut end = [0; 1];
        while stream.read(&mut end).await.is_ok_and(|count| count > 0) {}
    })
    .await;
    assert_eq!(fact, ScanFact::TooLarge);
}

#[tokio::test]
async fn a_clean_verdict_before_the_end_of_the_message_does_not_count() {
    let large = memory(&vec![b'x'; 32 << 20]);
    let fact = scanned_by(large, async |mut stream| {
        stream.write_all(b"stream: OK\0").await.unwrap();
        let mut end = [0; 1024];
        while stream.read(&mut end).await.is_ok_and(|count| count > 0) {}
    })
    .await;
    assert!(is_unavailable(&fact, "before it had"), "{fact:?}");
}

#[tokio::test]
async fn a_connection_that_ends_early_is_no_verdict() {
    let fact = scanned_by(memory(&vec![b'x'; 32 << 20]), async |stream| drop(stream)).await;
    assert!(matches!(fact, ScanFact::Unavailable(_)), "{fact:?}");
    // It has everything, and hangs up half way through its reply.
    let fact = scanned_by(memory(b"x"), async |mut stream| {
        take(&mut stream).await;
        stream.write_all(b"stream: ").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut end = [0; 1];
        let _ = stream.read(&mut end).await;
    })
    .await;
    assert!(is_unavailable(&fact, "without a verdict"), "{fact:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_clamd_is_waited_for_two_minutes() {
    let (near, far) = tokio::io::duplex(1024);
    let content = memory(b"x");
    let began = tokio::time::Instant::now();
    let heard = timeout(SCAN, over(near, &content)).await;
    assert!(heard.is_err());
    assert_eq!(began.elapsed(), SCAN);
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn a_clamd_that_does_not_take_the_message_is_given_up_after_thirty_seconds() {
    let (near, far) = tokio::io::duplex(1024);
    let content = memory(&[b'x'; CHUNK]);
    let began = tokio::time::Instant::now();
    let fault = over(near, &content).await.unwrap_err();
    assert!(matches!(fault, Fault::Slow), "{fault}");
    assert_eq!(began.elapsed(), WRITE);
    drop(far);
}

#[tokio::test]
async fn a_clamd_that_is_not_there_is_told() {
    for address in ["127.0.0.1:1", "unix:/nonexistent/clamd"] {
        let fact = scan(&address.parse().unwrap(), &memory(b"x")).await;
        assert!(is_unavailable(&fact, "cannot be reached"), "{fact:?}");
    }
}

#[tokio::test]
async fn a_socket_in_the_file_system_does_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix:{}", path.display()).parse().unwrap();
    let content = memory(b"hello");
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_eq!(take(&mut stream).await, b"hello");
        stream.write_all(b"stream: Bad FOUND\0").await.unwrap();
    };
    let (fact, ()) = tokio::join!(scan(&address, &content), serve);
    assert_eq!(fact, ScanFact::Malware("Bad".into()));
}
