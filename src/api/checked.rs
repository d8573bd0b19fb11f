//! The machinery of the checked names: one macro that makes a string newtype which cannot hold a bad value.

/// Why a text was refused as a checked name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: {rule}")]
pub struct InvalidName {
    /// The kind of name that was expected, in words ("tenant name").
    pub what: &'static str,
    /// The text that was refused, shortened to 80 characters.
    pub value: String,
    /// The rule that it breaks, in words that tell how to mend it.
    pub rule: &'static str,
}

impl InvalidName {
    pub(crate) fn new(what: &'static str, value: &str, rule: &'static str) -> Self {
        Self { what, value: value.chars().take(80).collect(), rule }
    }
}

/// Makes a newtype over a string whose only constructor checks it: `FromStr`, serde and the JSON schema
/// all know the same rule, so a value of the type has been checked exactly once.
macro_rules! checked_string {
    (
        $(#[$doc:meta])*
        $name:ident, what: $what:literal, rule: $rule:literal,
        pattern: $pattern:literal, length: $min:literal..=$max:literal, check: $check:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(smol_str::SmolStr);

        impl $name {
            /// What its schema says of its form.
            pub const PATTERN: &'static str = $pattern;

            /// What it has to be, in words that tell how to mend it.
            pub const RULE: &'static str = $rule;

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::api::checked::InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                if ($min..=$max).contains(&text.len()) && check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err($crate::api::checked::InvalidName::new($what, text, Self::RULE))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::api::checked::InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "minLength": $min,
                    "maxLength": $max,
                    "pattern": Self::PATTERN,
                })
            }
        }
    };
}
pub(crate) use checked_string;

/// Lower-case letters, digits and hyphens, beginning with a letter, ending with a letter or digit (DNS-1035).
pub(crate) fn is_dns_1035(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && is_dns_1123(text)
}

/// Lower-case letters, digits and hyphens, beginning and ending with a letter or digit (DNS-1123).
pub(crate) fn is_dns_1123(text: &str) -> bool {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.chars().all(|c| alnum(c) || c == '-') && text.starts_with(alnum) && text.ends_with(alnum)
}

/// Dot-separated DNS-1123 labels.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.split('.').all(is_dns_1123)
}

pub(crate) fn is_lower_hex(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}
