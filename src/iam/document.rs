//! One policy document, as IAM's policy grammar has it ("Grammar of the IAM JSON policy language", IAM User Guide).
//!
//! Ours are written with lists throughout; what is read may hold single values in place of lists, as the grammar allows.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Operator → condition key → values.
pub type Conditions = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    /// The version of the grammar; only the newest knows policy variables.
    #[serde(default)]
    pub version: String,
    /// What it says.
    #[serde(deserialize_with = "one_or_many")]
    pub statement: Vec<Statement>,
}

/// Whether a statement gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It gives.
    Allow,
    /// It takes, whatever gives.
    Deny,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// What it is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sid: String,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// Whom a trust policy is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Value>,
    /// All but these principals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_principal: Option<Value>,
    /// The actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub action: Vec<String>,
    /// All but these actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub not_action: Vec<String>,
    /// The resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub resource: Vec<String>,
    /// All but these resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub not_resource: Vec<String>,
    /// Under which conditions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "conditions")]
    pub condition: Conditions,
}

impl Document {
    /// A document of these statements.
    pub fn of(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17".to_owned(), statement }
    }

    /// As IAM takes it: on one line, because policies are counted by characters.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Whether this text says the very same, whatever its white space, its order of keys and values, and whether a single
    /// value stands in a list: IAM keeps the meaning of what it is given, and not its spelling.
    pub fn is_said_by(&self, text: &str) -> bool {
        serde_json::from_str::<Self>(text).is_ok_and(|other| other.ordered() == self.clone().ordered())
    }

    /// The same in one spelling. Statements stay in their order.
    fn ordered(mut self) -> Self {
        for statement in &mut self.statement {
            let Statement { principal, not_principal, action, not_action, resource, not_resource, condition, .. } =
                statement;
            for principal in [principal, not_principal] {
                *principal = principal.take().map(ordered_principal);
            }
            let conditions = condition.values_mut().flat_map(BTreeMap::values_mut);
            for values in [action, not_action, resource, not_resource].into_iter().chain(conditions) {
                values.sort();
                values.dedup();
            }
        }
        self
    }
}

/// A principal with a sorted list for each of its types; `*` stays.
fn ordered_principal(principal: Value) -> Value {
    let Value::Object(types) = principal else { return principal };
    let list = |value: Value| {
        let mut values = match value {
            Value::Array(values) => values,
            single => vec![single],
        };
        values.sort_by_key(Value::to_string);
        values.dedup();
        Value::Array(values)
    };
    Value::Object(types.into_iter().map(|(kind, value)| (kind, list(value))).collect())
}

impl Statement {
    fn new(sid: &str, effect: Effect, actions: &[&str], resource: Vec<String>) -> Self {
        Self {
            sid: sid.to_owned(),
            effect,
            principal: None,
            not_principal: None,
            action: actions.iter().map(ToString::to_string).collect(),
            not_action: Vec::new(),
            resource,
            not_resource: Vec::new(),
            condition: Conditions::new(),
        }
    }

    pub(super) fn allow(sid: &str, actions: &[&str], resources: impl IntoIterator<Item = String>) -> Self {
        Self::new(sid, Effect::Allow, actions, resources.into_iter().collect())
    }

    pub(super) fn deny(sid: &str, actions: &[&str], resource: &str) -> Self {
        Self::new(sid, Effect::Deny, actions, vec![resource.to_owned()])
    }

    /// A statement of a trust policy, which is about one service.
    pub(super) fn trust(sid: &str, service: &str, actions: &[&str]) -> Self {
        let principal = Some(serde_json::json!({ "Service": [service] }));
        Self { principal, ..Self::new(sid, Effect::Allow, actions, Vec::new()) }
    }

    #[must_use]
    pub(super) fn when(self, operator: &str, key: &str, value: impl Into<String>) -> Self {
        self.when_any(operator, key, vec![value.into()])
    }

    #[must_use]
    pub(super) fn when_any(mut self, operator: &str, key: &str, values: Vec<String>) -> Self {
        self.condition.entry(operator.to_owned()).or_default().insert(key.to_owned(), values);
        self
    }
}

fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Many(many) => many,
        OneOrMany::One(one) => vec![one],
    })
}

/// Values of conditions may be written as booleans and numbers; IAM compares their text.
fn conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Conditions, D::Error> {
    let read = BTreeMap::<String, BTreeMap<String, Value>>::deserialize(deserializer)?;
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let list = |value: Value| match value {
        Value::Array(many) => many.into_iter().map(text).collect(),
        one => vec![text(one)],
    };
    let keys = |keys: BTreeMap<String, Value>| keys.into_iter().map(|(key, value)| (key, list(value))).collect();
    Ok(read.into_iter().map(|(operator, of)| (operator, keys(of))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_values_read_like_lists_of_one() {
        let single = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:B","Resource":"*",
            "Condition":{"Bool":{"k":true}}}}"#;
        let ours = Document::of(vec![Statement::allow("", &["a:B"], ["*".to_owned()]).when("Bool", "k", "true")]);
        assert!(ours.is_said_by(single));
        assert!(ours.is_said_by(&ours.to_json()));
        assert!(!ours.is_said_by("{}"));
    }

    #[test]
    fn a_trust_policy_in_another_spelling_says_the_same() {
        let ours = Document::of(vec![
            Statement::trust("Pods", "pods.eks.amazonaws.com", &["sts:AssumeRole", "sts:TagSession"]).when(
                "StringEquals",
                "aws:SourceAccount",
                "111122223333",
            ),
        ]);
        let spelled = |principal: &str, account: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Pods","Effect":"Allow","Principal":{principal},
                "Action":["sts:TagSession","sts:AssumeRole"],
                "Condition":{{"StringEquals":{{"aws:SourceAccount":{account}}}}}}}]}}"#
            )
        };
        let service = r#"{"Service":"pods.eks.amazonaws.com"}"#;
        assert!(ours.is_said_by(&spelled(service, r#""111122223333""#)));
        assert!(ours.is_said_by(&spelled(r#"{"Service":["pods.eks.amazonaws.com"]}"#, r#"["111122223333"]"#)));
        for other in [r#""*""#, r#"{"AWS":"pods.eks.amazonaws.com"}"#, r#"{"Service":["ec2.amazonaws.com"]}"#] {
            assert!(!ours.is_said_by(&spelled(other, r#""111122223333""#)), "{other}");
        }
        assert!(!ours.is_said_by(&spelled(service, r#""999922223333""#)));
    }
}
