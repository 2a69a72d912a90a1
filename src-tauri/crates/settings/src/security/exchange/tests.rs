use proptest::prelude::*;

use super::*;
use crate::security::lists::Lists;

const TABLES: [Format; 3] = [
    Format::PostfixClient,
    Format::PostfixSender,
    Format::PostfixRecipient,
];

fn rule(name: &str, list: ListKind, criterion: Criterion, value: &str) -> ListRule {
    ListRule {
        name: name.into(),
        list,
        criterion,
        value: value.into(),
        action: ListAction::Reject,
        enabled: true,
        comment: String::new(),
    }
}

fn taken(format: Format, text: &str) -> Import {
    import(
        &Lists::default(),
        read(format, text.as_bytes()),
        OnExisting::Replace,
    )
}

fn one(format: Format, text: &str) -> ListRule {
    let import = taken(format, text);
    assert!(import.is_clean(), "{:?}", import.lines);
    assert_eq!(import.lists.rules().len(), 1);
    import.lists.rules()[0].clone()
}

fn refused(format: Format, text: &str) -> Vec<(usize, String)> {
    let import = taken(format, text);
    let wrong = |line: &&ListImportLine| line.rule.is_none();
    let lines = import.lines.iter().filter(wrong);
    lines.map(|line| (line.line, line.code.clone())).collect()
}

#[test]
fn csv_takes_what_spreadsheets_write() {
    let text = "\u{feff}Value;List;Criterion;Comment\r\n192.0.2.1;black;ip;\"a;\"\"b\"\"\"\r\n\r\n@abc.com;WHITE;sender;\r\n";
    let import = taken(Format::Csv, text);
    assert!(import.is_clean(), "{:?}", import.lines);
    let rules = import.lists.rules();
    assert_eq!(
        (rules[0].name.as_str(), rules[0].comment.as_str()),
        ("192.0.2.1", "a;\"b\"")
    );
    assert_eq!(
        (rules[1].name.as_str(), rules[1].list),
        ("@abc.com", ListKind::White)
    );
}

#[test]
fn each_wrong_line_of_a_csv_file_is_named() {
    let head = "name,list,criterion,value,action,enabled,comment\n";
    let body = "a,black,ip,192.0.2.1,,,\n\
                b,grey,ip,192.0.2.1,,,\n\
                c,black,colour,192.0.2.1,,,\n\
                d,black,ip,192.0.2.1,hold,,\n\
                e,black,ip,192.0.2.1,,maybe,\n\
                f,black,ip\n\
                g,black,ip,nonsense,,,\n\
                A,black,ip,192.0.2.9,,,\n\
                h,black,ip,192.0.2.1,,,\"open\n\
                i,black,ip,192.0.2.1,,,x\"y\n\
                j,black,domain,abc.com,,,\n\
                \"k\nl\",black,ip,192.0.2.1,,,\n\
                m,white,domain,abc.com,,,\n";
    let found = refused(Format::Csv, &format!("{head}{body}"));
    let expected = [
        (3, "word"),
        (4, "word"),
        (5, "word"),
        (6, "word"),
        (7, "columns"),
        (8, "not_an_ip"),
        (9, "taken"),
        (10, "quote"),
        (11, "quote"),
        (12, "white_only"),
        (13, "bad_rule_name"),
    ];
    assert_eq!(
        found
            .iter()
            .map(|(n, c)| (*n, c.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
    for header in [
        "",
        "a,b,c\n",
        "list,criterion\n",
        "list,list,criterion,value\n",
    ] {
        assert_eq!(
            refused(Format::Csv, &format!("{header}x,y,z\n")),
            [(1, "header".into())],
            "{header}"
        );
    }
    let broken = read(Format::Csv, b"list,criterion,value\nblack,ip,\xff\n");
    assert_eq!(
        (broken[0].number, broken[0].rule.clone().unwrap_err().code),
        (2, "not_utf8".into())
    );
}

#[test]
fn a_table_of_clients_has_addresses_networks_and_leading_octets() {
    let of = |line: &str| {
        let rule = one(Format::PostfixClient, line);
        (rule.list, rule.criterion, rule.value)
    };
    assert_eq!(
        of("192.0.2.1 OK"),
        (ListKind::White, Criterion::Ip, "192.0.2.1".into())
    );
    assert_eq!(
        of("2001:db8::1 dunno"),
        (ListKind::White, Criterion::Ip, "2001:db8::1".into())
    );
    assert_eq!(
        of("192.0.2.0/24 REJECT"),
        (ListKind::Black, Criterion::IpMask, "192.0.2.0/24".into())
    );
    assert_eq!(
        of("192.0 REJECT"),
        (ListKind::Black, Criterion::IpMask, "192.0.0.0/16".into())
    );
    assert_eq!(
        of("2001:db8 REJECT"),
        (ListKind::Black, Criterion::IpMask, "2001:db8::/32".into())
    );
    let found = refused(
        Format::PostfixClient,
        "# head\n  lost\n192.0.2.1 HOLD\nmx.example REJECT\n192.0.2.1/33\n\tREJECT\nif 10.0.0.0/8\n192.0.2.256 OK\n",
    );
    let expected = [
        (2, "line"),
        (3, "unsupported"),
        (4, "pattern"),
        (5, "not_a_mask"),
        (7, "unsupported"),
        (8, "pattern"),
    ];
    assert_eq!(
        found
            .iter()
            .map(|(n, c)| (*n, c.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn tables_of_senders_and_recipients_have_mailboxes_and_domains() {
    let sender = |line: &str| {
        let rule = one(Format::PostfixSender, line);
        (rule.list, rule.criterion, rule.value, rule.action)
    };
    let (black, white) = (ListKind::Black, ListKind::White);
    let (reject, discard) = (ListAction::Reject, ListAction::Discard);
    assert_eq!(
        sender("a@b.example DISCARD quietly"),
        (black, Criterion::Sender, "a@b.example".into(), discard)
    );
    assert_eq!(
        sender("b.example REJECT"),
        (black, Criterion::Sender, "@b.example".into(), reject)
    );
    assert_eq!(
        sender("b.example OK"),
        (white, Criterion::Domain, "b.example".into(), reject)
    );
    assert_eq!(
        sender(".b.example OK"),
        (white, Criterion::Domain, ".b.example".into(), reject)
    );
    assert_eq!(
        sender("a@b.example OK"),
        (white, Criterion::Sender, "a@b.example".into(), reject)
    );
    assert_eq!(
        one(Format::PostfixSender, "a@b.example DISCARD\n  quietly now").comment,
        "quietly now"
    );
    let recipient = one(Format::PostfixRecipient, "b.example OK");
    assert_eq!(
        (recipient.criterion, recipient.value.as_str()),
        (Criterion::Recipient, "@b.example")
    );
    let found = refused(
        Format::PostfixSender,
        ".b.example REJECT\na@ REJECT\n<> REJECT\n",
    );
    let expected = [(1, "pattern"), (2, "pattern"), (3, "null_sender")];
    assert_eq!(
        found
            .iter()
            .map(|(n, c)| (*n, c.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_file_is_put_among_the_rules_and_changes_them_only_if_it_may() {
    let there: Lists = vec![
        rule("one", ListKind::Black, Criterion::Ip, "192.0.2.1"),
        rule("two", ListKind::Black, Criterion::Ip, "192.0.2.2"),
    ]
    .into();
    let text = "name,list,criterion,value\nONE,black,ip,192.0.2.9\n,black,ip,::ffff:192.0.2.2\n,white,ip,192.0.2.2\ntwo,black,ip,192.0.2.2\n,white,ip,192.0.2.2\n";
    let found = import(
        &there,
        read(Format::Csv, text.as_bytes()),
        OnExisting::Replace,
    );
    let results: Vec<_> = found.lines.iter().map(|v| v.verdict).collect();
    assert_eq!(
        results,
        [
            ImportVerdict::Changed,
            ImportVerdict::Same,
            ImportVerdict::Added,
            ImportVerdict::Same,
            ImportVerdict::Same
        ]
    );
    let names: Vec<_> = found
        .lists
        .rules()
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(names, ["192.0.2.2", "ONE", "two"]);
    let kept = import(&there, read(Format::Csv, text.as_bytes()), OnExisting::Keep);
    assert_eq!(kept.lines[0].verdict, ImportVerdict::Kept);
    assert_eq!(kept.lists.find("one").unwrap().value, "192.0.2.1");
}

#[test]
fn many_lines_that_would_get_one_name_are_numbered_at_once() {
    let long = "x".repeat(60);
    let mut text = String::from("list,criterion,value\n");
    for n in 0..20_000 {
        text.push_str(&format!("black,sender,{long}@d{n}.example\n"));
    }
    let found = taken(Format::Csv, &text);
    assert!(found.is_clean());
    assert_eq!(found.count(ImportVerdict::Added), 20_000);
}

#[test]
fn what_a_table_cannot_hold_comes_back_from_its_comments() {
    let mut rules = vec![
        rule(
            "holes",
            ListKind::Black,
            Criterion::IpMask,
            "192.163.1.1/255.100.10.1",
        ),
        rule(
            "all of them",
            ListKind::White,
            Criterion::Sender,
            "@b.example",
        ),
        rule(
            "office",
            ListKind::White,
            Criterion::Domain,
            "bücher.example",
        ),
    ];
    rules[0].enabled = false;
    rules[1].comment = "since # May".into();
    for format in TABLES {
        let text = write(format, &rules);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(
                !line.contains("255."),
                "Postfix would not understand {line}"
            );
        }
        let again = import(
            &rules.clone().into(),
            read(format, text.as_bytes()),
            OnExisting::Replace,
        );
        assert!(
            again.lines.iter().all(|v| v.verdict == ImportVerdict::Same),
            "{text}{:?}",
            again.lines
        );
    }
}

fn any_rule() -> impl Strategy<Value = ListRule> {
    let ip = any::<u32>().prop_map(|n| (Criterion::Ip, std::net::Ipv4Addr::from(n).to_string()));
    let v6 = any::<u128>().prop_map(|n| (Criterion::Ip, std::net::Ipv6Addr::from(n).to_string()));
    let mask = any::<(u32, u32)>().prop_map(|(n, m)| {
        (
            Criterion::IpMask,
            format!(
                "{}/{}",
                std::net::Ipv4Addr::from(n),
                std::net::Ipv4Addr::from(m)
            ),
        )
    });
    let sender = "(\"[a-z ,#]{1,6}\"|[a-zü+]{1,6})?@[a-zü]{1,6}\\.example"
        .prop_map(|v| (Criterion::Sender, v));
    let recipient = "[a-zA-Z]{0,6}@[a-z]{1,6}\\.example".prop_map(|v| (Criterion::Recipient, v));
    let domain = "\\.?[a-z]{1,6}\\.example".prop_map(|v| (Criterion::Domain, v));
    let value = prop_oneof![ip, v6, mask, sender, recipient, domain];
    (value, any::<(bool, bool, bool)>(), "[^\\p{C}]{0,20}").prop_map(
        |((criterion, value), (white, discard, enabled), comment)| ListRule {
            name: String::new(),
            list: if white || criterion == Criterion::Domain {
                ListKind::White
            } else {
                ListKind::Black
            },
            criterion,
            value,
            action: if discard {
                ListAction::Discard
            } else {
                ListAction::Reject
            },
            enabled,
            comment: comment.trim().into(),
        },
    )
}

fn any_rules() -> impl Strategy<Value = Vec<ListRule>> {
    (prop::collection::vec(any_rule(), 0..12), "[^\\p{C}]{0,12}").prop_map(|(mut rules, name)| {
        rules.retain(|rule| crate::security::ListValue::parse(rule.criterion, &rule.value).is_ok());
        for (n, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("{n:02}{name}").trim().into();
        }
        rules
    })
}

proptest! {
    #[test]
    fn what_is_exported_as_csv_is_imported_as_it_was(rules in any_rules()) {
        let lists: Lists = rules.clone().into();
        let found = import(&Lists::default(), read(Format::Csv, write(Format::Csv, &rules).as_bytes()), OnExisting::Replace);
        prop_assert!(found.is_clean(), "{:?}", found.lines);
        prop_assert_eq!(found.lists, lists);
    }

    #[test]
    fn what_is_exported_as_tables_is_imported_as_the_same_rules(rules in any_rules()) {
        let lists: Lists = rules.clone().into();
        let mut lines = Vec::new();
        for format in TABLES {
            let text = write(format, &rules);
            prop_assert!(text.lines().all(|line| line.starts_with('#') || !line.starts_with([' ', '\t'])));
            lines.extend(read(format, text.as_bytes()));
        }
        prop_assert_eq!(lines.len(), rules.len());
        let found = import(&lists, lines, OnExisting::Replace);
        prop_assert!(found.lines.iter().all(|v| v.verdict == ImportVerdict::Same), "{:?}", found.lines);
    }

    #[test]
    fn no_file_is_too_strange_to_be_read(octets in prop::collection::vec(any::<u8>(), 0..200), text in "[a-z,;\"\n\r #:@./0-9]{0,120}") {
        for format in [Format::Csv, TABLES[0], TABLES[1], TABLES[2]] {
            for file in [octets.as_slice(), text.as_bytes(), format!("list,criterion,value\n{text}").as_bytes()] {
                let lines = read(format, file);
                prop_assert!(lines.iter().map(|line| line.number).is_sorted());
                let _ = import(&Lists::default(), lines, OnExisting::Replace);
            }
        }
    }
}

#[test]
fn the_format_of_a_file_is_seen_in_it() {
    for (text, format) in [
        ("list,criterion,value\n", Format::Csv),
        ("\u{feff}Value;Criterion;List\n", Format::Csv),
        ("# clients\n192.0.2.0/24 REJECT\n", Format::PostfixClient),
        ("a@b.example OK\n", Format::PostfixSender),
        ("", Format::PostfixSender),
    ] {
        assert_eq!(guess(text.as_bytes()), format, "{text}");
    }
}
