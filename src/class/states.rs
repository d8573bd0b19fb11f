//! What others read of a TenantClass, state by state, for the programs of `tests/gitops` to judge; beside
//! `src/tenant/tests/states.rs`, and written anew in the same way.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    rolled::rolled,
    told::{Seen, told},
};
use crate::{
    api::{
        class::{TenantClassSpec, TenantClassStatus},
        names::RoleArn,
    },
    iam::judge::Judgement,
    tenant::progress::Progress,
    testdata::{assert_as_told, manifest},
};

const FOLDER: &str = "deploy/gitops/argocd/resource_customizations/openclaw.io/TenantClass/testdata";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_323_045 + second).expect("time")
}

/// The class as it stands in Git.
fn spec() -> TenantClassSpec {
    serde_json::from_value(manifest("deploy/gitops/class/default.yaml")["spec"].clone()).expect("a class")
}

fn live(generation: i64, status: Option<&TenantClassStatus>) -> Value {
    let mut class = json!({
        "apiVersion": "openclaw.io/v1alpha1",
        "kind": "TenantClass",
        "metadata": {
            "name": "default", "generation": generation, "resourceVersion": "7", "creationTimestamp": at(0),
            "uid": "01111111-aaaa-4bbb-8ccc-ddddeeeeffff",
        },
        "spec": spec(),
    });
    if let Some(status) = status {
        class["status"] = json!(status);
    }
    class
}

fn role() -> RoleArn {
    spec().identity.role_arn.expect("a role")
}

fn seen(seen: &Seen) -> TenantClassStatus {
    told(seen, &TenantClassStatus::default(), 1, at(1))
}

fn rolling(progress: &Progress) -> TenantClassStatus {
    rolled(progress, &seen(&Seen::Judged(role(), Judgement::default())), 1, at(2))
}

fn states() -> [(&'static str, Value); 9] {
    let clean = seen(&Seen::Judged(role(), Judgement::default()));
    let open = "statement 2 lets workspaces read every secret".to_owned();
    let open = seen(&Seen::Judged(role(), Judgement { open: vec![open], ..Judgement::default() }));
    let unread = seen(&Seen::Unread("the operator may not read it: iam:GetRole".into()));
    let on_its_way = Progress { total: 3, updated: 1, in_flight: 1, waiting: 1, ..Progress::default() };
    let stopped_by = Some((vec!["bob".parse().expect("a name")], 3));
    let stopped = Progress { total: 5, updated: 1, failed: 3, waiting: 1, stopped_by, ..Progress::default() };
    let everywhere = Progress { total: 3, updated: 3, ..Progress::default() };
    [
        ("not_seen_yet", live(1, None)),
        ("not_seen_since_an_edit", live(2, Some(&clean))),
        ("role_verified", live(1, Some(&clean))),
        ("role_missing", live(1, Some(&seen(&Seen::Missing(role()))))),
        ("role_open", live(1, Some(&open))),
        ("role_unread", live(1, Some(&unread))),
        ("rolling_out", live(1, Some(&rolling(&on_its_way)))),
        ("roll_out_stopped", live(1, Some(&rolling(&stopped)))),
        ("rolled_out", live(1, Some(&rolling(&everywhere)))),
    ]
}

#[test]
fn the_states_of_a_class_that_gitops_programs_judge_are_as_they_are_told() {
    assert_as_told(FOLDER, states());
}

#[test]
fn the_class_for_git_is_the_example_for_eks() {
    assert_eq!(manifest("deploy/gitops/class/default.yaml"), manifest("deploy/examples/class-eks.yaml"));
}
