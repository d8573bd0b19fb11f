//! What is promised, checked against the world itself before every action and at every decision.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    adopting,
    fixtures::{BOUNDARY, alice},
    world::{World, path},
};
use crate::{
    api::{
        class::{IdentityMode, SecretsMode},
        labels::{self, NEXT_STAGE, tags},
        names::{SecretArn, VersionId},
        record::RecordPhase,
    },
    aws::types::{Association, Secret, Tags},
    tenant::{
        action::{Action, AwsAction, Plan, Story},
        adoption::is_only_attached,
        breaker::WINDOW,
        child::{Child, Kind},
        cloud::is_ours,
        ledger::secret_name,
        observed::Observed,
        status::{Telling, status},
    },
};

/// Every promise about one action that is about to be carried out.
pub(super) fn before(world: &World, action: &Action) {
    if is_look(action) {
        return;
    }
    let leaves = matches!(action, Action::SetFinalizers { .. });
    assert!(world.definitions.len() == 3, "S3: nothing is written while our kinds are not served: {action:?}");
    let leaving = world.definitions.values().any(|one| one["metadata"]["deletionTimestamp"].is_string());
    assert!(!leaving || leaves, "S3: a CRD that goes takes nothing with it: {action:?}");
    // What is kept for somebody else is no matter of the Tenant that is paused.
    let is_anothers = world.record.is_some() && world.record_spec().phase == RecordPhase::Retained && !holds(world);
    assert!(leaves || is_anothers || !is_paused(world), "a paused tenant is written about: {action:?}");
    // An administrator's order is nobody's doing but theirs, and what has gone past giving back comes to its end.
    let is_its_own = match action {
        Action::CarryOutOrders { .. } => true,
        Action::ReplaceRecord { .. } => {
            let phase = world.record.as_ref().map(|_| world.record_spec().phase);
            // One that was due is not, while a Tenant of the name is there.
            let was_due = phase == Some(RecordPhase::Retained) && world.record_spec().due_since.is_some();
            was_due || matches!(phase, Some(RecordPhase::Purging | RecordPhase::Purged))
        }
        // A transfer is marked on the namespace first, and ends what the former owner may see, whoever's Tenant stands there.
        Action::Update { child: Child::Namespace, .. }
        | Action::Delete { child: Child::OwnerBinding | Child::OwnerRole | Child::OwnerRoleBinding, .. }
            if marks_a_transfer(world) =>
        {
            true
        }
        // What is kept stays kept.
        Action::Aws(AwsAction::RestoreSecret { .. })
        // And what came into sight again of its ways in goes.
        | Action::DeleteStray { .. }
        | Action::Delete {
            child: Child::InterceptorGrant | Child::OwnerBinding | Child::OwnerRole | Child::OwnerRoleBinding, ..
        } => {
            world.record_spec().phase == RecordPhase::Retained
        }
        _ => false,
    };
    if let (Some(tenant), Some(_), false) = (&world.tenant, &world.record, is_its_own) {
        let hash = world.record_spec().owner.hash;
        let subject = tenant["spec"]["owner"]["subject"].as_str().expect("the tests name a subject");
        let owns = subject.parse::<crate::api::names::OwnerSubject>().expect("subject").hash() == hash;
        assert!(owns || leaves, "section 5: another owner's Tenant caused {action:?}");
    }
    adopting::what_is_attached_is_left_alone(world, action);
    match action {
        Action::Create { child, object } => {
            assert!(world.record.is_some(), "S6: {child:?} before the record");
            if *child == Child::StatefulSet && object["spec"]["replicas"] == 1 {
                everything_stands(world, action);
            }
        }
        Action::Update { child, object, .. } => {
            let starts = |set: &Value| set["spec"]["replicas"] == 0 && object["spec"]["replicas"] == 1;
            if *child == Child::StatefulSet && world.child(Child::StatefulSet).is_some_and(starts) {
                everything_stands(world, action);
            }
            if *child == Child::StatefulSet {
                the_scaler_decides(world, &object["spec"]["replicas"]);
            }
        }
        Action::Delete { child, .. } => adopting::delete(world, *child),
        Action::Mark { child, .. } => adopting::mark(*child),
        Action::SetFinalizers { finalizers, .. } => {
            if !leaving && finalizers.iter().all(|one| one != labels::FINALIZER) {
                nothing_of_it_is_left(world);
            }
        }
        Action::CreateRecord(_)
        | Action::ReplaceRecord { .. }
        | Action::CarryOutOrders { .. }
        | Action::LookAtCluster { .. }
        | Action::RetainVolume { .. }
        | Action::ReofferVolume { .. }
        | Action::LookInside(_)
        | Action::LookAtGrant
        | Action::LookAtEvents { .. }
        | Action::AskForTurn(_) => {}
        Action::ScaleToZero { .. } => the_scaler_decides(world, &json!(0)),
        Action::DeleteStray { key, .. } => {
            let stray = &world.children[&key.kind][&path(key)];
            assert_eq!(stray["metadata"]["labels"][labels::TENANT], "alice", "somebody else's grant is deleted");
        }
        Action::DeletePod { uid, .. } => {
            let inside = format!("{}/", world.record_spec().namespace.name);
            let pod = world.pods.iter().find(|(_, pod)| json!(uid) == pod["metadata"]["uid"]);
            let is_ours = pod.is_none_or(|(path, _)| path.starts_with(&inside));
            assert!(is_ours, "a pod of another namespace is deleted");
            everything_stands(world, action);
        }
        Action::RemoveNamespace { .. }
        | Action::ReleaseVolume { .. }
        | Action::Aws(AwsAction::StripSecret { .. } | AwsAction::DeleteSecret { .. }) => removal(world, action),
        Action::Aws(action) => aws(world, action),
    }
}

/// The operator never fights the scaler over the number of pods.
fn the_scaler_decides(world: &World, wanted: &Value) {
    let live = world.child(Child::StatefulSet).map(|set| &set["spec"]["replicas"]);
    // A template alone says nothing of it.
    let differs = !wanted.is_null() && live.is_some_and(|live| live != wanted);
    let scaler = world.child(Child::ScaledObject);
    let is_scaled = scaler.is_some_and(|scaler| scaler["metadata"]["deletionTimestamp"].is_null());
    // More than one is nobody's to say: two would write to one volume.
    let is_one = live.is_some_and(|live| live.as_i64() <= Some(1));
    assert!(!(differs && is_scaled && is_one), "the scaler says {live:?}, and {wanted} is written");
}

/// Whether the Tenant is the one that the record names.
fn holds(world: &World) -> bool {
    let uid = world.tenant.as_ref().map(|tenant| tenant["metadata"]["uid"].clone());
    uid.is_some_and(|uid| world.record_spec().tenant_uid.is_some_and(|holder| uid == json!(holder)))
}

fn marks_a_transfer(world: &World) -> bool {
    world.record.as_ref().is_some_and(|record| record["metadata"]["annotations"][labels::TRANSFER_TO].is_string())
}

/// S6: a Tenant that had the name goes only when nothing of its access is left, and nothing that it asked for is on its way.
fn nothing_of_it_is_left(world: &World) {
    let Some(tenant) = world.tenant.as_ref().filter(|_| world.record.is_some()) else { return };
    let record = world.record_spec();
    let holds = json!(record.tenant_uid) == tenant["metadata"]["uid"];
    // What was only attached is as it was before, and its former workload lives by it.
    if !holds || is_only_attached(&record) {
        return;
    }
    let ours = |tags: &Tags| is_ours(tags, &alice(), &record, &world.settings.cluster_uid);
    assert!(!world.is_awaited(), "S6: the Tenant goes while a request of its is on its way");
    assert!(associations(world).iter().all(|one| !ours(&one.tags)), "S6: the Tenant goes before its association");
    assert!(world.cloud.roles.values().all(|role| !ours(&role.tags)), "S6: the Tenant goes before its role");
    every_secret_is_closed(world);
    let is_its = |grant: &&Value| grant["spec"]["from"][0]["namespace"] == *record.namespace.name.as_str();
    let grant = world.children[&Kind::ReferenceGrant].values().find(is_its);
    assert_eq!(grant, None, "S6: the Tenant goes before its grant");
    for child in [Child::OwnerBinding, Child::OwnerRole, Child::OwnerRoleBinding] {
        assert_eq!(world.child(child), None, "S6: the Tenant goes before its owner's rights");
    }
}

fn is_look(action: &Action) -> bool {
    action.is_look()
}

fn is_paused(world: &World) -> bool {
    world.tenant.as_ref().is_some_and(|tenant| tenant["metadata"]["annotations"][labels::PAUSED] == "true")
}

/// S5: what stands before a workspace starts.
fn everything_stands(world: &World, why: &Action) {
    adopting::nobody_else_mounts(world, why);
    let quota = world.child(Child::ResourceQuota).unwrap_or_else(|| panic!("S5: no quota before {why:?}"));
    assert_eq!(quota["status"]["hard"], quota["spec"]["hard"], "S5: quota not enforced");
    for child in [Child::DefaultDeny, Child::Allowlist, Child::LimitRange, Child::ServiceAccount] {
        assert!(world.child(child).is_some(), "S5: no {child:?} before {why:?}");
    }
    let claim = world.child(Child::Claim).expect("S5: a claim");
    let volume = &world.volumes[claim["spec"]["volumeName"].as_str().expect("S5: a bound claim")];
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain", "S5: the volume is kept");
    let record = world.record_spec();
    if let Some(recorded) = &record.storage.volume {
        assert_eq!(volume["metadata"]["name"], *recorded.name, "the workspace gets its own volume");
    }
    let is_listed = associations(world).iter().any(|one| world.cloud.lists(&one.id));
    // A pod that is made anew is not held up by a listing that lags behind.
    let starts = !matches!(why, Action::DeletePod { .. });
    assert!(record.identity.mode == IdentityMode::None || is_listed || !starts, "S5: no identity: {why:?}");
    assert!(record.identity.mode == IdentityMode::None || !associations(world).is_empty(), "S5: no identity: {why:?}");
    if record.secrets.mode == SecretsMode::SecretsManager {
        let token = secret_name(&record, "gateway-token");
        let secret = world.cloud.secrets.get(&token).expect("S5: the token's secret");
        assert_eq!(
            secret.tags.get(tags::SERVICE_ACCOUNT).expect("a tag"),
            record.service_account.as_str(),
            "S5: the token is readable"
        );
        assert!(secret.current_version().is_some(), "S5: the token has a value");
    }
}

fn associations(world: &World) -> Vec<&Association> {
    let record = world.record_spec();
    let is_it = |one: &&Association| {
        one.namespace == record.namespace.name.as_str() && one.service_account == record.service_account.as_str()
    };
    world.cloud.associations.iter().filter(is_it).collect()
}

fn aws(world: &World, action: &AwsAction) {
    let record = world.record_spec();
    let finalizers = world.tenant.as_ref().map(|tenant| tenant["metadata"]["finalizers"].to_string());
    let has_finalizer = finalizers.is_none_or(|finalizers| finalizers.contains(labels::FINALIZER));
    // What is kept is taken back whoever has the name: that makes nothing.
    let keeps = matches!(action, AwsAction::RestoreSecret { .. }) && record.phase == RecordPhase::Retained;
    assert!(has_finalizer || keeps, "S6: {action:?} before the finalizer");
    let ours = |tags: &Tags| is_ours(tags, &alice(), &record, &world.settings.cluster_uid);
    let known = |id| world.cloud.associations.iter().find(|one: &&Association| one.id == id);
    let secret = |arn: &SecretArn| world.cloud.secrets.values().find(|one| one.arn == *arn);
    match action {
        AwsAction::LookUpAssociation { .. }
        | AwsAction::ListAssociation { .. }
        | AwsAction::LookUpFormer { .. }
        | AwsAction::LookUpRole(_)
        | AwsAction::LookUpSecret { .. } => {}
        AwsAction::CreateAssociation(new) => {
            let is_own = record.identity.mode == IdentityMode::RolePerTenant;
            let role = world.cloud.roles.values().find(|role| role.arn == new.role_arn);
            assert!(!is_own || role.is_some_and(|role| ours(&role.tags)), "S1: an association before its own role");
        }
        AwsAction::CreateRole(new) => {
            assert_eq!(new.boundary.as_str(), BOUNDARY, "every role is bounded");
            assert_eq!(new.path, "/openclaw/prod/", "every role lies under the cluster's path");
            assert!(record.identity.role_arn.is_some_and(|arn| arn.name() == new.name.as_str()), "S6: recorded first");
        }
        AwsAction::TagRole { name, .. }
        | AwsAction::PutRoleTrust { name, .. }
        | AwsAction::PutRolePolicy { name, .. }
        | AwsAction::DeleteRolePolicy { name, .. } => {
            assert!(world.cloud.roles.get(name.as_str()).is_none_or(|role| ours(&role.tags)), "S1: foreign role");
        }
        AwsAction::DeleteRole(name) => {
            assert!(world.cloud.roles.get(name.as_str()).is_none_or(|role| ours(&role.tags)), "S1: foreign role");
            assert!(associations(world).iter().all(|one| !ours(&one.tags)), "the role goes before its association");
        }
        AwsAction::UpdateRole { id, .. } => assert!(known(id.clone()).is_none_or(|one| ours(&one.tags)), "S1"),
        AwsAction::TagAssociation { association, .. } => {
            assert!(known(association.id.clone()).is_none_or(|one| ours(&one.tags) && one.owner_arn.is_none()), "S1");
        }
        AwsAction::DeleteAssociation(id) => {
            assert!(known(id.clone()).is_none_or(|one| ours(&one.tags)), "S1: a foreign association is deleted");
            access_has_ended(world);
        }
        AwsAction::TagFormer { association, tags } => adopting::tag_former(world, association, tags),
        AwsAction::DeleteFormer(id) => adopting::delete_former(world, id),
        AwsAction::CreateSecret { item, .. } => {
            assert!(
                record.secrets.items.iter().any(|one| one.name == *item),
                "S6: {item} is made before it is recorded"
            );
        }
        AwsAction::PutGenerated { arn, stage, .. } => {
            let is_empty = |one: &Secret| one.current_version().is_none() || *stage == NEXT_STAGE;
            assert!(secret(arn).is_none_or(|one| ours(&one.tags) && is_empty(one)), "S2: a value is overwritten");
        }
        AwsAction::MoveCurrent { item, arn, to, .. } => {
            assert!(secret(arn).is_none_or(|one| ours(&one.tags)), "S1: foreign secret");
            readers_find_a_pod_that_takes(world, item.as_str(), to);
        }
        AwsAction::DropNext { arn, version, .. } => {
            let is_let_go = |one: &Secret| ours(&one.tags) && one.has_label(version, NEXT_STAGE);
            assert!(secret(arn).is_none_or(is_let_go), "S2: only a version of our own making loses a label");
        }
        AwsAction::RestoreSecret { arn, .. } => {
            assert!(secret(arn).is_none_or(|one| ours(&one.tags)), "S4: a foreign secret is restored");
        }
        AwsAction::StripSecret { .. } | AwsAction::DeleteSecret { .. } => unreachable!("checked as a removal"),
        AwsAction::TagSecret { arn, tags, .. } => {
            let may = |one: &Secret| ours(&one.tags) || adopting::consents(&one.tags);
            assert!(secret(arn).is_none_or(may), "S1: foreign secret");
            adopting::tag_secret(world, tags);
        }
    }
}

/// Section 6: readers get a version only once the running pod takes it, or where no pod runs.
fn readers_find_a_pod_that_takes(world: &World, item: &str, version: &VersionId) {
    let names_it = |data: &Value| {
        let pinned = data["secrets.json"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        pinned.is_some_and(|pinned| pinned[item]["versionId"] == version.as_str())
    };
    let set = world.child(Child::StatefulSet).expect("a StatefulSet");
    if set["spec"]["replicas"] == 0 {
        assert!(world.pods.is_empty(), "a pod ends that may still use another version");
        assert!(names_it(&world.child(Child::ConfigMap).expect("a ConfigMap")["data"]), "the next pod takes it");
        return;
    }
    let takes_it = |pod: &Value| {
        let is_ready = pod["status"]["conditions"][0]["status"] == "True";
        is_ready && pod["metadata"]["deletionTimestamp"].is_null() && names_it(&pod["copied"])
    };
    assert!(world.pods.values().any(takes_it), "no ready pod uses the version that readers are about to get");
}

/// Section 5: the association is the last thing that goes.
fn access_has_ended(world: &World) {
    assert!(!has_own_pods(world), "the association goes while a pod still runs");
    assert!(world.child(Child::Route).is_none(), "the association goes while a route stands");
    let runs = world.child(Child::StatefulSet).is_some_and(|set| set["spec"]["replicas"] != 0);
    assert!(!runs, "the association goes while pods may still be made");
    every_secret_is_closed(world);
}

fn has_own_pods(world: &World) -> bool {
    world.pods.values().any(|pod| pod["metadata"]["labels"][labels::TENANT] == "alice")
}

fn every_secret_is_closed(world: &World) {
    let record = world.record_spec();
    for secret in world.cloud.secrets.values() {
        let ours = is_ours(&secret.tags, &alice(), &record, &world.settings.cluster_uid);
        // Nobody reads a secret that is scheduled for deletion.
        let reader = secret.tags.get(tags::SERVICE_ACCOUNT);
        let is_closed = secret.deleted_at.is_some() || reader.is_none_or(|reader| reader == tags::REVOKED);
        assert!(!ours || is_closed, "{} can still be read", secret.name);
    }
}

/// S10: what is told as Ready is so.
pub(super) fn story(world: &World, observed: &Observed, plan: &Plan) {
    if !is_told_ready(observed, plan) {
        return;
    }
    let Story::Kept { suspended, .. } = &plan.story else { return };
    assert!(!plan.actions.iter().any(|action| !is_look(action)), "Ready, and still writing: {:?}", plan.actions);
    let record = world.record_spec();
    assert_eq!(world.children[&Kind::Namespace].len(), 1);
    if *suspended {
        assert!(!has_own_pods(world) && world.child(Child::Route).is_none(), "suspended, and still reachable");
        every_secret_is_closed(world);
        return;
    }
    let set = world.child(Child::StatefulSet).expect("Ready without a StatefulSet");
    let sleeps = set["spec"]["replicas"] == 0 && world.child(Child::ScaledObject).is_some();
    let used = if sleeps {
        // What the next pod will use.
        &world.child(Child::ConfigMap).expect("Ready without a ConfigMap")["data"]
    } else {
        let pod = world.pods.get(&format!("{}/alice-0", record.namespace.name)).expect("Ready without a pod");
        assert_eq!(pod["status"]["conditions"][0]["status"], "True", "Ready, and its pod is not");
        let revision = &set["status"]["updateRevision"];
        assert_eq!(&pod["metadata"]["labels"]["controller-revision-hash"], revision, "Ready with an old pod");
        &pod["copied"]
    };
    assert!(world.child(Child::Route).is_some(), "Ready without a route");
    let used = used["secrets.json"].as_str().unwrap_or_default();
    let knows = world.known_before.iter().find(|version| used.contains(version.as_str()));
    assert_eq!(knows, None, "Ready, and a former owner knows a value that the pod uses");
    assert_eq!(record.tenant_uid.as_ref(), observed.tenant.as_deref().map(|one| &one.uid));
}

fn is_told_ready(observed: &Observed, plan: &Plan) -> bool {
    let telling = Telling {
        name: &observed.name,
        generation: 0,
        now: observed.now,
        story: &plan.story,
        failures: &[],
        record: observed.record_spec(),
        class: None,
        previous: &crate::api::tenant::TenantStatus::default(),
    };
    let told = status(&telling);
    told.is_some_and(|told| told.is_true("Ready"))
}

/// S3: what is removed for good, and on what ground.
fn removal(world: &World, action: &Action) {
    let record = world.record_spec();
    assert_eq!(record.phase, RecordPhase::Purging, "S6: {action:?} before the record says so");
    let purge = record.purge.clone().expect("a removal has a beginning");
    let settled = purge.begun.0 + SignedDuration::from_secs(i64::from(record.retirement.settling_seconds));
    assert!(settled <= world.now, "section 5: {action:?} before its settling time is over");
    assert!(!world.is_halted(), "section 5: {action:?} while the class is halted");
    let is_confirmed = record.confirmed.as_ref().is_some_and(|begun| *begun == purge.begun);
    let began_together = |tenant: &Value| {
        let at = tenant["metadata"]["deletionTimestamp"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        at.is_some_and(|at| at.duration_since(purge.begun.0).abs() <= WINDOW)
    };
    let burst = world.others.iter().filter(|(tenant, _)| tenant.as_ref().is_some_and(began_together)).count();
    assert!(burst < 6 || is_confirmed, "section 5: {action:?} in a burst that nobody has confirmed");
    if let Some(tenant) = &world.tenant {
        let holds = record.tenant_uid.as_ref().is_some_and(|uid| json!(uid) == tenant["metadata"]["uid"]);
        assert!(holds, "S3: {action:?} for a Tenant that does not hold the record");
        assert!(tenant["metadata"]["deletionTimestamp"].is_string(), "S3: {action:?} for a living Tenant");
        assert_eq!(tenant["spec"]["deletionPolicy"], "Delete", "S3: {action:?} without Delete");
    } else {
        let expired = record.purge_after.as_ref().is_some_and(|at| at.0 <= world.now);
        assert!(expired, "S3: {action:?} of a record that has not expired");
        let settling = SignedDuration::from_secs(i64::from(record.retirement.settling_seconds));
        assert!(world.had_tenant + settling <= world.now, "{action:?} a moment after a Tenant of the name went");
    }
    let is_its = |one: &&Association| is_ours(&one.tags, &alice(), &record, &world.settings.cluster_uid);
    assert!(!associations(world).iter().any(is_its), "S3: {action:?} while an association stands");
    every_secret_is_closed(world);
    assert!(world.pods.is_empty(), "S3: {action:?} while a pod runs");
    if let Action::Aws(AwsAction::StripSecret { arn, .. } | AwsAction::DeleteSecret { arn, .. }) = action {
        let secret = world.cloud.secrets.values().find(|one| one.arn == *arn);
        let ours = secret.is_none_or(|one| is_ours(&one.tags, &alice(), &record, &world.settings.cluster_uid));
        assert!(ours, "S1: a foreign secret is removed");
        let is_stripped = secret.is_none_or(|one| tags::ACCESS.iter().all(|key| !one.tags.contains_key(*key)));
        let strips = matches!(action, Action::Aws(AwsAction::StripSecret { .. }));
        assert!(strips || is_stripped, "a secret that is restored would be readable as it is tagged");
    }
    if let Action::ReleaseVolume { name, .. } = action {
        let recorded = record.storage.volume.as_ref().expect("S3: a volume that is not recorded");
        assert_eq!(recorded.name, *name, "S3: another volume");
        let handle = |volume: &Value| volume["spec"]["csi"]["volumeHandle"].clone();
        let own = handle(&world.volumes[name]);
        let sharing = world.volumes.values().filter(|volume| handle(volume) == own).count();
        assert_eq!(sharing, 1, "another volume has the same place");
    }
}
