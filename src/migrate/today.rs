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

/// What a tenant has today; `None` is what could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Today {
    /// Workloads.
    pub workloads: Option<Vec<OldWorkload>>,
    /// Claims.
    pub claims: Option<Vec<OldClaim>>,
    /// ServiceAccounts, without `default`.
    pub accounts: Option<Vec<String>>,
    /// Names of Secrets.
    pub secrets: Option<Vec<String>>,
}

/// Which claim holds a tenant's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// This one.
    In(&'a OldClaim),
    /// There is no claim.
    None,
    /// It was not seen.
    Unseen,
    /// A person has to decide.
    Undecided(String),
}

impl Today {
    /// What lies in the namespace.
    pub fn of(place: &Place) -> Self {
        let names = |accounts: &Vec<Value>| {
            accounts.iter().map(views::name).filter(|name| *name != "default").map(str::to_owned).collect()
        };
        Self {
            workloads: place.workloads.as_ref().map(|all| all.iter().map(workload).collect()),
            claims: place.claims.as_ref().map(|all| all.iter().map(|one| claim(one, place)).collect()),
            accounts: place.accounts.as_ref().map(names),
            secrets: place.secrets.clone(),
        }
    }

    /// The one claim that holds the tenant's data: the only one, or the only one that a workload mounts.
    pub fn data(&self) -> Data<'_> {
        let Some(claims) = &self.claims else { return Data::Unseen };
        match claims.as_slice() {
            [] => Data::None,
            [only] => Data::In(only),
            all => self.mounted(all),
        }
    }

    fn mounted<'a>(&self, claims: &'a [OldClaim]) -> Data<'a> {
        let Some(workloads) = &self.workloads else { return Data::Unseen };
        let is_mounted = |claim: &&OldClaim| workloads.iter().any(|workload| workload.mounts.contains(&claim.name));
        let mounted: Vec<&OldClaim> = claims.iter().filter(is_mounted).collect();
        if let [only] = mounted.as_slice() {
            return Data::In(only);
        }
        let names: Vec<&str> = claims.iter().map(|claim| claim.name.as_str()).collect();
        Data::Undecided(format!(
            "there are several PersistentVolumeClaims ({}), of which a workload mounts {}: a tenant has one. Bring its data onto one, \
             and remove the others",
            names.join(", "),
            if mounted.is_empty() { "none" } else { "more than one" }
        ))
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
pub(super) fn workload(object: &Value) -> OldWorkload {
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
    for claim in today.claims.iter().flatten() {
        for owner in &claim.owners {
            let (kind, name) = owner.split_once(' ').unwrap_or((owner, ""));
            // The API server takes any text there, and somebody else has written it: it becomes no command.
            let is_plain = |text: &str| text.chars().all(|one| one.is_ascii_alphanumeric() || "-.".contains(one));
            let how = if is_plain(kind) && is_plain(name) {
                format!(
                    "remove that one by kubectl delete {} {name} -n {namespace} --cascade=orphan",
                    kind.to_lowercase()
                )
            } else {
                format!(
                    "it is removed with its dependents orphaned (kubectl get pvc {} -n {namespace} -o yaml)",
                    claim.name
                )
            };
            hazards.push(format!(
                "PersistentVolumeClaim {} belongs to {}, and goes with it: {how}",
                claim.name,
                owner.escape_default()
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
    let workloads = place.workloads.iter().flatten();
    let workloads = workloads.map(|object| (object["kind"].as_str().unwrap_or_default(), object));
    let all = std::iter::once(("Namespace", &place.namespace))
        .chain(place.claims.iter().flatten().map(|object| ("PersistentVolumeClaim", object)))
        .chain(place.accounts.iter().flatten().map(|object| ("ServiceAccount", object)))
        .chain(workloads);
    // Every namespace has that account, and nobody claims it.
    let all = all.filter(|(kind, object)| *kind != "ServiceAccount" || views::name(object) != "default");
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
