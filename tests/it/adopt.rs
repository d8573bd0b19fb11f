//! Adoption: what an earlier system made becomes a tenant's, without a moment at which anything of it is lost.

use std::time::Instant;

use aws_sdk_secretsmanager::types::Tag;
use serde_json::{Value, json};

use crate::support::{Bed, condition};

/// What the old platform made for a tenant.
pub(crate) struct Old {
    pub(crate) bed: Bed,
    token: String,
    pub(crate) association: String,
}

const CONSENT: &str = "openclaw.io/adopt-by";

/// What must not change whatever becomes of the adoption: the volume, and the secret's value.
#[derive(Debug, PartialEq)]
pub(crate) struct Kept {
    volume: Value,
    handle: Value,
    version: String,
    value: Option<String>,
}

impl Old {
    /// A namespace of the old platform's making: a Deployment on a claim of another name, a ServiceAccount with an association,
    /// a secret with a value, a policy and a quota of the tenant's name.
    pub(crate) async fn platform(test: &str) -> Self {
        let bed = Bed::new(test).await;
        let (namespace, tenant) = (bed.namespace(), bed.tenant.clone());
        let labels = json!({ "app.kubernetes.io/managed-by": "argocd", "pod-security.kubernetes.io/enforce": "baseline", "team": "blue" });
        let metadata = json!({ "labels": labels, "annotations": { CONSENT: tenant } });
        bed.create("Namespace", None, &namespace, json!({ "metadata": metadata })).await.expect("namespace");
        bed.create("ServiceAccount", Some(&namespace), &tenant, json!({})).await.expect("ServiceAccount");
        let claim = json!({ "metadata": { "annotations": { CONSENT: tenant } }, "spec": {
            "accessModes": ["ReadWriteMany"], "storageClassName": bed.instance.fact("/storageClass"),
            "resources": { "requests": { "storage": "12Gi" } },
        } });
        bed.create("PersistentVolumeClaim", Some(&namespace), &claim_of(&bed), claim).await.expect("claim");
        let is_bound = |claim: &Value| claim["status"]["phase"] == "Bound";
        bed.until_child("PersistentVolumeClaim", &claim_of(&bed), "bound", is_bound).await;
        let open = json!({ "podSelector": {}, "policyTypes": ["Egress"], "egress": [{}] });
        bed.create("NetworkPolicy", Some(&namespace), &tenant, json!({ "spec": open })).await.expect("policy");
        let quota = json!({ "hard": { "pods": "100", "count/secrets": "50" } });
        bed.create("ResourceQuota", Some(&namespace), &tenant, json!({ "spec": quota })).await.expect("quota");
        let association = bed.instance.make_association(&namespace, &tenant, &[("openclaw-adopt-by", &tenant)]).await;
        let token = format!("openclaw/{tenant}/gateway-token");
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let tags = vec![tag("openclaw-adopt-by", &tenant), tag("tenant-namespace", &namespace)];
        let request = bed.instance.secrets().create_secret().name(&token).secret_string("the owner's own token");
        request.set_tags(Some(tags)).send().await.expect("a secret");
        bed.create("Deployment", Some(&namespace), &tenant, deployment(&bed)).await.expect("Deployment");
        let old = Self { bed, token, association };
        old.old_pod().await;
        old
    }

    /// The same with its Tenant, attached.
    pub(crate) async fn attached(test: &str) -> Self {
        let old = Self::platform(test).await;
        old.bed.apply_tenant(json!({})).await.expect("taken");
        old.awaits_cut_over().await;
        old
    }

    /// The message that says how to go on.
    pub(crate) async fn awaits_cut_over(&self) -> String {
        self.bed.stalled("AwaitingCutOver").await
    }

    async fn order(&self, value: Option<&str>) {
        let annotations = json!({ "openclaw.io/cut-over": value });
        self.bed.patch_tenant(json!({ "metadata": { "annotations": annotations } })).await.expect("ordered");
    }

    async fn scale(&self, replicas: u8) {
        let patch = json!({ "spec": { "replicas": replicas } });
        let (namespace, name) = (self.bed.namespace(), &self.bed.tenant);
        self.bed.patch("Deployment", Some(&namespace), name, patch).await.expect("scaled");
    }

    /// The old workload's pod, once it is ready.
    pub(crate) async fn old_pod(&self) -> Value {
        let look = || async {
            let pods = self.bed.children("Pod").await;
            pods.into_iter().find(|pod| pod["metadata"]["labels"]["app"] == "old" && is_ready(pod))
        };
        self.bed.until_so("the former workload's pod", look).await
    }

    pub(crate) async fn kept(&self) -> Kept {
        let claim = self.bed.child("PersistentVolumeClaim", &claim_of(&self.bed)).await.expect("the claim");
        let name = claim["spec"]["volumeName"].as_str().expect("bound").to_owned();
        let volume = self.bed.get("PersistentVolume", None, &name).await.expect("its volume");
        let secrets = self.bed.instance.secrets();
        let value = secrets.get_secret_value().secret_id(&self.token).send().await.expect("a value");
        Kept {
            volume: volume["metadata"]["uid"].clone(),
            handle: volume["spec"]["hostPath"]["path"].clone(),
            version: value.version_id().expect("its version").to_owned(),
            value: value.secret_string().map(str::to_owned),
        }
    }

    async fn tags(&self) -> Vec<(String, String)> {
        let described =
            self.bed.instance.secrets().describe_secret().secret_id(&self.token).send().await.expect("there");
        let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
        described.tags().iter().filter_map(pair).collect()
    }

    pub(crate) async fn associations(&self) -> Vec<String> {
        let (eks, cluster) = (self.bed.instance.eks(), self.bed.instance.fact("/aws/clusterName"));
        let list = eks.list_pod_identity_associations().cluster_name(cluster).namespace(self.bed.namespace());
        let listed = list.send().await.expect("a list");
        listed.associations().iter().filter_map(|one| one.association_id().map(str::to_owned)).collect()
    }

    pub(crate) async fn adoption(&self) -> Value {
        self.bed.record().await.expect("a record")["spec"]["adoption"].clone()
    }

    /// Moves the workspace over, and waits until it is Ready.
    async fn move_over(&self) -> Value {
        self.order(Some("start")).await;
        self.scale(0).await;
        self.ready_after("CutOver").await
    }

    /// Waits until the Tenant is Ready with this reason of its identity.
    pub(crate) async fn ready_after(&self, reason: &str) -> Value {
        let is_it = |tenant: &Value| {
            condition(tenant, "Ready")["status"] == "True" && condition(tenant, "IdentityReady")["reason"] == reason
        };
        self.bed.until(&format!("Ready, IdentityReady {reason}"), is_it).await
    }
}

pub(crate) fn claim_of(bed: &Bed) -> String {
    format!("{}-data", bed.tenant)
}

fn deployment(bed: &Bed) -> Value {
    let labels = json!({ "app": "old" });
    let pod = json!({
        "serviceAccountName": bed.tenant,
        "terminationGracePeriodSeconds": 1,
        "containers": [{ "name": "openclaw", "image": "ghcr.io/openclaw/openclaw:2026.1.1",
                         "volumeMounts": [{ "name": "data", "mountPath": "/home/node" }] }],
        "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": claim_of(bed) } }],
    });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    json!({ "spec": { "replicas": 1, "selector": { "matchLabels": labels }, "template": template } })
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
        && pod["metadata"]["deletionTimestamp"].is_null()
}

/// S4: consent is on the thing itself, and on the Tenant it counts for nothing.
#[tokio::test]
async fn consent_on_the_tenant_counts_for_nothing() {
    let old = Old::platform("adopt-none").await;
    let bed = &old.bed;
    let take_off = json!({ "metadata": { "annotations": { CONSENT: null } } });
    bed.patch("Namespace", None, &bed.namespace(), take_off).await.expect("taken off");
    let mut manifest = bed.manifest(json!({}));
    manifest["metadata"]["annotations"] = json!({ CONSENT: bed.tenant });
    bed.apply("Tenant", None, &bed.tenant, manifest).await.expect("taken");
    let message = bed.stalled("NamespaceTaken").await;
    assert!(message.contains(&format!("{CONSENT}={}", bed.tenant)), "says how it is given: {message}");
    assert_eq!(bed.record().await, None);
    assert_eq!(bed.instance.writes_about(&bed.namespace()), Vec::<Value>::new());
    // And given where it belongs it is enough.
    let consent = json!({ "metadata": { "annotations": { CONSENT: bed.tenant } } });
    bed.patch("Namespace", None, &bed.namespace(), consent).await.expect("given");
    old.awaits_cut_over().await;
}

/// The first phase: recorded and marked, and nobody who uses any of it notices.
#[tokio::test]
async fn attaching_touches_no_pod_and_keeps_volume_and_secret() {
    let old = Old::platform("adopt-attach").await;
    let bed = &old.bed;
    let (before, pod) = (old.kept().await, old.old_pod().await);
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = old.awaits_cut_over().await;
    let command = format!("kubectl annotate tenant {} openclaw.io/cut-over=start --overwrite", bed.tenant);
    assert!(message.contains(&command), "{message}");

    assert_eq!(old.kept().await, before);
    let now = old.old_pod().await;
    for same in ["/metadata/uid", "/status/containerStatuses/0/restartCount", "/metadata/labels"] {
        assert_eq!(now.pointer(same), pod.pointer(same), "{same}");
    }
    let record = bed.record().await.expect("a record")["spec"].clone();
    assert_eq!(record["adoption"]["stage"], "Attached");
    assert_eq!(record["adoption"]["formerAssociations"], json!([old.association]));
    assert_eq!(record["storage"]["claim"], claim_of(bed).as_str());
    let volume =
        bed.get("PersistentVolume", None, record["storage"]["volume"]["name"].as_str().expect("recorded")).await;
    assert_eq!(volume.expect("volume")["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    let namespace = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    let labels = &namespace["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "baseline");
    assert_eq!((&labels["app.kubernetes.io/managed-by"], &labels["team"]), (&json!("argocd"), &json!("blue")));
    assert_eq!(bed.child("NetworkPolicy", &bed.tenant).await.expect("policy")["spec"]["egress"], json!([{}]));
    assert!(
        bed.child("StatefulSet", &bed.tenant).await.is_none()
            && bed.child("NetworkPolicy", "default-deny").await.is_none()
    );
    let tags = old.tags().await;
    assert!(tags.iter().any(|(key, value)| key == "openclaw-tenant" && *value == bed.tenant), "{tags:?}");
    assert!(tags.iter().all(|(key, _)| key != "tenant-service-account"), "the old pod reads on: {tags:?}");
    let writes = bed.instance.writes_about(&bed.namespace());
    let is_mark = |write: &Value| {
        write["verb"] == "patch"
            && ["namespaces", "persistentvolumeclaims"].iter().any(|kind| write["objectRef"]["resource"] == *kind)
    };
    assert!(!writes.is_empty() && writes.iter().all(is_mark), "{writes:#?}");
    let values = bed.instance.calls(&old.token).await;
    assert!(values.iter().all(|call| call["accessKeyId"] != "operator" || call["operation"] != "PutSecretValue"));
}

/// The second phase: one restart, on the same volume and the same value of the secret.
#[tokio::test]
async fn the_cut_over_waits_for_the_former_pod_and_starts_on_the_same_volume_and_secret() {
    let old = Old::attached("adopt-over").await;
    let bed = &old.bed;
    let (before, pod) = (old.kept().await, old.old_pod().await);
    let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
    old.order(Some("start")).await;
    let waits = |tenant: &Value| {
        let workload = condition(tenant, "WorkloadReady");
        workload["reason"] == "ClaimInUse" && workload["message"].as_str().unwrap_or_default().contains(&name)
    };
    bed.until("waiting for the pod by its name", waits).await;
    assert_eq!(old.adoption().await["stage"], "Attached");
    assert!(bed.child("StatefulSet", &bed.tenant).await.is_none());

    let began = Instant::now();
    old.scale(0).await;
    let is_up = |pod: &Value| is_ready(pod);
    let ours = bed.until_child("Pod", &format!("{}-0", bed.tenant), "ready", is_up).await;
    println!("without a ready pod at cut-over: {:.1} s", began.elapsed().as_secs_f64());
    let tenant = old.ready_after("CutOver").await;
    println!("from scaling the former workload to zero to Ready: {:.1} s", began.elapsed().as_secs_f64());
    let said = condition(&tenant, "IdentityReady")["message"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains(&old.association) && said.contains("openclaw.io/cut-over=finish"), "{said}");

    assert_eq!(old.kept().await, before);
    let volumes = ours["spec"]["volumes"].as_array().expect("volumes");
    assert!(volumes.iter().any(|one| one["persistentVolumeClaim"]["claimName"] == claim_of(bed).as_str()));
    assert_eq!(bed.children("PersistentVolumeClaim").await.len(), 1, "no empty claim beside it");
    assert_eq!(tenant["status"]["secrets"][0]["versionId"], before.version.as_str());
    assert_eq!(old.associations().await.len(), 2, "its own beside the former one");
    // What other managers had set is gone.
    assert_ne!(bed.child("NetworkPolicy", &bed.tenant).await.expect("policy")["spec"]["egress"], json!([{}]));
    let hard = bed.child("ResourceQuota", &bed.tenant).await.expect("quota")["spec"]["hard"].clone();
    assert_eq!((&hard["pods"], &hard["count/secrets"]), (&json!("10"), &Value::Null));
}

/// The way back is open until the adoption is finished, and then forth again.
#[tokio::test]
async fn taking_the_order_off_gives_the_former_workload_its_place_back() {
    let old = Old::attached("adopt-back").await;
    let bed = &old.bed;
    let before = old.kept().await;
    let labels = |namespace: Value| namespace["metadata"]["labels"].clone();
    let labels_before = labels(bed.get("Namespace", None, &bed.namespace()).await.expect("namespace"));
    old.move_over().await;

    old.order(None).await;
    old.awaits_cut_over().await;
    assert_eq!(old.adoption().await["stage"], "Attached");
    for kind in
        ["StatefulSet", "Service", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy", "ResourceQuota", "HTTPRoute"]
    {
        let ours = bed
            .children(kind)
            .await
            .into_iter()
            .filter(|one| one["metadata"]["labels"]["openclaw.io/managed"] == "true");
        assert_eq!(ours.count(), 0, "{kind}");
    }
    assert_eq!(labels(bed.get("Namespace", None, &bed.namespace()).await.expect("namespace")), labels_before);
    assert_eq!(old.associations().await, std::slice::from_ref(&old.association));
    assert_eq!(old.kept().await, before);
    old.scale(1).await;
    let pod = old.old_pod().await;
    assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], claim_of(bed).as_str());

    old.move_over().await;
    assert_eq!(old.kept().await, before);
}

/// The last step: the former association goes, and of the former workload nothing is touched.
#[tokio::test]
async fn finishing_removes_the_former_association_and_nothing_else() {
    let old = Old::attached("adopt-finish").await;
    let bed = &old.bed;
    let before = old.kept().await;
    old.move_over().await;
    let former = bed.child("Deployment", &bed.tenant).await.expect("the former workload");
    old.order(Some("finish")).await;
    old.ready_after("Verified").await;
    assert_eq!(old.adoption().await, Value::Null);
    assert_eq!(bed.record().await.expect("record")["spec"]["storage"]["claim"], claim_of(bed).as_str());
    let left = old.associations().await;
    assert!(left.len() == 1 && !left.contains(&old.association), "{left:?}");
    assert_eq!(old.kept().await, before);
    let now = bed.child("Deployment", &bed.tenant).await.expect("the former workload");
    assert_eq!(now["metadata"]["generation"], former["metadata"]["generation"]);
}

/// Nothing was cut over, so nothing ends.
#[tokio::test]
async fn deleting_a_tenant_that_is_only_attached_touches_nothing() {
    let old = Old::attached("adopt-leave").await;
    let bed = &old.bed;
    let (before, pod, tags) = (old.kept().await, old.old_pod().await, old.tags().await);
    let changes = |calls: Vec<Value>| calls.into_iter().filter(|call| call["mutating"] == true).count();
    let calls = changes(bed.instance.calls(&bed.tenant).await);
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    let record = bed.record().await.expect("the record is kept")["spec"].clone();
    assert_eq!((&record["phase"], &record["purgeAfter"]), (&json!("Retained"), &Value::Null));
    assert_eq!(old.old_pod().await["metadata"]["uid"], pod["metadata"]["uid"]);
    assert_eq!((old.kept().await, old.tags().await), (before, tags));
    assert_eq!(old.associations().await, std::slice::from_ref(&old.association));
    assert_eq!(changes(bed.instance.calls(&bed.tenant).await), calls, "nothing was changed in AWS");
    assert!(bed.events("Retained").await[0].contains("nothing was cut over"), "and the event says so");
    // Its owner takes it up again.
    bed.apply_tenant(json!({})).await.expect("taken");
    old.awaits_cut_over().await;
    assert_eq!(bed.record().await.expect("record")["spec"]["incarnation"], record["incarnation"]);
}

/// A lost record is rebuilt as attached: to rebuild it as any other would take the running workload over unasked.
#[tokio::test]
async fn a_record_lost_while_attached_is_rebuilt_as_attached() {
    let old = Old::attached("adopt-lost").await;
    let bed = &old.bed;
    let (before, pod) = (bed.record().await.expect("a record"), old.old_pod().await);
    let groups = ["openclaw:break-glass", "system:authenticated"];
    let somebody = bed.acting_as("somebody-in-an-emergency", &groups).await;
    somebody.delete("TenantRecord", None, &bed.tenant).await;
    let rebuilt = || async {
        let record = bed.record().await?;
        let same = ["adoption", "storage", "incarnation", "phase"]
            .iter()
            .all(|part| record["spec"][part] == before["spec"][part]);
        (same && record["metadata"]["uid"] != before["metadata"]["uid"]).then_some(())
    };
    bed.until_so("the same record again", rebuilt).await;
    old.awaits_cut_over().await;
    assert_eq!(old.old_pod().await["metadata"]["uid"], pod["metadata"]["uid"]);
    assert!(bed.child("StatefulSet", &bed.tenant).await.is_none());
}

/// Consent on a secret is enough for the secret, as where a backup was restored into another cluster.
#[tokio::test]
async fn a_secret_that_consents_is_taken_with_the_value_that_it_has() {
    let bed = Bed::new("adopt-secret").await;
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let consent = Tag::builder().key("openclaw-adopt-by").value(&bed.tenant).build();
    let secrets = bed.instance.secrets();
    let made =
        secrets.create_secret().name(&name).secret_string("from a backup").tags(consent).send().await.expect("made");
    let tenant = bed.ready_tenant(json!({})).await;
    assert_eq!(tenant["status"]["secrets"][0]["versionId"].as_str(), made.version_id());
    let value = secrets.get_secret_value().secret_id(&name).send().await.expect("a value");
    assert_eq!(value.secret_string(), Some("from a backup"));
}

/// Claims that nobody chose: to start on an empty volume beside them would look like lost data.
#[tokio::test]
async fn a_claim_that_nobody_chose_is_asked_for() {
    let old = Old::platform("adopt-claim").await;
    let bed = &old.bed;
    let consent = |tenant: Value| json!({ "metadata": { "annotations": { CONSENT: tenant } } });
    let (namespace, claim) = (bed.namespace(), claim_of(bed));
    bed.patch("PersistentVolumeClaim", Some(&namespace), &claim, consent(Value::Null)).await.expect("taken off");
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("AdoptionUnclear").await;
    assert!(message.contains(&claim) && message.contains(CONSENT), "{message}");
    assert_eq!(bed.record().await, None);
    bed.patch("PersistentVolumeClaim", Some(&namespace), &claim, consent(json!(bed.tenant))).await.expect("given");
    old.awaits_cut_over().await;
}
