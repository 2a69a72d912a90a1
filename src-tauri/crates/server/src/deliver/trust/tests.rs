use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;

struct Pair {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    // No two of the same name.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, format!("Authority {number}"));
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &CertifiedIssuer<'static, KeyPair>, params: CertificateParams) -> Pair {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Pair {
        certificate: certificate.der().clone(),
        key: key.serialize_der(),
    }
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn trusting(authority: &CertifiedIssuer<'static, KeyPair>) -> Trust {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    Trust::with_roots(roots).unwrap()
}

fn name(text: &str) -> ServerName<'static> {
    ServerName::try_from(text.to_owned()).unwrap()
}

/// Shakes hands once over a loopback socket; what the client says of it.
fn shake(
    trusted: &Trusted,
    pair: &Pair,
    name: &ServerName<'static>,
) -> Result<ClientConnection, rustls::Error> {
    let key = PrivateKeyDer::try_from(pair.key.clone()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.certificate.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        while tls.is_handshaking() && tls.complete_io(&mut socket).is_ok() {}
        // Whether the client liked it is the client's to say.
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let mut socket = TcpStream::connect(address).unwrap();
    let mut tls = ClientConnection::new(trusted.config.clone(), name.clone()).unwrap();
    let mut result = Ok(());
    while tls.is_handshaking() && result.is_ok() {
        result = tls.complete_io(&mut socket).map(|_| ());
    }
    let _ = socket.flush();
    drop(socket);
    server.join().unwrap();
    match result {
        Ok(()) => Ok(tls),
        Err(error) => Err(error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .cloned()
            .unwrap()),
    }
}

fn verify(trust: &Trust) -> Trusted {
    trust.by(&RelayCertificate::Verify).unwrap()
}

fn pinning(trust: &Trust, sha256: &str) -> Trusted {
    trust.by(&RelayCertificate::Pin(sha256.into())).unwrap()
}

#[test]
fn a_certificate_of_a_known_authority_for_the_name_is_taken() {
    let authority = authority();
    let pair = signed(&authority, named("relay.example"));
    let trusted = verify(&trusting(&authority));
    assert!(trusted.judge.is_none());
    shake(&trusted, &pair, &name("relay.example")).unwrap();
}

#[test]
fn a_certificate_for_another_name_is_refused_with_both_names() {
    let authority = authority();
    let pair = signed(&authority, named("other.example"));
    let error = shake(
        &verify(&trusting(&authority)),
        &pair,
        &name("relay.example"),
    )
    .unwrap_err();
    let words = explain(&error);
    assert!(
        words.contains("it is made for other.example, not for relay.example"),
        "{words}"
    );
}

#[test]
fn a_certificate_that_expired_is_refused_with_the_day() {
    let authority = authority();
    let mut params = named("relay.example");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let pair = signed(&authority, params);
    let error = shake(
        &verify(&trusting(&authority)),
        &pair,
        &name("relay.example"),
    )
    .unwrap_err();
    let words = explain(&error);
    assert!(words.contains("it expired on 2020-02-01"), "{words}");
}

#[test]
fn a_certificate_that_nobody_known_signed_is_refused_with_its_fingerprint() {
    let pair = signed(&authority(), named("relay.example"));
    let error = shake(
        &verify(&trusting(&authority())),
        &pair,
        &name("relay.example"),
    )
    .unwrap_err();
    let seen = fingerprint(&pair.certificate);
    assert_eq!(fingerprint_seen(&error).unwrap(), seen);
    let words = explain(&error);
    assert!(
        words.contains("not signed by an authority that this machine knows"),
        "{words}"
    );
    assert!(words.contains(&seen), "{words}");
}

#[test]
fn a_self_signed_certificate_of_the_usual_make_is_named_as_such() {
    let mut params = named("relay.example");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pair = Pair {
        certificate: params.self_signed(&key).unwrap().der().clone(),
        key: key.serialize_der(),
    };
    let error = shake(
        &verify(&trusting(&authority())),
        &pair,
        &name("relay.example"),
    )
    .unwrap_err();
    let words = explain(&error);
    assert!(words.contains("it is self-signed"), "{words}");
}

#[test]
fn a_chosen_certificate_is_taken_whoever_signed_it_and_whatever_its_name() {
    let pair = signed(&authority(), named("old.example"));
    let trust = trusting(&authority());
    let trusted = pinning(&trust, &fingerprint(&pair.certificate));
    shake(&trusted, &pair, &name("relay.example")).unwrap();
}

#[test]
fn another_certificate_than_the_chosen_one_is_refused_and_told() {
    let authority = authority();
    let (chosen, shown) = (
        signed(&authority, named("relay.example")),
        signed(&authority, named("relay.example")),
    );
    let trust = trusting(&authority);
    let trusted = pinning(&trust, &fingerprint(&chosen.certificate));
    let error = shake(&trusted, &shown, &name("relay.example")).unwrap_err();
    let seen = fingerprint(&shown.certificate);
    assert_eq!(fingerprint_seen(&error).unwrap(), seen);
    assert!(explain(&error).contains(&seen));
}

#[test]
fn a_text_that_is_no_fingerprint_pins_nothing() {
    let trust = trusting(&authority());
    for text in ["", "abc", &"g".repeat(64)] {
        assert!(trust.by(&RelayCertificate::Pin(text.into())).is_err());
    }
}

#[test]
fn without_questions_every_certificate_is_taken_and_judged_afterwards() {
    let known = authority();
    let trust = trusting(&known);
    let trusted = trust.any().unwrap();
    let judge = trusted.judge.clone().unwrap();
    let asked = name("relay.example");

    let good = shake(&trusted, &signed(&known, named("relay.example")), &asked).unwrap();
    assert_eq!(judge.verdict(&good, &asked), Ok(()));

    let strange = shake(
        &trusted,
        &signed(&authority(), named("relay.example")),
        &name("strange.example"),
    )
    .unwrap();
    let why = judge.verdict(&strange, &asked).unwrap_err();
    assert!(why.contains("not signed by an authority"), "{why}");
}

#[test]
fn a_configuration_is_built_once_for_all_that_ask_the_same() {
    let trust = trusting(&authority());
    let same = |a: &Trusted, b: &Trusted| Arc::ptr_eq(&a.config, &b.config);
    assert!(same(&verify(&trust), &verify(&trust)));
    assert!(same(&trust.any().unwrap(), &trust.any().unwrap()));
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    assert!(same(&pinning(&trust, &a), &pinning(&trust, &a)));
    assert!(!same(&pinning(&trust, &a), &pinning(&trust, &b)));
    assert!(!same(&verify(&trust), &trust.any().unwrap()));
}

#[test]
fn a_server_that_does_not_speak_tls_is_said_to_want_starttls() {
    let error = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    assert!(explain(&error).contains("perhaps this port wants STARTTLS"));
}
