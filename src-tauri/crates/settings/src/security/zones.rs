//! Checks of lists in the DNS: names, and the answers that count.

use std::net::Ipv4Addr;

use smtp::Domain;

use super::DnsblZone;
use crate::Problem;

const MAX_ZONES: usize = 32;
const MAX_ANSWERS: usize = 64;
const PATH: &str = "security.checks.dnsbl_zones";

pub(super) fn check(zones: &[DnsblZone]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |place: &str, code, words: String, value: &str| {
        let path = format!("{PATH}{place}");
        problems.push(Problem::new(path, code, words).arg("value", value));
    };
    if zones.len() > MAX_ZONES {
        let words = format!("at most {MAX_ZONES} lists are allowed");
        problem("", "too_many", words, "");
    }
    let mut seen: Vec<Domain> = Vec::new();
    for (at, zone) in zones.iter().enumerate().take(MAX_ZONES) {
        let place = format!("[{at}].zone");
        match Domain::parse(zone.zone.trim()) {
            Err(why) => {
                let words = format!("\"{}\" is not the domain of a list: {why}", zone.zone);
                problem(&place, "not_a_domain", words, &zone.zone);
            }
            Ok(name) if !name.is_fqdn() => {
                let words = format!("\"{name}\" has no dot; write for example zen.spamhaus.org");
                problem(&place, "not_fqdn", words, &zone.zone);
            }
            Ok(name) if seen.contains(&name) => {
                problem(
                    &place,
                    "duplicate",
                    format!("{name} is there twice"),
                    &zone.zone,
                );
            }
            Ok(name) => seen.push(name),
        }
        if zone.answers.len() > MAX_ANSWERS {
            let words = format!("at most {MAX_ANSWERS} answers are allowed");
            problem(&format!("[{at}].answers"), "too_many", words, "");
        }
        for (number, answer) in zone.answers.iter().enumerate().take(MAX_ANSWERS) {
            if let Some((code, words)) = answer_problem(answer) {
                problem(&format!("[{at}].answers[{number}]"), code, words, answer);
            }
        }
    }
    problems
}

/// RFC 5782 §2.1: lists answer in 127.0.0.0/8. Those in 127.255.255.0/24 say that the list does not answer us.
fn answer_problem(text: &str) -> Option<(&'static str, String)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ends = [first, last].map(|end| end.trim().parse::<Ipv4Addr>().ok());
    let [Some(first), Some(last)] = ends else {
        return Some((
            "not_an_answer",
            format!("\"{text}\" is not an answer; write 127.0.0.2 or 127.0.0.2-127.0.0.11"),
        ));
    };
    if first > last {
        return Some(("not_an_answer", format!("\"{text}\" ends before it begins")));
    }
    let counts = |ip: Ipv4Addr| ip.octets().starts_with(&[127]);
    (!counts(first) || !counts(last) || first.octets().starts_with(&[127, 255, 255])).then(|| {
        (
            "never_an_answer",
            format!("\"{text}\" can never count: lists answer from 127.0.0.0 to 127.255.254.255"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(zone: &str, answers: &[&str]) -> Vec<(String, String)> {
        let zone = DnsblZone {
            zone: zone.into(),
            answers: answers.iter().map(ToString::to_string).collect(),
        };
        let problems = check(&[zone]).into_iter();
        problems
            .map(|p| (p.path.trim_start_matches(PATH).to_owned(), p.code))
            .collect()
    }

    #[test]
    fn names_of_lists_and_their_answers_are_taken_or_told() {
        assert_eq!(
            codes("zen.example.org", &["127.0.0.2", "127.0.0.4 - 127.0.0.11"]),
            []
        );
        for (zone, code) in [
            ("", "not_a_domain"),
            ("zen", "not_fqdn"),
            ("a b.org", "not_a_domain"),
        ] {
            assert_eq!(codes(zone, &[]), [("[0].zone".into(), code.into())]);
        }
        for (answer, code) in [
            ("2", "not_an_answer"),
            ("127.0.0.4-127.0.0.2", "not_an_answer"),
            ("10.0.0.1", "never_an_answer"),
            ("127.255.255.254", "never_an_answer"),
        ] {
            assert_eq!(
                codes("zen.example.org", &["127.0.0.2", answer]),
                [("[0].answers[1]".into(), code.into())]
            );
        }
        let twice = ["Zen.example.org", "zen.example.org."].map(|zone| DnsblZone {
            zone: zone.into(),
            answers: Vec::new(),
        });
        assert_eq!(check(&twice)[0].code, "duplicate");
        let many = vec![
            DnsblZone {
                zone: "a.b".into(),
                answers: Vec::new()
            };
            MAX_ZONES + 1
        ];
        assert_eq!(check(&many)[0].code, "too_many");
    }
}
