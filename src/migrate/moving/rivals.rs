//! PURE: who would start the former workload again, and what cannot be brought to zero.
//!
//! A second pod on the claim is what nothing in Kubernetes prevents: so whatever would make one is named before anything is done.

use serde_json::Value;

use super::{
    former::{Scale, before, former},
    sight::{Sight, controller, is_ours, title},
};
use crate::{
    migrate::preparation::{CASCADING, tracking},
    tenant::views,
};

/// KEDA's annotations by which a ScaledObject rests (keda.sh, Scaling Deployments, Pause autoscaling).
const PAUSED: &str = "autoscaling.keda.sh/paused";
const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";

/// Who scales workloads, or writes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writers {
    /// Applications of Argo CD's namespaces.
    pub applications: Vec<Value>,
    /// The namespaces that the caller has named for them; none where it was not said.
    pub named: Vec<String>,
    /// HorizontalPodAutoscalers of the tenant's namespace.
    pub autoscalers: Vec<Value>,
    /// KEDA's ScaledObjects of the tenant's namespace.
    pub scaled_objects: Vec<Value>,
}

/// What stands against a cut-over, each with what to do about it. Where the list is empty, nothing was seen that would start the
/// former workload again.
pub fn against(sight: &Sight, writers: &Writers) -> Vec<String> {
    let former = former(sight);
    let mut found = fighting(sight, writers);
    found.extend(former.iter().filter_map(|workload| kept_by_others(sight, workload)));
    found.extend(former.iter().filter_map(|workload| loses_claim(sight, workload)));
    found.extend(former.iter().filter_map(|workload| in_the_way(sight, workload)));
    found.extend(former.iter().filter_map(|workload| before(workload).err()));
    found.extend(unscalable(sight));
    found
}

/// Who writes the former workload by itself: it would be there again as soon as it is removed, or run as soon as it is at zero.
pub fn fighting(sight: &Sight, writers: &Writers) -> Vec<String> {
    let former = former(sight);
    let applications = writers.applications.iter().filter(|one| claims(sight, &former, one));
    let mut found: Vec<String> = applications.filter_map(writes_by_itself).collect();
    found.extend(unseen(sight, writers));
    for workload in &former {
        let scaling = writers.autoscalers.iter().filter(|one| targets(one, workload));
        found.extend(scaling.map(|one| scales("HorizontalPodAutoscaler", "hpa", sight, one, workload)));
        let scaling = writers.scaled_objects.iter().filter(|one| targets(one, workload) && !rests(one));
        found.extend(scaling.map(|one| scales("ScaledObject", "scaledobject", sight, one, workload)));
    }
    found
}

/// Applications that say that the former workload is theirs and write nothing by themselves: a person's sync would.
pub fn still_claiming(sight: &Sight, writers: &Writers) -> Vec<String> {
    let former = former(sight);
    let applications = writers.applications.iter().filter(|one| claims(sight, &former, one));
    applications
        .filter(|one| writes_by_itself(one).is_none())
        .map(|one| {
            format!(
                "Application {} still claims what is in namespace {}: a sync by hand would make it again",
                place(one),
                sight.namespace()
            )
        })
        .collect()
}

fn place(object: &Value) -> String {
    format!("{}/{}", object["metadata"]["namespace"].as_str().unwrap_or_default(), views::name(object))
}

/// The Application that an object says it was applied by: `namespace_name:group/Kind:…`, or the name alone
/// (docs/user-guide/resource_tracking.md of Argo CD).
pub fn application_of(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    let id = metadata["annotations"].get("argocd.argoproj.io/tracking-id").and_then(Value::as_str);
    let label = metadata["labels"].get("app.kubernetes.io/instance").and_then(Value::as_str);
    tracking(metadata)?;
    let name = id.and_then(|id| id.split(':').next()).or(label)?;
    Some(name.rsplit('_').next().unwrap_or(name).to_owned())
}

/// Argo CD's own mark of an Application. Its label alone is none: charts of Helm carry that without Argo CD too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The workload that carries it, as `Kind name`.
    pub on: String,
    /// The Application's namespace, where it is not the one that Argo CD itself is in.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Mark {
    fn of(object: &Value) -> Option<Self> {
        let id = object["metadata"]["annotations"].get("argocd.argoproj.io/tracking-id")?.as_str()?;
        let place = id.split_once(':').map_or(id, |(place, _)| place);
        let (namespace, name) = match place.split_once('_') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, place.to_owned()),
        };
        Some(Self { on: title(object), namespace, name })
    }

    /// Whether this may be the Application that is meant.
    fn names(&self, application: &Value) -> bool {
        let namespace = self.namespace.as_ref();
        views::name(application) == self.name
            && namespace.is_none_or(|namespace| application["metadata"]["namespace"] == namespace.as_str())
    }

    /// Whether an Application of that name, wherever it was found, is the one that is meant: a namesake may be another team's.
    pub fn is_of(&self, sight: &Sight, application: &Value) -> bool {
        self.names(application) && (self.namespace.is_some() || manages(sight, &former(sight), application))
    }
}

/// Marks of the former workloads of Applications that are not among these.
pub fn absent(sight: &Sight, applications: &[Value]) -> Vec<Mark> {
    let marks = former(sight).into_iter().filter_map(Mark::of);
    marks.filter(|mark| !applications.iter().any(|one| mark.names(one))).collect()
}

/// Applications that say nothing because they were not seen. One that went (docs/migration.md, step 7) leaves its mark behind: that it
/// is gone is believed where its namespace was named, and it was not in there.
fn unseen(sight: &Sight, writers: &Writers) -> Vec<String> {
    let is_looked_for = |mark: &Mark| match &mark.namespace {
        Some(namespace) => writers.named.contains(namespace),
        None => !writers.named.is_empty(),
    };
    let unseen = absent(sight, &writers.applications).into_iter().filter(|mark| !is_looked_for(mark));
    unseen
        .map(|Mark { on, namespace, name }| {
            let place = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
            format!(
                "Application {} was not seen, and {on} says that it comes from it (argocd.argoproj.io/tracking-id): name its namespace by \
                 --argocd-namespace. Where it is gone (docs/migration.md, step 7), name the namespace in which it was",
                format!("{place}{name}").escape_default()
            )
        })
        .collect()
}

fn claims(sight: &Sight, former: &[&Value], application: &Value) -> bool {
    let is_named = former.iter().any(|one| application_of(one).as_deref() == Some(views::name(application)));
    is_named || manages(sight, former, application)
}

/// Whether an Application itself says that it deploys into the namespace, or that a former workload is its.
fn manages(sight: &Sight, former: &[&Value], application: &Value) -> bool {
    let deploys_here = application["spec"]["destination"]["namespace"] == sight.namespace();
    let resources = application["status"]["resources"].as_array().into_iter().flatten();
    let lists = |workload: &&Value, resource: &Value| {
        resource["kind"] == workload["kind"]
            && resource["namespace"] == sight.namespace()
            && resource["name"] == views::name(workload)
    };
    deploys_here || resources.into_iter().any(|resource| former.iter().any(|one| lists(one, resource)))
}

fn writes_by_itself(application: &Value) -> Option<String> {
    let named = place(application);
    let cascades = || {
        let finalizers = application["metadata"]["finalizers"].as_array().into_iter().flatten();
        finalizers.filter_map(Value::as_str).any(|finalizer| CASCADING.contains(&finalizer))
    };
    if application["metadata"]["deletionTimestamp"].is_string() {
        return cascades().then(|| {
            format!(
                "Application {named} is being deleted and takes along what it made, the claim among it: `migrate --applicationset … \
                 --apply` takes that finalizer off"
            )
        });
    }
    let automated = application["spec"]["syncPolicy"]["automated"].as_object()?;
    if automated.get("enabled").and_then(Value::as_bool) == Some(false) {
        return None;
    }
    let heals = automated.get("selfHeal").and_then(Value::as_bool) == Some(true);
    let how = if heals { " at once (selfHeal)" } else { " with the next commit" };
    Some(format!(
        "Application {named} syncs by itself and would put the former workload back{how}: when it is prepared (docs/migration.md, \
         step 4), take its element out of the ApplicationSet's list, so that the Application goes and takes nothing along; or \
         switch its automated sync off"
    ))
}

/// Both kinds name what they scale in the same way; KEDA's kind is Deployment where it says none.
fn targets(scaler: &Value, workload: &Value) -> bool {
    let target = &scaler["spec"]["scaleTargetRef"];
    target["kind"].as_str().unwrap_or("Deployment") == workload["kind"] && target["name"] == views::name(workload)
}

fn rests(scaled: &Value) -> bool {
    let annotations = &scaled["metadata"]["annotations"];
    annotations[PAUSED_REPLICAS] == "0" || annotations[PAUSED] == "true"
}

fn scales(kind: &str, resource: &str, sight: &Sight, scaler: &Value, workload: &Value) -> String {
    let (name, namespace) = (views::name(scaler), sight.namespace());
    let rest = if resource == "hpa" {
        String::new()
    } else {
        format!(", or let it rest: kubectl annotate scaledobject {name} -n {namespace} {PAUSED_REPLICAS}=0")
    };
    format!(
        "{kind} {name} scales {}: remove it (kubectl delete {resource} {name} -n {namespace}){rest}. Keep its manifest for the way back",
        title(workload)
    )
}

/// A workload that is itself kept by something else. A SandboxClaim makes its Sandbox and does not scale it afterwards
/// (extensions/controllers/sandboxclaim_controller.go of agent-sandbox writes neither replicas nor operatingMode).
fn kept_by_others(sight: &Sight, workload: &Value) -> Option<String> {
    let owner = controller(workload).filter(|owner| owner["kind"] != "SandboxClaim")?;
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    Some(format!(
        "{} of namespace {} is kept by {} {}, which would start it again: stop that first",
        title(workload),
        sight.namespace(),
        text("kind"),
        text("name")
    ))
}

/// A StatefulSet can be told to delete its claims when it is scaled down.
fn loses_claim(sight: &Sight, workload: &Value) -> Option<String> {
    let policy = &workload["spec"]["persistentVolumeClaimRetentionPolicy"];
    let is_made = workload["spec"]["volumeClaimTemplates"].as_array().is_some_and(|all| !all.is_empty());
    (policy["whenScaled"] == "Delete" && is_made).then(|| {
        format!(
            "{} deletes its claims when it is scaled down (whenScaled: Delete): kubectl patch statefulset {} -n {} -p \
             '{{\"spec\":{{\"persistentVolumeClaimRetentionPolicy\":{{\"whenScaled\":\"Retain\"}}}}}}'",
            title(workload),
            views::name(workload),
            sight.namespace()
        )
    })
}

/// The workspace's own StatefulSet needs the tenant's name, and a StatefulSet cannot be changed into another.
fn in_the_way(sight: &Sight, workload: &Value) -> Option<String> {
    let is_it = workload["kind"] == "StatefulSet" && views::name(workload) == sight.name.as_str();
    is_it.then(|| {
        let (name, namespace) = (&sight.name, sight.namespace());
        format!(
            "{} has the name that the workspace's own needs: keep its manifest for the way back, then kubectl scale statefulset {name} \
             -n {namespace} --replicas=0, and when its pods have ended kubectl delete statefulset {name} -n {namespace} \
             --cascade=orphan (its claims stay)",
            title(workload)
        )
    })
}

/// Pods of others on the claim that nothing keeps which this command can bring to zero.
fn unscalable(sight: &Sight) -> Vec<String> {
    let is_scalable =
        |pod: &&Value| sight.keeper(pod).is_some_and(|keeper| !is_ours(keeper) && Scale::of(keeper).is_some());
    let rest = sight.strangers().into_iter().filter(|pod| !is_scalable(pod));
    rest.map(|pod| {
        let keeper = controller(pod).map_or_else(
            || "nobody but itself".to_owned(),
            |owner| {
                format!("{} {}", owner["kind"].as_str().unwrap_or_default(), owner["name"].as_str().unwrap_or_default())
            },
        );
        format!(
            "pod {} mounts claim {} and is kept by {keeper}, which this command cannot bring to zero: end it yourself",
            views::name(pod),
            sight.claim_name()
        )
    })
    .collect()
}
