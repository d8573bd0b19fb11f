//! Every object of a tenant, whole: as literal JSON in `objects/`, one file for each variant that differs.

use std::path::Path;

use serde_json::{Value, json};

use super::fixtures::{alice, class_json, class_of, draw, settings, spec_json, spec_of};
use crate::{
    api::{
        class::TenantClassSpec,
        record::{RecordedVolume, TenantRecordSpec},
        tenant::TenantSpec,
    },
    gateway::placement,
    tenant::{
        blueprint::{Backend, Blueprint, Refusal, blueprint},
        child::Child,
        desired::build,
        reason::Reason,
        settings::Settings,
    },
};

/// What a tenant is made from.
pub(in crate::tenant) struct Given {
    pub(in crate::tenant) class: TenantClassSpec,
    pub(super) spec: TenantSpec,
    pub(super) record: TenantRecordSpec,
    pub(super) settings: Settings,
}

/// A tenant of the ordinary class with a bound volume and a place.
pub(in crate::tenant) fn given(class: impl FnOnce(&mut Value), spec: impl FnOnce(&mut Value)) -> Given {
    let (mut class_value, mut spec_value) = (class_json(), spec_json());
    class(&mut class_value);
    spec(&mut spec_value);
    let class = class_of(class_value);
    let spec = spec_of(spec_value);
    let mut record: TenantRecordSpec = serde_json::from_value(json!({
        "phase": "Active",
        "incarnation": "6f1c2a3b4c",
        "tenantUid": "6f1c2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b",
        "owner": { "subject": "6f1c", "hash": spec.owner.effective_subject().hash() },
        "className": "default",
        "namespace": { "name": class.namespace_prefix.namespace(&alice()), "prefix": class.namespace_prefix },
        "serviceAccount": "workspace-6f1c2a3b4c",
        "identity": { "mode": class.identity.mode, "nonce": draw(1) },
        "secrets": { "mode": class.secrets.mode, "prefix": "openclaw", "items": [{
            "name": "gateway-token", "origin": "Generated", "nonce": draw(2), "versionId": "0123456789abcdef0123456789abcdef",
        }] },
        "storage": { "className": "efs", "size": "10Gi" },
        "routing": { "mode": class.routing.mode, "placement": placement(&class.routing.gateways[0]) },
        "retirement": { "deletionPolicy": "Retain", "retentionDays": 30, "recoveryWindowDays": 30 },
    }))
    .expect("a record");
    record.routing.interceptor =
        class.workload.scale_to_zero.as_ref().map(|scaler| scaler.interceptor.namespace.clone());
    if class.secrets.mode == crate::api::class::SecretsMode::None {
        record.secrets.items.clear();
    }
    Given { class, spec, record, settings: settings().as_ref().clone() }
}

impl Given {
    pub(in crate::tenant) fn try_blueprint<R>(&self, then: impl FnOnce(Result<Blueprint<'_>, Refusal>) -> R) -> R {
        let tenant = alice();
        let built = blueprint(&tenant, &self.spec, &self.class, &self.record, &self.settings);
        // As in a cluster that serves every kind.
        let scaler = self.class.workload.scale_to_zero.as_ref().filter(|_| !self.spec.suspend);
        let backend = if scaler.is_some() { Backend::Interceptor } else { Backend::Workspace };
        then(built.map(|built| Blueprint { scaler, backend, ..built }))
    }

    pub(super) fn build(&self, child: Child) -> Option<Value> {
        self.try_blueprint(|blueprint| build(child, &blueprint.expect("nothing is refused")))
    }
}

fn is_as_written(given: &Given, child: Child, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tenant/tests/objects").join(file);
    let built = given.build(child).expect("it is wanted");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let written: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(built, written, "{file} says {text}\nbuilt was {built:#}");
}

fn none(_: &mut Value) {}

#[test]
fn a_host_mode_tenant_becomes_these_objects() {
    let given = given(none, none);
    for (child, file) in [
        (Child::Namespace, "namespace.json"),
        (Child::ResourceQuota, "resource-quota.json"),
        (Child::LimitRange, "limit-range.json"),
        (Child::DefaultDeny, "default-deny.json"),
        (Child::Allowlist, "allowlist.json"),
        (Child::DisruptionBudget, "disruption-budget.json"),
        (Child::ServiceAccount, "service-account.json"),
        (Child::Claim, "claim.json"),
        (Child::Service, "service.json"),
        (Child::Route, "route.json"),
    ] {
        is_as_written(&given, child, file);
    }
}

#[test]
fn a_tenant_that_sleeps_becomes_these_objects_beside() {
    let class = |class: &mut Value| {
        class["network"] = json!({ "ingressFrom": [{ "cidr": "10.0.240.0/24" }] });
        class["workload"]["scaleToZero"] = json!({ "interceptor": { "podLabels": { "app": "interceptor" } } });
    };
    let given = given(class, none);
    for (child, file) in [
        (Child::Allowlist, "sleeping-allowlist.json"),
        (Child::ScaledObject, "scaled-object.json"),
        (Child::InterceptorRoute, "interceptor-route.json"),
        (Child::InterceptorGrant, "interceptor-grant.json"),
        (Child::Route, "sleeping-route.json"),
    ] {
        is_as_written(&given, child, file);
    }
    assert_eq!(given.build(Child::TargetGroup), None);
}

#[test]
fn in_path_mode_the_interceptor_goes_by_the_path() {
    let class = |class: &mut Value| {
        class["workload"]["scaleToZero"] = json!({});
        class["routing"]["mode"] = json!("Path");
        class["routing"]["acceptSharedOrigin"] = json!(true);
    };
    let route = given(class, none).build(Child::InterceptorRoute).expect("wanted");
    assert_eq!(route["spec"]["rules"], json!([{ "hosts": ["claw.example.com"], "paths": [{ "value": "/t/alice" }] }]));
}

#[test]
fn a_variable_that_the_class_sets_is_no_tenant_s() {
    let class = |class: &mut Value| class["workload"]["env"] = json!([{ "name": "LOG_LEVEL", "value": "info" }]);
    let given = given(class, |spec| spec["env"] = json!([{ "name": "LOG_LEVEL", "value": "debug" }]));
    given.try_blueprint(|built| {
        let refusal = built.expect_err("both set it");
        assert_eq!(refusal.reason, Reason::EnvNotAllowed);
        assert!(refusal.message.contains("env LOG_LEVEL is set by class default"), "{}", refusal.message);
    });
}

#[test]
fn a_suspended_tenant_has_no_scaler() {
    let given = given(
        |class| class["workload"]["scaleToZero"] = json!({}),
        |spec| {
            spec["suspend"] = json!(true);
        },
    );
    for child in [Child::ScaledObject, Child::InterceptorRoute, Child::InterceptorGrant, Child::Route] {
        assert_eq!(given.build(child), None, "{child:?}");
    }
}

fn knows_names(class: &mut Value) {
    class["network"] = json!({
        "egressMode": "Allowlist",
        "enforcement": "Cilium",
        "domains": ["*.amazonaws.com"],
        "cidrs": [
            { "cidr": "10.1.0.0/24", "ports": [443] },
            { "cidr": "10.2.0.0/24", "ports": [5432] },
            { "cidr": "172.16.0.0/12" },
        ],
    });
    class["allow"]["egressDomains"] = json!(true);
}

#[test]
fn names_are_opened_and_private_addresses_stay_closed_whatever_they_stand_for() {
    let given = given(knows_names, |spec| spec["egress"] = json!({ "domains": ["api.example.com"] }));
    is_as_written(&given, Child::DomainPolicy, "domain-policy.json");
}

#[test]
fn without_names_cilium_is_told_of_nothing_but_the_agent_on_the_node() {
    let enforced = |class: &mut Value| class["network"] = json!({ "enforcement": "Cilium" });
    let policy = given(enforced, none).build(Child::DomainPolicy).expect("wanted");
    let port = json!([{ "ports": [{ "port": "80", "protocol": "TCP" }] }]);
    let spec = json!({ "endpointSelector": {}, "egress": [{ "toEntities": ["host"], "toPorts": port }] });
    assert_eq!(policy["spec"], spec);

    let nobody = |class: &mut Value| {
        enforced(class);
        class["identity"] = json!({ "mode": "None" });
    };
    assert_eq!(given(nobody, none).build(Child::DomainPolicy), None);
    assert_eq!(given(none, none).build(Child::DomainPolicy), None);
}

#[test]
fn a_load_balancer_is_told_how_to_reach_the_workspace_where_the_class_says_so() {
    let with = given(|class| class["routing"]["targetGroup"] = json!({ "healthCheckIntervalSeconds": 10 }), none);
    is_as_written(&with, Child::TargetGroup, "target-group.json");
    assert_eq!(given(none, none).build(Child::TargetGroup), None);
}

const OWNERS: [(Child, &str); 3] = [
    (Child::OwnerBinding, "owner-binding.json"),
    (Child::OwnerRole, "owner-role.json"),
    (Child::OwnerRoleBinding, "owner-role-binding.json"),
];

#[test]
fn an_owner_whom_the_class_lets_look_is_named_as_the_api_server_knows_them() {
    let lets_look = |class: &mut Value| class["ownerAccess"] = json!({ "userNamePrefix": "oidc:" });
    for (child, file) in OWNERS {
        is_as_written(&given(lets_look, none), child, file);
    }
    // Who may edit the Tenant may change the address, and gives nobody a right by that.
    let others = given(lets_look, |spec| spec["owner"]["email"] = json!("mallory@example.com"));
    assert_eq!(others.build(Child::OwnerBinding), given(lets_look, none).build(Child::OwnerBinding));
}

#[test]
fn nobody_looks_whom_the_class_does_not_let_or_whose_access_has_ended_or_who_would_be_kubernetes_own() {
    let lets_look = |class: &mut Value| class["ownerAccess"] = json!({});
    let suspended = given(lets_look, |spec| spec["suspend"] = json!(true));
    for (child, _) in OWNERS {
        assert_eq!(given(none, none).build(child), None);
        assert_eq!(suspended.build(child), None);
        let mut system = given(lets_look, none);
        system.record.owner.subject = Some("system:admin".parse().expect("a subject"));
        assert_eq!(system.build(child), None);
    }
}

#[test]
fn the_pod_is_fully_explicit() {
    let given = given(none, none);
    let mut set = given.build(Child::StatefulSet).expect("wanted");
    // The configuration's hash has tests of its own.
    set["spec"]["template"]["metadata"]["annotations"] = json!({});
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tenant/tests/objects/stateful-set.json");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON");
    assert_eq!(set, written, "built was {set:#}");
}

/// The server drops an empty map.
#[test]
fn resources_of_which_none_is_named_are_not_rendered() {
    let resources = |limits: Value| {
        let name_none = |class: &mut Value| {
            class["workload"]["requests"] = json!({});
            class["workload"]["limits"] = limits;
        };
        let set = given(name_none, none).build(Child::StatefulSet).expect("wanted");
        let pod = &set["spec"]["template"]["spec"];
        [pod["initContainers"][0]["resources"].clone(), pod["containers"][0]["resources"].clone()]
    };
    assert_eq!(resources(json!({})), [json!({}), json!({})]);
    let limits = resources(json!({ "cpu": "1" }));
    assert_eq!(limits, [json!({ "limits": { "cpu": "100m" } }), json!({ "limits": { "cpu": "1" } })]);
}

#[test]
fn in_path_mode_the_route_is_a_path_on_the_shared_host() {
    let given = given(
        |class| {
            class["routing"]["mode"] = json!("Path");
            class["routing"]["acceptSharedOrigin"] = json!(true);
            class["routing"]["gateways"][0]["sectionName"] = json!("https");
        },
        none,
    );
    is_as_written(&given, Child::Route, "route-path.json");
}

#[test]
fn the_allowlist_mode_opens_only_what_is_listed() {
    let given = given(
        |class| {
            class["network"] = json!({
                "egressMode": "Allowlist",
                "cidrs": [{ "cidr": "10.1.0.0/24" }],
                "ingressFrom": [{ "cidr": "10.9.0.0/16" }, { "namespaceLabels": { "team": "edge" } }],
            });
            class["identity"] = json!({ "mode": "None" });
        },
        |spec| spec["egress"] = json!({ "cidrs": [{ "cidr": "203.0.113.0/24", "ports": [443, 8443] }] }),
    );
    is_as_written(&given, Child::Allowlist, "allowlist-mode.json");
}

#[test]
fn a_class_may_open_ranges_of_its_own_and_instance_metadata() {
    let given = given(
        |class| {
            class["network"] =
                json!({ "cidrs": [{ "cidr": "10.1.0.0/24", "ports": [5432] }], "allowInstanceMetadata": true });
        },
        none,
    );
    is_as_written(&given, Child::Allowlist, "allowlist-class-cidrs.json");
}

#[test]
fn a_strict_budget_blocks_drains() {
    let given = given(|class| class["disruption"] = json!("Strict"), none);
    is_as_written(&given, Child::DisruptionBudget, "disruption-budget-strict.json");
}

#[test]
fn defaults_that_are_not_named_are_rendered_as_the_server_does() {
    let given = given(|class| class["limitRange"] = json!({ "limits": { "cpu": "500m" }, "requests": {} }), none);
    is_as_written(&given, Child::LimitRange, "limit-range-partial.json");
}

#[test]
fn a_suspended_tenant_keeps_everything_but_its_pod_and_its_route() {
    let (open, suspended) = (given(none, none), given(none, |spec| spec["suspend"] = json!(true)));
    for child in Child::ALL {
        let mut wanted = open.build(*child);
        match child {
            Child::Route => wanted = None,
            Child::StatefulSet => wanted.as_mut().expect("wanted")["spec"]["replicas"] = json!(0),
            _ => {}
        }
        assert_eq!(suspended.build(*child), wanted, "{child:?}");
    }
}

#[test]
fn a_claim_that_is_made_again_names_its_volume() {
    let mut given = given(none, none);
    given.record.storage.volume = Some(RecordedVolume { name: "pv-1".into(), handle: "fs-1".into() });
    is_as_written(&given, Child::Claim, "claim-again.json");
}

#[test]
fn a_retained_namespace_says_until_when() {
    let mut given = given(none, none);
    given.record.phase = crate::api::record::RecordPhase::Retained;
    let time = "2026-02-01T00:00:00Z".parse().expect("time");
    given.record.purge_after = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
    is_as_written(&given, Child::Namespace, "namespace-retained.json");
}

#[test]
fn quota_and_volume_are_those_that_the_tenant_asks_for() {
    let wishes = |spec: &mut Value| {
        spec["quota"] = json!({ "cpu": "6", "memory": "12Gi", "pods": 12 });
        spec["storage"] = json!({ "size": "40Gi" });
    };
    let given = given(|class| class["quota"]["persistentVolumeClaims"] = json!(2), wishes);
    is_as_written(&given, Child::ResourceQuota, "resource-quota-wishes.json");
    let claim = given.build(Child::Claim).expect("wanted");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "40Gi");
}

#[test]
fn a_record_has_room_for_64_secrets_and_what_left_the_list_still_counts() {
    let mut given = given(none, |spec| spec["secrets"] = json!([{ "name": "slack" }]));
    for number in 0..63 {
        let mut item = given.record.secrets.items[0].clone();
        item.name = format!("old-{number}").parse().expect("a name");
        given.record.secrets.items.push(item);
    }
    let reason = |given: &Given| given.try_blueprint(|blueprint| blueprint.err().map(|refusal| refusal.reason));
    assert_eq!(reason(&given), Some(crate::tenant::reason::Reason::SecretNotAllowed));
    given.record.secrets.items.truncate(63);
    assert_eq!(reason(&given), None);
}

/// The class gives the right to list models, and the workspace makes use of it.
#[test]
fn models_are_discovered_where_the_class_says_so() {
    let discovery = |class: fn(&mut Value)| {
        let map = given(class, |_| {}).build(Child::ConfigMap).expect("a ConfigMap");
        let config: Value = serde_json::from_str(map["data"]["openclaw.json"].as_str().expect("text")).expect("JSON");
        config["plugins"]["entries"]["amazon-bedrock"]["config"]["discovery"]["enabled"].clone()
    };
    assert_eq!(discovery(|class| class["identity"]["modelDiscovery"] = json!(true)), json!(true));
    assert_ne!(discovery(|_| {}), json!(true));
}
