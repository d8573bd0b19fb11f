//! Manifests judged as if they had been applied: the operator's own memory is shown them, and its own decisions are asked.
//!
//! PURE.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    documents::Read,
    manifest::{Kind, Manifest, Sorted, sort},
    report::{Finding, Report},
    schema::Problem,
};
use crate::{
    api::{
        class::TenantClassSpec,
        labels::GROUP,
        names::{ClassName, Nonce, TenantName},
        record::TenantRecordSpec,
        tenant::TenantSpec,
    },
    tenant::{
        blueprint::{Refusal, blueprint},
        cache::{Cache, DEFINITIONS, Watched},
        child, desired, fit,
        observed::Observed,
        ownership::{Situation, situation},
        reason::Reason,
        settings::Settings,
        views,
    },
};

/// What is there already, and what is known of the operator.
pub struct Sight {
    /// The operator's surroundings.
    pub settings: Arc<Settings>,
    /// Now.
    pub now: Timestamp,
    /// Live TenantClasses.
    pub classes: Vec<Value>,
    /// Live Tenants.
    pub tenants: Vec<Value>,
    /// Live TenantRecords.
    pub records: Vec<Value>,
    /// Live namespaces.
    pub namespaces: Vec<Value>,
    /// Whether this is a cluster, so that a class that is not here is nowhere.
    pub live: bool,
}

/// A version that is later than any that a server gave.
const LATER: &str = "9000000000000000000";

/// Judges what was read. Manifests without a finding come back beside the report, to be rehearsed.
pub fn judge(read: Read, sight: &Sight) -> (Report, Vec<Manifest>) {
    let mut report = Report { findings: read.findings, ..Report::default() };
    let mut manifests = Vec::new();
    for document in read.documents {
        match sort(document) {
            Sorted::Other => report.others += 1,
            Sorted::Refused(finding) => report.findings.push(finding),
            Sorted::Ours(manifest, findings) => {
                match manifest.kind {
                    Kind::Class => report.classes += 1,
                    Kind::Tenant => report.tenants += 1,
                }
                manifests.push((*manifest, findings));
            }
        }
    }
    tell_doubles(&mut manifests);
    let manifests = judge_by_class(manifests, sight, &mut report);
    let mut sound = Vec::new();
    for (manifest, findings) in manifests {
        if findings.is_empty() {
            sound.push(manifest);
        }
        report.findings.extend(findings);
    }
    report.findings.sort_by(|one, other| one.place.cmp(&other.place));
    (report, sound)
}

/// One name in two places: which of them holds is a matter of chance.
fn tell_doubles(manifests: &mut [(Manifest, Vec<Finding>)]) {
    let mut first = BTreeMap::new();
    for (manifest, findings) in manifests.iter_mut().filter(|(manifest, _)| !manifest.name.is_empty()) {
        let at = format!("{}:{}", manifest.place.file, manifest.place.document);
        let before = first.entry((manifest.kind, manifest.name.clone())).or_insert_with(|| at.clone()).clone();
        if before != at {
            let message = format!("the same name stands in {before} already: take one of them away");
            findings.push(manifest.finding(Problem::new(&"metadata.name", message)));
        }
    }
}

type Judged = Vec<(Manifest, Vec<Finding>)>;

fn judge_by_class(mut manifests: Judged, sight: &Sight, report: &mut Report) -> Judged {
    let bad: BTreeSet<String> = manifests
        .iter()
        .filter(|(one, found)| one.kind == Kind::Class && !found.is_empty())
        .map(|(one, _)| one.name.clone())
        .collect();
    for (class, findings) in manifests.iter_mut().filter(|(one, found)| one.kind == Kind::Class && found.is_empty()) {
        let refusals = refusals_of_anybody(class, sight);
        findings.extend(refusals.into_iter().map(|refusal| refused(class, refusal)));
    }
    let cache = Cache::new(Arc::clone(&sight.settings));
    let has_classes = show(&cache, &manifests, sight) || sight.live;
    let mut crowd: BTreeMap<ClassName, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<usize> = (0..manifests.len()).filter(|index| manifests[*index].0.kind == Kind::Tenant).collect();
    order.sort_by(|one, other| manifests[*one].0.name.cmp(&manifests[*other].0.name));
    for index in order {
        let (manifest, findings) = &mut manifests[index];
        let class = manifest.object["spec"]["className"].as_str().unwrap_or_default().to_owned();
        if !findings.is_empty() || bad.contains(&class) {
            continue;
        }
        if !has_classes {
            report.unjudged += 1;
            continue;
        }
        let verdict = judge_one(&cache, manifest, sight);
        findings.extend(verdict.refusals.into_iter().map(|refusal| refused(manifest, refusal)));
        if let Some(class) = verdict.crowded {
            crowd.entry(class).or_default().push(index);
        }
    }
    for (class, indices) in crowd {
        let names: Vec<String> = indices.iter().map(|index| manifests[*index].0.name.clone()).collect();
        let message = format!(
            "the gateways of class {class} have no place left for {}: add a gateway to the class, or raise a capacity",
            names.join(", ")
        );
        let (manifest, findings) = &mut manifests[indices[0]];
        findings.push(refused(manifest, Refusal { reason: Reason::CapacityExhausted, message }));
    }
    manifests
}

fn refused(manifest: &Manifest, refusal: Refusal) -> Finding {
    Finding { reason: Some(refusal.reason), ..manifest.finding(Problem::new(&"", refusal.message)) }
}

/// A live object's identity for one that is not applied yet.
fn identified(mut object: Value, number: usize, live: Option<&Value>) -> Value {
    let metadata = &mut object["metadata"];
    let known = live.and_then(|live| live["metadata"]["uid"].as_str());
    metadata["uid"] = json!(known.map_or_else(|| format!("{number:08x}-0000-4000-8000-000000000000"), str::to_owned));
    metadata["resourceVersion"] = json!(LATER);
    metadata["generation"] = json!(1);
    object
}

fn named<'a>(objects: &'a [Value], name: &str) -> Option<&'a Value> {
    objects.iter().find(|object| views::name(object) == name)
}

/// Shows the operator's memory what is there, and the classes that are to come; says whether there is any class.
fn show(cache: &Cache, manifests: &Judged, sight: &Sight) -> bool {
    for (number, name) in DEFINITIONS.iter().enumerate() {
        cache.upsert(Watched::Definition, &identified(json!({ "metadata": { "name": name } }), number, None));
    }
    let classes = manifests.iter().map(|(one, _)| one).filter(|one| one.kind == Kind::Class);
    let new: Vec<Value> =
        classes.map(|class| identified(class.object.clone(), 0, named(&sight.classes, &class.name))).collect();
    let stays = |live: &&Value| named(&new, views::name(live)).is_none();
    let standing: Vec<&Value> = sight.classes.iter().filter(stays).chain(&new).collect();
    for class in &standing {
        cache.upsert(Watched::Class, class);
    }
    for (watched, objects) in [
        (Watched::Child(child::Kind::Namespace), &sight.namespaces),
        (Watched::Record, &sight.records),
        (Watched::Tenant, &sight.tenants),
    ] {
        for object in objects {
            cache.upsert(watched, object);
        }
    }
    !standing.is_empty()
}

#[derive(Default)]
struct Verdict {
    refusals: Vec<Refusal>,
    /// The class that has no place for it.
    crowded: Option<ClassName>,
}

fn judge_one(cache: &Cache, manifest: &Manifest, sight: &Sight) -> Verdict {
    let Ok(name) = manifest.name.parse::<TenantName>() else { return Verdict::default() };
    let live = named(&sight.tenants, &manifest.name);
    let number = 1 + sight.tenants.len() + manifest.place.document;
    cache.upsert(Watched::Tenant, &identified(manifest.object.clone(), number, live));
    let observe = || cache.observe(&name, sight.now, Nonce::from_bytes([0; 16]));
    let mut observed = observe();
    if let Some(record) = begun(&observed) {
        let record = json!({ "metadata": { "name": name.as_str() }, "spec": record });
        cache.upsert(Watched::Record, &identified(record, number, named(&sight.records, &manifest.name)));
        observed = observe();
    }
    match situation(&observed) {
        Situation::Refused(_, refusal) => Verdict { refusals: vec![refusal], crowded: None },
        Situation::Keep(_, spec, class, record) | Situation::Paused(_, spec, class, record) => {
            let is_crowded = !spec.suspend && record.routing.placement.is_none() && observed.place.is_none();
            Verdict {
                refusals: refusals(&name, spec, class, record, &sight.settings),
                crowded: is_crowded.then(|| spec.class_name.clone()),
            }
        }
        // What comes of these is not in the manifest's hands.
        Situation::Nothing
        | Situation::Detach(_)
        | Situation::Release(_)
        | Situation::Helpless(_)
        | Situation::Rebuild(_)
        | Situation::LookInside(_)
        | Situation::Begin(_)
        | Situation::BeginAgain(..)
        | Situation::Ending(..)
        | Situation::Unattended(..)
        | Situation::Attach(..)
        | Situation::Retire(..) => Verdict::default(),
    }
}

/// The record that the operator would write first.
fn begun(observed: &Observed) -> Option<TenantRecordSpec> {
    match situation(observed) {
        Situation::Begin(record)
        | Situation::Rebuild(record)
        | Situation::BeginAgain(_, record)
        | Situation::Attach(_, record) => Some(*record),
        _ => None,
    }
}

/// Everything that the class does not allow. The blueprint names the first; so it is drawn for each wish alone as well.
fn refusals(
    name: &TenantName,
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
    settings: &Settings,
) -> Vec<Refusal> {
    let mut found: Vec<Refusal> = Vec::new();
    for spec in wishes(spec, class).iter().chain([spec]) {
        let built = blueprint(name, spec, class, record, settings);
        if let Err(refusal) = built.and_then(|built| fit::check(&desired::all(&built)))
            && !found.contains(&refusal)
        {
            found.push(refusal);
        }
    }
    found
}

/// The same Tenant with one of its wishes each.
fn wishes(spec: &TenantSpec, class: &TenantClassSpec) -> Vec<TenantSpec> {
    let plain = TenantSpec {
        deletion_policy: class.deletion.allowed_policies.first().copied().unwrap_or_default(),
        image: None,
        env: Vec::new(),
        skills: Vec::new(),
        resources: None,
        quota: None,
        storage: None,
        egress: None,
        secrets: Vec::new(),
        budget: None,
        ..spec.clone()
    };
    let with = |change: &dyn Fn(&mut TenantSpec)| {
        let mut one = plain.clone();
        change(&mut one);
        one
    };
    vec![
        with(&|one| one.deletion_policy = spec.deletion_policy),
        with(&|one| (one.quota, one.resources) = (spec.quota, spec.resources)),
        with(&|one| one.storage = spec.storage),
        with(&|one| one.egress.clone_from(&spec.egress)),
        with(&|one| one.image.clone_from(&spec.image)),
        with(&|one| one.env.clone_from(&spec.env)),
        with(&|one| one.skills.clone_from(&spec.skills)),
        with(&|one| one.secrets.clone_from(&spec.secrets)),
    ]
}

/// Why a class could keep nobody at all: a Tenant that wishes for nothing is shown to it.
fn refusals_of_anybody(class: &Manifest, sight: &Sight) -> Vec<Refusal> {
    let Ok(spec) = views::class(&class.object) else { return Vec::new() };
    let Some(policy) = spec.deletion.allowed_policies.first() else { return Vec::new() };
    let cache = Cache::new(Arc::clone(&sight.settings));
    let alone = Sight {
        settings: Arc::clone(&sight.settings),
        now: sight.now,
        classes: vec![identified(class.object.clone(), 0, None)],
        tenants: Vec::new(),
        records: Vec::new(),
        namespaces: Vec::new(),
        live: false,
    };
    show(&cache, &Vec::new(), &alone);
    let tenant = Manifest {
        place: class.place.clone(),
        kind: Kind::Tenant,
        name: "anybody".to_owned(),
        written: Value::Null,
        object: json!({
            "apiVersion": format!("{GROUP}/v1alpha1"),
            "kind": "Tenant",
            "metadata": { "name": "anybody" },
            "spec": { "owner": { "email": "anybody@example.com" }, "className": class.name, "deletionPolicy": policy },
        }),
    };
    let mut verdict = judge_one(&cache, &tenant, &alone);
    // Where its gateways are full from the beginning nobody finds a place.
    if verdict.crowded.is_some() {
        let message = "no gateway of this class takes anybody: all are cordoned, or there is none".to_owned();
        verdict.refusals.push(Refusal { reason: Reason::CapacityExhausted, message });
    }
    verdict.refusals
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
