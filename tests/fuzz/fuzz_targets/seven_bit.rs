//! The conversion to 7-bit data, and a notification about the same octets.
//!
//! Checked: what comes out is ASCII, stays as it is when converted again, and has the parts it had; the notification
//! has three parts and no line, octet or part that its original smuggled in.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz seven_bit -- -max_total_time=60`
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::dsn::{Action, Original, Recipient, Report, build};
use message::eight_bit::Look;
use message::{Scanner, seven_bit};
use smtp::{Address, Domain};

fn kinds(message: &[u8]) -> Vec<(u16, String)> {
    let parts = Scanner::scan(message).parts.into_iter();
    parts.map(|part| (part.depth, part.content_type)).collect()
}

fn notify(octets: &[u8]) {
    let host = Domain::parse("mx.office.example").expect("a constant");
    let address = Address::parse("anna@office.example").expect("a constant");
    let text = String::from_utf8_lossy(octets);
    let head = octets.len() / 2;
    let (head, body) = octets.split_at(head);
    let recipients = [Recipient {
        original: Some(&text),
        address: &address,
        action: Action::Failed,
        status: (5, 0, 0),
        diagnostic: Some(&text),
        remote_mta: Some(&text),
        last_attempt: Some(&text),
        will_retry_until: None,
        text: &text,
    }];
    let built = build(&Report {
        reporting_mta: &host,
        from: &address,
        to: &address,
        envid: Some(&text),
        arrival: &text,
        now: &text,
        message_id: &text,
        boundary: "f3a9c2",
        original: Original {
            head,
            body: Some(body),
        },
        original_message_id: Some(&text),
        recipients: &recipients,
        smtputf8: false,
    });
    let seen = Look::at(&built.bytes);
    assert!(!seen.nul && !seen.long_line && !seen.eight_bit_header);
    assert_eq!(seen.eight_bit(), built.eight_bit);
    let scan = Scanner::scan(&built.bytes);
    assert!(scan.header_problems.is_empty());
    // An original with more parts or fields than the scanner follows hides what comes behind it.
    if scan.parts.len() < 100 {
        assert_eq!(scan.parts.iter().filter(|part| part.depth == 1).count(), 3);
    }
}

fuzz_target!(|octets: &[u8]| {
    if let Ok(converted) = seven_bit::convert(octets) {
        assert!(converted.is_ascii());
        assert_eq!(seven_bit::convert(&converted).as_ref(), Ok(&converted));
        let before = kinds(octets);
        // International messages are encoded as a whole: the scanner does not look into them any more.
        if before
            .iter()
            .all(|(_, kind)| !kind.starts_with("message/global"))
        {
            assert_eq!(kinds(&converted), before);
        }
    }
    notify(octets);
});
