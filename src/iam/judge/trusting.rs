//! Who may take the role on.

use serde_json::Value;

use super::{Asked, Judgement, acts, covers};
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
    let lacks = |words: String| format!("the trust policy lacks the condition {words}");
    for (key, beginning) in [(NAMESPACE, asked.prefix.as_str()), (SERVICE_ACCOUNT, "workspace-")] {
        let all = values(statement, &[key]);
        let within = all.iter().any(|(_, values)| values.iter().all(|value| value.starts_with(beginning)));
        // Every tenant of the class, or those that it leaves out get no credentials.
        let wanted = format!("{beginning}*");
        let admits = |(operator, values): &(&str, &[String])| {
            operator.to_ascii_lowercase().ends_with("like") && values.iter().any(|value| covers(value, &wanted))
        };
        if !within {
            judgement.open.push(lacks(format!("{key} like {wanted}")));
        } else if !all.iter().all(admits) {
            let said: Vec<&str> = all.iter().flat_map(|(_, values)| *values).map(String::as_str).collect();
            judgement.missing.push(format!(
                "the trust policy admits {key} {} and not {wanted}: the other workspaces of the class get no credentials",
                said.join(", ")
            ));
        }
    }
    let is_cluster = |values: &[String]| values.iter().all(|value| *value == cluster);
    if !values(statement, &[CLUSTER, "aws:SourceArn"]).iter().any(|(_, values)| is_cluster(values)) {
        judgement.open.push(lacks(format!("{CLUSTER} = {cluster}")));
    }
}

/// By operator, the values that one of these keys must have: it must be there and have one of them.
fn values<'a>(statement: &'a Statement, keys: &[&str]) -> Vec<(&'a str, &'a [String])> {
    const OPERATORS: [&str; 4] = ["StringEquals", "StringLike", "ArnEquals", "ArnLike"];
    let counted =
        statement.condition.iter().filter(|(name, _)| OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(name)));
    let of_keys = counted.flat_map(|(name, of)| of.iter().map(move |(key, values)| (name, key, values)));
    of_keys
        .filter(|(_, key, values)| keys.iter().any(|known| known.eq_ignore_ascii_case(key)) && !values.is_empty())
        .map(|(name, _, values)| (name.as_str(), values.as_slice()))
        .collect()
}
