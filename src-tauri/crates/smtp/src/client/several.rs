//! The troubles of several servers as one.

use std::cmp::Reverse;

use super::outcome::{MAX_TEXT, Trouble};
use super::transcript::one_line;

/// Servers that are told of; more are only counted.
const MOST_TOLD: usize = 4;
/// Longest text of one of them in characters, where there is room.
const MAX_ONE: usize = 200;
/// Kept free for the words between and behind them.
const BETWEEN: usize = 32;

impl Trouble {
    /// What an attempt came to that met each of these at another server, in their order; none for none.
    ///
    /// As long as one server may take the mail later, the attempt as a whole can be repeated (RFC 5321 §5.1), so it is
    /// permanent only when all are. Status, reply and phase are those of the one that says most.
    pub fn of_all(troubles: &[Trouble]) -> Option<Trouble> {
        let most_telling = troubles.iter().min_by_key(|trouble| {
            (
                trouble.is_permanent(),
                trouble.reply.is_none(),
                Reverse(trouble.phase),
            )
        })?;
        let mut one = most_telling.clone();
        if troubles.len() > 1 {
            one.text = one_line(&texts(troubles), MAX_TEXT);
            one.whole_hop = troubles.iter().all(|trouble| trouble.whole_hop);
        }
        Some(one)
    }
}

/// Each text names its server. Long ones are cut before short ones suffer.
fn texts(troubles: &[Trouble]) -> String {
    let told = troubles.get(..MOST_TOLD).unwrap_or(troubles);
    let fits = |most: usize| {
        let lengths = told.iter().map(|trouble| trouble.text.chars().count());
        lengths.map(|length| length.min(most)).sum::<usize>() <= MAX_TEXT - BETWEEN
    };
    let most = (1..=MAX_ONE).rev().find(|most| fits(*most)).unwrap_or(1);
    let mut texts: Vec<String> = told
        .iter()
        .map(|trouble| one_line(&trouble.text, most))
        .collect();
    let more = troubles.len() - told.len();
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Phase;

    fn trouble(status: (u8, u8, u16), text: &str) -> Trouble {
        Trouble::new(status, text).whole_hop()
    }

    #[test]
    fn an_attempt_is_permanent_only_if_every_server_says_so() {
        let never = trouble((5, 3, 2), "mx1 takes no mail").with_reply("521 no mail");
        let silent = trouble((4, 4, 1), "mx2 does not answer");
        for troubles in [
            [never.clone(), silent.clone()],
            [silent.clone(), never.clone()],
        ] {
            let all = Trouble::of_all(&troubles).unwrap();
            assert_eq!((all.status, all.reply.as_deref()), ((4, 4, 1), None));
            assert!(all.whole_hop && all.text.contains("mx1") && all.text.contains("mx2"));
        }
        let all = Trouble::of_all(&[never.clone(), trouble((5, 4, 6), "mx2 is us")]).unwrap();
        assert_eq!(all.status, (5, 3, 2));
        assert_eq!(all.text, "mx1 takes no mail; mx2 is us");
    }

    #[test]
    fn the_server_that_got_furthest_gives_status_and_reply() {
        let busy = trouble((4, 3, 2), "mx2 is busy: 421 busy")
            .with_reply("421 busy")
            .at(Phase::Greeting);
        let gone = trouble((4, 4, 2), "mx3 broke off").at(Phase::Mail);
        let down = trouble((4, 4, 1), "mx1 is down");
        let all = Trouble::of_all(&[down.clone(), busy, gone.clone()]).unwrap();
        assert_eq!(
            (all.status, all.reply.as_deref()),
            ((4, 3, 2), Some("421 busy"))
        );
        assert_eq!(Trouble::of_all(&[down, gone]).unwrap().status, (4, 4, 2));
    }

    #[test]
    fn one_trouble_stays_as_it_is_and_none_is_none() {
        let only = trouble((4, 4, 1), &"x".repeat(400)).with_reply("421 busy");
        assert_eq!(Trouble::of_all(std::slice::from_ref(&only)), Some(only));
        assert_eq!(Trouble::of_all(&[]), None);
    }

    #[test]
    fn many_servers_and_long_texts_stay_within_the_bound() {
        let long: Vec<Trouble> = (1..=10)
            .map(|n| trouble((4, 4, 1), &format!("mx{n} {}", "x".repeat(490))))
            .collect();
        let text = Trouble::of_all(&long).unwrap().text;
        assert!(text.chars().count() <= MAX_TEXT, "{text}");
        assert!(text.contains("mx4 ") && !text.contains("mx5 "), "{text}");
        assert!(text.ends_with("…; and 6 more"), "{text}");
        let mut mixed = long;
        mixed.truncate(4);
        for (place, short) in [(0, "mx1 is down"), (2, "mx3 is down")] {
            mixed[place] = trouble((4, 4, 1), short);
        }
        let text = Trouble::of_all(&mixed).unwrap().text;
        assert!(
            text.starts_with("mx1 is down; mx2 ") && text.contains("; mx3 is down; "),
            "{text}"
        );
    }
}
