//! S8: one process writes at a time, whatever becomes of it or of its way to the API server. Each test has a platform of its own,
//! and two operators on it; who wrote what is read from the audit log and from the emulated AWS's log of calls.

mod elsewhere;
mod member;
mod way;
mod writes;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use self::{
    member::{
        FAIL_OVER, Member, TERM, how_one_followed, in_time, lease, one_after_the_other, one_of_each, until_leads,
    },
    way::Passage,
    writes::{Write, handover, in_kubernetes},
};
use crate::support::{BREAK_GLASS, Bed, Disturbance, Fault, Instance, condition};

/// From its last renewal to the last write that a leader may start: the term less a request's timeout, and what a request takes to the
/// server on a busy machine.
const LAST_START: SignedDuration = SignedDuration::from_millis(10_000 + 2_500);

/// Killed in the midst of its work; the next one ends it.
#[tokio::test]
async fn a_leader_that_was_killed_is_followed_in_time() {
    let instance = Instance::own();
    let first = Member::first(instance);
    let settled = Bed::on(instance, "settled").await;
    settled.ready_tenant(json!({})).await;
    let second = Member::second(instance).await;
    let mut beds = vec![settled];
    for _ in 0..4 {
        let bed = Bed::on(instance, "killed").await;
        bed.apply_tenant(json!({})).await.expect("taken");
        beds.push(bed);
    }
    beds[4].until_record("begun", |_| true).await;
    first.process.signal("KILL");
    until_leads(&beds[0], &second).await;
    for bed in &beds {
        bed.ready().await;
        one_of_each(bed).await;
    }
    in_time(one_after_the_other(instance, &first, &second).await);
}

/// Paused in the midst of its work for longer than its lease holds, it starts nothing more when it goes on. What the fence had let
/// through before and the process had not yet sent comes late, for between the two lies a pause of any length: the API server refuses
/// it, and neither that nor what AWS carries out late doubles anything.
#[tokio::test]
async fn a_leader_that_was_paused_ends_when_it_wakes_and_has_doubled_nothing() {
    let instance = Instance::own();
    let mut first = Member::first(instance);
    let settled = Bed::on(instance, "settled").await;
    settled.ready_tenant(json!({})).await;
    let second = Member::second(instance).await;
    let (mut beds, mut late) = (Vec::new(), Vec::new());
    for operation in ["CreatePodIdentityAssociation", "CreateSecret"].repeat(2) {
        let bed = Bed::on(instance, "late").await;
        late.push(instance.fault(operation, &bed.tenant, Fault::Late, 1).await);
        beds.push(bed);
    }
    for bed in &beds {
        bed.apply_tenant(json!({})).await.expect("taken");
    }
    for fault in &late {
        let begun = || async { (instance.hits(fault).await == 1).then_some(()) };
        settled.until_so("work in hand", begun).await;
    }

    first.process.signal("STOP");
    until_leads(&settled, &second).await;
    for bed in &beds {
        bed.ready().await;
    }
    // It wakes to work: to what it waited for, and to what has changed.
    settled.apply_tenant(json!({ "quota": { "cpu": "5" } })).await.expect("edited");
    first.process.signal("CONT");
    first.ends_for("could not be renewed for 15 s").await;
    settled.ready().await;

    let arrived = || async {
        let mut calls = Vec::new();
        for fault in &late {
            calls.extend(instance.disturbed(fault).await);
        }
        (calls.len() == late.len()).then_some(calls)
    };
    settled.until_so("what AWS carries out late", arrived).await;
    let (handover, stale) = how_one_followed(instance, &first, &second).await;
    in_time(handover);
    // What it was about when it was paused, and nothing that it would have met only then.
    for write in &stale.in_kubernetes {
        let is_refused = [404, 409, 504].contains(&write.status);
        assert!(is_refused || write.what.starts_with("create events"), "{write:?} was done: {stale:#?}");
    }
    for call in &stale.in_aws {
        let is_answered_once =
            ["CreatePodIdentityAssociation ", "CreateSecret "].iter().any(|one| call.what.starts_with(one));
        assert!(is_answered_once, "{call:?} was done: {stale:#?}");
    }
    let begun_late =
        stale.in_kubernetes.iter().chain(&stale.in_aws).find(|write| write.what.contains(&*settled.tenant));
    assert!(begun_late.is_none(), "{begun_late:?}: {stale:#?}");
    println!("of what was let through before, {} and {} came late", stale.in_kubernetes.len(), stale.in_aws.len());
    let calls = first.in_aws(instance).await;
    let late = calls.iter().filter(|call| call.what.contains("Late"));
    assert!(late.clone().all(|call| call.at > handover.next), "too early to show anything: {calls:#?}");
    for bed in beds.iter().chain([&settled]) {
        one_of_each(bed).await;
        bed.ready().await;
    }
}

/// Where the API server does not answer any more and AWS does, nothing is begun in AWS that may outlive the lease.
#[tokio::test]
async fn a_leader_that_is_cut_off_changes_nothing_in_aws_past_its_time() {
    let instance = Instance::own();
    let (mut first, way) = Member::first_by_a_way(instance);
    let settled = Bed::on(instance, "settled").await;
    settled.ready_tenant(json!({})).await;
    let second = Member::second(instance).await;
    // It tries again and again.
    let mut beds = Vec::new();
    for _ in 0..8 {
        let bed = Bed::on(instance, "throttled").await;
        for operation in ["CreatePodIdentityAssociation", "CreateSecret"] {
            let (service, text) = ("*", bed.tenant.as_str());
            instance.disturb(Disturbance { service, operation, text, fault: Fault::Throttled, times: 0 }).await;
        }
        bed.apply_tenant(json!({})).await.expect("taken");
        beds.push(bed);
    }
    for bed in &beds {
        bed.until("held up by AWS", |tenant| condition(tenant, "SecretsReady")["reason"] == "AwsUnavailable").await;
    }

    let cut = Timestamp::now();
    way.let_through(Passage::Nothing);
    let ended = first.ends_for("could not be renewed for 15 s: the API server did not answer").await;
    until_leads(&settled, &second).await;
    for bed in &beds {
        bed.ready().await;
        one_of_each(bed).await;
    }
    let handover = one_after_the_other(instance, &first, &second).await;
    in_time(handover);
    println!("{:#} after the cut the next one led", handover.next.duration_since(cut));
    assert!(ended.duration_since(handover.last) < FAIL_OVER, "it ends in time: {handover:?}, {ended}");
    println!("it ended {:#} after its last renewal", ended.duration_since(handover.last));
    let calls = first.in_aws(instance).await;
    let last = calls.last().expect("calls").at;
    println!("its last change in AWS came {:#} after the cut", last.duration_since(cut));
    assert!(last > cut, "it goes on for as long as it may: {last}");
    assert!(last < handover.last + LAST_START, "and no longer: {last}, {handover:?}");
}

/// A way that is whole again in time costs nothing but time.
#[tokio::test]
async fn a_short_cut_changes_nothing() {
    let instance = Instance::own();
    let (mut first, way) = Member::first_by_a_way(instance);
    let bed = Bed::on(instance, "short").await;
    bed.ready_tenant(json!({})).await;
    let second = Member::second(instance).await;
    let before = lease(&bed).await;

    way.let_through(Passage::Nothing);
    bed.apply_tenant(json!({ "quota": { "cpu": "5" } })).await.expect("edited");
    let missed = || async {
        let held = way.held();
        (held.iter().filter(|request| request.contains("/leases/")).count() >= 2).then_some(())
    };
    bed.until_so("a renewal that was given up", missed).await;
    way.let_through(Passage::All);
    bed.ready().await;

    let renewed = || async {
        let renewals = first.in_kubernetes(instance).into_iter().filter(Write::is_renewal);
        let renewals: Vec<_> = renewals.filter(|write| write.status < 300).collect();
        let gaps = renewals.windows(2).map(|two| two[1].at.duration_since(two[0].at));
        let (at, gap) = gaps.enumerate().max_by_key(|(_, gap)| *gap).expect("renewals");
        (renewals.len() > at + 4).then_some(gap)
    };
    let gap = bed.until_so("three more renewals", renewed).await;
    println!("{gap:#} lay between two renewals");
    let after = lease(&bed).await;
    for same in ["holderIdentity", "leaseTransitions", "acquireTime"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(first.process.exit_code(), None, "it goes on\n{}", first.process.log());
    let writes = second.in_kubernetes(instance);
    assert!(writes.is_empty(), "{writes:#?}");
}

/// Where everything gets through but renewals, everything is stopped by the fence alone.
#[tokio::test]
async fn a_leader_whose_renewals_alone_fail_stops_writing_in_time() {
    let instance = Instance::own();
    let (mut first, way) = Member::first_by_a_way(instance);
    let bed = Bed::on(instance, "renewals").await;
    bed.ready_tenant(json!({})).await;
    let second = Member::second(instance).await;
    let work = work_without_end(&bed).await;

    way.let_through(Passage::AllButTheLease);
    first.ends_for("could not be renewed for 15 s: the API server did not answer").await;
    until_leads(&bed, &second).await;
    let taken_up = || async {
        let writes = second.in_kubernetes(instance);
        writes.iter().any(|write| write.what.contains("resourcequotas")).then_some(())
    };
    bed.until_so("the second one's work", taken_up).await;
    drop(work);
    bed.ready().await;

    let handover = one_after_the_other(instance, &first, &second).await;
    in_time(handover);
    let writes = first.in_kubernetes(instance);
    let last = writes.iter().rfind(|write| !write.is_renewal()).expect("work").at;
    println!("its last write came {:#} after its last renewal", last.duration_since(handover.last));
    assert!(last > handover.last + SignedDuration::from_secs(5), "it works for as long as it may");
    assert!(last < handover.last + LAST_START, "and no longer");
}

/// Somebody spoils a quota as soon as it is right, for as long as this lives.
struct Spoiler(tokio::task::AbortHandle);

impl Drop for Spoiler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn work_without_end(bed: &Bed) -> Spoiler {
    let bed = bed.acting_as("somebody", &["system:masters", BREAK_GLASS]).await;
    let work = async move {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
        loop {
            ticks.tick().await;
            let spoiled = json!({ "spec": { "hard": { "pods": "99" } } });
            bed.patch("ResourceQuota", Some(&bed.namespace()), &bed.tenant, spoiled).await.expect("spoiled");
        }
    };
    Spoiler(tokio::spawn(work).abort_handle())
}

/// What a leader had sent arrives when another has long led, and everything has gone on: nothing of it is done.
#[tokio::test]
async fn what_arrives_after_its_time_is_refused() {
    let instance = Instance::own();
    let (mut first, way) = Member::first_by_a_way(instance);
    let (old, new) = (Bed::on(instance, "old").await, Bed::on(instance, "new").await);
    old.ready_tenant(json!({})).await;
    let second = Member::second(instance).await;

    way.let_through(Passage::Reads);
    old.apply_tenant(json!({ "quota": { "cpu": "5" } })).await.expect("edited");
    let glass = old.breaking_glass().await;
    glass.delete("NetworkPolicy", Some(&old.namespace()), &old.tenant).await;
    new.apply_tenant(json!({})).await.expect("taken");
    for part in ["/resourcequotas/", "/networkpolicies", "/tenants/", "/leases/"] {
        let on_its_way = || async { way.held().iter().any(|request| request.contains(part)).then_some(()) };
        old.until_so(&format!("something about {part}"), on_its_way).await;
    }
    first.ends_for("could not be renewed for 15 s").await;
    until_leads(&old, &second).await;
    for bed in [&old, &new] {
        bed.ready_tenant(json!({ "quota": { "cpu": "6" } })).await;
    }
    // What nobody has written since would be right, and taken.
    let on_their_way = way.held();
    let gone_on = || async {
        let writes = second.in_kubernetes(instance);
        let has_written = |what: &String| writes.iter().any(|write| write.status < 300 && write.what.ends_with(what));
        on_their_way.iter().filter_map(|request| object(request)).all(|what| has_written(&what)).then_some(())
    };
    old.until_so(&format!("later writes than {on_their_way:#?}"), gone_on).await;
    let before = first.in_kubernetes(instance).len();
    way.let_through(Passage::All);
    let arrived = || async {
        let writes = first.in_kubernetes(instance);
        (writes.len() - before >= on_their_way.len()).then_some(writes)
    };
    let writes = old.until_so(&format!("what was sent before: {on_their_way:#?}"), arrived).await;
    for late in &writes[before..] {
        assert!([404, 409].contains(&late.status) || late.what.starts_with("create events"), "{late:?}");
    }
    until_leads(&old, &second).await;
    for bed in [&old, &new] {
        let quota = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
        assert_eq!(quota["spec"]["hard"]["limits.cpu"], "6");
        one_of_each(bed).await;
        bed.ready().await;
    }
}

/// What a request to change one object is about, as [`Write`] has it.
fn object(request: &str) -> Option<String> {
    let (method, path) = request.split_once(' ')?;
    let (path, part) = path.strip_suffix("/status").map_or((path, ""), |path| (path, "/status"));
    let (rest, name) = path.rsplit_once('/')?;
    (method != "POST").then(|| format!(" {}{part} {name}", rest.rsplit('/').next().unwrap_or_default()))
}

/// Asked to stop, it ends what it has in hand, and then lets go of the Lease, so that nobody has to wait until that has run out.
#[tokio::test]
async fn a_leader_that_is_asked_to_stop_hands_over_at_once() {
    let instance = Instance::own();
    let first = Member::first(instance);
    let bed = Bed::on(instance, "stopped").await;
    bed.ready_tenant(json!({})).await;
    let second = Member::second(instance).await;
    let (asked, name) = (Timestamp::now(), first.name);
    bed.apply_tenant(json!({ "quota": { "cpu": "5" } })).await.expect("edited");
    let Member { process, credential, .. } = first;
    assert!(process.stop(), "{name} ends in good order");
    let ended = Timestamp::now();
    until_leads(&bed, &second).await;
    bed.ready().await;
    let (before, after) = (in_kubernetes(instance, &credential), second.in_kubernetes(instance));
    let handover = handover(&before, &after);
    assert!(before.iter().all(|write| write.at <= handover.last), "letting go is its last write: {before:#?}");
    assert!(after.iter().all(|write| write.at >= handover.next), "nothing before it led: {after:#?}");
    println!(
        "it ended {:#} after it was asked; {:#} after it let go the next one led",
        ended.duration_since(asked),
        handover.took()
    );
    assert!(handover.took() < TERM, "{handover:?}");
}
