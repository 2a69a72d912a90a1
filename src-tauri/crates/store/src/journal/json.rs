//! JSON as text: the large columns of a record are made once and then only copied.
//!
//! Strangers decide how large facts and traces become, and the spool log and the tables have bounds. So a value above
//! [`LARGE`] octets is made smaller where it is written down, and stays JSON of nearly the same form: see [`Json::of`].

use std::borrow::Cow;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{LARGE, shortened};

/// A JSON value in its written form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// Writes a value; null when it has no JSON form.
    ///
    /// The text has at most 64 KiB. Of a larger value the large parts are made smaller: a text ends early and says by
    /// how much, of a list the middle becomes the object `{"left_out_bytes": N}`, and so does any part for which even
    /// that is too much. Readers skip such objects; what stays is as it was.
    pub fn of(value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) if text.len() <= LARGE => Self(text),
            Ok(_) => serde_json::to_value(value).map_or_else(|_| Self::default(), Self::from),
            Err(_) => Self::default(),
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value; null when the text is none, which only a damaged database has.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The text within the bound, which one from an older record may not keep.
    pub(super) fn clamped(&self) -> Cow<'_, str> {
        if self.0.len() <= LARGE {
            return Cow::Borrowed(&self.0);
        }
        Cow::Owned(Self::from(self.value()).0)
    }
}

impl Default for Json {
    fn default() -> Self {
        Self("null".into())
    }
}

impl From<Value> for Json {
    /// As [`Json::of`].
    fn from(value: Value) -> Self {
        Self(shortened::text(value, LARGE))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from).map_err(D::Error::custom)?;
        Ok(Self(raw.get().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_above_the_bound_is_smaller_json_and_one_within_it_is_left_alone() {
        let within = "x".repeat(LARGE - 2);
        assert_eq!(Json::of(&within).value(), within);
        assert_eq!(Json::from(Value::from(within.clone())).value(), within);
        let above = within + "x";
        for json in [Json::of(&above), Json::from(Value::from(above.clone()))] {
            assert!(json.text().len() <= LARGE);
            let text = json.value().as_str().map(str::to_owned).unwrap();
            assert!(text.starts_with("xxx") && text.ends_with("octets left out)"));
        }
    }

    #[test]
    fn a_record_from_before_the_bound_keeps_it_in_the_tables() {
        let old = format!("[{}0]", "1,".repeat(LARGE));
        let old: Json = serde_json::from_str(&old).unwrap();
        assert!(old.text().len() > LARGE);
        let kept: Vec<Value> = serde_json::from_str(&old.clamped()).unwrap();
        assert!(old.clamped().len() <= LARGE && kept.len() > 1000);
    }

    #[test]
    fn json_inside_json_is_copied_as_it_stands() {
        let json = Json::of(&serde_json::json!({"a": [1, "ü\n"]}));
        let outer = serde_json::to_string(&(&json, 1)).unwrap();
        assert_eq!(outer, format!("[{},1]", json.text()));
        let (back, _): (Json, i32) = serde_json::from_str(&outer).unwrap();
        assert_eq!(back, json);
    }
}
