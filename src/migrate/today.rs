//! PURE: what a tenant has today, what of it will be attached, and who else claims it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{observed::Place, preparation::tracking};
use crate::{api::labels::FIELD_MANAGER, tenant::views};

/// The field manager of what `migrate` itself writes.
pub const MANAGER: &str = "openclaw-migrate";

/// Managers that are Kubernetes' own, and ours.
const OWN_MANAGERS: [&str; 5] = [FIELD_MANAGER, MANAGER, "kube-controller-manager", "kube-scheduler", "kubelet"];

/// A claim of the old side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldClaim {
    /// Its name.
    pub name: String,
    /// The size that it asks for, as it is written.
    pub size: String,
    /// Its storage class.
    pub storage_class: String,
    /// Its access modes.
    pub access_modes: Vec<String>,
    /// Its volume, where it is bound.
    pub volume: Option<String>,
    /// What becomes of the volume with the claim, where that could be read.
    pub reclaim: Option<String>,
    /// Who takes it along when they go, as `Kind name`.
    pub owners: Vec<String>,
}

/// A workload of the old side.
#[derive(Clone, Debug, PartialEq)]
pub struct OldWorkload {
    /// Deployment, StatefulSet, Sandbox or SandboxClaim.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its pods' spec; null for a SandboxClaim, whose template is elsewhere.
    pub pod: Value,
    /// Whether it is scaled to zero or suspended.
    pub at_rest: bool,
    /// The claims that it mounts.
    pub mounts: BTreeSet<String>,
}

/// What a tenant has today.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Today {
    /// Workloads.
    pub workloads: Vec<OldWorkload>,
    /// Claims.
    pub claims: Vec<OldClaim>,
    /// ServiceAccounts, without `default`.
    pub accounts: Vec<String>,
    /// Names of Secrets.
    pub secrets: Vec<String>,
}

impl Today {
    /// What lies in the namespace.
    pub fn of(place: &Place) -> Self {
        // What a SandboxClaim became is a Sandbox of its own, and the pod is in that one.
        let workloads = place.workloads.iter().map(workload).collect();
        let accounts = place.accounts.iter().map(views::name).filter(|name| *name != "default").map(str::to_owned);
        Self {
            workloads,
            claims: place.claims.iter().map(|one| claim(one, place)).collect(),
            accounts: accounts.collect(),
            secrets: place.secrets.clone(),
        }
    }

    /// The one claim that holds the tenant's data: the only one, or the only one that a workload mounts.
    ///
    /// # Errors
    /// What a person has to decide.
    pub fn data(&self) -> Result<Option<&OldClaim>, String> {
        let is_mounted =
            |claim: &&OldClaim| self.workloads.iter().any(|workload| workload.mounts.contains(&claim.name));
        let mounted: Vec<&OldClaim> = self.claims.iter().filter(is_mounted).collect();
        match (self.claims.as_slice(), mounted.as_slice()) {
            ([], _) => Ok(None),
            ([only], _) => Ok(Some(only)),
            (_, [only]) => Ok(Some(only)),
            (all, _) => {
                let names: Vec<&str> = all.iter().map(|claim| claim.name.as_str()).collect();
                Err(format!(
                    "there are several PersistentVolumeClaims ({}), of which a workload mounts {}: a tenant has one. Bring its \
                     data onto one, and remove the others",
                    names.join(", "),
                    if mounted.is_empty() { "none" } else { "more than one" }
                ))
            }
        }
    }
}

fn claim(object: &Value, place: &Place) -> OldClaim {
    let spec = &object["spec"];
    let modes = spec["accessModes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let volume = spec["volumeName"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    OldClaim {
        name: views::name(object).to_owned(),
        size: spec["resources"]["requests"]["storage"].as_str().unwrap_or_default().to_owned(),
        storage_class: spec["storageClassName"].as_str().unwrap_or_default().to_owned(),
        access_modes: modes.map(str::to_owned).collect(),
        reclaim: volume.as_ref().and_then(|name| place.reclaim.get(name)).cloned(),
        volume,
        owners: owners
            .map(|owner| {
                let text = |key: &str| owner[key].as_str().unwrap_or_default();
                format!("{} {}", text("kind"), text("name"))
            })
            .collect(),
    }
}

/// The fields are those of apps/v1 and of agents.x-k8s.io (github.com/kubernetes-sigs/agent-sandbox, api/v1beta1 and
/// api/v1alpha1, sandbox_types.go): `podTemplate`, `volumeClaimTemplates`, `operatingMode` or `replicas`.
fn workload(object: &Value) -> OldWorkload {
    let spec = &object["spec"];
    let name = views::name(object).to_owned();
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let pod = if kind == "Sandbox" { &spec["podTemplate"]["spec"] } else { &spec["template"]["spec"] };
    let volumes = pod["volumes"].as_array().into_iter().flatten();
    let named = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    let mut mounts: BTreeSet<String> = named.map(str::to_owned).collect();
    for template in spec["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let claim = views::name(template);
        // controllers/sandbox_controller.go, reconcilePVCs; a StatefulSet counts its pods.
        mounts.insert(if kind == "StatefulSet" { format!("{claim}-{name}-0") } else { format!("{claim}-{name}") });
    }
    let at_rest = spec["replicas"] == 0 || spec["operatingMode"] == "Suspended";
    OldWorkload { kind, name, pod: pod.clone(), at_rest, mounts }
}

/// What of the old side would take data along when it goes, and how to keep it from that.
pub fn hazards(today: &Today, namespace: &str) -> Vec<String> {
    let mut hazards = Vec::new();
    for claim in &today.claims {
        for owner in &claim.owners {
            let (kind, name) = owner.split_once(' ').unwrap_or((owner, ""));
            hazards.push(format!(
                "PersistentVolumeClaim {} belongs to {owner}, and goes with it: remove that one by kubectl delete {} {name} -n \
                 {namespace} --cascade=orphan",
                claim.name,
                kind.to_lowercase()
            ));
        }
        if let Some(volume) = claim.volume.as_ref().filter(|_| claim.reclaim.as_deref() == Some("Delete")) {
            hazards.push(format!(
                "PersistentVolume {volume} is deleted with its claim: kubectl patch pv {volume} -p \
                 '{{\"spec\":{{\"persistentVolumeReclaimPolicy\":\"Retain\"}}}}'"
            ));
        }
    }
    hazards
}

/// Who else says that these objects are theirs: by Argo CD's marks, and by the fields that they manage.
pub fn claimants(place: &Place) -> Vec<String> {
    let namespace = std::iter::once(("Namespace".to_owned(), &place.namespace));
    let claims = place.claims.iter().map(|object| ("PersistentVolumeClaim".to_owned(), object));
    let accounts = place.accounts.iter().filter(|account| views::name(account) != "default");
    let accounts = accounts.map(|object| ("ServiceAccount".to_owned(), object));
    let workloads =
        place.workloads.iter().map(|object| (object["kind"].as_str().unwrap_or_default().to_owned(), object));
    let all = namespace.chain(claims).chain(accounts).chain(workloads);
    all.filter_map(|(kind, object)| {
        let marks = marks(&object["metadata"]);
        (!marks.is_empty()).then(|| format!("{kind} {}: {}", views::name(object), marks.join("; ")))
    })
    .collect()
}

fn marks(metadata: &Value) -> Vec<String> {
    let mut marks: Vec<String> = tracking(metadata).into_iter().collect();
    let managers = foreign_managers(metadata);
    if !managers.is_empty() {
        let managers: Vec<&str> = managers.into_iter().collect();
        marks.push(format!("field managers {}", managers.join(", ")));
    }
    marks
}

/// Who manages fields of it. A status is a controller's report, not a wish.
fn foreign_managers(metadata: &Value) -> BTreeSet<&str> {
    let entries = metadata["managedFields"].as_array().into_iter().flatten();
    let wishes = entries.filter(|entry| entry["subresource"].as_str().is_none_or(str::is_empty));
    let managers = wishes.filter_map(|entry| entry["manager"].as_str());
    managers.filter(|manager| !OWN_MANAGERS.contains(manager)).collect()
}
