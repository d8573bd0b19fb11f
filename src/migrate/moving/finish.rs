//! The last step: the operator removes the former associations; then what the former workload alone had goes, in the caller's name.
//!
//! Secrets and ServiceAccounts go before the workloads that name them: a run that was interrupted in between still knows, by the
//! workload, what it had.

use super::{
    MoveError, Options, Run, Tell,
    removal::{Removal, guard, removal},
    report::{Report, Step},
    rivals,
    sight::Sight,
    verdict::{self, Finish, Refused},
    write,
};
use crate::api::labels::CUT_OVER_FINISH;

/// Asks whether what is shown is meant. Without an answer nothing is done.
pub type Meant<'a> = &'a mut dyn FnMut(&Report) -> bool;

/// Ends the way back and removes what the former workload alone had.
///
/// # Errors
/// Where it may not be finished, something cannot be changed, or time runs out.
pub async fn finish(options: &Options, meant: Meant<'_>, tell: Tell<'_>) -> Result<Report, MoveError> {
    let mut run = Run::begin(Step::Finish, options, tell).await?;
    let sight = run.looker.look().await?;
    let (begin, name) = (verdict::may_finish(&sight)?, &options.tenant);
    let writers = run.looker.writers(&sight).await?;
    let fighting = rivals::fighting(&sight, &writers);
    if !fighting.is_empty() {
        return Err(Refused::Against(fighting).into());
    }
    guard(&sight)?;
    run.report.removal = removal(&sight, &run.looker.belongings(&sight).await?);
    run.report.next = rivals::still_claiming(&sight, &writers);
    if run.report.removal.things.is_empty() && begin == Finish::Done {
        run.report.next.push("there is nothing more that this command would remove".to_owned());
        run.report.done = true;
        return Ok(run.report);
    }
    if !meant(&run.report) {
        run.report.next.push(format!("`migrate finish {name} --yes` does it"));
        return Ok(run.report);
    }
    if begin == Finish::Order {
        run.order(&sight, Some(CUT_OVER_FINISH)).await?;
    }
    let advice = format!(
        "Nothing was deleted by this command. The operator goes on by itself; `migrate finish {name}` waits for it again"
    );
    run.until(&advice, |sight| Ok((!verdict::is_finished(sight)).then(|| verdict::progress(sight)))).await?;
    let confirmed = std::mem::take(&mut run.report.removal);
    run.remove(&confirmed).await?;
    run.report.done = true;
    Ok(run.report)
}

impl Run<'_> {
    /// Deletes what was confirmed and is still only the former workload's, by a look before each.
    async fn remove(&mut self, confirmed: &Removal) -> Result<(), MoveError> {
        for id in &confirmed.associations {
            self.changed(format!("Pod Identity association {id}: deleted by the operator"));
        }
        for thing in &confirmed.things {
            let sight = self.look_before().await?;
            let now = removal(&sight, &self.looker.belongings(&sight).await?);
            // Gone meanwhile, or somebody else's by now: both are told by what is left.
            let Some(same) = now.things.iter().find(|one| one.is(thing)) else { continue };
            guard(&sight)?;
            // What was shown to stay stays.
            let dependents = same.dependents.max(thing.dependents);
            if write::delete(&self.looker.client, sight.namespace(), thing, dependents).await? {
                self.changed(format!("{thing}: deleted"));
            }
        }
        let sight = self.look_before().await?;
        self.report.removal = removal(&sight, &self.looker.belongings(&sight).await?).after(confirmed);
        Ok(())
    }

    async fn look_before(&self) -> Result<Sight, MoveError> {
        let sight = self.looker.look().await?;
        verdict::may_finish(&sight)?;
        Ok(sight)
    }
}
