//! Kubernetes events about a Tenant, as `kubectl describe` shows them.
//!
//! kube's own recorder is not used: it takes two events that differ only in their note for one, and shows the first
//! note for both. Whoever publishes here does so on transitions only, so nothing needs to be merged.

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use tracing::{debug, warn};

use super::{
    metrics::Metrics,
    result::{RequestResult, describe},
};
use crate::{
    api::labels::FIELD_MANAGER,
    fence::{Fence, REQUEST_TIMEOUT},
};

/// Who the events are from.
pub const CONTROLLER: &str = "openclaw.io/tenant-operator";

/// Where events about cluster-scoped objects are.
const NAMESPACE: &str = "default";

/// Limits of `events.k8s.io/v1`, in bytes.
const LONGEST_NOTE: usize = 1024;
const LONGEST_WORD: usize = 128;

/// Whether a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Things go their way.
    Normal,
    /// Somebody should look.
    Warning,
}

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether a person should look.
    pub severity: Severity,
    /// Why, in CamelCase.
    pub reason: String,
    /// What the operator did or was about to do, in CamelCase.
    pub action: String,
    /// For people. What is too long is cut. Never a secret.
    pub note: String,
}

/// Publishes events. Clones share everything.
#[derive(Clone)]
pub struct Events {
    client: Client,
    fence: Fence,
    metrics: Metrics,
    reporter: String,
}

impl Events {
    /// Events in the name of the process `identity`, written only while `fence` is open.
    pub fn new(client: Client, fence: Fence, metrics: Metrics, identity: &str) -> Self {
        Self { client, fence, metrics, reporter: cut(identity, LONGEST_WORD).to_owned() }
    }

    /// Says it, in one attempt. A failure is logged and counted and is nobody's concern otherwise: an event is never
    /// what anything depends on.
    pub async fn publish(&self, regarding: &ObjectReference, notice: &Notice) {
        let result = self.attempt(regarding, notice).await;
        self.metrics.event(result);
        self.metrics.kubernetes_request("create", "Event", result);
    }

    async fn attempt(&self, regarding: &ObjectReference, notice: &Notice) -> RequestResult {
        let (about, reason) = (regarding.name.as_deref().unwrap_or_default(), notice.reason.as_str());
        let event = event(regarding, notice, &self.reporter, Timestamp::now());
        let api = Api::<v1::Event>::namespaced(self.client.clone(), place(regarding));
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let Ok(_permit) = self.fence.permit() else {
            debug!(about, reason, "an event was not published: this process does not lead");
            return RequestResult::Fenced;
        };
        match tokio::time::timeout(REQUEST_TIMEOUT, api.create(&params, &event)).await {
            Ok(Ok(_)) => RequestResult::Ok,
            Ok(Err(error)) => {
                warn!(about, reason, error = describe(&error), "an event was not published");
                RequestResult::from(&error)
            }
            Err(_) => {
                warn!(about, reason, "an event was not published: the API server did not answer in time");
                RequestResult::Timeout
            }
        }
    }
}

fn place(regarding: &ObjectReference) -> &str {
    regarding.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(NAMESPACE)
}

fn event(regarding: &ObjectReference, notice: &Notice, reporter: &str, now: Timestamp) -> v1::Event {
    let severity = match notice.severity {
        Severity::Normal => "Normal",
        Severity::Warning => "Warning",
    };
    v1::Event {
        metadata: ObjectMeta {
            // The server finds a name: two events within one tick of the clock must not collide.
            generate_name: Some(format!("{}-", regarding.name.as_deref().unwrap_or("tenant"))),
            namespace: Some(place(regarding).to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(severity.to_owned()),
        reason: Some(cut(&notice.reason, LONGEST_WORD).to_owned()),
        action: Some(cut(&notice.action, LONGEST_WORD).to_owned()),
        note: Some(shorten(&notice.note)),
        regarding: Some(regarding.clone()),
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(reporter.to_owned()),
        ..v1::Event::default()
    }
}

/// At most as many bytes as an event's note may have, with a sign where something is missing.
fn shorten(note: &str) -> String {
    const SIGN: &str = "…";
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    format!("{}{SIGN}", cut(note, LONGEST_NOTE - SIGN.len()))
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, body::Bytes, http::StatusCode};

    use super::*;
    use crate::clock::BootInstant;

    fn alice() -> ObjectReference {
        ObjectReference {
            api_version: Some("openclaw.io/v1alpha1".to_owned()),
            kind: Some("Tenant".to_owned()),
            name: Some("alice".to_owned()),
            uid: Some("6f1c".to_owned()),
            ..ObjectReference::default()
        }
    }

    fn notice(note: &str) -> Notice {
        Notice {
            severity: Severity::Warning,
            reason: "NamespaceForeign".to_owned(),
            action: "Refuse".to_owned(),
            note: note.to_owned(),
        }
    }

    #[test]
    fn an_event_about_a_tenant_is_complete() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let event = event(&alice(), &notice("look"), "pod_1", now);
        let expected = v1::Event {
            metadata: ObjectMeta {
                generate_name: Some("alice-".to_owned()),
                namespace: Some("default".to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some("Warning".to_owned()),
            reason: Some("NamespaceForeign".to_owned()),
            action: Some("Refuse".to_owned()),
            note: Some("look".to_owned()),
            regarding: Some(alice()),
            event_time: Some(MicroTime(now)),
            reporting_controller: Some("openclaw.io/tenant-operator".to_owned()),
            reporting_instance: Some("pod_1".to_owned()),
            ..v1::Event::default()
        };
        assert_eq!(event, expected);
    }

    #[test]
    fn a_note_is_cut_between_characters_and_says_so() {
        assert_eq!(shorten(&"a".repeat(1024)), "a".repeat(1024));
        let cut = shorten(&"ä".repeat(600));
        assert!(cut.len() <= 1024 && cut.ends_with("ä…"), "{} bytes", cut.len());
    }

    #[test]
    fn an_event_is_where_its_object_is() {
        let inside = ObjectReference { namespace: Some("openclaw-alice".to_owned()), ..alice() };
        assert_eq!(place(&inside), "openclaw-alice");
        assert_eq!(place(&ObjectReference { namespace: Some(String::new()), ..alice() }), "default");
    }

    fn api(status: StatusCode) -> (Client, Arc<Mutex<Vec<serde_json::Value>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let router: Router = Router::new().fallback(async move |body: Bytes| {
            record.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            (status, body)
        });
        (Client::new(router, "default"), seen)
    }

    #[tokio::test]
    async fn events_pass_the_fence_and_failures_are_only_counted() {
        let metrics = Metrics::new("", "");
        let fence = Fence::closed();
        let (client, seen) = api(StatusCode::CREATED);
        let events = Events::new(client, fence.clone(), metrics.clone(), "pod_1");
        events.publish(&alice(), &notice("one")).await;
        assert!(seen.lock().unwrap().is_empty(), "nothing is sent through a closed fence");

        fence.open_until(BootInstant::now().after(std::time::Duration::from_mins(1)));
        events.publish(&alice(), &notice("two")).await;
        assert_eq!(seen.lock().unwrap()[0]["note"], "two");

        let (client, _) = api(StatusCode::INTERNAL_SERVER_ERROR);
        Events::new(client, fence, metrics.clone(), "pod_1").publish(&alice(), &notice("three")).await;
        let text = metrics.encode().unwrap();
        for result in ["fenced", "ok", "unavailable"] {
            assert!(text.contains(&format!(r#"openclaw_events_total{{result="{result}"}} 1"#)), "{text}");
        }
    }
}
