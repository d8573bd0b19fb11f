//! A tenant of one test's own, and how to look at what became of it.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{Instance, eventually};

/// The group that passes the policies.
pub const BREAK_GLASS: &str = "openclaw:break-glass";

/// Everything that one test has.
pub struct Bed {
    /// The platform.
    pub instance: &'static Instance,
    /// The administrator's client.
    pub client: Client,
    /// The tenant's name.
    pub tenant: String,
    /// The class that it names.
    pub class: String,
    /// The class's namespace prefix.
    pub prefix: String,
}

/// A class that allows what the tests ask for.
pub fn example_class(instance: &Instance) -> Value {
    json!({
        "quota": { "cpu": "4", "memory": "8Gi", "pods": 10, "maximum": { "cpu": "8", "memory": "16Gi", "pods": 20 } },
        "network": { "egressMode": "Internet", "enforcement": "Declared" },
        "identity": { "mode": "SharedRole", "roleArn": instance.fact("/aws/tenantRoleArn") },
        "secrets": { "mode": "SecretsManager" },
        "storage": { "className": instance.fact("/storageClass") },
        "workload": { "image": { "repository": "ghcr.io/openclaw/openclaw", "tag": "2026.9.6" } },
        "routing": { "mode": "Host", "gateways": [{
            "namespace": instance.fact("/gateway/namespace"), "name": instance.fact("/gateway/name"),
            "domain": "openclaw.local", "scheme": "http", "capacity": 10_000,
        }] },
        "allow": { "env": ["LOG_*"], "resources": true },
        "deletion": { "settlingSeconds": 1 },
    })
}

impl Bed {
    /// A tenant name and a class of its own on the shared instance. Nothing is made of the tenant yet.
    pub async fn new(test: &str) -> Self {
        Self::on(Instance::shared(), test).await
    }

    /// The same on another instance.
    pub async fn on(instance: &'static Instance, test: &str) -> Self {
        Self::with_class(instance, test, example_class(instance)).await
    }

    /// The same with another class.
    pub async fn with_class(instance: &'static Instance, test: &str, class: Value) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        // No name is the beginning of another: what names one of them names it alone.
        let tenant = format!("{test}-{}-{number:03}", std::process::id());
        let prefix = class["namespacePrefix"].as_str().unwrap_or("openclaw-").to_owned();
        let bed = Self { instance, client: instance.client().await, class: tenant.clone(), tenant, prefix };
        bed.apply_class(class).await.expect("class");
        bed
    }

    /// The same bed in the hands of somebody else.
    pub async fn acting_as(&self, user: &str, groups: &[&str]) -> Self {
        let client = self.instance.client_as(user, groups).await;
        let (tenant, class, prefix) = (self.tenant.clone(), self.class.clone(), self.prefix.clone());
        Self { instance: self.instance, client, tenant, class, prefix }
    }

    /// The bed in the hands of an administrator who breaks glass.
    pub async fn breaking_glass(&self) -> Self {
        self.acting_as("somebody-in-an-emergency", &[BREAK_GLASS, "system:masters"]).await
    }

    /// `kubectl apply` of the class.
    pub async fn apply_class(&self, spec: Value) -> Result<Value, kube::Error> {
        self.apply("TenantClass", None, &self.class, json!({ "spec": spec })).await
    }

    /// The tenant's namespace.
    pub fn namespace(&self) -> String {
        format!("{}{}", self.prefix, self.tenant)
    }

    /// The Tenant with this spec beside its owner and class.
    pub fn manifest(&self, more: Value) -> Value {
        let mut spec = json!({ "owner": { "email": self.email() }, "className": self.class });
        merge(&mut spec, more);
        json!({ "spec": spec })
    }

    /// The owner's address.
    pub fn email(&self) -> String {
        format!("{}@example.com", self.tenant)
    }

    /// `kubectl apply` of the Tenant.
    pub async fn apply_tenant(&self, more: Value) -> Result<Value, kube::Error> {
        self.apply("Tenant", None, &self.tenant, self.manifest(more)).await
    }

    /// Applies the Tenant and waits until it is Ready.
    pub async fn ready_tenant(&self, more: Value) -> Value {
        self.apply_tenant(more).await.expect("the Tenant is taken");
        self.ready().await
    }

    /// Server-side apply as somebody who is not the operator.
    pub async fn apply(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        body: Value,
    ) -> Result<Value, kube::Error> {
        let resource = resource(kind);
        let mut object = body;
        object["apiVersion"] = json!(resource.api_version);
        object["kind"] = json!(kind);
        object["metadata"]["name"] = json!(name);
        let parameters = PatchParams::apply("somebody").force();
        let answer = self.api(kind, namespace).patch(name, &parameters, &Patch::Apply(&object)).await?;
        Ok(json!(answer))
    }

    /// JSON merge patch as somebody who is not the operator.
    pub async fn patch(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        patch: Value,
    ) -> Result<Value, kube::Error> {
        let answer = self.api(kind, namespace).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(json!(answer))
    }

    /// JSON merge patch of the Tenant.
    pub async fn patch_tenant(&self, patch: Value) -> Result<Value, kube::Error> {
        self.patch("Tenant", None, &self.tenant, patch).await
    }

    /// Makes an object as somebody who is not the operator.
    pub async fn create(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        body: Value,
    ) -> Result<Value, kube::Error> {
        self.create_with(kind, namespace, name, body, &PostParams::default()).await
    }

    /// The same, asked for and not done.
    pub async fn rehearse_create(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        body: Value,
    ) -> Result<Value, kube::Error> {
        let rehearsed = PostParams { dry_run: true, ..PostParams::default() };
        self.create_with(kind, namespace, name, body, &rehearsed).await
    }

    async fn create_with(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        mut body: Value,
        parameters: &PostParams,
    ) -> Result<Value, kube::Error> {
        body["apiVersion"] = json!(resource(kind).api_version);
        body["kind"] = json!(kind);
        body["metadata"]["name"] = json!(name);
        let object: DynamicObject = serde_json::from_value(body).expect("an object");
        Ok(json!(self.api(kind, namespace).create(parameters, &object).await?))
    }

    /// Reads an object.
    pub async fn get(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        self.api(kind, namespace).get_opt(name).await.expect("the API server answers").map(|object| json!(object))
    }

    /// Reads an object of the tenant's namespace.
    pub async fn child(&self, kind: &str, name: &str) -> Option<Value> {
        self.get(kind, Some(&self.namespace()), name).await
    }

    /// All objects of a kind in the tenant's namespace.
    pub async fn children(&self, kind: &str) -> Vec<Value> {
        let list = self.api(kind, Some(&self.namespace())).list(&ListParams::default()).await.expect("list");
        list.items.into_iter().map(|object| json!(object)).collect()
    }

    /// Deletes an object as somebody who is not the operator.
    pub async fn delete(&self, kind: &str, namespace: Option<&str>, name: &str) {
        self.try_delete(kind, namespace, name).await.expect("deleted");
    }

    /// Deletes an object as somebody who may not be allowed to.
    pub async fn try_delete(&self, kind: &str, namespace: Option<&str>, name: &str) -> Result<Value, kube::Error> {
        self.delete_with(kind, namespace, name, &DeleteParams::default()).await
    }

    /// The same under conditions.
    pub async fn delete_with(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        parameters: &DeleteParams,
    ) -> Result<Value, kube::Error> {
        let answer = self.api(kind, namespace).delete(name, parameters).await?;
        Ok(answer.either(|object| json!(object), |status| json!(status.message)))
    }

    /// Deletes all objects of a kind, or those with these fields, as somebody who may not be allowed to.
    pub async fn try_delete_all(
        &self,
        kind: &str,
        namespace: Option<&str>,
        fields: &str,
    ) -> Result<Value, kube::Error> {
        let list = ListParams::default().fields(fields);
        let answer = self.api(kind, namespace).delete_collection(&DeleteParams::default(), &list).await?;
        Ok(answer.either(|objects| json!(objects.items.len()), |status| json!(status.message)))
    }

    /// The record.
    pub async fn record(&self) -> Option<Value> {
        self.get("TenantRecord", None, &self.tenant).await
    }

    /// The incarnation that the record names.
    pub async fn incarnation(&self) -> String {
        let record = self.record().await.expect("a record");
        record["spec"]["incarnation"].as_str().expect("an incarnation").to_owned()
    }

    /// An administrator's order: an annotation on the record.
    pub async fn order(&self, order: &str, value: &str) {
        let annotations = json!({ format!("openclaw.io/{order}"): value });
        let patch = json!({ "metadata": { "annotations": annotations } });
        self.patch("TenantRecord", None, &self.tenant, patch).await.expect("an order");
    }

    /// Waits until the record satisfies the predicate.
    pub async fn until_record(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let look = || async { self.record().await.filter(|record| wanted(record)) };
        self.until_so(what, look).await
    }

    pub fn api(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource(kind)),
            None => Api::all_with(self.client.clone(), &resource(kind)),
        }
    }

    /// Waits until the Tenant satisfies the predicate; where it does not, everything about it is shown.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let look = || async { self.get("Tenant", None, &self.tenant).await.filter(|tenant| wanted(tenant)) };
        match eventually(look).await {
            Some(tenant) => tenant,
            None => panic!("{} did not become {what}\n{}", self.tenant, self.story().await),
        }
    }

    /// Waits until an object of the tenant's namespace satisfies the predicate.
    pub async fn until_child(&self, kind: &str, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let look = || async { self.child(kind, name).await.filter(|object| wanted(object)) };
        match eventually(look).await {
            Some(object) => object,
            None => panic!(
                "{kind} {name} did not become {what}: {:#}\n{}",
                self.child(kind, name).await.unwrap_or(Value::Null),
                self.story().await
            ),
        }
    }

    /// Waits for anything else.
    pub async fn until_so<T, F: Future<Output = Option<T>>>(&self, what: &str, look: impl FnMut() -> F) -> T {
        match eventually(look).await {
            Some(found) => found,
            None => panic!("{what} did not come\n{}", self.story().await),
        }
    }

    /// Waits until the Tenant is Ready for its present generation.
    pub async fn ready(&self) -> Value {
        self.until("Ready", is_ready).await
    }

    /// Waits until the Tenant is Stalled for this reason, and returns the message.
    pub async fn stalled(&self, reason: &str) -> String {
        let is_it = |tenant: &Value| is_current(tenant) && condition(tenant, "Stalled")["reason"] == reason;
        let tenant = self.until(&format!("Stalled: {reason}"), is_it).await;
        assert_eq!(condition(&tenant, "Ready")["status"], "False");
        assert_eq!(condition(&tenant, "Reconciling"), Value::Null, "never both Reconciling and Stalled");
        condition(&tenant, "Stalled")["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the Tenant is gone.
    pub async fn gone(&self) {
        let look = || async { self.get("Tenant", None, &self.tenant).await.is_none().then_some(()) };
        self.until_so("the end of the Tenant", look).await;
    }

    /// Notes of the events about the Tenant with this reason.
    pub async fn events(&self, reason: &str) -> Vec<String> {
        let fields = format!("regarding.name={},reason={reason}", self.tenant);
        let list =
            self.api("Event", Some("default")).list(&ListParams::default().fields(&fields)).await.expect("events");
        list.items.iter().map(|event| event.data["note"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The Tenant, its record, its events and the operator's log.
    pub async fn story(&self) -> String {
        let mut story = String::new();
        for kind in ["Tenant", "TenantRecord"] {
            let mut object = self.get(kind, None, &self.tenant).await.unwrap_or(Value::Null);
            object["metadata"]["managedFields"] = Value::Null;
            let _ = writeln!(story, "--- {kind} {object:#}");
        }
        let fields = format!("regarding.name={}", self.tenant);
        if let Ok(events) = self.api("Event", Some("default")).list(&ListParams::default().fields(&fields)).await {
            for event in events.items {
                let _ = writeln!(story, "--- event {}: {}", event.data["reason"], event.data["note"]);
            }
        }
        let _ = writeln!(story, "--- operator's log\n{}", self.instance.log_about(&self.tenant));
        story
    }
}

/// An object without what changes by itself: a status is a controller's report, and each report is a new version.
pub fn content(mut object: Value) -> Value {
    object["status"] = Value::Null;
    for field in ["resourceVersion", "managedFields"] {
        object["metadata"][field] = Value::Null;
    }
    object
}

/// Admission is asked, and nothing is done.
pub fn rehearsed() -> DeleteParams {
    DeleteParams { dry_run: true, ..DeleteParams::default() }
}

/// The words with which the API server refused a request.
pub fn refusal(answer: Result<Value, kube::Error>) -> String {
    match answer {
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(error) => panic!("no refusal: {error}"),
        Ok(object) => panic!("taken, not refused: {object:#}"),
    }
}

/// A condition of a Tenant.
pub fn condition(tenant: &Value, kind: &str) -> Value {
    let conditions = tenant["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).cloned().unwrap_or(Value::Null)
}

fn is_current(tenant: &Value) -> bool {
    tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"]
}

/// Ready, for the present generation.
fn is_ready(tenant: &Value) -> bool {
    is_current(tenant) && condition(tenant, "Ready")["status"] == "True"
}

/// Puts one object over another, member by member.
pub fn merge(target: &mut Value, more: Value) {
    match (target, more) {
        (Value::Object(target), Value::Object(more)) => {
            for (key, value) in more {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, more) => *target = more,
    }
}

/// Group and version of the kinds that the tests look at.
fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Tenant" | "TenantClass" | "TenantRecord" => ("openclaw.io", "v1alpha1"),
        "StatefulSet" | "Deployment" => ("apps", "v1"),
        "ApplicationSet" | "Application" => ("argoproj.io", "v1alpha1"),
        "Sandbox" => ("agents.x-k8s.io", "v1alpha1"),
        "NetworkPolicy" | "Ingress" => ("networking.k8s.io", "v1"),
        "PodDisruptionBudget" => ("policy", "v1"),
        "HTTPRoute" => ("gateway.networking.k8s.io", "v1"),
        "Event" => ("events.k8s.io", "v1"),
        "CustomResourceDefinition" => ("apiextensions.k8s.io", "v1"),
        "StorageClass" => ("storage.k8s.io", "v1"),
        "Lease" => ("coordination.k8s.io", "v1"),
        "RuntimeClass" => ("node.k8s.io", "v1"),
        "CiliumNetworkPolicy" | "CiliumEndpoint" => ("cilium.io", "v2"),
        "ScaledObject" => ("keda.sh", "v1alpha1"),
        "InterceptorRoute" => ("http.keda.sh", "v1beta1"),
        "ReferenceGrant" => ("gateway.networking.k8s.io", "v1beta1"),
        "TargetGroupConfiguration" => ("gateway.k8s.aws", "v1beta1"),
        "PolicyEndpoint" => ("networking.k8s.aws", "v1alpha1"),
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => ("rbac.authorization.k8s.io", "v1"),
        _ => ("", "v1"),
    };
    let plural = match kind {
        "NetworkPolicy" => "networkpolicies".to_owned(),
        "Ingress" => "ingresses".to_owned(),
        "CiliumNetworkPolicy" => "ciliumnetworkpolicies".to_owned(),
        "TenantClass" => "tenantclasses".to_owned(),
        "StorageClass" => "storageclasses".to_owned(),
        "RuntimeClass" => "runtimeclasses".to_owned(),
        "Sandbox" => "sandboxes".to_owned(),
        _ => format!("{}s", kind.to_lowercase()),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural)
}
