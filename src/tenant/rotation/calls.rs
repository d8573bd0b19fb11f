//! Why all generated secrets shall get new values: somebody asks for it, or they have changed hands.
//!
//! PURE.

use super::{generated, is_copied, is_somebodys};
use crate::{
    api::{
        class::{SecretsMode, TenantClassSpec},
        labels::GATEWAY_TOKEN,
        record::{RecordedSecret, RecordedTemplate, TenantRecordSpec},
    },
    tenant::{
        action::PartState,
        blueprint::Blueprint,
        ledger::secret_name,
        observed::{Observed, RotateOrder},
        reason::Reason,
        rollout::is_rolled_onto,
        workload::has_ended,
    },
};

/// Why all generated secrets shall get new values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A person asks for it.
    Order,
    /// A person says that a value has leaked.
    Leak,
    /// A former owner may know the values.
    HandedOver,
}

impl Call {
    /// Whether nothing runs on the former values any more.
    pub(super) const fn is_urgent(self) -> bool {
        match self {
            Self::Order => false,
            Self::Leak | Self::HandedOver => true,
        }
    }
}

/// A call for new values that can be followed.
pub(super) fn open_call(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Call> {
    let call = pending_call(observed, blueprint)?;
    let can_be = match call {
        Call::Order | Call::Leak => refusal(blueprint.class, blueprint.record, call).is_none(),
        // Each by itself: one that waits for a person holds up no other.
        Call::HandedOver => generated(blueprint).any(|item| is_known(item) && !is_copied(blueprint.class, item)),
    };
    can_be.then_some(call)
}

/// A call for new values that was not followed yet.
pub(super) fn pending_call(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Call> {
    let order = observed.tenant.as_deref()?.rotate.as_ref();
    let order = order.filter(|order| blueprint.record.secrets.order.as_ref() != Some(&order.hash));
    match order {
        Some(RotateOrder { compromised: true, .. }) => Some(Call::Leak),
        _ if generated(blueprint).any(is_known) => Some(Call::HandedOver),
        Some(_) => Some(Call::Order),
        None => None,
    }
}

/// Why a call for new values cannot be followed.
pub(super) fn refusal(class: &TenantClassSpec, record: &TenantRecordSpec, call: Call) -> Option<PartState> {
    if record.secrets.mode == SecretsMode::None {
        let message = "openclaw.io/rotate-secrets is not carried out: the class keeps no secrets (secrets.mode None). The \
                       workspace's token is the file gateway-token on its volume: remove it and delete the pod";
        return Some(PartState::Done(Reason::RotationBlocked, message.to_owned()));
    }
    let is_in_the_way = |item: &&RecordedSecret| is_copied(class, item) && (call != Call::HandedOver || is_known(item));
    record.secrets.items.iter().find(is_in_the_way)?;
    let why = format!(
        "the sign-in hands out a copy of {GATEWAY_TOKEN} from the user directory, which would be worthless afterwards. Let it \
         read AWSCURRENT in Secrets Manager and set login.tokenSource of the class to SecretsManager"
    );
    let not_carried_out = format!("openclaw.io/rotate-secrets is not carried out: {why}");
    Some(match call {
        Call::Order => PartState::Done(Reason::RotationBlocked, not_carried_out),
        Call::Leak => {
            let message =
                format!("{not_carried_out}. Until then set suspend: true: it ends access with the leaked token");
            PartState::Blocked(Reason::RotationBlocked, message)
        }
        Call::HandedOver => {
            let name = secret_name(record, GATEWAY_TOKEN);
            let message = format!(
                "the former owner may know {GATEWAY_TOKEN}, and it gets no new value by itself: {why}. Or put a value both \
                 there and here: aws secretsmanager put-secret-value --secret-id {name} --secret-string file://…"
            );
            PartState::Blocked(Reason::RotationBlocked, message)
        }
    })
}

/// Whether somebody has put another value in place of one that a former owner may know. The running pod may still use that one.
pub(super) fn is_replaced(item: &RecordedSecret) -> bool {
    let is_another = item.handed_over_version.is_some() && item.handed_over_version != item.version_id;
    item.handed_over && is_another && is_somebodys(item)
}

/// Whether a former owner may know the value that readers get.
pub(super) fn is_known(item: &RecordedSecret) -> bool {
    item.handed_over && !is_replaced(item)
}

/// What readers get when it is first looked at after a transfer is what the former owner may know, whatever was recorded before. It is
/// known until the pod uses another value that somebody has put; or until it is rotated.
pub(super) fn hand_over(observed: &Observed, record: &TenantRecordSpec, item: &mut RecordedSecret) {
    let names_it = |applied: &&RecordedTemplate| applied.version_of(&item.name) == item.version_id.as_ref();
    let applied = record.template.as_ref().filter(names_it);
    let is_used = applied.is_some_and(|applied| is_rolled_onto(observed, applied) || has_ended(observed));
    item.handed_over &= !(is_replaced(item) && is_used);
    item.handed_over_version =
        item.handed_over_version.take().or_else(|| item.version_id.clone()).filter(|_| item.handed_over);
}
