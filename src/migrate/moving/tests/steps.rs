//! When each step may be taken, and when it has come to its end.

use serde_json::{Value, json};

use super::world::{At, deployment, own_set, pod, record, sight};
use crate::{
    api::record::{AdoptionStage, RecordPhase},
    migrate::moving::{
        sight::Sight,
        verdict::{
            Back, Begin, Finish, Refused, is_finished, is_given_back, is_over, may_back_out, may_cut_over, may_finish,
            progress,
        },
    },
};

fn with(at: At, change: impl FnOnce(&mut Sight)) -> Sight {
    let mut sight = sight(at);
    change(&mut sight);
    sight
}

fn ordered(value: &Value) -> impl FnOnce(&mut Sight) {
    let value = value.clone();
    move |sight| sight.tenant["metadata"]["annotations"]["openclaw.io/cut-over"] = value
}

fn staged(stage: Option<AdoptionStage>) -> impl FnOnce(&mut Sight) {
    move |sight| sight.record = record(stage)
}

fn alice() -> String {
    "alice".to_owned()
}

#[test]
fn each_step_begins_where_the_record_and_the_order_say() {
    assert_eq!(may_cut_over(&sight(At::Attached)), Ok(Begin::Fresh));
    assert_eq!(may_cut_over(&sight(At::Ordered)), Ok(Begin::Resumed));
    assert_eq!(may_cut_over(&sight(At::Over)), Ok(Begin::Over));
    assert_eq!(may_cut_over(&with(At::Ordered, staged(Some(AdoptionStage::CutOver)))), Ok(Begin::Resumed));
    assert_eq!(may_cut_over(&sight(At::Finished)), Err(Refused::NothingAdopted(alice())));
    assert_eq!(may_cut_over(&with(At::Over, ordered(&Value::Null))), Err(Refused::GoingBack(alice())));
    assert_eq!(may_cut_over(&with(At::Over, ordered(&json!("finish")))), Err(Refused::Finishing(alice())));

    assert_eq!(may_back_out(&sight(At::Attached)), Ok(Back::TakenOff));
    assert_eq!(may_back_out(&sight(At::Ordered)), Ok(Back::TakeOff));
    assert_eq!(may_back_out(&sight(At::Over)), Ok(Back::TakeOff));
    assert_eq!(may_back_out(&with(At::Over, ordered(&Value::Null))), Ok(Back::TakenOff));
    assert_eq!(may_back_out(&with(At::Over, ordered(&json!("finish")))), Err(Refused::NoWayBack(alice())));
    assert_eq!(may_back_out(&sight(At::Finished)), Err(Refused::NothingAdopted(alice())));

    assert_eq!(may_finish(&sight(At::Over)), Ok(Finish::Order));
    assert_eq!(may_finish(&with(At::Over, ordered(&json!("finish")))), Ok(Finish::Ordered));
    assert_eq!(may_finish(&sight(At::Finished)), Ok(Finish::Done));
    assert_eq!(may_finish(&with(At::Over, ordered(&Value::Null))), Err(Refused::GoingBack(alice())));
    for at in [At::Attached, At::Ordered] {
        assert!(matches!(may_finish(&sight(at)), Err(Refused::NotOver { .. })), "{at:?}");
    }
}

#[test]
fn nothing_begins_while_the_operator_would_not_follow() {
    let paused = |sight: &mut Sight| sight.tenant["metadata"]["annotations"]["openclaw.io/paused"] = json!("true");
    let going = |sight: &mut Sight| sight.tenant["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    for at in [At::Attached, At::Ordered, At::Over, At::Finished] {
        let (paused, going) = (with(at, paused), with(at, going));
        assert_eq!(may_cut_over(&paused), Err(Refused::Paused(alice())));
        assert_eq!(may_back_out(&paused), Err(Refused::Paused(alice())));
        assert_eq!(may_finish(&paused), Err(Refused::Paused(alice())));
        assert_eq!(may_cut_over(&going), Err(Refused::Going(alice())));
        assert_eq!(may_back_out(&going), Err(Refused::Going(alice())));
        assert_eq!(may_finish(&going), Err(Refused::Going(alice())));
    }
    let suspended = with(At::Attached, |sight| sight.tenant["spec"]["suspend"] = json!(true));
    assert_eq!(may_cut_over(&suspended), Err(Refused::Suspended(alice())));
}

/// A status about another spec says nothing, and what is wrong is told in the Tenant's own words.
#[test]
fn a_cut_over_needs_a_tenant_that_awaits_it() {
    let taken = with(At::Attached, |sight| {
        let conditions = &mut sight.tenant["status"]["conditions"];
        conditions[0]["reason"] = json!("SecretTaken");
        conditions[1]["reason"] = json!("SecretTaken");
    });
    let reason = |sight: &Sight| match may_cut_over(sight) {
        Err(Refused::NotAttached { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&taken), "SecretTaken");
    assert_eq!(reason(&with(At::Attached, |sight| sight.tenant["metadata"]["generation"] = json!(2))), "Unseen");
    assert_eq!(reason(&with(At::Over, ordered(&json!("begin")))), "Verified");
}

/// An order that came with the manifest brings nothing to zero before everything is attached; what is at zero already goes on.
#[test]
fn an_order_alone_brings_nothing_to_zero_before_everything_is_attached() {
    let waits_for_others = |sight: &mut Sight| {
        sight.tenant["status"]["conditions"][1]["reason"] = json!("WaitingForEarlierPart");
    };
    let early = with(At::Ordered, waits_for_others);
    assert!(matches!(may_cut_over(&early), Err(Refused::NotAttached { .. })));
    let unseen = with(At::Ordered, |sight| sight.tenant["metadata"]["generation"] = json!(2));
    assert!(matches!(may_cut_over(&unseen), Err(Refused::NotAttached { .. })));
    let down = with(At::Ordered, |sight| {
        waits_for_others(sight);
        sight.workloads[0]["spec"]["replicas"] = json!(0);
    });
    assert_eq!(may_cut_over(&down), Ok(Begin::Resumed));
    let unnoticed = with(At::Attached, ordered(&json!("start")));
    assert_eq!(may_cut_over(&unnoticed), Ok(Begin::Resumed), "attached, and the operator has not seen the order");
}

/// Another owner's Tenant of that name orders nothing.
#[test]
fn a_record_that_this_tenant_does_not_hold_is_nothing_to_act_on() {
    for at in [At::Attached, At::Ordered, At::Over, At::Finished] {
        let anothers = with(at, |sight| sight.tenant["metadata"]["uid"] = json!("another"));
        let kept = with(at, |sight| sight.record.phase = RecordPhase::Retained);
        for sight in [anothers, kept] {
            let refused = Refused::AnothersRecord(alice());
            assert_eq!(may_cut_over(&sight), Err(refused.clone()));
            assert_eq!(may_back_out(&sight), Err(refused.clone()));
            assert_eq!(may_finish(&sight), Err(refused));
        }
    }
}

#[test]
fn nothing_is_removed_before_the_tenant_is_ready() {
    let unready = with(At::Finished, |sight| sight.tenant["status"]["conditions"][0]["status"] = json!("False"));
    let message = "Verified: Ready says so".to_owned();
    assert_eq!(may_finish(&unready), Err(Refused::NotReady { name: alice(), message }));
    let unready = with(At::Over, |sight| sight.pods.clear());
    assert!(matches!(may_finish(&unready), Err(Refused::NotOver { .. })));
}

/// Moved over is: the record says so, Ready for what it says now, and a ready pod of its own.
#[test]
fn it_is_over_only_with_record_status_and_pod() {
    assert!(is_over(&sight(At::Over)));
    assert!(!is_over(&sight(At::Ordered)) && !is_over(&sight(At::Finished)));
    assert!(!is_over(&with(At::Over, staged(Some(AdoptionStage::Attached)))), "a status from an earlier time");
    assert!(!is_over(&with(At::Over, |sight| sight.pods.clear())));
    assert!(!is_over(&with(At::Over, |sight| sight.pods[0]["metadata"]["deletionTimestamp"] = json!("now"))));
    assert!(
        !is_over(&with(At::Over, |sight| sight.pods = vec![pod("x", "alice-data", &deployment(1))])),
        "another's pod"
    );
    assert!(!is_over(&with(At::Over, |sight| sight.tenant["metadata"]["generation"] = json!(2))));
    assert!(is_finished(&sight(At::Finished)) && !is_finished(&sight(At::Over)));
}

/// The former workload is started only when nothing of the operator's can be on the claim.
#[test]
fn the_place_is_given_back_only_when_nothing_of_the_operators_is_left() {
    assert!(is_given_back(&sight(At::Attached)));
    assert!(!is_given_back(&with(At::Attached, ordered(&json!("start")))));
    assert!(!is_given_back(&with(At::Attached, staged(Some(AdoptionStage::CutOver)))));
    assert!(!is_given_back(&with(At::Attached, |sight| sight.workloads.push(own_set()))));
    assert!(!is_given_back(&with(At::Ordered, ordered(&Value::Null))), "the operator has not said so");
    for at in [At::Over, At::Finished] {
        assert!(!is_given_back(&sight(at)));
    }
}

#[test]
fn nothing_is_removed_while_pods_of_others_are_on_the_claim() {
    let shared = with(At::Over, |sight| {
        let former = deployment(1);
        sight.pods.push(pod("alice-1-x", "alice-data", &former));
    });
    assert_eq!(may_finish(&shared), Err(Refused::InUse(vec!["pod alice-1-x of Deployment alice".to_owned()])));
    let ended = with(At::Over, |sight| {
        let mut ended = pod("alice-1-x", "alice-data", &deployment(0));
        ended["status"]["phase"] = json!("Succeeded");
        sight.pods.push(ended);
    });
    assert_eq!(may_finish(&ended), Ok(Finish::Order), "a pod that has ended mounts nothing");
}

#[test]
fn a_wait_says_what_it_is_for() {
    assert_eq!(progress(&sight(At::Ordered)), "ClaimInUse: WorkloadReady says so");
    assert_eq!(progress(&with(At::Attached, ordered(&json!("start")))), "the operator has not seen the order yet");
    assert_eq!(
        progress(&with(At::Over, ordered(&Value::Null))),
        "the operator has not seen yet that the order is gone"
    );
    assert_eq!(
        progress(&with(At::Over, ordered(&json!("finish")))),
        "every part stands; the operator is at the next step"
    );
    let unseen = with(At::Over, |sight| sight.tenant["metadata"]["generation"] = json!(2));
    assert_eq!(progress(&unseen), "the operator has not looked at the Tenant yet");
    let building = with(At::Ordered, staged(Some(AdoptionStage::CutOver)));
    assert_eq!(progress(&building), "Progressing: Ready says so");
}
