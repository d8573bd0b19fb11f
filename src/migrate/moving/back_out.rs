//! The way back: the order off, the operator's workload gone, and only then the former one as it was.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    LOOKS, MoveError, Options, Run, Tell,
    former::{former, relabel, up},
    report::{Report, Step},
    sight::{Sight, title},
    verdict::{self, Back, Refused},
    write::{self, Changed},
};

/// How long the place must be seen to be given back before the former workload is started: as long as a pass of the operator may
/// take that had still seen the order. A request of its has an end after 5 seconds.
const SETTLED: Duration = Duration::from_secs(6);

/// Moves one workspace back.
///
/// # Errors
/// Where there is no way back, something cannot be changed, or time runs out.
pub async fn back_out(options: &Options, tell: Tell<'_>) -> Result<Report, MoveError> {
    let mut run = Run::begin(Step::BackOut, options, tell).await?;
    let sight = run.looker.look().await?;
    let (back, name) = (verdict::may_back_out(&sight)?, &options.tenant);
    if back == Back::TakeOff {
        run.order(&sight, None).await?;
    }
    let advice = format!(
        "The former workload was not started: its claim may still be in use. The operator goes on by itself; `migrate back-out {name}` \
         waits for it again, and starts it"
    );
    let mut since = None;
    run.until(&advice, |sight| {
        if !verdict::is_given_back(sight) {
            since = None;
            return Ok(Some(verdict::progress(sight)));
        }
        let since = *since.get_or_insert_with(Instant::now);
        let is_settled = since.elapsed() >= SETTLED;
        Ok((!is_settled).then(|| "the claim is free; whether it stays so is looked at for 6 s".to_owned()))
    })
    .await?;
    let started = run.start_former().await?;
    run.report.next = next(&started, name.as_str());
    run.report.done = true;
    Ok(run.report)
}

fn next(sight: &Sight, name: &str) -> Vec<String> {
    let at_rest =
        former(sight).into_iter().filter(|one| super::former::Scale::of(one).is_some_and(|scale| scale.is_rest()));
    let mut next: Vec<String> = at_rest
        .map(|one| {
            format!(
                "{} is at zero, and was not brought there by this command: start it yourself where it should run",
                title(one)
            )
        })
        .collect();
    next.push(
        "objects of the former system that had the names of the operator's are gone (docs/adoption.md): let Helm or Argo CD make \
         them again"
            .to_owned(),
    );
    next.push(format!("`migrate cut-over {name}` moves it over again"));
    next
}

impl Run<'_> {
    /// Makes the former workloads what they were; how things are then.
    async fn start_former(&mut self) -> Result<Sight, MoveError> {
        for _ in 0..LOOKS {
            let sight = self.looker.look().await?;
            if !verdict::is_given_back(&sight) {
                // Somebody has ordered it again meanwhile.
                let message = "an order was given again while this command waited".to_owned();
                return Err(Refused::NotOver { name: sight.name.to_string(), message }.into());
            }
            if self.step_back(&sight).await? {
                return Ok(sight);
            }
        }
        Err(MoveError::Contended { what: format!("the former workload of {}", self.options.tenant) })
    }

    /// One round; whether nothing was left to do.
    async fn step_back(&mut self, sight: &Sight) -> Result<bool, MoveError> {
        let (client, former) = (self.looker.client.clone(), former(sight));
        // First the labels: without them a Sandbox does not know its claim.
        if let Some((claim, patch)) = sight.claim.as_ref().and_then(|claim| Some((claim, relabel(claim, &former)?))) {
            let mut named = claim.clone();
            (named["kind"], named["apiVersion"]) = ("PersistentVolumeClaim".into(), "v1".into());
            if write::change(&client, sight.namespace(), &named, &patch).await? == Changed::Yes {
                self.changed(format!("{}: the labels that the former system knows it by", title(&named)));
            }
            return Ok(false);
        }
        let mut is_done = true;
        for workload in former {
            let unreadable = |why| MoveError::Refused { what: title(workload), why };
            let Some((patch, scale)) = up(workload).map_err(unreadable)? else { continue };
            is_done = false;
            if write::change(&client, sight.namespace(), workload, &patch).await? == Changed::Yes {
                self.changed(format!("{}: {scale} again", title(workload)));
            }
        }
        Ok(is_done)
    }
}
