//! Calls about the whole cluster: the listings of the sweeps and of the classes' checks. Whatever goes wrong with them,
//! nothing is changed because of it, and after it what is told is true.

use serde_json::{Value, json};

use super::{Trouble, class_role, rows::Row, scene::Scene, verdict::expect, world::Quiet};
use crate::support::{Disturbance, Fault, condition, eventually};

/// Lets all calls of a row go wrong until enough of it was suffered, and judges what came after.
pub async fn disturbed(quiet: &Quiet, scene: Scene, row: Row, trouble: Trouble) -> Result<(), String> {
    let _turn = quiet.turn.lock().await;
    match scene {
        Scene::Swept => swept(quiet, row, trouble).await,
        _ => looked_for(quiet, row, trouble).await,
    }
}

/// The sweeps of an operator whose one tenant rests.
async fn swept(quiet: &Quiet, row: Row, (fault, times, _): Trouble) -> Result<(), String> {
    let bed = &quiet.bed;
    let good = r#"openclaw_sweeps_total{result="ok"}"#;
    let is_bad = |line: &str| match fault {
        Fault::Stale => line.starts_with("openclaw_sweep_findings_total{") && line.contains(r#"finding="vanished""#),
        _ => line.starts_with("openclaw_sweeps_total{") && !line.starts_with(good),
    };
    let is_good = |line: &str| line.starts_with(good);
    let before = bed.ready().await;
    let changes = changes(quiet).await;
    let bad = quiet.sum(is_bad).await.ok_or("no metrics")?;

    let id = disturb(quiet, row, fault, &bed.tenant).await;
    let suffered = quiet.until_more(is_bad, bad + f64::from(times)).await;
    bed.instance.heal(&id).await;
    suffered.ok_or("the sweeps never noticed")?;
    let now = quiet.sum(is_good).await.ok_or("no metrics")?;
    // One may be under way that began before.
    quiet.until_more(is_good, now + 2.0).await.ok_or("no sweep ended well after the fault")?;

    let after = bed.ready().await;
    for part in ["identity", "secrets", "phase"] {
        expect(part, &after["status"][part], &before["status"][part])?;
    }
    expect("what the operator changed in AWS", &self::changes(quiet).await, &changes)
}

/// The check of a class whose role wants another policy: it looks for secrets that the policy would shut out.
async fn looked_for(quiet: &Quiet, row: Row, (fault, ..): Trouble) -> Result<(), String> {
    let instance = quiet.class.instance;
    let failures = || {
        let log = quiet.operator.log();
        log.lines().filter(|line| line.contains(row.operation) && line.contains(&quiet.class.class)).count()
    };
    let before = failures();
    let id = disturb(quiet, row, fault, &quiet.untagged).await;
    class_role::edit(&quiet.class).await;
    let suffers = || async {
        if failures() > before {
            return Some(());
        }
        let class = class_role::told(&quiet.class).await?;
        let suffers = match fault {
            Fault::Stale => class["status"]["identity"]["proposedPermissions"].is_string(),
            _ => condition(&class, "RoleReady")["reason"] == "RoleUnread",
        };
        suffers.then_some(())
    };
    let suffered = eventually(suffers).await;
    instance.heal(&id).await;
    suffered.ok_or("the check of the class never noticed")?;
    // What failed is looked at again by itself, in half a minute; a class that was changed at once.
    class_role::edit(&quiet.class).await;
    let right = || async { held_back(&class_role::told(&quiet.class).await?, &quiet.untagged).ok() };
    match eventually(right).await {
        Some(()) => Ok(()),
        None => held_back(&class_role::told(&quiet.class).await.unwrap_or(Value::Null), &quiet.untagged),
    }
}

/// The role is told to be open, and no policy is proposed that would shut out who reads this secret.
fn held_back(class: &Value, untagged: &str) -> Result<(), String> {
    class_role::is_told(class, "RoleOpen", &[format!("secret {untagged}")])?;
    expect("the policy that is proposed", &class["status"]["identity"]["proposedPermissions"], &Value::Null)
}

async fn disturb(quiet: &Quiet, row: Row, fault: Fault, hidden: &str) -> String {
    // Only what a stale listing hides is named: requests for the whole cluster name nobody.
    let text = if matches!(fault, Fault::Stale) { hidden } else { "" };
    let calls = Disturbance { service: row.service, operation: row.operation, text, fault, times: 0 };
    quiet.bed.instance.disturb(calls).await
}

async fn changes(quiet: &Quiet) -> usize {
    let calls = quiet.bed.instance.calls(&quiet.bed.tenant).await;
    calls.iter().filter(|call| call["mutating"] == json!(true)).count()
}

impl Quiet {
    /// The sum of some lines of the operator's metrics.
    async fn sum(&self, wanted: impl Fn(&str) -> bool) -> Option<f64> {
        let (_, metrics) = self.operator.get("/metrics").await?;
        let lines = metrics.lines().filter(|line| wanted(line));
        Some(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    async fn until_more(&self, wanted: impl Fn(&str) -> bool + Copy, least: f64) -> Option<()> {
        eventually(|| async { (self.sum(wanted).await? >= least).then_some(()) }).await
    }
}
