//! What other programs of a cluster would do, as far as the operator looks at it: KEDA and its HTTP add-on, the VPC CNI's policy
//! controller, Cilium.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::Bed;

/// They work for as long as this lives.
pub struct Others(AbortHandle);

impl Drop for Others {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Bed {
    /// The interceptor of KEDA's HTTP add-on: a Service, as far as a route is concerned.
    pub async fn make_interceptor(&self, namespace: &str) {
        self.apply("Namespace", None, namespace, json!({})).await.expect("namespace");
        let spec = json!({ "ports": [{ "name": "proxy", "port": 8080 }] });
        let name = "keda-add-ons-http-interceptor-proxy";
        self.apply("Service", Some(namespace), name, json!({ "spec": spec })).await.expect("Service");
    }

    /// Lets the others do for this tenant what they do where nothing is wrong.
    pub async fn let_others_work(&self) -> Others {
        let bed = self.acting_as("others", &["system:masters"]).await;
        let work = async move {
            // They are told of changes by watches; what they answer is what counts here.
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                ticks.tick().await;
                bed.judge("ScaledObject").await;
                bed.judge("InterceptorRoute").await;
                if bed.child("Pod", &format!("{}-0", bed.tenant)).await.is_some() {
                    bed.vouch().await;
                }
            }
        };
        Others(tokio::spawn(work).abort_handle())
    }

    /// Finds an object ready, where it is there and was not judged yet.
    async fn judge(&self, kind: &str) {
        let Some(object) = self.child(kind, &self.tenant).await else { return };
        if object["status"]["conditions"].is_null() {
            self.set_ready(kind, true, "found in order").await;
        }
    }

    /// Says in an object's status whether it is ready.
    pub async fn set_ready(&self, kind: &str, ready: bool, message: &str) {
        let status = if ready { "True" } else { "False" };
        let mut condition = json!({ "type": "Ready", "status": status, "reason": "Judged", "message": message });
        if kind == "InterceptorRoute" {
            condition["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
        }
        let patch = json!({ "status": { "conditions": [condition] } });
        let api = self.api(kind, Some(&self.namespace()));
        // It may be gone meanwhile.
        let _ = api.patch_status(&self.tenant, &PatchParams::default(), &Patch::Merge(&patch)).await;
    }

    /// Shows that both policies of the tenant are applied to its pod.
    async fn vouch(&self) {
        let (namespace, pod) = (self.namespace(), format!("{}-0", self.tenant));
        for policy in ["default-deny", self.tenant.as_str()] {
            let spec = json!({
                "policyRef": { "name": policy, "namespace": namespace },
                "podSelectorEndpoints": [{ "name": pod, "namespace": namespace, "podIP": "10.0.0.9", "hostIP": "10.0.0.1" }],
            });
            let _ = self.apply("PolicyEndpoint", Some(&namespace), policy, json!({ "spec": spec })).await;
        }
        let enforcing = json!({ "enforcing": true });
        let status = json!({ "state": "ready", "policy": { "ingress": enforcing, "egress": enforcing } });
        let labels = json!({ "openclaw.io/managed": "true", "openclaw.io/tenant": self.tenant });
        let endpoint = json!({ "metadata": { "labels": labels }, "status": status });
        let _ = self.apply("CiliumEndpoint", Some(&namespace), &pod, endpoint).await;
    }

    /// What KEDA does when somebody comes, or when nobody does any more.
    pub async fn keda_scales_to(&self, replicas: u8) {
        let api = self.api("StatefulSet", Some(&self.namespace()));
        let patch: Value = json!({ "spec": { "replicas": replicas } });
        api.patch_scale(&self.tenant, &PatchParams::default(), &Patch::Merge(&patch)).await.expect("scaled");
    }
}
