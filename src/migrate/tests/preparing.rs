//! What keeps the old side from cascading.

use serde_json::{Value, json};

use super::world::{application, set, sight};
use crate::migrate::{
    judge::{Wishes, judge},
    preparation::{Change, of_application, of_namespace, of_set, patch, remarks},
    step::{OldKind, still_holds},
};

/// JSON merge patch, RFC 7386.
fn merged(target: &Value, patch: &Value) -> Value {
    let Some(members) = patch.as_object() else { return patch.clone() };
    let mut target = target.as_object().cloned().unwrap_or_default();
    for (key, value) in members {
        if value.is_null() {
            target.remove(key);
        } else {
            let there = target.get(key).cloned().unwrap_or(Value::Null);
            target.insert(key.clone(), merged(&there, value));
        }
    }
    Value::Object(target)
}

const CASCADE: &str = "resources-finalizer.argocd.argoproj.io";

#[test]
fn the_set_preserves_writes_no_finalizer_and_does_not_prune() {
    let mut set = set(&json!([]));
    set["spec"]["template"]["metadata"]["finalizers"] = json!(["example.com/other", CASCADE]);
    let changes = of_set(&set);
    let gone = vec![CASCADE.to_owned()];
    assert_eq!(changes, [Change::Preserve, Change::TemplateFinalizers(gone), Change::TemplatePrune]);
    let patch = patch(&set, &changes);
    assert_eq!(
        patch,
        json!({
            "metadata": { "uid": "set-1", "resourceVersion": "7" },
            "spec": {
                "syncPolicy": { "preserveResourcesOnDeletion": true },
                "template": {
                    "metadata": { "finalizers": ["example.com/other"] },
                    "spec": { "syncPolicy": { "automated": { "prune": false } } },
                },
            },
        })
    );
    assert_eq!(of_set(&merged(&set, &patch)), [], "what is done is seen");
}

#[test]
fn an_application_loses_the_cascading_finalizer_and_no_other() {
    let application = application("alice");
    let changes = of_application(&application);
    assert_eq!(changes, [Change::Finalizers(vec![CASCADE.to_owned()]), Change::Prune]);
    let after = merged(&application, &patch(&application, &changes));
    assert_eq!(after["metadata"]["finalizers"], json!(["post-delete-finalizer.argocd.argoproj.io"]));
    assert_eq!(after["spec"]["syncPolicy"]["automated"], json!({ "prune": false, "selfHeal": true }));
    assert_eq!(of_application(&after), []);
}

/// The stages of Argo CD's finalizer cascade as well; the last one goes with the list.
#[test]
fn every_cascading_finalizer_is_known_and_an_empty_list_goes() {
    for stage in ["foreground", "background"] {
        let mut application = application("alice");
        let name = format!("{CASCADE}/{stage}");
        application["metadata"]["finalizers"] = json!([name]);
        application["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let changes = of_application(&application);
        assert_eq!(changes, [Change::Finalizers(vec![name])], "one that is on its way out is kept from cascading too");
        assert_eq!(patch(&application, &changes)["metadata"]["finalizers"], Value::Null);
    }
}

#[test]
fn a_namespace_consents_to_one_tenant() {
    let namespace = json!({ "metadata": { "name": "openclaw-alice", "uid": "1", "resourceVersion": "2" } });
    let changes = of_namespace(&namespace, "alice");
    let patch = patch(&namespace, &changes);
    let wanted = json!({ "metadata": { "uid": "1", "resourceVersion": "2", "annotations": { "openclaw.io/adopt-by": "alice" } } });
    assert_eq!(patch, wanted);
    assert_eq!(of_namespace(&merged(&namespace, &patch), "alice"), []);
}

/// Between the look and the change, somebody else may have promised it.
#[test]
fn a_namespace_that_was_promised_to_another_in_between_is_left() {
    let planned = [Change::Consent("alice".to_owned())];
    let holds = |metadata: Value| still_holds(OldKind::Namespace, &json!({ "metadata": metadata }), &planned);
    assert_eq!(holds(json!({ "name": "openclaw-alice" })), Ok(()));
    assert_eq!(holds(json!({ "annotations": { "openclaw.io/adopt-by": "alice" } })), Ok(()));
    assert!(holds(json!({ "annotations": { "openclaw.io/adopt-by": "bob" } })).is_err_and(|why| why.contains("bob")));
    assert!(
        holds(json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" })).is_err_and(|why| why.contains("being deleted"))
    );
}

/// What has the last word over what is changed here is said, not changed.
#[test]
fn what_would_put_it_back_is_for_a_person_to_look_at() {
    let mut set = set(&json!([]));
    assert_eq!(remarks(&set), Vec::<String>::new());
    set["spec"]["templatePatch"] = json!("spec:\n  syncPolicy:\n    automated: {prune: true}");
    set["spec"]["generators"][0]["list"]["template"] = json!({ "metadata": { "finalizers": [CASCADE] } });
    set["metadata"]["annotations"] =
        json!({ "argocd.argoproj.io/tracking-id": "root:argoproj.io/ApplicationSet:argocd/tenants" });
    let said = remarks(&set);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[0].starts_with("spec.templatePatch"), "{said:#?}");
    assert!(said[1].starts_with("spec.generators[0].list.template"), "{said:#?}");
    assert!(said[2].contains("kept by annotation argocd.argoproj.io/tracking-id=root:"), "{said:#?}");
}

/// An Application that no element stands for any more is one of the set's all the same: it would cascade like the others.
#[test]
fn nothing_is_called_prepared_that_may_cascade() {
    let mut sight = sight(&json!([{ "name": "alice", "email": "a@x.y" }]), &["alice", "gone"]);
    let report = judge(&sight, &Wishes::default()).expect("a list");
    let steps: Vec<String> = report.set.steps.iter().map(ToString::to_string).collect();
    assert!(
        steps.iter().any(|step| step.starts_with("Application argocd/openclaw-gone: take the finalizer")),
        "{steps:#?}"
    );

    // Another set's Applications are not touched, whatever they are called.
    let owner = |name: &str| json!([{ "kind": "ApplicationSet", "name": name }]);
    if let Some(applications) = &mut sight.applications {
        applications[0]["metadata"]["ownerReferences"] = owner("others");
    }
    let report = judge(&sight, &Wishes::default()).expect("a list");
    assert!(report.steps().all(|step| !step.to_string().contains("openclaw-alice")), "{report:#?}");

    // For one tenant: the others are counted, so that nobody deletes the set.
    if let Some(applications) = &mut sight.applications {
        applications[0]["metadata"]["ownerReferences"] = owner("tenants");
        applications[0] = merged(&applications[0], &patch(&applications[0], &of_application(&applications[0])));
    }
    sight.set = merged(&sight.set, &patch(&sight.set, &of_set(&sight.set)));
    let wishes = Wishes { tenants: ["alice".to_owned()].into(), consent: false };
    let report = judge(&sight, &wishes).expect("a list");
    assert_eq!((report.steps().count(), report.set.elsewhere, report.is_prepared()), (0, 1, false));
    assert!(report.table().contains("Applications of other tenants still cascade"), "{}", report.table());

    if let Some(applications) = &mut sight.applications {
        applications.truncate(1);
    }
    assert!(judge(&sight, &Wishes::default()).expect("a list").is_prepared());
    sight.applications = None;
    let report = judge(&sight, &Wishes::default()).expect("a list");
    assert!(
        !report.is_prepared() && report.table().contains("the Applications could not be read"),
        "{}",
        report.table()
    );
}
