//! What is remembered of a live object: identity, a hash of its normalised content, and what decisions ask of it.
//!
//! PURE. Five thousand tenants are sixty thousand objects; none of them is kept whole.

mod content;

use std::{borrow::Cow, collections::BTreeSet};

use jiff::Timestamp;
use litemap::LiteMap;
use serde_json::Value;
use smol_str::SmolStr;

use content::reduced;
pub use content::{ContentHash, allocated_fields, is_our_annotation, is_our_label, normalise};

use super::{
    child::Kind,
    fit::{Amounts, Container, amounts, containers},
};
use crate::api::{
    labels,
    names::{Incarnation, TenantName, Uid},
};

/// What is remembered of a live object.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// Its UID, the precondition of every change.
    pub uid: Uid,
    /// Its resource version, the precondition of every change.
    pub resource_version: String,
    /// Hash of its normalised content.
    pub content: ContentHash,
    /// The tenant whose label it carries.
    pub tenant: Option<TenantName>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Since when; boxed, because few objects are.
    pub deleting_since: Option<Box<Timestamp>>,
    /// What decisions ask of its kind.
    pub facts: Facts,
}

/// What decisions ask of an object beyond being equal to what is wanted. Large ones are boxed: most objects have nothing of the kind, and
/// each would take as much room as the largest.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    /// Nothing more.
    None,
    /// Of a namespace.
    Namespace(Box<NamespaceFacts>),
    /// Of a quota.
    Quota(Box<QuotaFacts>),
    /// Of a claim.
    Claim(Box<ClaimFacts>),
    /// Of a StatefulSet.
    StatefulSet(Box<StatefulSetFacts>),
    /// Of a route.
    Route(Box<RouteFacts>),
    /// Of a ReferenceGrant: the namespaces that it lets name something.
    Grant(BTreeSet<String>),
    /// Of a binding: the role that it gives, by kind and name. It never changes.
    Binding(String),
    /// Of what another controller judges by one condition.
    Judged(Judgement),
}

impl Facts {
    fn tell_nothing_new(&self, later: &Self) -> bool {
        let (Self::Quota(quota), Self::Quota(later)) = (self, later) else { return self == later };
        let QuotaFacts { enforced, hard, used } = &**quota;
        (enforced, hard, used.is_some()) == (&later.enforced, &later.hard, later.used.is_some())
    }

    /// Those of a namespace.
    pub const fn as_namespace(&self) -> Option<&NamespaceFacts> {
        if let Self::Namespace(facts) = self { Some(facts) } else { None }
    }

    /// Those of a quota.
    pub const fn as_quota(&self) -> Option<&QuotaFacts> {
        if let Self::Quota(facts) = self { Some(facts) } else { None }
    }

    /// Those of a claim.
    pub const fn as_claim(&self) -> Option<&ClaimFacts> {
        if let Self::Claim(facts) = self { Some(facts) } else { None }
    }

    /// Those of a StatefulSet.
    pub const fn as_stateful_set(&self) -> Option<&StatefulSetFacts> {
        if let Self::StatefulSet(facts) = self { Some(facts) } else { None }
    }

    /// Those of a route.
    pub const fn as_route(&self) -> Option<&RouteFacts> {
        if let Self::Route(facts) = self { Some(facts) } else { None }
    }

    /// What its controller says of it.
    pub const fn as_judged(&self) -> Option<&Judgement> {
        if let Self::Judged(judgement) = self { Some(judgement) } else { None }
    }
}

/// What another controller says of an object, in its condition `Ready` or `Valid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing yet, or nothing of its present generation.
    #[default]
    Open,
    /// It is ready.
    Ready,
    /// It is not, and why.
    NotReady(String),
}

/// What decisions ask of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Its name.
    pub name: String,
    /// Whether it carries our managed label.
    pub managed: bool,
    /// The incarnation that its annotation names.
    pub incarnation: Option<Incarnation>,
    /// Its labels in our domains, as they are.
    pub labels: LiteMap<SmolStr, SmolStr>,
    /// Its annotations of ours, as they are.
    pub annotations: LiteMap<SmolStr, SmolStr>,
    /// What keeps it from going, while it is being deleted: in the words of the namespace controller, and finalizers.
    pub blockers: Vec<String>,
}

/// What decisions ask of a quota.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuotaFacts {
    /// Whether the quota controller has taken it up: `status.hard` equals `spec.hard` and `status.used` is there.
    pub enforced: bool,
    /// `spec.hard`.
    pub hard: Amounts,
    /// `status.used`, once it is there.
    pub used: Option<Amounts>,
}

/// What decisions ask of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimFacts {
    /// `status.phase`.
    pub phase: String,
    /// The volume it is bound to.
    pub volume: Option<String>,
    /// The size it asks for.
    pub requested: Option<String>,
}

/// What decisions ask of a StatefulSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatefulSetFacts {
    /// Whether its controller has seen the present spec.
    pub observed: bool,
    /// Wanted pods.
    pub replicas: i64,
    /// Pods there are, of any revision.
    pub current_pods: i64,
    /// The revision that new pods get.
    pub update_revision: String,
    /// Hash of the pod template.
    pub template: Option<ContentHash>,
    /// Hash of everything else in its normalised content.
    pub frame: Option<ContentHash>,
    /// The containers of the pod template.
    pub containers: Vec<Container>,
}

/// What decisions ask of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteFacts {
    /// Whether some gateway has answered for the present generation.
    pub answered: bool,
    /// Conditions that are not True, as `Type: reason, message`.
    pub problems: Vec<String>,
    /// Namespace and name of the gateway that it asks for.
    pub gateway: Option<(String, String)>,
    /// The host that it asks for.
    pub hostname: Option<String>,
}

/// A live object that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API server sent an object without metadata.uid or metadata.resourceVersion")]
pub struct NotAnObject;

impl Digest {
    /// Whether a later state of the object has nothing new for decisions. What is used of a quota comes and goes with every
    /// pod, and where somebody waits for it, it is looked at again.
    pub fn tells_nothing_new(&self, later: &Self) -> bool {
        let Self { uid, resource_version: _, content, tenant, deleting, deleting_since, facts } = self;
        let is_same = (uid, content, tenant) == (&later.uid, &later.content, &later.tenant)
            && (deleting, deleting_since) == (&later.deleting, &later.deleting_since);
        is_same && facts.tell_nothing_new(&later.facts)
    }

    /// Whether this is the very object that was digested, in the very version.
    pub fn is_of_version(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        metadata["resourceVersion"] == *self.resource_version.as_str()
            && metadata["uid"].as_str().is_some_and(|uid| self.uid == *uid)
    }

    /// Digests a live object.
    ///
    /// # Errors
    /// Where it has no identity.
    pub fn of(kind: Kind, object: &Value) -> Result<Self, NotAnObject> {
        let metadata = &object["metadata"];
        let uid = metadata["uid"].as_str().and_then(|uid| uid.parse().ok()).ok_or(NotAnObject)?;
        let resource_version = metadata["resourceVersion"].as_str().ok_or(NotAnObject)?.to_owned();
        let label = |key: &str| metadata["labels"].get(key).and_then(Value::as_str);
        let managed = label(labels::MANAGED) == Some("true");
        Ok(Self {
            uid,
            resource_version,
            content: ContentHash::of_object(kind, object),
            tenant: label(labels::TENANT).filter(|_| managed).and_then(|name| name.parse().ok()),
            deleting: metadata["deletionTimestamp"].is_string(),
            deleting_since: metadata["deletionTimestamp"].as_str().and_then(|time| time.parse().ok().map(Box::new)),
            facts: facts(kind, object, managed),
        })
    }
}

/// The role that a binding gives, by kind and name.
pub fn role_of(binding: &Value) -> String {
    format!("{} {}", text(&binding["roleRef"]["kind"]), text(&binding["roleRef"]["name"]))
}

fn facts(kind: Kind, object: &Value, managed: bool) -> Facts {
    match kind {
        Kind::Namespace => Facts::Namespace(Box::new(NamespaceFacts {
            blockers: blockers(object),
            ..namespace_facts(&object["metadata"], managed)
        })),
        Kind::ResourceQuota => {
            let hard = &object["spec"]["hard"];
            let used = &object["status"]["used"];
            let enforced = used.is_object() && object["status"]["hard"] == *hard;
            let used = used.is_object().then(|| amounts(used));
            Facts::Quota(Box::new(QuotaFacts { enforced, hard: amounts(hard), used }))
        }
        Kind::PersistentVolumeClaim => Facts::Claim(Box::new(ClaimFacts {
            phase: text(&object["status"]["phase"]),
            volume: object["spec"]["volumeName"].as_str().filter(|v| !v.is_empty()).map(str::to_owned),
            requested: object["spec"]["resources"]["requests"]["storage"].as_str().map(str::to_owned),
        })),
        Kind::StatefulSet => Facts::StatefulSet(Box::new(stateful_set_facts(object))),
        Kind::HttpRoute => Facts::Route(Box::new(route_facts(object))),
        Kind::ReferenceGrant => {
            let from = object["spec"]["from"].as_array().into_iter().flatten();
            Facts::Grant(from.map(|from| text(&from["namespace"])).collect())
        }
        Kind::ScaledObject | Kind::InterceptorRoute => Facts::Judged(judgement(object, "Ready")),
        Kind::CiliumNetworkPolicy => Facts::Judged(judgement(object, "Valid")),
        Kind::LimitRange
        | Kind::TargetGroupConfiguration
        | Kind::NetworkPolicy
        | Kind::PodDisruptionBudget
        | Kind::ServiceAccount
        | Kind::ConfigMap
        | Kind::Service
        | Kind::ClusterRole => Facts::None,
        Kind::RoleBinding | Kind::ClusterRoleBinding => Facts::Binding(role_of(object)),
    }
}

/// KEDA gives its conditions no observedGeneration; its HTTP add-on does.
fn judgement(object: &Value, kind: &str) -> Judgement {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let Some(ready) = conditions.into_iter().find(|condition| condition["type"] == kind) else {
        return Judgement::Open;
    };
    let is_of_present = ready["observedGeneration"].is_null()
        || ready["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64();
    match ready["status"].as_str() {
        Some("True") if is_of_present => Judgement::Ready,
        Some("False") if is_of_present => {
            Judgement::NotReady(format!("{}, {}", text(&ready["reason"]), text(&ready["message"])))
        }
        _ => Judgement::Open,
    }
}

fn stateful_set_facts(object: &Value) -> StatefulSetFacts {
    let mut frame = reduced(Kind::StatefulSet, object);
    let template = frame.get("spec").and_then(|spec| spec.get("template")).map(ContentHash::of_value);
    if let Some(spec) = frame.get_mut("spec")
        && let Some(fields) = spec.as_object()
    {
        let others = fields.iter().filter(|(field, _)| *field != "template");
        *spec = Cow::Owned(Value::Object(others.map(|(field, value)| (field.clone(), value.clone())).collect()));
    }
    StatefulSetFacts {
        observed: object["status"]["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64(),
        replicas: object["spec"]["replicas"].as_i64().unwrap_or(1),
        current_pods: object["status"]["replicas"].as_i64().unwrap_or(0),
        update_revision: text(&object["status"]["updateRevision"]),
        template,
        frame: Some(ContentHash::of_reduced(&frame)),
        containers: containers(&object["spec"]["template"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn namespace_facts(metadata: &Value, managed: bool) -> NamespaceFacts {
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let annotations: LiteMap<SmolStr, SmolStr> = annotations
        .filter(|(key, _)| key.starts_with("openclaw.io/"))
        .filter_map(|(key, value)| Some((key.into(), value.as_str()?.into())))
        .collect();
    let incarnation = annotations.get(labels::INCARNATION).and_then(|text| text.parse().ok());
    let labels = metadata["labels"].as_object().into_iter().flatten().filter(|(key, _)| is_our_label(key));
    let labels = labels.filter_map(|(key, value)| Some((key.into(), value.as_str()?.into()))).collect();
    NamespaceFacts { name: text(&metadata["name"]), managed, incarnation, labels, annotations, blockers: Vec::new() }
}

/// Conditions of a namespace that is being deleted, each of which names what holds it (k8s.io/api/core/v1, types of
/// NamespaceCondition).
const HOLDS: [&str; 5] = [
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
];

fn blockers(namespace: &Value) -> Vec<String> {
    if !namespace["metadata"]["deletionTimestamp"].is_string() {
        return Vec::new();
    }
    let conditions = namespace["status"]["conditions"].as_array().into_iter().flatten();
    let holds = conditions.filter(|one| one["status"] == "True" && HOLDS.iter().any(|kind| one["type"] == *kind));
    let finalizers = namespace["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let finalizers = finalizers.map(|finalizer| format!("finalizer {finalizer} of the namespace itself"));
    holds.map(|one| text(&one["message"])).chain(finalizers).collect()
}

fn route_facts(object: &Value) -> RouteFacts {
    let generation = object["metadata"]["generation"].as_i64();
    let spec = &object["spec"];
    let parent = &spec["parentRefs"][0];
    let gateway = parent["namespace"].as_str().zip(parent["name"].as_str());
    let mut facts = RouteFacts {
        gateway: gateway.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())),
        hostname: spec["hostnames"][0].as_str().map(str::to_owned),
        ..RouteFacts::default()
    };
    for parent in object["status"]["parents"].as_array().into_iter().flatten() {
        let conditions = parent["conditions"].as_array().into_iter().flatten();
        let current: Vec<&Value> =
            conditions.filter(|condition| condition["observedGeneration"].as_i64() == generation).collect();
        let has = |kind: &str| current.iter().any(|condition| condition["type"] == kind);
        facts.answered |= has("Accepted") && has("ResolvedRefs");
        for condition in current {
            let matters = condition["type"] == "Accepted" || condition["type"] == "ResolvedRefs";
            if matters && condition["status"] != "True" {
                let part = |field: &str| text(&condition[field]);
                facts.problems.push(format!("{}: {}, {}", part("type"), part("reason"), part("message")));
            }
        }
    }
    facts
}
