use super::*;
use crate::tenant::settings::Sweeps;

fn sight() -> Sight {
    Sight {
        settings: Arc::new(Settings {
            operator_namespace: "openclaw-system".parse().expect("namespace"),
            secrets_prefix: "openclaw".parse().expect("prefix"),
            cluster_uid: "0c9d7e11-2222-4333-8444-555566667777".parse().expect("uid"),
            eks: None,
            region: None,
            cluster_cidrs: Vec::new(),
            dns_addresses: Vec::new(),
            emulator_endpoint: None,
            sweeps: Sweeps::default(),
            dry_run: false,
        }),
        now: "2026-01-02T03:04:05Z".parse().expect("time"),
        classes: Vec::new(),
        tenants: Vec::new(),
        records: Vec::new(),
        namespaces: Vec::new(),
        live: false,
    }
}

fn class(name: &str, capacity: u16) -> Value {
    json!({
        "apiVersion": "openclaw.io/v1alpha1", "kind": "TenantClass", "metadata": { "name": name },
        "spec": {
            "storage": { "className": "efs", "maximum": "50Gi" },
            "identity": { "mode": "None" },
            "workload": { "image": { "repository": "r", "tag": "1" } },
            "routing": {
                "mode": "Host",
                "gateways": [{ "namespace": "g", "name": "g", "domain": "e.com", "capacity": capacity }],
            },
        },
    })
}

fn tenant(name: &str, more: &Value) -> Value {
    let mut tenant = json!({
        "apiVersion": "openclaw.io/v1alpha1", "kind": "Tenant", "metadata": { "name": name },
        "spec": { "owner": { "email": format!("{name}@example.com") } },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        tenant["spec"][key] = value.clone();
    }
    tenant
}

fn judged(objects: &[Value], sight: &Sight) -> (Report, Vec<String>) {
    let mut read = Read::default();
    let text: Vec<String> = objects.iter().map(|object| format!("{object}\n")).collect();
    read.add("a.yaml", &text.join("---\n"), true);
    let (report, sound) = judge(read, sight);
    (report, sound.into_iter().map(|one| one.name).collect())
}

fn lines(objects: &[Value], sight: &Sight) -> Vec<String> {
    judged(objects, sight).0.lines().lines().map(str::to_owned).collect()
}

#[test]
fn everything_that_a_class_does_not_allow_is_told_at_once() {
    let wishes = json!({
        "quota": { "cpu": "64" },
        "storage": { "size": "1Ti" },
        "env": [{ "name": "NODE_OPTIONS", "value": "x" }],
        "skills": ["weather"],
        "egress": { "cidrs": [{ "cidr": "10.0.0.0/8" }] },
        "resources": { "limits": { "cpu": "1" } },
    });
    let reasons: Vec<&str> = {
        let (report, sound) = judged(&[class("default", 90), tenant("alice", &wishes)], &sight());
        assert_eq!(sound, ["default"]);
        report.findings.iter().map(|one| one.reason.expect("a reason").as_str()).collect()
    };
    let expected = ["QuotaAboveMaximum", "StorageAboveMaximum", "EgressNotAllowed", "EnvNotAllowed", "SkillNotAllowed"];
    assert_eq!(reasons, expected);
}

#[test]
fn a_good_folder_has_no_finding_and_no_class_is_said() {
    let (report, sound) = judged(&[class("default", 90), tenant("alice", &json!({}))], &sight());
    assert_eq!((report.lines().as_str(), report.tenants, report.classes, report.unjudged), ("", 1, 1, 0));
    assert_eq!(sound, ["default", "alice"]);
    let (report, _) = judged(&[tenant("alice", &json!({}))], &sight());
    assert_eq!((report.lines().as_str(), report.unjudged), ("", 1));
}

#[test]
fn a_class_that_is_not_there_is_named_where_any_is_known() {
    let objects = [class("default", 90), tenant("alice", &json!({ "className": "guests" }))];
    let found = lines(&objects, &sight());
    let expected = "a.yaml:2: Tenant alice: error: ClassNotFound: TenantClass guests does not exist; the tenant stays as it \
                    is. Create the class or name another";
    assert_eq!(found, [expected]);
    let live = Sight { live: true, ..sight() };
    assert_eq!(lines(&objects[1..], &live), [expected.replace(":2:", ":1:")]);
}

#[test]
fn more_tenants_than_places_are_told_by_name() {
    let asleep = tenant("asleep", &json!({ "suspend": true }));
    let tenants = ["carol", "alice", "bob"].map(|name| tenant(name, &json!({})));
    let mut objects = vec![class("default", 2), asleep];
    objects.extend(tenants);
    let expected = "a.yaml:3: Tenant carol: error: CapacityExhausted: the gateways of class default have no place left for \
                    carol: add a gateway to the class, or raise a capacity";
    assert_eq!(lines(&objects, &sight()), [expected]);
}

#[test]
fn one_gateway_of_two_classes_has_its_places_once() {
    let other = tenant("bob", &json!({ "className": "other" }));
    let objects = [class("default", 1), class("other", 1), tenant("alice", &json!({})), other];
    let found = lines(&objects, &sight());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("Tenant bob") && found[0].contains("the gateways of class other"), "{found:?}");
}

#[test]
fn doubled_names_reserved_names_and_other_kinds_are_told() {
    let other = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "alice" } });
    let typo = json!({ "apiVersion": "openclaw.oi/v1alpha1", "kind": "Tenant", "metadata": { "name": "x" } });
    let record = json!({ "apiVersion": "openclaw.io/v1alpha1", "kind": "TenantRecord", "metadata": { "name": "x" } });
    let unknown = json!({ "apiVersion": "openclaw.io/v1alpha1", "kind": "TenantCalss" });
    let mut field = tenant("bob", &json!({}));
    field["metadata"]["annotations"] = json!({ "openclaw.io/paused": true });
    field["spce"] = json!({});
    let alice = || tenant("alice", &json!({}));
    let objects =
        [class("default", 9), alice(), alice(), other, typo, record, unknown, field, tenant("system", &json!({}))];
    let (report, _) = judged(&objects, &sight());
    let expected = "\
a.yaml:3: Tenant alice: error: metadata.name: the same name stands in a.yaml:2 already: take one of them away
a.yaml:5: error: apiVersion openclaw.oi/v1alpha1 is nobody's: did you mean openclaw.io/v1alpha1?
a.yaml:6: error: a TenantRecord is written by the operator alone: take it away
a.yaml:7: error: kind \"TenantCalss\" is not known; did you mean TenantClass?
a.yaml:8: Tenant bob: error: spce: there is no such field; did you mean spec?
a.yaml:8: Tenant bob: error: metadata.annotations[openclaw.io/paused]: true is no text: put it in quotes
a.yaml:9: Tenant system: error: this name is reserved for the platform (system, default, operator, gateway, admin, shared, public, openclaw, kube-…): choose another
";
    assert_eq!(report.lines(), expected);
    assert_eq!((report.others, report.tenants), (1, 4));
}

#[test]
fn a_class_that_could_keep_nobody_is_told() {
    let mut small = class("small", 9);
    small["spec"]["quota"] = json!({ "memory": "1Gi" });
    let mut shut = class("shut", 9);
    shut["spec"]["routing"]["gateways"][0]["cordoned"] = json!(true);
    let found = lines(&[small, shut], &sight());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("a.yaml:1: TenantClass small: error: WorkloadAboveQuota: "), "{found:?}");
    assert!(found[1].starts_with("a.yaml:2: TenantClass shut: error: CapacityExhausted: no gateway"), "{found:?}");
}

/// What is live decides: whose a name is, how large a volume is, which places are taken.
#[test]
fn against_a_cluster_records_and_places_count() {
    let judge_live = |objects: &[Value], sight: &Sight| lines(objects, sight);
    let begin = sight();
    let cache = Cache::new(Arc::clone(&begin.settings));
    let shown = Sight { classes: vec![identified(class("default", 1), 0, None)], ..sight() };
    show(&cache, &Vec::new(), &shown);
    cache.upsert(Watched::Tenant, &identified(tenant("alice", &json!({})), 7, None));
    let alice: TenantName = "alice".parse().expect("name");
    let mut record = begun(&cache.observe(&alice, begin.now, Nonce::from_bytes([0; 16]))).expect("a record");
    record.storage.size = "20Gi".parse().expect("size");
    record.routing.placement = Some(crate::api::record::Placement {
        namespace: "g".parse().expect("namespace"),
        name: "g".into(),
        domain: "e.com".parse().expect("domain"),
    });
    let mut object = json!({ "metadata": { "name": "alice" }, "spec": record });
    object["metadata"]["uid"] = json!("00000009-0000-4000-8000-000000000000");
    object["metadata"]["resourceVersion"] = json!("5");
    let live = Sight { classes: shown.classes, records: vec![object], live: true, ..sight() };

    let same = tenant("alice", &json!({}));
    assert_eq!(judge_live(std::slice::from_ref(&same), &live), Vec::<String>::new());
    let smaller = tenant("alice", &json!({ "storage": { "size": "10Gi" } }));
    assert!(judge_live(&[smaller], &live)[0].contains("error: StorageShrunk: "));
    let thief = tenant("alice", &json!({ "owner": { "email": "mallory@example.com" } }));
    assert!(judge_live(&[thief], &live)[0].contains("error: NameReserved: "));
    let found = judge_live(&[same, tenant("bob", &json!({}))], &live);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("Tenant bob: error: CapacityExhausted"), "{found:?}");
}
