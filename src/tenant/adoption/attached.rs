//! The first phase: everything that consents is recorded and marked, and the former workload runs on.
//!
//! PURE.

use super::{
    super::{
        action::{Action, PartState, Parts, Precondition},
        blueprint::{Blueprint, Refusal, blueprint},
        child::{Child, Part, claim_name},
        cloud,
        comparison::ChildState,
        desired, fit,
        keep::{Kept, replace_record},
        ledger::wanted_record,
        observed::Observed,
        progress::Reached,
        reason::Reason,
        storage,
    },
    BELIEVED, Order,
    belongings::{Choice, choose},
    command, cut_over, marks, seen_within,
};
use crate::api::{
    class::TenantClassSpec,
    labels,
    record::{AdoptionStage, TenantRecordSpec},
    tenant::TenantSpec,
};

/// How one part of what is attached stands.
struct Piece {
    actions: Vec<Action>,
    state: PartState,
    /// Whether the cut-over may begin as far as this part goes.
    ready: bool,
    /// What the record shall name as the claim.
    claim: Option<String>,
}

impl Piece {
    fn working(actions: Vec<Action>, message: impl Into<String>) -> Self {
        let state = PartState::Working(Reason::Progressing, message.into());
        Self { actions, state, ready: false, claim: None }
    }

    fn done(message: impl Into<String>) -> Self {
        let state = PartState::Done(Reason::Adopted, message.into());
        Self { actions: Vec::new(), state, ready: true, claim: None }
    }

    /// What was attached is gone. The cut-over makes it anew, on the recorded volume.
    fn gone(message: impl Into<String>) -> Self {
        let state = PartState::Blocked(Reason::AdoptionUnclear, message.into());
        Self { actions: Vec::new(), state, ready: true, claim: None }
    }

    fn of(half: cloud::Half) -> Self {
        let ready = half.state.is_done();
        Self { actions: half.actions, state: half.state, ready, claim: None }
    }
}

/// What a living tenant comes to whose things are attached.
pub(super) fn kept(
    observed: &Observed,
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
    order: Option<&Order>,
) -> Result<Kept, Refusal> {
    if spec.suspend {
        return Err(not_ours_to_stop(observed));
    }
    let blueprint = blueprint(&observed.name, spec, class, record, &observed.settings)?;
    fit::check(&desired::all(&blueprint))?;
    let namespace = namespace(observed, record);
    let identity = Piece::of(cloud::former_attached(observed, &blueprint));
    let secrets = Piece::of(cloud::secrets_attached(observed, &blueprint));
    let storage = storage(observed, &blueprint);
    let mut next = ledger(observed, spec, &blueprint, &storage);
    let is_recorded = next == *record;
    let is_ready = is_recorded && [&namespace, &identity, &secrets, &storage].iter().all(|piece| piece.ready);

    let mut parts = Parts::from([
        (Part::Namespace, namespace.state),
        (Part::Network, awaits("the network policies are made")),
        (Part::Identity, identity.state),
        (Part::Secrets, secrets.state),
        (Part::Storage, storage.state),
        (Part::Route, awaits("the route is made")),
    ]);
    let mut actions: Vec<Action> =
        [namespace.actions, identity.actions, secrets.actions, storage.actions].into_iter().flatten().collect();
    let workload = if !is_ready {
        let waits_for: Vec<&str> =
            parts.iter().filter(|(_, one)| !is_settled(one)).map(|(p, _)| p.condition()).collect();
        PartState::Working(Reason::WaitingForEarlierPart, format!("waits for {}", waits_for.join(", ")))
    } else if order == Some(&Order::Start) {
        let step = cut_over::begin(observed, record);
        actions.extend(step.look);
        if step.is_free
            && let Some(adoption) = &mut next.adoption
        {
            adoption.stage = AdoptionStage::CutOver;
        }
        step.state
    } else {
        let is_unknown = replaces(observed).is_none();
        actions.extend(is_unknown.then(|| Action::LookInside(record.namespace.name.clone())));
        await_order(observed, record, order)
    };
    parts.insert(Part::Workload, workload);
    let view = observed.record.as_deref().filter(|_| next != *record);
    actions.extend(view.map(|view| replace_record(view, &next)));
    Ok(Kept { actions, parts, template: Reached::Another })
}

fn is_settled(state: &PartState) -> bool {
    state.is_done() || matches!(state, PartState::Working(Reason::AwaitingCutOver, _))
}

fn awaits(what: &str) -> PartState {
    PartState::Working(
        Reason::AwaitingCutOver,
        format!("{what} at cut-over; what the former workload has stays until then"),
    )
}

fn await_order(observed: &Observed, record: &TenantRecordSpec, order: Option<&Order>) -> PartState {
    let start = command(&observed.name, Some(labels::CUT_OVER_START));
    let message = match order {
        Some(Order::Finish) => format!(
            "{}={} comes after the cut-over, which has not begun: begin it with `{start}`",
            labels::CUT_OVER,
            labels::CUT_OVER_FINISH
        ),
        Some(Order::Start | Order::Unknown(_)) | None => format!(
            "everything is attached, and the former workload was not touched. When its pods may end, scale it to zero and \
             move the workspace over with `{start}`: it waits until no pod mounts claim {}{}",
            claim_name(&observed.name, record),
            told_replaced(observed)
        ),
    };
    PartState::Blocked(Reason::AwaitingCutOver, message)
}

fn replaces(observed: &Observed) -> Option<&[Child]> {
    observed.belongings.seen()?.replaces.as_deref()
}

/// What a way back does not bring again.
fn told_replaced(observed: &Observed) -> String {
    match replaces(observed) {
        None | Some([]) => String::new(),
        Some(replaced) => format!(
            ". It replaces what the former system made under the same names, and taking it back removes it: keep the means to \
             make it again ({})",
            replaced.iter().map(|child| child.title()).collect::<Vec<_>>().join(", ")
        ),
    }
}

fn not_ours_to_stop(observed: &Observed) -> Refusal {
    let message = format!(
        "suspend: true, but the workload of namespace and volume is the former one, which is not this operator's to stop: \
         scale it down yourself, or move the workspace over first (`{}`); until then set suspend: false",
        command(&observed.name, Some(labels::CUT_OVER_START))
    );
    Refusal::new(Reason::AwaitingCutOver, message)
}

/// What the record should say: what is learned of things that stand, and nothing of what is only made at cut-over.
fn ledger(observed: &Observed, spec: &TenantSpec, plan: &Blueprint<'_>, storage: &Piece) -> TenantRecordSpec {
    let record = plan.record;
    let mut next = wanted_record(observed, spec, plan);
    next.identity.restarted_pod.clone_from(&record.identity.restarted_pod);
    next.routing.placement.clone_from(&record.routing.placement);
    next.template.clone_from(&record.template);
    next.storage.claim.clone_from(&storage.claim);
    next
}

fn namespace(observed: &Observed, record: &TenantRecordSpec) -> Piece {
    let name = &record.namespace.name;
    match observed.namespace.as_deref() {
        None => Piece::gone(format!(
            "namespace {name} was attached and is gone, with everything in it; a recorded volume is kept. Put it back, or cut \
             over: it is made anew then"
        )),
        Some(live) if live.deleting => {
            Piece::working(Vec::new(), format!("namespace {name} is being deleted by somebody"))
        }
        Some(_) => match marks::on_namespace(observed, record) {
            Some(mark) => Piece::working(vec![mark], format!("namespace {name} is being marked")),
            None => Piece::done(format!(
                "namespace {name} is recorded and marked; its other labels, its quota and its limits are as they were"
            )),
        },
    }
}

fn storage(observed: &Observed, plan: &Blueprint<'_>) -> Piece {
    let record = plan.record;
    let piece = match observed.child(Child::Claim) {
        // Its volume is set to Retain now, if it was not before.
        Some(live) if live.deleting => Piece {
            actions: storage::storage(observed, plan, Some(&ChildState::Going)).actions,
            ready: record.storage.volume.is_some(),
            ..Piece::gone(format!(
                "claim {} is being deleted by somebody{}",
                claim_name(&observed.name, record),
                volume_kept(record)
            ))
        },
        Some(live) if live.tenant.as_ref() != Some(&observed.name) => {
            let precondition = Precondition::of(&live.uid, &live.resource_version);
            Piece::working(vec![marks::on_claim(&observed.name, precondition)], "the claim is being marked")
        }
        Some(_) => bound(observed, plan),
        None if record.storage.volume.is_some() => Piece::gone(format!(
            "claim {} was attached and is gone{}",
            claim_name(&observed.name, record),
            volume_kept(record)
        )),
        None => return found(observed, plan),
    };
    Piece { claim: record.storage.claim.clone(), ..piece }
}

fn volume_kept(record: &TenantRecordSpec) -> String {
    match &record.storage.volume {
        Some(volume) => format!(
            "; its volume {} is kept (Retain). The cut-over makes the claim anew with the same volume, as does putting it back",
            volume.name
        ),
        None => String::new(),
    }
}

/// The claim is known and marked: it is bound, and its volume is kept from here on.
fn bound(observed: &Observed, plan: &Blueprint<'_>) -> Piece {
    let storage = storage::storage(observed, plan, None);
    let is_recorded = plan.record.storage.volume.is_some();
    let state = match storage.state {
        PartState::Done(_, message) if is_recorded => PartState::Done(
            Reason::Adopted,
            format!("claim {} is recorded and marked; {message}", claim_name(&observed.name, plan.record)),
        ),
        PartState::Done(..) => PartState::Working(Reason::Progressing, "the volume is being recorded".into()),
        state @ (PartState::Working(..) | PartState::Blocked(..)) => state,
    };
    Piece { actions: storage.actions, ready: storage.bound && is_recorded, state, claim: None }
}

/// The claim is not marked yet, so that only a look shows it.
fn found(observed: &Observed, plan: &Blueprint<'_>) -> Piece {
    let record = plan.record;
    let recorded = record.storage.claim.clone();
    let Some(belongings) = seen_within(observed, BELIEVED) else {
        let look = Action::LookInside(record.namespace.name.clone());
        return Piece {
            claim: recorded,
            ..Piece::working(vec![look], "what lies in the namespace is being looked at")
        };
    };
    match choose(&observed.name, belongings, &record.storage.class_name) {
        Err(refusal) => Piece { claim: recorded, ready: false, ..Piece::gone("") }.blocked_by(refusal),
        Ok(Choice::Nothing) => Piece::done("the namespace has no claim: a new one is made at cut-over"),
        Ok(Choice::Claim(claim)) => {
            let name = Some(claim.name.clone()).filter(|name| name != observed.name.as_str());
            // S6: first recorded, then marked.
            let precondition = Precondition::of(&claim.uid, &claim.resource_version);
            let mark = (name == recorded).then(|| marks::on_claim(&observed.name, precondition));
            let piece = Piece::working(mark.into_iter().collect(), format!("claim {} is being marked", claim.name));
            Piece { claim: name, ..piece }
        }
    }
}

impl Piece {
    fn blocked_by(self, refusal: Refusal) -> Self {
        Self { state: refusal.into(), ..self }
    }
}
