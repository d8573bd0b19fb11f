//! Anything may happen in any order, and anything may fail at any point: no promise is ever broken, and when it is
//! quiet again the tenant is Ready again (L1, L4), with its own incarnation, secrets and volume.

use jiff::SignedDuration;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::{
    cloud::move_label,
    controllers,
    fixtures::{class_json, class_with_roles_json, spec_json},
    removal::{DAY, mallory},
    rotating::{TOKEN, agrees_on_one},
    sights::{wait_for_audit, wait_for_sweep},
    world::{Fault, World},
};
use crate::{
    api::{
        labels::{self, CURRENT_STAGE, tags},
        names::{Incarnation, OwnerSubject, VersionId},
        record::{HistoryEvent, RecordPhase, TenantRecordSpec},
    },
    tenant::{
        child::{Child, Kind},
        cloud::POLICY,
    },
};

#[derive(Clone, Debug)]
enum Event {
    Suspend(bool),
    Pause(bool),
    SetEnv(u8),
    SetPods(u32),
    ListSecret(bool),
    GrowStorage(u8),
    DeleteTenant,
    MakeTenant,
    MakeTenantOfAnother,
    TakeFinalizerAway,
    DeleteChild(Child),
    ChangeChild(Child),
    StripLabels(Child),
    DeletePod,
    LoseRecord,
    ReinstallDefinitions,
    LoseClass(bool),
    DeleteAssociation,
    ChangeRole,
    ChangeTag,
    ChangeOwnRole,
    CloudDown(bool),
    /// EKS lists associations that are made from now on late, or keeps up again.
    ListingLags(bool),
    Restart,
    Wait(u16),
    /// An order to rotate, after a leak or not.
    Order(u8, bool),
    /// The class gives pods another variable.
    ChangeClass(u8),
    /// Somebody else of the fleet takes the last place at the gate, or gives it back.
    GateFull(bool),
    /// Pods that are made from now on never become ready, or do again.
    BreakPods(bool),
    /// A person puts a value into the token's secret.
    PutValue(u8),
    /// A person schedules the token's secret for deletion.
    ScheduleDeletion,
    /// What becomes of everything when the Tenant is deleted: also said while it is being deleted.
    SetPolicy(bool),
    /// A month passes, and with it retention and recovery windows.
    Month,
    /// The class is halted, or not any more.
    Halt(bool),
    /// Many others are deleted together, or all of that is taken back.
    Burst(bool),
    /// An administrator lets this incarnation through the breaker.
    Confirm,
    /// An administrator ends its retention.
    PurgeNow,
    /// An administrator puts its end off by so many days.
    KeepFor(u8),
    /// An administrator hands it to another owner, or back.
    Transfer(bool),
    /// An administrator moves it to one of the two gateways.
    Move(bool),
    /// So many rounds, in which actions suffer these faults in turn.
    Rounds(u8, Vec<Fault>),
    Controllers,
    /// Somebody uses the workspace, or nobody does.
    Use(bool),
    /// Kinds that a cluster may do without come, or go.
    Optional(bool),
    /// The class lets workspaces sleep, through an interceptor in one of two namespaces, or not.
    Sleep(Option<bool>),
    /// The class lets owners look at what is theirs, or not.
    LetOwnersLook(bool),
}

fn child() -> impl Strategy<Value = Child> {
    select(Child::ALL)
}

fn event() -> impl Strategy<Value = Event> {
    let fault = || select(vec![Fault::None, Fault::None, Fault::Lost, Fault::Unanswered, Fault::Late]);
    prop_oneof![
        1 => any::<bool>().prop_map(Event::Suspend),
        1 => any::<bool>().prop_map(Event::Pause),
        1 => (0..4u8).prop_map(Event::SetEnv),
        1 => (1..30u32).prop_map(Event::SetPods),
        1 => any::<bool>().prop_map(Event::ListSecret),
        1 => (10..14u8).prop_map(Event::GrowStorage),
        1 => Just(Event::DeleteTenant),
        1 => Just(Event::MakeTenant),
        1 => Just(Event::MakeTenantOfAnother),
        1 => Just(Event::TakeFinalizerAway),
        1 => child().prop_map(Event::DeleteChild),
        1 => child().prop_map(Event::ChangeChild),
        1 => child().prop_map(Event::StripLabels),
        1 => Just(Event::DeletePod),
        1 => Just(Event::LoseRecord),
        1 => Just(Event::ReinstallDefinitions),
        1 => any::<bool>().prop_map(Event::LoseClass),
        1 => Just(Event::DeleteAssociation),
        1 => Just(Event::ChangeRole),
        1 => Just(Event::ChangeTag),
        1 => Just(Event::ChangeOwnRole),
        1 => any::<bool>().prop_map(Event::CloudDown),
        1 => any::<bool>().prop_map(Event::ListingLags),
        1 => any::<bool>().prop_map(Event::LetOwnersLook),
        1 => Just(Event::Restart),
        1 => (1..1000u16).prop_map(Event::Wait),
        1 => (0..9u8, any::<bool>()).prop_map(|(number, leaked)| Event::Order(number, leaked)),
        1 => (0..4u8).prop_map(Event::ChangeClass),
        1 => any::<bool>().prop_map(Event::GateFull),
        1 => any::<bool>().prop_map(Event::BreakPods),
        1 => (0..200u8).prop_map(Event::PutValue),
        1 => Just(Event::ScheduleDeletion),
        3 => any::<bool>().prop_map(Event::SetPolicy),
        1 => Just(Event::Month),
        1 => any::<bool>().prop_map(Event::Halt),
        1 => any::<bool>().prop_map(Event::Burst),
        1 => Just(Event::Confirm),
        1 => Just(Event::PurgeNow),
        1 => (1..60u8).prop_map(Event::KeepFor),
        1 => any::<bool>().prop_map(Event::Transfer),
        1 => any::<bool>().prop_map(Event::Move),
        4 => (1..4u8, proptest::collection::vec(fault(), 1..6)).prop_map(|(n, faults)| Event::Rounds(n, faults)),
        6 => Just(Event::Controllers),
        1 => any::<bool>().prop_map(Event::Use),
        1 => any::<bool>().prop_map(Event::Optional),
        1 => any::<Option<bool>>().prop_map(Event::Sleep),
    ]
}

/// Whether a volume would be found by its marks alone, and no secret is known to the record alone.
fn is_volume_marked(world: &World) -> bool {
    let Some(record) = world.record.as_ref().map(|_| world.record_spec()) else { return false };
    let volume = record.storage.volume.as_ref().and_then(|volume| world.volumes.get(&volume.name));
    let mark = volume.map(|volume| volume["metadata"]["labels"][labels::INCARNATION].clone());
    record.secrets.items.len() == 1 && mark.is_some_and(|mark| mark == *record.incarnation.as_str())
}

/// A volume is known by record and claim, and by its marks once it is kept. Losing all of them at once is not tried; nor is losing
/// the record while it alone knows of a person's secret.
fn one_may_go(world: &World) -> bool {
    let Some(claim) = world.record.as_ref().and_then(|_| world.child(Child::Claim)) else { return false };
    let record = world.record_spec();
    record.storage.volume.is_some()
        && record.secrets.items.len() == 1
        && claim["metadata"]["deletionTimestamp"].is_null()
        && claim["spec"]["volumeName"].is_string()
}

/// A class whose sign-in reads Secrets Manager, with a narrow gate and two gateways.
fn class(own_role: bool) -> Value {
    let mut class = if own_role { class_with_roles_json() } else { class_json() };
    class["login"] = json!({ "tokenSource": "SecretsManager" });
    class["rollout"] = json!({ "maxInFlight": 1, "maxFailures": 1, "deadlineSeconds": 300 });
    let other = json!({ "namespace": "gateways", "name": "other", "domain": "other.example.com" });
    class["routing"]["gateways"].as_array_mut().expect("a list").push(other);
    class
}

fn rollout_and_rotation(world: &mut World, event: &Event) {
    match event {
        Event::Order(number, leaked) if world.tenant.is_some() => {
            let order = if *leaked { format!("compromised:{number}") } else { number.to_string() };
            world.annotate_tenant(labels::ROTATE_SECRETS, &order);
        }
        Event::ChangeClass(level) if world.class.is_some() => {
            let mut class = world.usual_class.clone();
            class["workload"]["env"] = json!([{ "name": "FLEET_LEVEL", "value": level.to_string() }]);
            world.set_class(&class);
        }
        Event::Sleep(sleep) if world.class.is_some() => {
            let of = |other: &bool| json!({ "interceptor": { "namespace": if *other { "keda" } else { "keda-two" } } });
            world.usual_class["workload"]["scaleToZero"] = sleep.as_ref().map_or(Value::Null, of);
            world.set_class(&world.usual_class.clone());
        }
        Event::LetOwnersLook(lets) if world.class.is_some() => {
            world.usual_class["ownerAccess"] = if *lets { json!({}) } else { Value::Null };
            world.set_class(&world.usual_class.clone());
        }
        Event::GateFull(full) => super::rolling::somebody_rolls(world, *full, false),
        Event::BreakPods(broken) => world.break_pods(if *broken { |_| true } else { |_| false }),
        Event::PutValue(letter) => put_by_hand(world, *letter),
        Event::ScheduleDeletion => {
            let now = world.now;
            if let Some(token) = world.cloud.secrets.get_mut(TOKEN) {
                token.deleted_at = Some(now);
            }
            world.restart();
        }
        _ => {}
    }
}

/// Another value each time: an old one is never put again.
fn put_by_hand(world: &mut World, letter: u8) {
    let version: VersionId = format!("{letter:03}{:029}", world.now.as_second()).parse().expect("a version");
    let Some(secret) = world.cloud.secrets.get_mut(TOKEN) else { return };
    if let Some(former) = secret.current_version() {
        move_label(secret, "AWSPREVIOUS", Some(&former));
    }
    move_label(secret, CURRENT_STAGE, Some(&version));
    world.restart();
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Rounds(count, faults) => {
            let mut next = faults.iter().copied().cycle();
            for _ in 0..*count {
                world.round_with(&mut |_| next.next().unwrap_or(Fault::None));
                world.now += SignedDuration::from_secs(1);
            }
        }
        Event::Controllers => {
            controllers::run(world);
        }
        Event::Wait(seconds) => world.now += SignedDuration::from_secs(i64::from(*seconds)),
        Event::Restart => world.restart(),
        Event::CloudDown(down) => world.cloud.down = *down,
        Event::ListingLags(lags) => world.cloud.listed = lags.then_some(world.cloud.associations.len()),
        Event::LoseClass(lost) => {
            if *lost {
                world.class = None;
            } else if world.class.is_none() {
                world.set_class(&world.usual_class.clone());
            }
        }
        Event::DeleteAssociation | Event::ChangeRole | Event::ChangeTag | Event::ChangeOwnRole => {
            drift_in_aws(world, event);
        }
        Event::DeleteChild(_) | Event::ChangeChild(_) | Event::StripLabels(_) | Event::DeletePod => {
            drift_in_kubernetes(world, event);
        }
        Event::LoseRecord | Event::ReinstallDefinitions => lose_the_record(world, event),
        Event::Use(used) => world.is_used = *used,
        Event::Optional(served) => world.serve_optional(*served),
        Event::Order(..)
        | Event::Sleep(_)
        | Event::LetOwnersLook(_)
        | Event::ChangeClass(_)
        | Event::GateFull(_)
        | Event::BreakPods(_)
        | Event::PutValue(_)
        | Event::ScheduleDeletion => rollout_and_rotation(world, event),
        Event::SetPolicy(_)
        | Event::Month
        | Event::Halt(_)
        | Event::Burst(_)
        | Event::Confirm
        | Event::PurgeNow
        | Event::KeepFor(_)
        | Event::Transfer(_)
        | Event::Move(_) => the_end(world, event),
        Event::DeleteTenant => world.delete_tenant(),
        Event::MakeTenant if world.tenant.is_none() => world.make_tenant(&spec_json()),
        Event::MakeTenantOfAnother if world.tenant.is_none() && world.record.is_some() => {
            world.make_tenant(&mallory());
        }
        Event::MakeTenant | Event::MakeTenantOfAnother => {}
        Event::Suspend(_)
        | Event::Pause(_)
        | Event::SetEnv(_)
        | Event::SetPods(_)
        | Event::ListSecret(_)
        | Event::GrowStorage(_)
        | Event::TakeFinalizerAway => edit(world, event),
    }
}

/// What administrators order, and what has to do with the end of a tenant.
fn the_end(world: &mut World, event: &Event) {
    let incarnation = world.record.as_ref().map(|_| world.record_spec().incarnation.to_string());
    match (event, incarnation) {
        (Event::SetPolicy(delete), _) if world.tenant.is_some() => {
            world.edit_tenant(|spec| spec["deletionPolicy"] = json!(if *delete { "Delete" } else { "Retain" }));
        }
        (Event::Month, _) => {
            world.now += SignedDuration::from_secs(31 * DAY);
            world.cloud.let_go(world.now);
            world.restart();
        }
        (Event::Halt(halted), _) => world.halt(*halted),
        (Event::Burst(burst), Some(_)) => world.delete_others(if *burst { 20 } else { 0 }),
        (Event::Confirm, Some(incarnation)) => world.order(labels::CONFIRM_DELETION, &incarnation),
        (Event::PurgeNow, Some(incarnation)) => world.order(labels::PURGE_NOW, &incarnation),
        (Event::KeepFor(days), Some(_)) => {
            let date = world.now + SignedDuration::from_secs(i64::from(*days) * DAY);
            world.order(labels::KEEP_UNTIL, &date.to_string());
        }
        (Event::Transfer(away), Some(_)) => {
            let usual = spec_json();
            let to = if *away { "mallory" } else { usual["owner"]["subject"].as_str().expect("a subject") };
            world.order(labels::TRANSFER_TO, to);
        }
        (Event::Move(away), Some(_)) => {
            world.order(labels::MOVE_TO, if *away { "gateways/other" } else { "gateways/public" });
        }
        _ => {}
    }
}

fn edit(world: &mut World, event: &Event) {
    if world.tenant.is_none() {
        return;
    }
    match event {
        Event::Suspend(suspend) => world.suspend(*suspend),
        Event::Pause(pause) => world.annotate_tenant(labels::PAUSED, if *pause { "true" } else { "false" }),
        Event::SetEnv(number) => {
            world.edit_tenant(|spec| spec["env"] = json!([{ "name": "LOG_LEVEL", "value": number.to_string() }]));
        }
        Event::SetPods(pods) => world.edit_tenant(|spec| spec["quota"] = json!({ "pods": pods })),
        Event::ListSecret(listed) => world.edit_tenant(|spec| {
            spec["secrets"] = if *listed { json!([{ "name": "slack" }]) } else { json!([]) };
        }),
        Event::GrowStorage(size) => world.edit_tenant(|spec| {
            let before = spec["storage"]["size"].as_str().and_then(|size| size.trim_end_matches("Gi").parse().ok());
            spec["storage"] = json!({ "size": format!("{}Gi", before.unwrap_or(10).max(*size)) });
        }),
        Event::TakeFinalizerAway => {
            let mut tenant = world.tenant.take().expect("a Tenant");
            tenant["metadata"]["finalizers"] = json!([]);
            if tenant["metadata"]["deletionTimestamp"].is_null() {
                world.touch(&mut tenant);
                world.tenant = Some(tenant);
            }
        }
        _ => {}
    }
}

fn drift_in_aws(world: &mut World, event: &Event) {
    match event {
        Event::DeleteAssociation => world.cloud.associations.clear(),
        Event::ChangeRole => {
            let other = "arn:aws:iam::123456789012:role/another-role";
            let all = world.cloud.associations.iter_mut();
            all.for_each(|one| one.role_arn = Some(other.parse().expect("arn")));
        }
        Event::ChangeOwnRole => {
            for role in world.cloud.roles.values_mut() {
                role.trust = "{}".into();
                role.inline.insert("somebodys".into(), "{}".into());
                role.inline.remove(POLICY);
            }
        }
        _ => {
            let all = world.cloud.secrets.values_mut();
            all.for_each(|one| drop(one.tags.insert(tags::NAMESPACE.into(), "elsewhere".into())));
        }
    }
    // A decision made from an older look would only be late; what is tested is that it is right.
    world.restart();
}

fn is_namespace_recorded(world: &World) -> bool {
    let live = world.child(Child::Namespace).map(|namespace| namespace["metadata"]["uid"].clone());
    live.is_some_and(|live| world.record_spec().namespace.uid.is_some_and(|uid| live == json!(uid)))
}

fn drift_in_kubernetes(world: &mut World, event: &Event) {
    if world.record.is_none() {
        return;
    }
    match event {
        Event::DeleteChild(child @ (Child::Namespace | Child::Claim)) if one_may_go(world) => {
            world.delete_child(*child);
        }
        Event::DeleteChild(Child::Namespace | Child::Claim) | Event::ChangeChild(Child::Claim | Child::Namespace) => {}
        Event::DeleteChild(child) => world.delete_child(*child),
        Event::ChangeChild(child) => world.edit_child(*child, |object| {
            let field = ["spec", "data"].into_iter().find(|field| object[*field].is_object());
            match field {
                Some(field) => object[field]["foreign"] = json!("x"),
                None => object["automountServiceAccountToken"] = json!(true),
            }
        }),
        // S4: without its label a namespace is known by its UID only, so that must have been recorded.
        Event::StripLabels(Child::Namespace) if !is_namespace_recorded(world) => {}
        Event::StripLabels(child) => world.edit_child(*child, |object| object["metadata"]["labels"] = json!({})),
        _ => world.pods.clear(),
    }
}

/// A grant is known by its label, or by where the record looks for it. Losing both at once is not tried.
fn are_grants_marked(world: &World) -> bool {
    world.children[&Kind::ReferenceGrant].values().all(|grant| grant["metadata"]["labels"] != json!({}))
}

fn lose_the_record(world: &mut World, event: &Event) {
    let mirrors = |namespace: &Value| {
        namespace["metadata"]["labels"] != json!({}) && namespace["metadata"]["deletionTimestamp"].is_null()
    };
    // Without its namespace nothing says whose a lost record was.
    let is_mirrored = world.child(Child::Namespace).is_some();
    if !is_mirrored
        || !are_grants_marked(world)
        || !(one_may_go(world) || is_volume_marked(world))
        || !world.children[&Kind::Namespace].values().all(mirrors)
    {
        return;
    }
    if matches!(event, Event::LoseRecord) {
        world.record = None;
        return;
    }
    for definition in world.definitions.values_mut() {
        definition["metadata"]["deletionTimestamp"] = json!(world.now);
    }
    world.delete_tenant();
    world.round();
    world.definitions.clear();
    (world.tenant, world.record, world.class) = (None, None, None);
    world.round();
    world.install();
    world.set_class(&world.usual_class.clone());
}

/// Whom the namespace says to be the owner, where the record says another.
fn half_transferred(world: &World) -> Option<&'static str> {
    let mark = world.child(Child::Namespace)?["metadata"]["annotations"][labels::OWNER_HASH].as_str()?.to_owned();
    let recorded = world.record.as_ref().map(|_| world.record_spec().owner.hash)?;
    let hash = |subject: &str| subject.parse::<OwnerSubject>().expect("a subject").hash();
    ["mallory", "6f1c"].into_iter().find(|subject| mark == hash(subject).as_str() && mark != recorded.as_str())
}

/// Whatever people did is put right again; nothing fails any more.
fn quiet(world: &mut World) {
    world.cloud.down = false;
    world.cloud.listed = None;
    world.break_pods(|_| false);
    super::rolling::somebody_rolls(world, false, false);
    // A class that asks for what cannot be had holds its tenants up.
    if !world.usual_class["ownerAccess"].is_null() {
        world.serve_optional(true);
    }
    if world.class.is_none() {
        world.set_class(&world.usual_class.clone());
    }
    world.delete_others(0);
    world.halt(false);
    if world.tenant.is_some() {
        world.annotate_tenant(labels::PAUSED, "false");
    }
    // What was ordered last says whose the name is. A transfer that was withdrawn between its two steps is ordered again.
    world.settle_late();
    if let Some(to) = half_transferred(world) {
        // Its retention may have ended meanwhile; what is over is kept before it changes hands.
        let date = world.now + SignedDuration::from_secs(60 * DAY);
        world.order(labels::KEEP_UNTIL, &date.to_string());
        world.settle_late();
        world.order(labels::TRANSFER_TO, to);
        world.settle_late();
    }
    // Another owner may have got the name by now, by a transfer, or after all of the first one's is gone.
    let whose = |world: &World| {
        // A record that was rebuilt knows the hash alone.
        let another: OwnerSubject = "mallory".parse().expect("a subject");
        let hash = world.record.as_ref().map(|_| world.record_spec().owner.hash);
        if hash.is_some_and(|hash| hash == another.hash()) { mallory() } else { spec_json() }
    };
    let owner = |tenant: &Value| tenant["spec"]["owner"]["subject"].clone();
    if world.tenant.as_ref().is_some_and(|tenant| owner(tenant) != whose(world)["owner"]["subject"]) {
        world.delete_tenant();
        world.settle_late();
    }
    if world.tenant.as_ref().is_some_and(|tenant| tenant["metadata"]["deletionTimestamp"].is_string()) {
        world.settle_late();
        world.pass(61);
        world.pass(61);
    }
    if world.tenant.is_none() {
        world.make_tenant(&whose(world));
    }
    world.annotate_tenant(labels::PAUSED, "false");
    // After a leak a workspace may stay down until somebody orders again.
    world.annotate_tenant(labels::ROTATE_SECRETS, "compromised: quiet");
    world.edit_tenant(|spec| {
        spec["suspend"] = json!(false);
        spec["quota"] = json!({ "pods": 10 });
        spec["storage"] = json!({ "size": "20Gi" });
    });
}

/// An incarnation is followed by another only after it was removed, and the history says so.
fn one_incarnation_at_a_time(before: &mut Option<Incarnation>, record: &TenantRecordSpec) {
    let former = before.replace(record.incarnation.clone());
    if let Some(former) = former.filter(|former| *former != record.incarnation) {
        let last = record.history.iter().rfind(|entry| entry.event == HistoryEvent::Purged);
        let removed = last.and_then(|entry| entry.incarnation.as_ref());
        assert_eq!(removed, Some(&former), "an incarnation was given up that was not removed");
    }
}

/// No volume of a tenant is gone that nobody has asked to remove.
fn what_is_kept_is_there(world: &World) {
    let record = world.record_spec();
    let Some(volume) = &record.storage.volume else { return };
    let live = world.volumes.get(&volume.name);
    assert!(record.phase == RecordPhase::Purging || live.is_some(), "a kept volume is gone");
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_promise_is_broken_and_quiet_ends_in_ready(
        events in proptest::collection::vec(event(), 1..60),
        started in any::<bool>(),
        own_role in any::<bool>(),
        sleeps in any::<bool>(),
    ) {
        let mut world = World::new();
        world.serve_optional(sleeps);
        world.usual_class = class(own_role);
        if sleeps {
            world.usual_class["workload"]["scaleToZero"] = json!({});
        }
        world.set_class(&world.usual_class.clone());
        world.make_tenant(&spec_json());
        if started {
            world.settle();
        }
        let mut incarnation = None;
        for event in &events {
            happen(&mut world, event);
            if world.record.is_some() {
                one_incarnation_at_a_time(&mut incarnation, &world.record_spec());
                what_is_kept_is_there(&world);
            }
        }
        quiet(&mut world);
        world.settle();
        wait_for_audit(&mut world);
        wait_for_sweep(&mut world);
        world.settle();
        prop_assert_eq!(world.ready(), (true, "Verified".to_owned()));
        one_incarnation_at_a_time(&mut incarnation, &world.record_spec());
        prop_assert_eq!(world.volumes.len(), 1, "never a second volume beside the first");
        prop_assert_eq!(world.cloud.associations.len(), 1);
        agrees_on_one(&world);
        prop_assert_eq!(world.cloud.roles.len(), usize::from(own_role));
        let is_scaled = world.serves_optional && !world.usual_class["workload"]["scaleToZero"].is_null();
        prop_assert_eq!(world.children[&Kind::ReferenceGrant].len(), usize::from(is_scaled), "a grant for each who sleeps");
        prop_assert_eq!(world.children[&Kind::ScaledObject].len(), usize::from(is_scaled));
        let looks = usize::from(!world.usual_class["ownerAccess"].is_null());
        for kind in [Kind::RoleBinding, Kind::ClusterRole, Kind::ClusterRoleBinding] {
            prop_assert_eq!(world.children[&kind].len(), looks, "{:?}", kind);
        }
    }
}
