//! JSON as text: the large columns of a record are made once and then only copied.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value in its written form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// Writes a value; null when it has no JSON form.
    pub fn of(value: &impl Serialize) -> Self {
        serde_json::to_string(value).map_or_else(|_| Self::default(), Self)
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value; null when the text is none, which only a damaged database has.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The text, or a short object that tells the lost size when it is over `limit` octets.
    pub(super) fn clamped(&self, limit: usize) -> Cow<'_, str> {
        if self.0.len() <= limit {
            return Cow::Borrowed(&self.0);
        }
        let lost = serde_json::json!({ "left_out": true, "octets": self.0.len() });
        Cow::Owned(lost.to_string())
    }
}

impl Default for Json {
    fn default() -> Self {
        Self("null".into())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(value.to_string())
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
    fn json_over_the_limit_is_replaced_by_its_size() {
        let json = Json::of(&"x".repeat(100));
        assert_eq!(json.clamped(102), json.text());
        assert_eq!(json.clamped(101), r#"{"left_out":true,"octets":102}"#);
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
