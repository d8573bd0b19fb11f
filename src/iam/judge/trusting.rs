//! Who may take the role on.

use serde_json::Value;

use super::{Asked, Judgement, acts};
use crate::iam::{
    Document, Effect, POD_IDENTITY, Statement,
    trust::{CLUSTER, NAMESPACE, SERVICE_ACCOUNT},
};

pub(super) fn judge(trust: &str, asked: &Asked<'_>, judgement: &mut Judgement) {
    let document = match serde_json::from_str::<Document>(trust) {
        Ok(document) => document,
        Err(error) => {
            judgement.missing.push(format!("the trust policy cannot be read: {error}"));
            return;
        }
    };
    let gives: Vec<Statement> = document.statement.into_iter().filter(|one| one.effect == Effect::Allow).collect();
    let (pods, others): (Vec<&Statement>, Vec<&Statement>) = gives.iter().partition(|one| is_for_pods_alone(one));
    for action in ["sts:AssumeRole", "sts:TagSession"] {
        if !gives.iter().any(|one| acts(one, action) && names_pods(one)) {
            judgement.missing.push(format!("the trust policy does not allow {action} to {POD_IDENTITY}"));
        }
    }
    for one in pods.iter().filter(|one| acts(one, "sts:AssumeRole")) {
        conditions(one, asked, judgement);
    }
    for one in others.iter().filter(|one| acts(one, "sts:AssumeRole")) {
        let who = one.principal.as_ref().or(one.not_principal.as_ref()).map(Value::to_string).unwrap_or_default();
        judgement.open.push(format!(
            "the trust policy lets others than {POD_IDENTITY} take the role on ({who}): whoever may choose the session's \
             tags reads every tenant's secrets"
        ));
    }
}

fn services(statement: &Statement) -> Vec<&str> {
    match statement.principal.as_ref().map(|principal| &principal["Service"]) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn names_pods(statement: &Statement) -> bool {
    services(statement).contains(&POD_IDENTITY) || statement.principal.as_ref().is_some_and(|one| *one == "*")
}

fn is_for_pods_alone(statement: &Statement) -> bool {
    let kinds = statement.principal.as_ref().and_then(Value::as_object).map_or(0, serde_json::Map::len);
    kinds == 1 && services(statement) == [POD_IDENTITY]
}

/// The namespace, the ServiceAccount and the cluster; the last by its session tag, or as the request's source.
fn conditions(statement: &Statement, asked: &Asked<'_>, judgement: &mut Judgement) {
    let cluster = asked.place.cluster_arn();
    let prefix = asked.prefix.as_str();
    let is_cluster = |values: &[String]| values.iter().all(|value| *value == cluster);
    let in_prefix = |values: &[String]| values.iter().all(|value| value.starts_with(prefix));
    let is_workspace = |values: &[String]| values.iter().all(|value| value.starts_with("workspace-"));
    let mut lacks = |is_held: bool, words: String| {
        if !is_held {
            judgement.open.push(format!("the trust policy lacks the condition {words}"));
        }
    };
    lacks(holds(statement, &[NAMESPACE], in_prefix), format!("{NAMESPACE} like {prefix}*"));
    lacks(holds(statement, &[SERVICE_ACCOUNT], is_workspace), format!("{SERVICE_ACCOUNT} like workspace-*"));
    lacks(holds(statement, &[CLUSTER, "aws:SourceArn"], is_cluster), format!("{CLUSTER} = {cluster}"));
}

/// Whether one of these keys must be there and have one of the values that are asked for.
fn holds(statement: &Statement, keys: &[&str], is_right: impl Fn(&[String]) -> bool) -> bool {
    const OPERATORS: [&str; 4] = ["StringEquals", "StringLike", "ArnEquals", "ArnLike"];
    let counted =
        statement.condition.iter().filter(|(name, _)| OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(name)));
    counted.flat_map(|(_, of)| of).any(|(key, values)| {
        keys.iter().any(|known| known.eq_ignore_ascii_case(key)) && !values.is_empty() && is_right(values)
    })
}
