//! The subcommand `rotate`: orders new values for a tenant's generated secrets, and tells how it went. What the operator does of it
//! is read off Tenant and TenantRecord.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};

use crate::{
    administer::{AdministerError, order_rotation},
    api::{
        class::SecretsMode,
        labels::{COMPROMISED, PAUSED},
        names::{SecretItemName, TenantName, VersionId, sha256_hex},
        record::{SecretOrigin, TenantRecordSpec},
    },
    kubernetes::{
        definitions,
        listing::{ListError, named},
    },
    tenant::{reason::Reason, views},
};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whose secrets.
    pub tenant: TenantName,
    /// Whether they have leaked.
    pub compromised: bool,
    /// For how long to wait for the end; `None` where it is not waited for.
    pub wait: Option<Duration>,
}

/// Why it was not ordered, or not carried out.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The cluster cannot be seen.
    #[error(transparent)]
    Cluster(#[from] ListError),
    /// It could not be ordered.
    #[error(transparent)]
    Order(#[from] AdministerError),
    /// There is nothing to rotate.
    #[error("tenant {0} has no secrets that the operator generates: nothing was ordered")]
    Nothing(TenantName),
    /// It is being deleted.
    #[error("tenant {0} is being deleted: nothing was ordered")]
    Leaving(TenantName),
    /// The operator does not carry it out.
    #[error("the rotation of tenant {tenant}'s secrets was ordered and is not carried out: {why}")]
    NotDone {
        /// Whose.
        tenant: TenantName,
        /// Why not, and what to do.
        why: String,
    },
    /// It takes longer than was waited for.
    #[error(
        "the rotation of tenant {tenant}'s secrets is not over after {waited} s: {stands}. It goes on without this command: \
         openclaw-tenant-operator status {tenant}"
    )]
    TimedOut {
        /// Whose.
        tenant: TenantName,
        /// How long it was waited.
        waited: u64,
        /// How it stands.
        stands: String,
    },
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whose.
    pub tenant: TenantName,
    /// The annotation's value.
    pub order: String,
    /// Versions before and after, by item; empty where it was not waited for.
    pub rotated: Vec<(SecretItemName, Option<VersionId>, Option<VersionId>)>,
    /// Whether it was waited for.
    pub waited: bool,
}

impl Outcome {
    /// For people.
    pub fn text(&self) -> String {
        if !self.waited {
            return format!(
                "Ordered. The leading operator carries it out; how it goes: openclaw-tenant-operator status {}\n",
                self.tenant
            );
        }
        let mut text = format!("The secrets of tenant {} have new values, and its workspace uses them.\n", self.tenant);
        let id = |version: &Option<VersionId>| version.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        for (item, before, after) in &self.rotated {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {item}: version {}, before {}", id(after), id(before));
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let one = |(item, before, after): &(SecretItemName, Option<VersionId>, Option<VersionId>)| json!({ "name": item, "before": before, "versionId": after });
        json!({
            "tenant": self.tenant, "order": self.order, "done": self.waited,
            "secrets": self.rotated.iter().map(one).collect::<Vec<_>>(),
        })
    }
}

/// How an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// It is on its way.
    Waits(String),
    /// It is over: every generated secret has another version.
    Done,
    /// It is not carried out.
    Refused(String),
}

type Versions = BTreeMap<SecretItemName, Option<VersionId>>;

fn versions(record: &TenantRecordSpec) -> Versions {
    let generated = record.secrets.items.iter().filter(|item| item.origin == SecretOrigin::Generated);
    generated.map(|item| (item.name.clone(), item.version_id.clone())).collect()
}

/// Reads off what was seen how an order stands that was given over these versions at that time.
fn progress(order: &str, before: &Versions, ordered: Timestamp, tenant: &Value, record: &TenantRecordSpec) -> Progress {
    let status = views::tenant_status(tenant);
    let told = status.condition("SecretsReady");
    let stalled = status.condition("Stalled");
    let says = |reason: Reason| {
        let all = [told, stalled].into_iter().flatten();
        all.into_iter().find(|one| one.reason == reason.as_str()).map(|one| one.message.clone())
    };
    if tenant["metadata"]["annotations"][PAUSED] == "true" {
        let name = views::name(tenant);
        return Progress::Refused(format!(
            "it is paused, and the order waits: kubectl annotate tenant {name} {PAUSED}-"
        ));
    }
    if record.secrets.order.as_deref() != Some(sha256_hex(&[order]).as_str()) {
        if let Some(why) = says(Reason::RotationBlocked) {
            return Progress::Refused(why);
        }
        let why = stalled.map_or_else(String::new, |one| format!("; it is Stalled, {}: {}", one.reason, one.message));
        return Progress::Waits(format!("the operator has not taken the order up yet{why}"));
    }
    let items = || record.secrets.items.iter().filter(|item| before.contains_key(&item.name));
    let given_up = items().find(|item| item.failed_at.as_ref().is_some_and(|at| at.0 >= ordered));
    if let Some(item) = given_up.filter(|item| item.rotation.is_none()) {
        let why = says(Reason::RotationFailed).unwrap_or_else(|| format!("the rotation of {} was given up", item.name));
        return Progress::Refused(why);
    }
    if let Some(one) = stalled.filter(|one| one.reason == Reason::RotationFailed.as_str()) {
        return Progress::Refused(one.message.clone());
    }
    let open: Vec<&str> = items().filter(|item| item.rotation.is_some()).map(|item| item.name.as_str()).collect();
    if open.is_empty() {
        return Progress::Done;
    }
    let said = told.map_or_else(String::new, |one| format!(": {}", one.message));
    Progress::Waits(format!("being rotated: {}{said}", open.join(", ")))
}

async fn look(client: &Client, name: &TenantName) -> Result<(Value, TenantRecordSpec), RotateError> {
    let tenant = named(client, definitions::TENANT, name.as_str()).await?;
    let tenant = tenant.ok_or_else(|| AdministerError::NoTenant(name.clone()))?;
    let record = named(client, definitions::RECORD, name.as_str()).await?;
    let view = record.as_ref().and_then(views::record).ok_or_else(|| AdministerError::NoRecord(name.clone()))?;
    let record = view.spec.map_err(|why| AdministerError::Unreadable(name.clone(), why))?;
    Ok((tenant, record))
}

/// Orders a rotation, and waits for its end where that is wished.
///
/// # Errors
/// Where it cannot be ordered, is not carried out, or takes too long.
pub async fn rotate(client: &Client, options: &Options, tell: &mut impl FnMut(&str)) -> Result<Outcome, RotateError> {
    let name = &options.tenant;
    let (tenant, record) = look(client, name).await?;
    let before = versions(&record);
    if record.secrets.mode == SecretsMode::None || before.is_empty() {
        return Err(RotateError::Nothing(name.clone()));
    }
    let view = views::tenant(&tenant).ok_or_else(|| AdministerError::NoTenant(name.clone()))?;
    if view.deleted_at.is_some() {
        return Err(RotateError::Leaving(name.clone()));
    }
    let ordered = Timestamp::now();
    let order = if options.compromised { format!("{COMPROMISED}:{ordered}") } else { ordered.to_string() };
    order_rotation(client, name, &view, &order).await?;
    let outcome = |waited, rotated| Outcome { tenant: name.clone(), order: order.clone(), rotated, waited };
    let Some(patience) = options.wait else { return Ok(outcome(false, Vec::new())) };
    let began = Instant::now();
    let mut said = String::new();
    loop {
        let (tenant, record) = look(client, name).await?;
        // In whole seconds, as the record has it.
        let since = Timestamp::from_second(ordered.as_second()).unwrap_or(ordered);
        match progress(&order, &before, since, &tenant, &record) {
            Progress::Done => {
                let mut now = versions(&record);
                let rotated = before.into_iter().map(|(item, old)| {
                    let new = now.remove(&item).flatten();
                    (item, old, new)
                });
                return Ok(outcome(true, rotated.collect()));
            }
            Progress::Refused(why) => return Err(RotateError::NotDone { tenant: name.clone(), why }),
            Progress::Waits(stands) => {
                if began.elapsed() >= patience {
                    return Err(RotateError::TimedOut { tenant: name.clone(), waited: patience.as_secs(), stands });
                }
                if stands != said {
                    tell(&stands);
                    said = stands;
                }
            }
        }
        tokio::time::sleep(PERIOD.min(patience.saturating_sub(began.elapsed()))).await;
    }
}

#[cfg(test)]
#[path = "rotate_tests.rs"]
mod tests;
