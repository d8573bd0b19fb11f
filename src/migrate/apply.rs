//! Prepares the old side, in the caller's own name: every change is made to the very state that was looked at, what is done already
//! is skipped, and the ApplicationSet comes first, because its controller would put back what is changed in an Application alone.
//!
//! Nothing here is the operator's, so neither its lease nor its fence guards it.

use std::{collections::BTreeMap, time::Duration};

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::Value;

use super::{
    cloud::CloudSight,
    in_aws::Aws,
    preparation::{self, Change},
    report::Report,
    step::{OldKind, OldObject, Step, remaining, still_holds},
    today::MANAGER,
};
use crate::telemetry::result::describe;

/// The longest that one request may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How often an object is looked at anew that somebody else changed in between. Argo CD's controllers write often.
const LOOKS: usize = 5;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What was changed.
    pub done: Vec<String>,
    /// What could not be, and why.
    pub failed: Vec<String>,
}

/// Takes all steps of the report. A tenant's namespace consents only after everything else of that tenant is prepared, and what is
/// in AWS after that.
pub async fn prepare(client: &Client, in_aws: Option<(&Aws, &CloudSight)>, report: &Report) -> Prepared {
    let mut prepared = Prepared::default();
    for (object, changes) in by_object(&report.set.steps) {
        prepared.take(&object, change(client, &object, &changes).await);
    }
    if !prepared.failed.is_empty() {
        // The rest would be put back.
        return prepared;
    }
    for tenant in &report.tenants {
        let mut is_prepared = true;
        for (object, changes) in by_object(&tenant.steps) {
            let outcome = change(client, &object, &changes).await;
            if !prepared.take(&object, outcome) {
                is_prepared = false;
                break;
            }
        }
        if let Some((aws, sight)) = in_aws.filter(|_| is_prepared && tenant.blocks.is_empty()) {
            let (done, failed) = aws.consent(tenant, sight).await;
            prepared.done.extend(done);
            prepared.failed.extend(failed);
        }
    }
    prepared
}

/// In the order of kinds: Applications before namespaces.
fn by_object(steps: &[Step]) -> BTreeMap<OldObject, Vec<Change>> {
    let mut objects: BTreeMap<OldObject, Vec<Change>> = BTreeMap::new();
    for step in steps {
        objects.entry(step.object.clone()).or_default().push(step.change.clone());
    }
    objects
}

impl Prepared {
    fn take(&mut self, object: &OldObject, outcome: Result<Vec<Change>, String>) -> bool {
        match outcome {
            Ok(changes) => {
                self.done.extend(changes.iter().map(|change| format!("{object}: {change}")));
                true
            }
            Err(why) => {
                self.failed.push(format!("{object}: {why}"));
                false
            }
        }
    }
}

/// Makes the changes that are still missing; what was changed.
async fn change(client: &Client, object: &OldObject, planned: &[Change]) -> Result<Vec<Change>, String> {
    let resource = ApiResource::from(object.kind.info());
    let api: Api<DynamicObject> = match &object.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    for _ in 0..LOOKS {
        let Some(live) = within(api.get_opt(&object.name)).await? else {
            // Gone meanwhile: there is nothing left that could cascade, and nothing that could consent.
            return if object.kind == OldKind::Namespace { Err("it is gone".to_owned()) } else { Ok(Vec::new()) };
        };
        // Metadata and JSON always serialise.
        let live = serde_json::to_value(&live).unwrap_or(Value::Null);
        still_holds(object.kind, &live, planned)?;
        let changes = remaining(object.kind, &live, planned);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let patch = preparation::patch(&live, &changes);
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let body = Patch::Merge(&patch);
        match tokio::time::timeout(TIMEOUT, api.patch(&object.name, &parameters, &body)).await {
            Ok(Ok(_)) => return Ok(changes),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {}
            Ok(Err(error)) => return Err(describe(&error)),
            Err(_) => return Err(no_answer()),
        }
    }
    Err(format!("somebody else changed it {LOOKS} times in between: run the command again"))
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|error| describe(&error)),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> String {
    format!("no answer within {} s", TIMEOUT.as_secs())
}
