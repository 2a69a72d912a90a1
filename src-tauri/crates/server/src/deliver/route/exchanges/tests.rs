use std::collections::BTreeSet;

use super::super::fake::{Fake, ip};
use super::*;

const DOMAIN: &str = "third.example";

fn around() -> Surroundings {
    Surroundings {
        name: Some("mail.our.example".into()),
        listeners: vec!["[::]:25".parse().unwrap()],
        addresses: vec![ip("127.0.0.99")],
    }
}

async fn ask(names: &Fake) -> Result<Vec<Target>, Trouble> {
    targets(DOMAIN, 2525, names, &around()).await
}

/// On the port on which we listen ourselves.
async fn ask_on_25(names: &Fake) -> Result<Vec<Target>, Trouble> {
    let around = Surroundings {
        addresses: vec![ip("10.9.9.9")],
        ..around()
    };
    targets(DOMAIN, 25, names, &around).await
}

fn addresses(targets: Result<Vec<Target>, Trouble>) -> Vec<String> {
    targets
        .unwrap()
        .iter()
        .map(|target| target.address.ip().to_string())
        .collect()
}

async fn status(names: &Fake) -> (u8, u8, u16) {
    ask(names).await.unwrap_err().status
}

#[tokio::test]
async fn hosts_are_tried_by_preference() {
    let names = Fake::default()
        .mx(
            DOMAIN,
            &[(20, "b.example"), (5, "c.example"), (10, "a.example")],
        )
        .host("a.example", &["127.0.0.1"])
        .host("b.example", &["127.0.0.2"])
        .host("c.example", &["127.0.0.3"]);
    let targets = ask(&names).await.unwrap();
    let hosts: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(hosts, ["c.example", "a.example", "b.example"]);
    assert!(targets.iter().all(|target| target.address.port() == 2525));
}

#[tokio::test]
async fn equals_come_in_any_order_before_those_less_preferred() {
    let names = Fake::default()
        .mx(
            DOMAIN,
            &[(10, "a.example"), (10, "b.example"), (20, "c.example")],
        )
        .host("a.example", &["127.0.0.1"])
        .host("b.example", &["127.0.0.2"])
        .host("c.example", &["127.0.0.3"]);
    let mut orders = BTreeSet::new();
    // One order in 2^64 times only by chance.
    for _ in 0..64 {
        let order = addresses(ask(&names).await);
        assert_eq!(order.last().unwrap(), "127.0.0.3");
        orders.insert(order);
    }
    assert_eq!(orders.len(), 2);
}

#[tokio::test]
async fn a_domain_without_mx_takes_its_mail_itself() {
    let names = Fake::default()
        .mx_answer(DOMAIN, Answer::NoRecords)
        .host(DOMAIN, &["127.0.0.5"]);
    assert_eq!(addresses(ask(&names).await), ["127.0.0.5"]);
}

#[tokio::test]
async fn mail_to_what_does_not_exist_or_takes_none_fails() {
    assert_eq!(status(&Fake::default()).await, (5, 1, 2));
    let null = Fake::default().mx(DOMAIN, &[(0, "")]);
    assert_eq!(status(&null).await, (5, 1, 10));
    let nothing = Fake::default().mx_answer(DOMAIN, Answer::NoRecords);
    assert_eq!(status(&nothing).await, (5, 1, 2));
    let empty = Fake::default()
        .mx_answer(DOMAIN, Answer::NoRecords)
        .host_answer(DOMAIN, Answer::NoRecords);
    assert_eq!(status(&empty).await, (5, 1, 2));
}

#[tokio::test]
async fn a_null_mx_beside_real_ones_is_passed_over() {
    let names = Fake::default()
        .mx(DOMAIN, &[(0, ""), (10, "a.example")])
        .host("a.example", &["127.0.0.1"]);
    assert_eq!(addresses(ask(&names).await), ["127.0.0.1"]);
}

#[tokio::test]
async fn mx_hosts_without_address_fail_and_the_domain_does_not_stand_in() {
    let names = Fake::default()
        .mx(DOMAIN, &[(10, "a.example"), (20, "b.example")])
        .host(DOMAIN, &["127.0.0.1"])
        .host_answer("a.example", Answer::NoRecords);
    let trouble = ask(&names).await.unwrap_err();
    assert_eq!(trouble.status, (5, 4, 4));
    assert!(
        trouble.text.contains("a.example, b.example"),
        "{}",
        trouble.text
    );
}

#[tokio::test]
async fn an_address_in_the_place_of_a_host_is_explained() {
    let names = Fake::default().mx(DOMAIN, &[(10, "192.0.2.1")]);
    let trouble = ask(&names).await.unwrap_err();
    assert_eq!(trouble.status, (5, 4, 4));
    assert!(
        trouble.text.contains("holds an address"),
        "{}",
        trouble.text
    );
}

#[tokio::test]
async fn a_dns_that_fails_lets_the_mail_wait() {
    let failed = || Answer::Unknown("no name server answered in time".into());
    let no_mx = Fake::default().mx_answer(DOMAIN, failed());
    assert_eq!(status(&no_mx).await, (4, 4, 3));
    let no_host = Fake::default()
        .mx(DOMAIN, &[(10, "a.example")])
        .host_answer("a.example", Answer::Unknown("it failed".into()));
    assert_eq!(status(&no_host).await, (4, 4, 3));
    let one_missing = Fake::default()
        .mx(DOMAIN, &[(10, "a.example"), (20, "none.example")])
        .host_answer("a.example", Answer::Unknown("it failed".into()));
    assert_eq!(status(&one_missing).await, (4, 4, 3));
}

#[tokio::test]
async fn a_host_that_cannot_be_looked_up_does_not_keep_the_others_away() {
    let names = Fake::default()
        .mx(
            DOMAIN,
            &[(10, "a.example"), (20, "b.example"), (30, "c.example")],
        )
        .host_answer("a.example", Answer::Unknown("it failed".into()))
        .host("c.example", &["127.0.0.3"]);
    assert_eq!(addresses(ask(&names).await), ["127.0.0.3"]);
}

#[tokio::test]
async fn as_a_backup_we_pass_mail_on_to_better_hosts_only() {
    let names = Fake::default()
        .mx(
            DOMAIN,
            &[
                (10, "a.example"),
                (20, "b.example"),
                (20, "mail.our.example"),
                (30, "c.example"),
            ],
        )
        .host("a.example", &["127.0.0.1"])
        .host("b.example", &["127.0.0.2"])
        .host("c.example", &["127.0.0.3"])
        .host("mail.our.example", &["127.0.0.99"]);
    for _ in 0..8 {
        assert_eq!(addresses(ask(&names).await), ["127.0.0.1"]);
    }
}

#[tokio::test]
async fn as_a_backup_we_wait_while_the_better_host_is_out_of_sight() {
    let names = Fake::default()
        .mx(DOMAIN, &[(10, "a.example"), (20, "mail.our.example")])
        .host_answer("a.example", Answer::Unknown("it failed".into()));
    assert_eq!(status(&names).await, (4, 4, 3));
}

#[tokio::test]
async fn mail_that_would_come_back_to_us_fails() {
    let by_name = Fake::default().mx(DOMAIN, &[(10, "mail.our.example")]);
    assert_eq!(status(&by_name).await, (5, 4, 6));
    let by_address = Fake::default()
        .mx(DOMAIN, &[(10, "alias.example")])
        .host("alias.example", &["10.9.9.9"]);
    let trouble = ask_on_25(&by_address).await.unwrap_err();
    assert_eq!(trouble.status, (5, 4, 6));
    assert!(trouble.text.contains("alias.example"), "{}", trouble.text);
    let itself = Fake::default()
        .mx_answer(DOMAIN, Answer::NoRecords)
        .host(DOMAIN, &["127.0.0.1"]);
    assert_eq!(ask_on_25(&itself).await.unwrap_err().status, (5, 4, 6));
}

#[tokio::test]
async fn the_same_address_on_another_port_is_another_server() {
    let names = Fake::default()
        .mx(DOMAIN, &[(10, "a.example")])
        .host("a.example", &["127.0.0.99"]);
    assert_eq!(addresses(ask(&names).await), ["127.0.0.99"]);
}

#[tokio::test]
async fn addresses_that_no_server_has_are_passed_over() {
    let names = Fake::default()
        .mx(DOMAIN, &[(10, "a.example")])
        .host("a.example", &["0.0.0.0", "224.0.0.1", "127.0.0.1"]);
    assert_eq!(addresses(ask(&names).await), ["127.0.0.1"]);
    let none = Fake::default()
        .mx(DOMAIN, &[(10, "a.example")])
        .host("a.example", &["0.0.0.0"]);
    assert_eq!(status(&none).await, (5, 4, 4));
}

#[tokio::test]
async fn a_host_with_many_addresses_leaves_room_for_its_backup() {
    let many: Vec<String> = (1..=20).map(|last| format!("127.0.1.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let names = Fake::default()
        .mx(DOMAIN, &[(10, "a.example"), (20, "b.example")])
        .host("a.example", &many)
        .host("b.example", &["127.0.0.2"]);
    let tried = addresses(ask(&names).await);
    assert_eq!(tried.len(), 5);
    assert_eq!(tried.last().unwrap(), "127.0.0.2");
}

#[tokio::test]
async fn at_most_ten_addresses_are_tried() {
    let hosts: Vec<String> = (1..=30)
        .map(|number| format!("mx{number}.example"))
        .collect();
    let list: Vec<(u16, &str)> = (1..).zip(hosts.iter().map(String::as_str)).collect();
    let mut names = Fake::default().mx(DOMAIN, &list);
    for (number, host) in hosts.iter().enumerate() {
        names = names.host(host, &[&format!("127.0.2.{}", number + 1)]);
    }
    assert_eq!(ask(&names).await.unwrap().len(), 10);
    let alone: Vec<String> = (1..=20).map(|last| format!("127.0.1.{last}")).collect();
    let alone: Vec<&str> = alone.iter().map(String::as_str).collect();
    let names = Fake::default()
        .mx(DOMAIN, &[(10, "a.example")])
        .host("a.example", &alone);
    assert_eq!(ask(&names).await.unwrap().len(), 10);
}
