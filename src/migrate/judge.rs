//! PURE: from what was seen to the report: what each tenant has, what will be attached, what differs, what blocks, what is to be
//! prepared, and its manifest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    cloud::{self, Claimant, CloudReport},
    differences,
    elements::{ElementsError, text},
    entries::{Applications, Entry, Listed, entries},
    observed::{ClassSight, Place, Sight},
    preparation,
    report::{Report, SetReport, State, TenantReport},
    step::{OldKind, Step},
    today::{self, Data, OldClaim, Today},
};
use crate::{
    api::{
        class::TenantClassSpec,
        labels,
        names::{Email, OwnerHash, OwnerSubject, TenantName},
        quantity::Quantity,
        record::{RecordPhase, RecordedOwner, TenantRecordSpec},
        tenant::TenantSpec,
    },
    tenant::views,
};

/// What is told to the judgement beside what was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The tenants that it is about; all where empty.
    pub tenants: BTreeSet<String>,
    /// Whether namespaces shall be given the consent to be adopted.
    pub consent: bool,
}

impl Wishes {
    fn wants(&self, name: &str) -> bool {
        self.tenants.is_empty() || self.tenants.contains(name)
    }
}

/// The report.
///
/// # Errors
/// Where the elements cannot be told.
pub fn judge(sight: &Sight, wishes: &Wishes) -> Result<Report, ElementsError> {
    let entries = entries(&sight.set)?;
    let (listed, applications) = (Listed::of(&entries), Applications::of(sight));
    let (wanted, others): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| wishes.wants(&entry.name));
    let reports =
        wanted.iter().map(|entry| tenant(sight, wishes, entry, listed.doubles(entry), &applications.of_entry(entry)));
    let reports = reports.collect();
    let unknown = wishes.tenants.iter().filter(|name| !listed.has(name)).cloned().collect();
    Ok(Report {
        set: set(sight, wishes, &applications, &wanted, &others),
        class: class(&sight.class),
        tenants: reports,
        unknown,
        unread: sight.unread.clone(),
    })
}

/// The ApplicationSet, and the Applications of it that no element stands for: they are its own all the same.
fn set(
    sight: &Sight,
    wishes: &Wishes,
    applications: &Applications<'_>,
    wanted: &[&Entry],
    others: &[&Entry],
) -> SetReport {
    let missing =
        |application: &Value| Step::all(OldKind::Application, application, preparation::of_application(application));
    let of =
        |entries: &[&Entry]| -> Vec<&Value> { entries.iter().flat_map(|entry| applications.of_entry(entry)).collect() };
    let (wanted, others) = (of(wanted), of(others));
    let known: BTreeSet<&str> = wanted.iter().chain(&others).map(|application| views::name(application)).collect();
    let leftover = applications.of_set().into_iter().filter(|one| !known.contains(views::name(one)));
    let mut steps = Step::all(OldKind::ApplicationSet, &sight.set, preparation::of_set(&sight.set));
    let mut elsewhere = 0;
    if wishes.tenants.is_empty() {
        steps.extend(leftover.flat_map(missing));
    } else {
        let others = others.into_iter().chain(leftover);
        elsewhere = others.filter(|application| !missing(application).is_empty()).count();
    }
    SetReport {
        namespace: sight.set["metadata"]["namespace"].as_str().map(str::to_owned),
        name: views::name(&sight.set).to_owned(),
        steps,
        remarks: preparation::remarks(&sight.set),
        live: sight.live,
        applications_seen: sight.applications.is_some(),
        elsewhere,
        aws_seen: sight.cloud.is_some(),
    }
}

fn class(class: &ClassSight) -> String {
    let known = if class.spec.is_some() { "" } else { ", which was not read: nothing is compared with it" };
    format!("class {} (namespaces {}…){known}", class.name, class.prefix)
}

fn tenant(
    sight: &Sight,
    wishes: &Wishes,
    entry: &Entry,
    doubles: Vec<String>,
    applications: &[&Value],
) -> TenantReport {
    let mut report = TenantReport { name: entry.name.clone(), email: entry.email.clone(), ..TenantReport::default() };
    let name = entry.name.parse::<TenantName>().map_err(|error| report.blocks.push(error.to_string())).ok();
    let email = entry.email.parse::<Email>().map_err(|error| report.blocks.push(error.to_string())).ok();
    report.blocks.extend(doubles);
    report.differs.extend(differences::of_element(&entry.element));
    for application in applications {
        let changes = preparation::of_application(application);
        report.steps.extend(Step::all(OldKind::Application, application, changes));
    }
    report.claimed.extend(applications.iter().filter_map(|application| syncing(application)));
    if sight.applications.is_some() && applications.is_empty() {
        report.differs.push("no Application was found for it".to_owned());
    }
    if let Some(name) = name {
        placed(sight, wishes, entry, &name, &mut report);
        if let Some(email) = email {
            owned(sight, entry, &name, &email, &mut report);
        }
    }
    if !report.blocks.is_empty() {
        report.state = State::Blocked;
        report.manifest = None;
        report.steps.retain(|step| !matches!(step.change, preparation::Change::Consent(_)));
    }
    report
}

/// An Application that writes by itself fights with whoever else writes.
fn syncing(application: &Value) -> Option<String> {
    let automated = application["spec"]["syncPolicy"]["automated"].as_object()?;
    let heals = automated.get("selfHeal").and_then(Value::as_bool).unwrap_or(false);
    let is_off = automated.get("enabled").and_then(Value::as_bool) == Some(false);
    let namespace = application["metadata"]["namespace"].as_str().unwrap_or_default();
    let how = if heals { "syncs by itself and puts back what others change (selfHeal)" } else { "syncs by itself" };
    (!is_off).then(|| format!("Application {namespace}/{}: {how}", views::name(application)))
}

/// Everything about the namespace and what lies in it.
fn placed(sight: &Sight, wishes: &Wishes, entry: &Entry, name: &TenantName, report: &mut TenantReport) {
    let namespace = sight.class.prefix.namespace(name).to_string();
    report.namespace.clone_from(&namespace);
    if let Some(other) = entry.destination.as_ref().filter(|destination| **destination != namespace) {
        report.blocks.push(format!(
            "its workspace is in namespace {other}, and the Tenant's would be {namespace}: a namespace cannot be renamed. Use a class \
             whose namespacePrefix fits, or copy the data over"
        ));
    }
    let place = match sight.places.get(&namespace) {
        Some(Some(place)) => place,
        Some(None) => {
            return report
                .differs
                .push(format!("namespace {namespace} is not there: the operator makes it, with an empty volume"));
        }
        // Not looked at.
        None => return,
    };
    report.blocks.extend(foreign(place, name, entry));
    report.attach.push(format!("Namespace {namespace}"));
    let today = Today::of(place);
    match today.data() {
        Data::In(claim) => attached(claim, sight.class.spec.as_ref(), report),
        Data::None => {
            report.differs.push("there is no PersistentVolumeClaim: the workspace gets an empty volume".to_owned());
        }
        Data::Unseen => {}
        Data::Undecided(why) => report.blocks.push(why),
    }
    if let (Some(class), Some(workloads)) = (&sight.class.spec, &today.workloads) {
        report.differs.extend(differences::of_workloads(workloads, class));
    }
    report.hazards = today::hazards(&today, &namespace);
    report.claimed.extend(today::claimants(place));
    consent(place, wishes, name, report);
    report.today = today;
}

/// The claim that the Tenant will take over.
fn attached(claim: &OldClaim, class: Option<&TenantClassSpec>, report: &mut TenantReport) {
    let volume = claim.volume.as_ref().map_or_else(String::new, |volume| format!(" with volume {volume}"));
    report.attach.push(format!("PersistentVolumeClaim {}{volume}", claim.name));
    let Some(class) = class else { return };
    report.differs.extend(differences::of_claim(claim, class));
    if claim.size.parse::<Quantity>().is_ok_and(|size| size > class.storage.maximum) {
        report.blocks.push(format!(
            "claim {} has {}, more than the {} that the class allows: raise storage.maximum of the class",
            claim.name, claim.size, class.storage.maximum
        ));
    }
}

fn consent(place: &Place, wishes: &Wishes, name: &TenantName, report: &mut TenantReport) {
    // What is ours already needs none.
    let is_ours =
        place.namespace["metadata"]["labels"].get(labels::TENANT).and_then(Value::as_str) == Some(name.as_str());
    let missing = preparation::of_namespace(&place.namespace, name.as_str());
    report.consented = is_ours || missing.is_empty();
    if !is_ours && wishes.consent {
        report.steps.extend(Step::all(OldKind::Namespace, &place.namespace, missing));
    }
}

/// Signs that the namespace is not this tenant's.
fn foreign(place: &Place, name: &TenantName, entry: &Entry) -> Vec<String> {
    let metadata = &place.namespace["metadata"];
    let namespace = views::name(&place.namespace);
    let mut blocks = Vec::new();
    if !metadata["deletionTimestamp"].is_null() {
        blocks.push(format!("namespace {namespace} is being deleted: find out by whom, before anything else"));
    }
    let named = |value: &Value| value.as_str().filter(|other| *other != name.as_str()).map(str::to_owned);
    if let Some(other) = named(&metadata["labels"][labels::TENANT]) {
        blocks.push(format!("namespace {namespace} is tenant {other}'s already"));
    } else if let Some(other) = named(&metadata["annotations"][labels::ADOPT_BY]) {
        blocks.push(format!("namespace {namespace} has consented to be adopted by {other} ({})", labels::ADOPT_BY));
    }
    let id = metadata["annotations"].get("argocd.argoproj.io/tracking-id").and_then(Value::as_str);
    let tracker = id.and_then(|id| id.split(':').next());
    if let (Some(tracker), Some(own)) = (tracker, entry.application.as_deref())
        && tracker != own
    {
        blocks.push(format!(
            "namespace {namespace} is kept by Application {tracker}, not by {own}: it is somebody else's"
        ));
    }
    blocks
}

/// Everything about whose it is; the manifest.
fn owned(sight: &Sight, entry: &Entry, name: &TenantName, email: &Email, report: &mut TenantReport) {
    let mut owner = json!({ "email": email });
    if let Some(subject) = text(&entry.element, "subject") {
        owner["subject"] = json!(subject);
    }
    let mut spec = json!({ "owner": owner, "className": sight.class.name, "deletionPolicy": "Retain" });
    if let Some(display) = text(&entry.element, "displayName").filter(|text| !text.is_empty()) {
        spec["displayName"] = json!(display);
    }
    if let Some(size) = larger_volume(sight, report) {
        spec["storage"] = json!({ "size": size });
    }
    // What cannot be read as a Tenant's spec is no manifest.
    let wanted: TenantSpec = match serde_json::from_value(spec.clone()) {
        Ok(wanted) => wanted,
        Err(error) => return report.blocks.push(format!("no Tenant can be made of it: {error}")),
    };
    let subject = wanted.owner.effective_subject();
    report.blocks.extend(kept_for_another(sight.records.get(name.as_str()), &subject));
    if let Some(live) = sight.tenants.get(name.as_str()) {
        exists(live, &wanted, &subject, report);
    }
    in_aws(sight, name, subject.hash(), report);
    if report.state != State::Differs {
        report.manifest = Some(json!({
            "apiVersion": "openclaw.io/v1alpha1", "kind": "Tenant", "metadata": { "name": name }, "spec": spec,
        }));
    }
}

/// What lies in AWS for it, where that was seen.
fn in_aws(sight: &Sight, name: &TenantName, owner: OwnerHash, report: &mut TenantReport) {
    let Some(seen) = &sight.cloud else { return };
    let spec = |objects: &BTreeMap<String, Value>| objects.get(name.as_str()).map(|object| object["spec"].clone());
    let tenant: Option<TenantSpec> = spec(&sight.tenants).and_then(|spec| serde_json::from_value(spec).ok());
    let record: Option<TenantRecordSpec> = spec(&sight.records).and_then(|spec| serde_json::from_value(spec).ok());
    let claimant = Claimant {
        name,
        owner: &owner,
        class: sight.class.spec.as_ref(),
        tenant: tenant.as_ref(),
        record: record.as_ref(),
    };
    report.cloud = cloud::judge(seen, &claimant);
    report.blocks.extend(report.cloud.iter().flat_map(CloudReport::blocks));
    report.owner = Some(owner);
}

/// A volume never shrinks: a size above the class's goes with the tenant, and any size where the class is not known.
fn larger_volume(sight: &Sight, report: &TenantReport) -> Option<Quantity> {
    let Data::In(claim) = report.today.data() else { return None };
    let class = sight.class.spec.as_ref().map(|class| class.storage.size);
    claim.size.parse::<Quantity>().ok().filter(|size| class.is_none_or(|class| *size > class))
}

fn kept_for_another(record: Option<&Value>, subject: &OwnerSubject) -> Option<String> {
    let spec = &record?["spec"];
    let owner = serde_json::from_value::<RecordedOwner>(spec["owner"].clone());
    let phase = serde_json::from_value::<RecordPhase>(spec["phase"].clone());
    let (Ok(owner), Ok(phase)) = (owner, phase) else {
        return Some(
            "the name has a TenantRecord that cannot be read: look whose it is before anything else".to_owned(),
        );
    };
    (owner.hash != subject.hash() && phase != RecordPhase::Purged).then(|| {
        "the name is kept for another owner by its TenantRecord: an administrator transfers it (openclaw.io/transfer-to), or this \
         person gets another name"
            .to_owned()
    })
}

/// A Tenant of that name is there already.
fn exists(live: &Value, wanted: &TenantSpec, subject: &OwnerSubject, report: &mut TenantReport) {
    let spec: TenantSpec = match serde_json::from_value(live["spec"].clone()) {
        Ok(spec) => spec,
        Err(error) => {
            return report.blocks.push(format!("a Tenant of that name is there, and cannot be read: {error}"));
        }
    };
    if spec.owner.effective_subject() != *subject {
        return report.blocks.push("a Tenant of that name is there, and is another owner's".to_owned());
    }
    let differing = members(&spec, wanted);
    if differing.is_empty() {
        report.state = State::Migrated;
    } else {
        report.state = State::Differs;
        report.differs.push(format!(
            "a Tenant of that name is there and says otherwise in {}: it is left as it is",
            differing.join(", ")
        ));
    }
}

/// What the list would say otherwise. What it says nothing of is the Tenant's own affair.
fn members(live: &TenantSpec, wanted: &TenantSpec) -> Vec<&'static str> {
    let storage = |spec: &TenantSpec| spec.storage.map(|storage| storage.size);
    let differing: BTreeMap<&str, bool> = BTreeMap::from([
        ("owner.email", live.owner.email != wanted.owner.email),
        ("className", live.class_name != wanted.class_name),
        ("displayName", wanted.display_name.is_some() && live.display_name != wanted.display_name),
        ("storage.size", wanted.storage.is_some() && storage(live) < storage(wanted)),
    ]);
    differing.into_iter().filter_map(|(member, differs)| differs.then_some(member)).collect()
}
