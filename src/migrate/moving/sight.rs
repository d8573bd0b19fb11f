//! PURE: one tenant and its former workload at one moment, and what follows from them without anybody's wish.

use serde_json::Value;

use crate::{
    api::{
        labels,
        names::TenantName,
        record::{AdoptionStage, TenantRecordSpec},
    },
    tenant::{adoption, child::claim_name, views},
};

/// What was seen of one tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// Its name.
    pub name: TenantName,
    /// The Tenant.
    pub tenant: Value,
    /// Its record.
    pub record: TenantRecordSpec,
    /// The claim that holds its data.
    pub claim: Option<Value>,
    /// The volume behind it.
    pub volume: Option<Value>,
    /// Deployments, StatefulSets, Sandboxes and SandboxClaims of its namespace, each with kind and version.
    pub workloads: Vec<Value>,
    /// ReplicaSets of its namespace: they stand between a Deployment and its pods.
    pub sets: Vec<Value>,
    /// Pods of its namespace.
    pub pods: Vec<Value>,
}

/// Whether an object is the operator's.
pub fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"][labels::MANAGED] == "true"
}

/// `Kind name`.
pub fn title(object: &Value) -> String {
    format!("{} {}", object["kind"].as_str().unwrap_or("object"), views::name(object))
}

/// The UID of an object.
pub fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// What keeps an object there, of what owns it.
pub fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.into_iter().find(|owner| owner["controller"] == true)
}

/// What is told of one part of a Tenant: status, reason and message of its condition.
pub struct Told<'a> {
    /// Whether it is `True`.
    pub is_true: bool,
    /// Why.
    pub reason: &'a str,
    /// In words.
    pub message: &'a str,
}

/// A condition of a Tenant, where it is there.
pub fn condition<'a>(tenant: &'a Value, kind: &str) -> Option<Told<'a>> {
    let mut all = tenant["status"]["conditions"].as_array().into_iter().flatten();
    let one = all.find(|one| one["type"] == kind)?;
    let text = |key: &str| one[key].as_str().unwrap_or_default();
    Some(Told { is_true: one["status"] == "True", reason: text("reason"), message: text("message") })
}

impl Sight {
    /// The tenant's namespace.
    pub fn namespace(&self) -> &str {
        self.record.namespace.name.as_str()
    }

    /// The name of the claim that holds its data.
    pub fn claim_name(&self) -> &str {
        claim_name(&self.name, &self.record)
    }

    /// How far its adoption is; `None` where there is none.
    pub fn stage(&self) -> Option<AdoptionStage> {
        adoption::stage(&self.record)
    }

    /// What the Tenant orders of it.
    pub fn order(&self) -> Option<adoption::Order> {
        let text = self.tenant["metadata"]["annotations"].get(labels::CUT_OVER)?.as_str()?;
        Some(adoption::Order::read(text))
    }

    /// Whether its status is about what it says now.
    pub fn is_current(&self) -> bool {
        self.tenant["status"]["observedGeneration"] == self.tenant["metadata"]["generation"]
    }

    /// Whether it is Ready for what it says now.
    pub fn is_ready(&self) -> bool {
        self.is_current() && condition(&self.tenant, "Ready").is_some_and(|ready| ready.is_true)
    }

    /// Pods that mount the claim and have not ended.
    fn mounting(&self) -> impl Iterator<Item = &Value> {
        self.pods.iter().filter(|pod| !has_ended(pod) && mounts(pod, self.claim_name()))
    }

    /// Pods of the operator's own workload that mount the claim.
    pub fn own_pods(&self) -> impl Iterator<Item = &Value> {
        self.mounting().filter(|pod| self.keeper(pod).is_some_and(is_ours))
    }

    /// Pods of others that mount it.
    pub fn strangers(&self) -> Vec<&Value> {
        self.mounting().filter(|pod| !self.keeper(pod).is_some_and(is_ours)).collect()
    }

    /// The workload that keeps an object there, a ReplicaSet between them left out.
    pub fn keeper(&self, object: &Value) -> Option<&Value> {
        let owner = controller(object)?;
        let workload = |uid: &Value| self.workloads.iter().find(|one| one["metadata"]["uid"] == *uid);
        workload(&owner["uid"]).or_else(|| {
            let set = self.sets.iter().find(|set| set["metadata"]["uid"] == owner["uid"])?;
            workload(&controller(set)?["uid"])
        })
    }

    /// Since when the tenant's own pod is ready, where it is: RFC 3339, to the second.
    pub fn own_pod_ready_since(&self) -> Option<&str> {
        self.own_pods().find_map(ready_since)
    }
}

fn has_ended(pod: &Value) -> bool {
    ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase)
}

fn mounts(pod: &Value, claim: &str) -> bool {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.into_iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim)
}

/// Since when a pod is ready, where it is, and is to stay.
pub fn ready_since(pod: &Value) -> Option<&str> {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.find(|one| one["type"] == "Ready" && one["status"] == "True")?;
    pod["metadata"]["deletionTimestamp"].is_null().then(|| ready["lastTransitionTime"].as_str().unwrap_or_default())
}
