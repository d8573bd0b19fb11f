//! UIDs of objects, of which there are more than of anything else that is remembered.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;
use uuid::{Uuid, fmt::Hyphenated};

use super::checked::InvalidName;

/// The UID of a Kubernetes object. The API server draws UUIDs, which take 16 bytes; whatever else one may be is kept as its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Uid(Form);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// A UUID, whose text is the one in lower case with hyphens.
    Uuid(Uuid),
    /// Any other text.
    Other(SmolStr),
}

impl Uid {
    /// What its schema says of its form.
    pub const PATTERN: &'static str = "^[A-Za-z0-9-]+$";

    /// What it has to be, in words that tell how to mend it.
    pub const RULE: &'static str = "it is the metadata.uid of an object, at most 64 letters, digits and hyphens";

    fn with_text<R>(&self, tell: impl FnOnce(&str) -> R) -> R {
        match &self.0 {
            Form::Uuid(uuid) => tell(uuid.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH])),
            Form::Other(text) => tell(text),
        }
    }
}

impl FromStr for Uid {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Other ways to write the same UUID are other texts, and are told as they were written.
        let is_canonical = |uuid: &Uuid| uuid.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH]) == text;
        if let Some(uuid) = Uuid::try_parse(text).ok().filter(is_canonical) {
            return Ok(Self(Form::Uuid(uuid)));
        }
        let is_valid = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if is_valid { Ok(Self(Form::Other(text.into()))) } else { Err(InvalidName::new("UID", text, Self::RULE)) }
    }
}

impl TryFrom<String> for Uid {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl PartialEq<str> for Uid {
    fn eq(&self, other: &str) -> bool {
        self.with_text(|text| text == other)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl JsonSchema for Uid {
    fn schema_name() -> Cow<'static, str> {
        "Uid".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 64, "pattern": Self::PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_takes_no_more_room_than_a_text_that_lies_in_place() {
        assert_eq!(size_of::<Option<Uid>>(), 24);
    }

    proptest! {
        #[test]
        fn every_valid_text_is_told_as_it_was_written(
            text in "[A-Za-z0-9-]{1,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-Fa-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}",
        ) {
            let uid: Uid = text.parse().unwrap();
            prop_assert_eq!(uid.to_string(), text.clone());
            prop_assert_eq!(serde_json::to_value(&uid).unwrap(), serde_json::json!(text));
            prop_assert!(uid == *text.as_str());
            prop_assert_eq!(serde_json::from_value::<Uid>(serde_json::json!(text)).unwrap(), uid);
        }

        #[test]
        fn different_texts_are_different_uids(
            (one, other) in ("[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ) {
            let uids: [Uid; 3] = [one.parse().unwrap(), other.parse().unwrap(), one.to_ascii_uppercase().parse().unwrap()];
            prop_assert_eq!(uids[0] == uids[1], one == other);
            prop_assert_eq!(uids[0] == uids[2], one == one.to_ascii_uppercase());
        }
    }

    #[test]
    fn what_is_no_uid_is_refused() {
        for text in [
            "",
            "a b",
            "a_b",
            &"a".repeat(65),
            "urn:uuid:6f1c2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b",
            "{6f1c2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b}",
        ] {
            assert!(text.parse::<Uid>().is_err(), "{text}");
        }
    }
}
