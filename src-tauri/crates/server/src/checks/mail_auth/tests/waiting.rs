//! Who waits for whom, and for how long.

use std::net::UdpSocket;

use tokio::time::Instant;

use super::*;

async fn run(auth: &Auth, octets: &Content, want: Want) -> ContentTests {
    content(auth, octets, &seen(MESSAGE), None, want).await
}

async fn in_spool(spool: &std::path::Path, message: &str) -> Content {
    let large = format!("{message}{}", "a long line\r\n".repeat(20_000));
    let mut arriving = crate::content::Arriving::default();
    arriving.push(large.into_bytes(), spool).await;
    let content = arriving.finish(spool).await.unwrap().content;
    assert!(matches!(content, Content::File(_)));
    content
}

#[tokio::test]
async fn nobody_waits_for_the_slow_keys_of_other_large_messages() {
    const DKIM: Want = Want {
        dkim: true,
        dmarc: false,
        arc: false,
    };
    let spool = tempfile::tempdir().unwrap();
    let signed = Key::of("slow.example").sign(MESSAGE);
    let slow = in_spool(spool.path(), &signed).await;
    let plain = in_spool(spool.path(), MESSAGE).await;
    let zone = Zone::default().silent("k1._domainkey.slow.example");
    let server = zone.serve().await;
    let auth = server.auth();
    let waiting = crate::checks::ask::all((0..6).map(|_| run(&auth, &slow, DKIM)));
    let quick = async {
        server.is_asked().await;
        run(&auth, &plain, DKIM).await
    };
    tokio::select! {
        biased;
        _ = waiting => panic!("it had to wait"),
        tests = quick => assert_eq!(tests.dkim, Some(Vec::new())),
    }
}

/// Without a name server time flies until somebody gives up.
#[tokio::test(start_paused = true)]
async fn that_no_name_server_answers_is_found_out_once_and_remembered() {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let auth = Auth::new(&[socket.local_addr().unwrap()]);
    let questions = || {
        let mut buffer = [0; 4096];
        std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
    };
    let signed = Key::of("far.example").sign(MESSAGE);
    let begun = Instant::now();
    let tests = run(&auth, &octets(&signed), ALL).await;
    assert!(
        begun.elapsed() <= Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(tests.dkim.unwrap()[0].result, AuthResult::TempError);
    assert_eq!(tests.dmarc.unwrap().result, AuthResult::TempError);
    assert!(questions() > 0);

    let begun = Instant::now();
    let tests = run(&auth, &octets(&signed), ALL).await;
    let dkim = tests.dkim.unwrap();
    assert_eq!(dkim[0].result, AuthResult::TempError);
    assert_eq!(dkim[0].domain, "far.example");
    // What there is nothing of needs no name server.
    assert_eq!(tests.arc.unwrap().result, AuthResult::None);
    let tests = run(&auth, &octets(MESSAGE), ALL).await;
    assert_eq!(tests.dkim, Some(Vec::new()));
    assert!(auth.names().down().await.is_some());
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(questions(), 0);
}
