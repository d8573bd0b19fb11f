//! The workspace is moved over: the order first, then the former workload to zero, then the wait for the operator.
//!
//! The order comes first because that is what makes a crash in between harmless, and the interruption short: with the order and the
//! former pod still there the operator only waits, and the old workspace serves on; without the order, a workload at zero would be a
//! workspace that is down and that nobody starts. And the operator is looking already when the pod ends.

use jiff::Timestamp;

use super::{
    LOOKS, MoveError, Options, Run, Tell,
    former::{Scale, before, down, former, scaled_up_again},
    report::{Report, Step},
    rivals,
    sight::{Sight, title},
    verdict::{self, Begin, Refused},
    write::{self, Changed},
};
use crate::api::labels::CUT_OVER_START;

/// Moves the workspace of one tenant over, and waits until it is Ready.
///
/// # Errors
/// Where it may not be moved over, something cannot be changed, or time runs out.
pub async fn cut_over(options: &Options, tell: Tell<'_>) -> Result<Report, MoveError> {
    let mut run = Run::begin(Step::CutOver, options, tell).await?;
    let sight = run.looker.look().await?;
    let begin = verdict::may_cut_over(&sight)?;
    let name = &options.tenant;
    if begin == Begin::Over {
        run.report.next.push(format!("it was moved over before; {}", after(&sight)));
        run.report.done = true;
        return Ok(run.report);
    }
    let writers = run.looker.writers(&sight).await?;
    let against = rivals::against(&sight, &writers);
    if !against.is_empty() {
        return Err(Refused::Against(against).into());
    }
    if begin == Begin::Fresh {
        run.order(&sight, Some(CUT_OVER_START)).await?;
    }
    run.bring_to_zero().await?;
    let advice = format!(
        "What was done stands, and the operator goes on by itself: `migrate cut-over {name}` waits for it again, `migrate back-out {name}` \
         goes back"
    );
    let mut ready_at = None;
    let mut was_unready = false;
    let sight = run
        .until(&advice, |sight| {
            let again = scaled_up_again(sight);
            if !again.is_empty() {
                return Err(MoveError::ScaledUp { tenant: name.clone(), what: again });
            }
            match sight.own_pod_ready_since() {
                None => was_unready = true,
                Some(since) if ready_at.is_none() => {
                    // Kubernetes says it to the second; whoever saw it come knows it better.
                    ready_at = if was_unready { Some(Timestamp::now()) } else { since.parse().ok() };
                }
                Some(_) => {}
            }
            Ok((!verdict::is_over(sight)).then(|| verdict::progress(sight)))
        })
        .await?;
    run.report.seconds_without_pod = ready_at.zip(went_down(&sight)).and_then(|(ready, down)| between(down, ready));
    run.report.next.push(after(&sight));
    run.report.next.extend(rivals::still_claiming(&sight, &writers));
    run.report.done = true;
    Ok(run.report)
}

fn after(sight: &Sight) -> String {
    let url = sight.tenant["status"]["url"].as_str().unwrap_or_default();
    let name = &sight.name;
    format!(
        "look at the workspace ({url}); then `migrate finish {name}` ends the way back, or `migrate back-out {name}` goes back"
    )
}

/// When the former workload was brought to zero.
fn went_down(sight: &Sight) -> Option<Timestamp> {
    former(sight).into_iter().filter_map(|one| before(one).ok().flatten()).map(|before| before.since).min()
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of a wait")]
fn between(down: Timestamp, ready: Timestamp) -> Option<f64> {
    let millis = ready.duration_since(down).as_millis();
    (millis >= 0).then_some(millis as f64 / 1_000.0)
}

impl Run<'_> {
    /// Brings every former workload to zero that is not.
    async fn bring_to_zero(&mut self) -> Result<(), MoveError> {
        for _ in 0..LOOKS {
            let sight = self.looker.look().await?;
            let mut is_contended = false;
            for workload in former(&sight) {
                let unreadable = |why| MoveError::Refused { what: title(workload), why };
                let patch = down(workload, sight.claim.as_ref(), Timestamp::now()).map_err(unreadable)?;
                let Some(patch) = patch else { continue };
                let was = Scale::of(workload).map(|scale| scale.to_string()).unwrap_or_default();
                match write::change(&self.looker.client, sight.namespace(), workload, &patch).await? {
                    Changed::Yes => self.changed(format!("{}: brought to zero, from {was}", title(workload))),
                    Changed::LookAgain => is_contended = true,
                }
            }
            if !is_contended {
                return Ok(());
            }
        }
        Err(MoveError::Contended { what: format!("the former workload of {}", self.options.tenant) })
    }
}
