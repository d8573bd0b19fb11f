//! The last that goes: the volume, by its storage; and why one stays, or hangs.
//!
//! PURE.

use jiff::SignedDuration;

use super::Next;
use crate::{
    api::record::TenantRecordSpec,
    tenant::{
        action::{Action, Precondition, Step},
        child::claim_name,
        observed::{Observed, VolumeView},
        place,
    },
};

/// How long a storage may take to delete a volume before a person is asked to look.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn volume_step(observed: &Observed, record: &TenantRecordSpec) -> Next {
    let Some(volume) = recorded_volume(observed, record) else { return Next::End };
    if why_volume_stays(observed, record, volume).is_some() {
        return Next::End;
    }
    if volume.retained {
        let precondition = Precondition::of(&volume.uid, &volume.resource_version);
        let release = Action::ReleaseVolume { name: volume.name.clone(), precondition, at: observed.time() };
        return Next::Step(Step::Volume, vec![release], format!("volume {} is given to be deleted", volume.name));
    }
    match volume_hangs(observed, record, volume) {
        Some(message) => Next::Hangs(message),
        None => Next::Wait(volume_going(volume)),
    }
}

/// What to do about a volume that its storage does not delete: it will not become better by itself.
pub(super) fn volume_hangs(observed: &Observed, record: &TenantRecordSpec, volume: &VolumeView) -> Option<String> {
    let began = record.purge.as_ref().map(|purge| purge.begun.0);
    let since = volume.released_at.or(volume.phase_since).max(began)?;
    let is_patient = volume.phase != "Failed" && observed.now.duration_since(since) < PATIENCE;
    if is_patient {
        return None;
    }
    let said = volume.trouble.as_ref().map_or_else(String::new, |said| format!(", and says: {said}"));
    Some(format!(
        "volume {name} ({handle}) was given to its storage to be deleted and is still there. It is {phase}{said}. See to the CSI \
         driver that made it; or, where its files may stay in the storage, kubectl delete pv {name}: the removal then comes to \
         its end",
        name = volume.name,
        handle = volume.handle,
        phase = phase_of(volume)
    ))
}

fn phase_of(volume: &VolumeView) -> &str {
    if volume.phase.is_empty() { "of no phase" } else { &volume.phase }
}

pub(super) fn volume_going(volume: &VolumeView) -> String {
    format!("volume {} ({}) is being deleted by its storage; it is {}", volume.name, volume.handle, phase_of(volume))
}

pub(super) fn recorded_volume<'a>(observed: &'a Observed, record: &TenantRecordSpec) -> Option<&'a VolumeView> {
    let recorded = record.storage.volume.as_ref()?;
    observed.volume.as_deref().filter(|volume| volume.name == recorded.name)
}

/// Why the recorded volume is not deleted although everything else is; `None` where it is.
pub fn why_volume_stays(observed: &Observed, record: &TenantRecordSpec, volume: &VolumeView) -> Option<String> {
    let recorded = record.storage.volume.as_ref()?;
    if let Some(other) = &observed.volume_shared_with {
        return Some(format!("volume {other} has the same place in the storage"));
    }
    if !place::is_same(&volume.handle, &recorded.handle) {
        return Some(format!(
            "its place in the storage is {} now, and was {} when it was recorded",
            volume.handle, recorded.handle
        ));
    }
    if !volume.has_known_handle() {
        return Some("the operator cannot tell where in the storage it is, nor who else uses that".to_owned());
    }
    if !volume.provisioned {
        return Some("it was made by hand, and no provisioner deletes what it did not make".to_owned());
    }
    let is_its_own = volume.claim.as_ref().is_none_or(|claim| {
        claim.namespace == record.namespace.name.as_str() && claim.name == claim_name(&observed.name, record)
    });
    (!is_its_own).then(|| "it is bound to somebody else's claim".to_owned())
}
