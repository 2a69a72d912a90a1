//! The `Authentication-Results` fields of a header block, ours and those that others wrote in our name.
//!
//! Checked: what we write about any stranger's words is one field of ASCII lines; it is found again as ours, and nothing
//! is left that speaks for us once the found ranges are taken out.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz auth_results -- -max_total_time=60`
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::Scanner;
use message::auth_results::{Method, claimed, field};
use smtp::Domain;

fn write(text: &str, host: &Domain) {
    let method = |property| Method {
        name: "dkim",
        result: "fail",
        reason: text.to_owned(),
        properties: vec![(property, text.to_owned())],
    };
    let field = field(host, &[method("header.d"), method("header.from")]);
    assert!(field.is_ascii());
    assert!(field.split_terminator("\r\n").all(|line| line.len() <= 998));
    let whole = format!("{field}Subject: x\r\n\r\n");
    assert_eq!(Scanner::scan(whole.as_bytes()).headers.len(), 2);
    assert_eq!(claimed(whole.as_bytes(), host), [0..field.len()]);
}

fuzz_target!(|octets: &[u8]| {
    let host = Domain::parse("mx.office.example").expect("a constant");
    write(&String::from_utf8_lossy(octets), &host);
    let mut left = octets.to_vec();
    for range in claimed(octets, &host).into_iter().rev() {
        left.drain(range);
    }
    // What is left of a block that was cut open at its ends must not speak for us either.
    assert_eq!(claimed(&left, &host), []);
});
