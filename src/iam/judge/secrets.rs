//! Who may read which secrets: the most important of all.

use super::{Asked, Given, Judgement, acts, called, pattern::overlap, reaches};
use crate::iam::{
    Statement,
    workspace::{MUST_BE_EQUAL, equality},
};

const READ: [&str; 2] = ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"];

pub(super) fn judge(statements: &[Given<'_>], asked: &Asked<'_>, judgement: &mut Judgement) {
    let secrets = asked.place.secrets("");
    let reading = |given: &&Given<'_>| READ.iter().any(|action| acts(&given.1, action));
    let mut is_readable = false;
    for given in statements.iter().filter(reading).filter(|given| touches(&given.1, &secrets)) {
        let lacking: Vec<String> = MUST_BE_EQUAL
            .into_iter()
            .filter(|pair| !compares(&given.1, *pair))
            .map(|pair| {
                let (key, value) = equality(pair);
                format!("{key} = {value}")
            })
            .collect();
        is_readable |= lacking.is_empty() && acts(&given.1, READ[0]) && reaches(&given.1, &secrets);
        let more = further_conditions(&given.1);
        if lacking.is_empty() && !more.is_empty() {
            judgement.unweighed.push(format!("further conditions of {}: {}", called(given), more.join(", ")));
        }
        if !lacking.is_empty() {
            judgement.open.push(format!(
                "{} lets every workspace of the class read secrets that are not its own: it lacks the condition{} {}",
                called(given),
                if lacking.len() == 1 { "" } else { "s" },
                lacking.join(", ")
            ));
        }
    }
    if !is_readable && judgement.open.is_empty() {
        judgement.missing.push(format!("no statement allows secretsmanager:GetSecretValue on {secrets}"));
    }
}

/// Keys of conditions beside the three.
fn further_conditions(statement: &Statement) -> Vec<&str> {
    let is_known = |key: &str| {
        MUST_BE_EQUAL.into_iter().any(|(tag, _)| key.to_ascii_lowercase().ends_with(&format!("resourcetag/{tag}")))
    };
    let keys = statement.condition.values().flat_map(|of| of.keys());
    keys.map(String::as_str).filter(|key| !is_known(key)).collect()
}

/// Whether a statement may be about any secret of the prefix.
pub(super) fn touches(statement: &Statement, secrets: &str) -> bool {
    if statement.not_resource.is_empty() {
        statement.resource.iter().any(|resource| overlap(resource, secrets))
    } else {
        !statement.not_resource.iter().any(|kept| super::covers(kept, secrets))
    }
}

/// Whether a statement holds only where a tag of the secret is equal to a tag of the session. Secrets Manager knows the
/// tag under two keys that mean the same; keys are compared without regard to case.
fn compares(statement: &Statement, pair: (&str, &str)) -> bool {
    let (key, value) = equality(pair);
    let keys = [key.clone(), key.replacen("secretsmanager:", "aws:", 1)];
    let exact = statement.condition.iter().filter(|(operator, _)| operator.eq_ignore_ascii_case("StringEquals"));
    exact.flat_map(|(_, of)| of).any(|(key, values)| {
        let is_ours = |text: &String| text.eq_ignore_ascii_case(&value);
        keys.iter().any(|known| known.eq_ignore_ascii_case(key)) && !values.is_empty() && values.iter().all(is_ours)
    })
}
