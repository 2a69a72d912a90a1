//! A JSON value made smaller, and still one.

use serde_json::{Map, Value, json};

/// Room in which what is left out can be told in any form.
const LEAST: usize = 80;

/// The text of a value, in at most `room` octets; that is at least [`LEAST`].
pub(super) fn text(value: Value, room: usize) -> String {
    let octets = octets(&value);
    let text = fit(value, room).to_string();
    if text.len() <= room {
        text
    } else {
        left_out(octets).to_string()
    }
}

fn octets(value: &Value) -> usize {
    value.to_string().len()
}

fn left_out(octets: usize) -> Value {
    json!({ "left_out_bytes": octets })
}

fn fit(value: Value, room: usize) -> Value {
    let octets = octets(&value);
    if octets <= room {
        return value;
    }
    match value {
        _ if room < LEAST => left_out(octets),
        Value::String(text) => beginning(&text, room).into(),
        Value::Array(parts) => ends(parts, room).into(),
        Value::Object(members) => shares(members, room).unwrap_or_else(|| left_out(octets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => left_out(octets),
    }
}

fn beginning(text: &str, room: usize) -> String {
    // Quotes, and what is said of the rest.
    let room = room - LEAST / 2 - 10;
    let mut written = 0;
    let end = text
        .char_indices()
        .find(|(_, letter)| {
            written += escaped(*letter);
            written > room
        })
        .map_or(text.len(), |(at, _)| at);
    let (kept, lost) = text.split_at(end);
    format!("{kept}... ({} octets left out)", lost.len())
}

/// Octets of a character between quotes (RFC 8259 §7).
fn escaped(letter: char) -> usize {
    match letter {
        '"' | '\\' => 2,
        letter if letter.is_control() => 6,
        letter => letter.len_utf8(),
    }
}

/// How a list begins and how it ends: a trace has the client at its head and the decision at its end.
fn ends(parts: Vec<Value>, room: usize) -> Vec<Value> {
    let sizes: Vec<usize> = parts.iter().map(octets).collect();
    // No part takes all the room from the others.
    let most = if parts.len() == 1 { room - 2 } else { room / 4 };
    let parts: Vec<Value> = parts.into_iter().map(|part| fit(part, most)).collect();
    if parts.iter().map(|part| octets(part) + 1).sum::<usize>() < room {
        return parts;
    }
    let half = (room - LEAST / 2 - 4) / 2;
    let first = within(parts.iter(), half);
    let last = parts.len() - within(parts.iter().skip(first).rev(), half);
    let lost = sizes.iter().take(last).skip(first).sum();
    let mut kept: Vec<Value> = parts.iter().take(first).cloned().collect();
    kept.push(left_out(lost));
    kept.extend(parts.into_iter().skip(last));
    kept
}

/// How many of the parts have room, with a comma each.
fn within<'a>(parts: impl Iterator<Item = &'a Value>, room: usize) -> usize {
    let mut taken = 0;
    parts
        .take_while(|part| {
            taken += octets(part) + 1;
            taken <= room
        })
        .count()
}

/// Each member with its share of the room; what the small ones do not need is for the large ones. `None` when the names
/// alone are too much.
fn shares(members: Map<String, Value>, room: usize) -> Option<Value> {
    let names: usize = members
        .keys()
        // Quotes, colon and comma are 4.
        .map(|name| name.chars().map(escaped).sum::<usize>() + 4)
        .sum();
    let mut left = room.checked_sub(names + 2)?;
    let mut members: Vec<(String, Value)> = members.into_iter().collect();
    members.sort_by_cached_key(|(_, value)| octets(value));
    let mut count = members.len();
    let mut kept = Map::new();
    for (name, value) in members {
        let value = fit(value, left / count);
        left = left.checked_sub(octets(&value))?;
        count -= 1;
        kept.insert(name, value);
    }
    Some(kept.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,300}".prop_map(Value::from),
            prop::collection::vec(
                prop::sample::select(vec!['"', '\\', '\0', '\n', 'ë', '\u{85}']),
                0..300
            )
            .prop_map(|letters| letters.into_iter().collect::<String>().into()),
        ];
        leaf.prop_recursive(4, 100, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                prop::collection::btree_map(".{0,40}", inner, 0..20)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn whatever_the_value_its_text_is_json_within_the_room(value in any_json(), room in LEAST..4000) {
            let whole = value.to_string();
            let text = text(value, room);
            prop_assert!(text.len() <= room);
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            prop_assert_eq!(whole.len() <= room, text == whole);
        }

        #[test]
        fn of_a_large_value_most_of_the_room_is_used(count in 100usize..500, room in 2000usize..20_000) {
            let list: Vec<Value> = (0..count).map(|n| json!({"n": n, "text": "t".repeat(n % 300)})).collect();
            let whole = json!({"small": 1, "list": list});
            let before = octets(&whole);
            let text = text(whole, room);
            prop_assert!(text.len() > room / 2 || before <= room, "{} of {room}", text.len());
        }
    }

    #[test]
    fn a_trace_keeps_its_beginning_its_end_and_the_form_of_its_steps() {
        let step = |n: usize| json!({"stage": "recipient", "input": "x".repeat(200), "n": n});
        let steps: Vec<Value> = (0..1000).map(step).collect();
        let Value::Array(kept) = fit(steps.into(), 64 << 10) else {
            panic!("it was a list");
        };
        assert_eq!(kept.first(), Some(&step(0)));
        assert_eq!(kept.last(), Some(&step(999)));
        let lost: Vec<&Value> = kept.iter().filter(|part| part.get("n").is_none()).collect();
        assert_eq!(lost.len(), 1);
        assert!(lost[0]["left_out_bytes"].as_u64().unwrap() > 100_000);
    }

    #[test]
    fn one_large_part_costs_the_small_ones_nothing() {
        let text = text(
            json!({"client": "192.0.2.1", "subject": "s".repeat(9000), "list": [1, 2]}),
            1000,
        );
        let kept: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(kept["client"], "192.0.2.1");
        assert_eq!(kept["list"], json!([1, 2]));
        assert!(kept["subject"].as_str().unwrap().starts_with("ssss"));
    }
}
