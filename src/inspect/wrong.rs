//! What is wrong with a tenant and what to do, in plain words.
//!
//! PURE.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::objects::{One, Seen};
use crate::{
    api::tenant::TenantStatus,
    tenant::{
        child::Part,
        reason::{Explanation, Reason},
        views,
    },
};

/// One thing that is wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which condition tells of it, or what else does.
    pub subject: String,
    /// Its reason.
    pub reason: Option<Reason>,
    /// What is said of it.
    pub message: String,
    /// What the reason means and what to do.
    pub explanation: Option<Explanation>,
}

/// Reasons of conditions that are True, and yet say something that people should know.
const TOLD_THOUGH_TRUE: [Reason; 8] = [
    Reason::Paused,
    Reason::RolloutPending,
    Reason::RotationBlocked,
    Reason::RotationFailed,
    Reason::ForeignPolicy,
    Reason::SizeNotEnforced,
    Reason::ScalerNotServed,
    Reason::CutOver,
];

/// All that is wrong: what the conditions tell, each reason once, and what is not there though it should be.
pub fn wrong(one: &One) -> Vec<Wrong> {
    let mut found = Vec::new();
    if let Seen::There(tenant) = &one.tenant {
        let status = views::tenant_status(tenant);
        let generation = tenant["metadata"]["generation"].as_i64().unwrap_or(0);
        if status.observed_generation == generation {
            found = told(&status);
        } else {
            found.push(plain(
                "Tenant",
                format!("the operator has not looked at generation {generation} yet (status is about {})", status.observed_generation),
                "does an operator run and lead? kubectl --namespace kube-system get lease openclaw-tenant-operator says who",
            ));
        }
    }
    for object in one.objects.iter().filter(|object| object.is_missing_wrongly()) {
        found.push(plain(
            &object.key.to_string(),
            "it is missing".to_owned(),
            "the operator makes it again by itself, unless a condition above says why it does not; does it run?",
        ));
    }
    found
}

fn plain(subject: &str, message: String, remedy: &str) -> Wrong {
    let explanation = Explanation { meaning: String::new(), remedy: Some(("what to do".into(), remedy.into())) };
    Wrong { subject: subject.to_owned(), reason: None, message, explanation: Some(explanation) }
}

fn told(status: &TenantStatus) -> Vec<Wrong> {
    // The parts first: the whole repeats what the first of them says.
    let is_part = |one: &&Condition| Part::ALL.iter().any(|part| part.condition() == one.type_);
    let parts = status.conditions.iter().filter(is_part);
    let whole = ["Stalled", "Ready"].into_iter();
    let whole = whole.filter_map(|kind| status.condition(kind));
    let mut found: Vec<Wrong> = Vec::new();
    for condition in parts.chain(whole) {
        let reason = Reason::read(&condition.reason);
        let is_told = match (condition.type_.as_str(), condition.status.as_str()) {
            ("Stalled", "True") => true,
            (_, "True") => reason.is_some_and(|reason| TOLD_THOUGH_TRUE.contains(&reason)),
            // It says no more than that another part is told of.
            (_, _) => reason != Some(Reason::WaitingForEarlierPart),
        };
        let is_repeated = found.iter().any(|one| one.reason.is_some() && one.reason == reason)
            || (condition.type_ == "Ready" && reason == Some(Reason::Progressing) && !found.is_empty());
        if is_told && !is_repeated {
            found.push(Wrong {
                subject: condition.type_.clone(),
                reason,
                message: condition.message.clone(),
                explanation: reason.and_then(Reason::explanation),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(conditions: &[(&str, &str, &str, &str)]) -> TenantStatus {
        let all: Vec<_> = conditions
            .iter()
            .map(|(kind, status, reason, message)| {
                json!({
                    "type": kind, "status": status, "reason": reason, "message": message,
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                })
            })
            .collect();
        serde_json::from_value(json!({ "observedGeneration": 1, "conditions": all })).expect("a status")
    }

    #[test]
    fn each_reason_is_told_once_and_by_the_part_that_it_is_of() {
        let found = told(&status(&[
            ("Ready", "False", "AwaitingValue", "SecretsReady: put one"),
            ("Stalled", "True", "AwaitingValue", "SecretsReady: put one"),
            ("NamespaceReady", "True", "Verified", "stands"),
            ("NetworkReady", "True", "ForeignPolicy", "NetworkPolicy open"),
            ("SecretsReady", "False", "AwaitingValue", "put one"),
            ("WorkloadReady", "False", "WaitingForEarlierPart", "waits"),
        ]));
        let told: Vec<(&str, &str)> = found.iter().map(|one| (one.subject.as_str(), one.message.as_str())).collect();
        assert_eq!(told, [("NetworkReady", "NetworkPolicy open"), ("SecretsReady", "put one")]);
        let remedy = found[1].explanation.as_ref().and_then(|it| it.remedy.clone());
        assert_eq!(remedy.expect("one").1, "put one: `aws secretsmanager put-secret-value`");
    }

    #[test]
    fn a_tenant_at_rest_has_nothing_wrong() {
        let found = told(&status(&[("Ready", "True", "Verified", "x"), ("RouteReady", "True", "Verified", "x")]));
        assert_eq!(found, []);
        let found = told(&status(&[
            ("Ready", "False", "Progressing", "RouteReady: y"),
            ("RouteReady", "False", "RoutePending", "y"),
        ]));
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
