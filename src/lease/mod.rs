//! The leader lease of rule S8, which moves the [`Fence`] that every write passes.
//!
//! One `coordination.k8s.io/v1` Lease says who may write. Its holder renews it every 3 s, by a PUT that fails if anybody
//! else has touched it; the fence is open until 15 s after the last successful renewal was *sent*, on the boot-time
//! clock. Another process takes the Lease only after having seen it unchanged for those 15 s on its own clock, or where
//! its holder has released it. So no two fences are open at once, whatever is lost, late or paused in between.
//!
//! One way around it is left to people: who deletes the Lease by hand while a leader runs may see a process that starts
//! in that very moment lead at once, up to one renewal before the old leader knows.
//!
//! The lease wants a client of its own, so that renewals do not queue behind other requests, with kube's own retries off
//! (`Config::default_retry`), for they would go on sending long after the answer could be of use.

mod contender;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1;
use kube::{Api, Client, api::PostParams};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::contender::{Contender, End, Request, Step, Timing};
use crate::{api::labels::FIELD_MANAGER, clock::BootInstant, fence::Fence, telemetry::result::describe};

/// Namespace of the one Lease.
pub const NAMESPACE: &str = "kube-system";

/// Name of the one Lease.
pub const NAME: &str = "openclaw-tenant-operator";

/// How long one renewal holds.
pub const TERM: Duration = Duration::from_secs(15);

const TIMING: Timing = Timing {
    term: TERM,
    renew: Duration::from_secs(3),
    retry: Duration::from_secs(1),
    poll: Duration::from_secs(1),
    // Shorter than a write's timeout, so that three attempts fit into one term.
    request: Duration::from_secs(4),
};

/// The most that is added to the pause between two looks, so that several standbys do not look in step.
const JITTER_MILLIS: u32 = 500;

/// Giving up is one write; where its answer is lost, a look and one more.
const RELEASE_STEPS: usize = 4;

/// The wish to lead. [`acquire`](Self::acquire) turns it into a [`HeldLease`].
#[derive(Debug)]
pub struct LeaderLease(Holder);

/// The Lease, held. It must be [kept](Self::keep) without delay, or it runs out.
///
/// Dropping it closes the fence, whatever the reason; the Lease then stays in this process's name until it runs out.
#[derive(Debug)]
#[must_use = "a lease that is not kept runs out"]
pub struct HeldLease(Holder);

/// Why this process does not lead, or no longer does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The process was asked to stop before it led.
    #[error("stopped while waiting for the leader lease {place}")]
    Stopped {
        /// Namespace and name of the Lease.
        place: Place,
    },

    /// The Lease is no longer in this process's name.
    #[error(
        "the leader lease {place} was lost: {}; this process writes nothing more and must end",
        match holder { Some(holder) => format!("it is held by {holder}"), None => "somebody emptied or deleted it".to_owned() }
    )]
    Lost {
        /// Namespace and name of the Lease.
        place: Place,
        /// Who holds it now.
        holder: Option<String>,
    },

    /// The cluster went back to what it was.
    #[error(
        "the leader lease {place} is at version {live}, and was at {known} before: an older backup of etcd was put back. What this \
         process has seen since is no more, so it ends, and its successor looks at everything anew"
    )]
    Restored {
        /// Namespace and name of the Lease.
        place: Place,
        /// The version that it has.
        live: u64,
        /// The version that it had.
        known: u64,
    },

    /// It could not be renewed in time.
    #[error(
        "the leader lease {place} could not be renewed for {} s: {}; this process writes nothing more and must end",
        term.as_secs(),
        match failure {
            Some(failure) => format!("{failure} (check that the API server can be reached from here)"),
            None => "this process was paused or got no processor time (check its CPU limit and its node)".to_owned(),
        }
    )]
    Expired {
        /// Namespace and name of the Lease.
        place: Place,
        /// How long a renewal holds.
        term: Duration,
        /// What the last attempt ended with, where one failed.
        failure: Option<String>,
    },

    /// It could not be given up; another process takes it when it runs out.
    #[error("the leader lease {place} could not be released ({failure}); the next leader waits until it runs out")]
    NotReleased {
        /// Namespace and name of the Lease.
        place: Place,
        /// What the last attempt ended with.
        failure: String,
    },
}

/// Where a Lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    namespace: String,
    name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A name for this run of this process: that of the pod or host, and something random, so that a restarted process is
/// never taken for its predecessor. Short enough for everything that names its author.
///
/// # Errors
/// Where the system has no random numbers.
pub fn process_identity(host: &str) -> Result<String, getrandom::Error> {
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).take(100).collect();
    Ok(format!("{host}_{:08x}", getrandom::u32()?))
}

impl LeaderLease {
    /// A contender for the Lease `namespace`/`name`, which the binary always finds at [`NAMESPACE`]/[`NAME`].
    ///
    /// `identity` must be this process's alone: see [`process_identity`]. `client` should be used for nothing else.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, fence: Fence) -> Self {
        let jitter = getrandom::u32().map_or(0, |random| random % JITTER_MILLIS);
        let poll = TIMING.poll + Duration::from_millis(jitter.into());
        Self::with_timing(client, namespace, name, identity, fence, Timing { poll, ..TIMING })
    }

    fn with_timing(client: Client, namespace: &str, name: &str, identity: &str, fence: Fence, timing: Timing) -> Self {
        Self(Holder {
            api: Api::namespaced(client, namespace),
            place: Place { namespace: namespace.to_owned(), name: name.to_owned() },
            contender: Contender::new(name, identity, timing),
            term: timing.term,
            fence,
            leading: watch::Sender::new(false),
            failure: None,
        })
    }

    /// Whether this process leads, for metrics and for starting work. Not a permission to write: that is the fence's.
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.0.leading.subscribe()
    }

    /// Waits until this process leads, for ever if need be: failures are logged and tried again. Before `ready` is true it looks on and
    /// leaves the Lease to others, who could do more with it.
    ///
    /// # Errors
    /// [`LeaseError::Stopped`] once `stop` is cancelled.
    pub async fn acquire(
        self,
        mut ready: watch::Receiver<bool>,
        stop: &CancellationToken,
    ) -> Result<HeldLease, LeaseError> {
        let mut holder = self.0;
        // A request that is under way is seen to its end: if it wins the Lease, that can be given back.
        while holder.contender.deadline().is_none() {
            if stop.is_cancelled() {
                return Err(LeaseError::Stopped { place: holder.place.clone() });
            }
            let is_ready = *ready.borrow_and_update();
            holder.contender.hold_back(!is_ready);
            tokio::select! {
                done = holder.step(stop) => done?,
                // Who holds back only reads. One whose watches have ended will never see everything.
                Ok(()) = ready.changed(), if !is_ready => {}
            }
        }
        info!(lease = %holder.place, "this process leads");
        Ok(HeldLease(holder))
    }
}

impl HeldLease {
    /// Whether this process leads, for metrics. Not a permission to write: that is the fence's.
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.0.leading.subscribe()
    }

    /// Renews until `done` is cancelled, which should happen only after the last write has ended; then the Lease is
    /// still held and should be [released](Self::release).
    ///
    /// # Errors
    /// [`LeaseError::Lost`] or [`LeaseError::Expired`]. The fence is closed then, and the process must end.
    pub async fn keep(&mut self, done: &CancellationToken) -> Result<(), LeaseError> {
        while !done.is_cancelled() {
            self.0.step(done).await?;
        }
        Ok(())
    }

    /// Closes the fence and gives the Lease up, so that the next leader need not wait. Only after the last write has
    /// ended. A Lease that is another's by now is left alone.
    ///
    /// # Errors
    /// [`LeaseError::NotReleased`] where the API server did not take it.
    pub async fn release(mut self) -> Result<(), LeaseError> {
        let holder = &mut self.0;
        holder.stand_down();
        for _ in 0..RELEASE_STEPS {
            let Some(request) = holder.contender.resign() else {
                info!(lease = %holder.place, "the leader lease is released");
                return Ok(());
            };
            holder.send(request).await;
        }
        let failure = holder.failure.take().unwrap_or_else(|| "others write it all the time".to_owned());
        Err(LeaseError::NotReleased { place: holder.place.clone(), failure })
    }
}

/// Carries out what the contender says.
#[derive(Debug)]
struct Holder {
    api: Api<v1::Lease>,
    place: Place,
    contender: Contender,
    term: Duration,
    fence: Fence,
    leading: watch::Sender<bool>,
    failure: Option<String>,
}

/// What a request that succeeded brought.
enum Answer {
    Read(Option<v1::Lease>),
    Wrote(v1::Lease),
}

impl Holder {
    async fn step(&mut self, stop: &CancellationToken) -> Result<(), LeaseError> {
        match self.contender.next(BootInstant::now(), Timestamp::now()) {
            Step::Send(request) => self.send(request).await,
            Step::Wait(pause) => tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            },
            Step::End(end) => {
                self.stand_down();
                return Err(self.ended(end));
            }
        }
        Ok(())
    }

    /// One attempt. The instant before it is what a deadline is reckoned from.
    async fn send(&mut self, request: Request) {
        let sent = BootInstant::now();
        let limit = self.contender.patience(sent);
        let answer = tokio::time::timeout(limit, self.exchange(request)).await;
        let now = BootInstant::now();
        match answer {
            Ok(Ok(Answer::Read(lease))) => {
                self.failure = None;
                self.contender.read(lease, now);
            }
            Ok(Ok(Answer::Wrote(lease))) => {
                self.failure = None;
                self.contender.wrote(lease, sent, now);
                self.lead();
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                debug!(lease = %self.place, "somebody else wrote the leader lease first");
                self.contender.refused(now);
            }
            Ok(Err(error)) => {
                self.complain(explain(&error));
                self.contender.failed(now);
            }
            Err(_) => {
                self.complain(format!("the API server did not answer within {} ms", limit.as_millis()));
                self.contender.failed(now);
            }
        }
    }

    async fn exchange(&self, request: Request) -> Result<Answer, kube::Error> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match request {
            Request::Read => self.api.get_opt(&self.place.name).await.map(Answer::Read),
            Request::Create(lease) => self.api.create(&params, &lease).await.map(Answer::Wrote),
            Request::Replace(lease) => self.api.replace(&self.place.name, &params, &lease).await.map(Answer::Wrote),
        }
    }

    fn lead(&self) {
        if let Some(deadline) = self.contender.deadline() {
            self.fence.open_until(deadline);
            self.leading.send_if_modified(|leading| !std::mem::replace(leading, true));
        }
    }

    fn stand_down(&self) {
        self.fence.close();
        self.leading.send_if_modified(|leading| std::mem::replace(leading, false));
    }

    fn ended(&self, end: End) -> LeaseError {
        let place = self.place.clone();
        match end {
            End::Lost { holder } => LeaseError::Lost { place, holder },
            End::Expired => LeaseError::Expired { place, term: self.term, failure: self.failure.clone() },
            End::Restored { live, known } => LeaseError::Restored { place, live, known },
        }
    }

    /// Says it once, not every few seconds.
    fn complain(&mut self, failure: String) {
        if self.failure.as_ref() == Some(&failure) {
            debug!(lease = %self.place, %failure, "the leader lease still cannot be reached");
        } else {
            warn!(lease = %self.place, holder = self.contender.holder(), %failure, "the leader lease cannot be reached; trying again");
            self.failure = Some(failure);
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.stand_down();
    }
}

fn explain(error: &kube::Error) -> String {
    let said = describe(error);
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            format!("{said}: give the operator's ServiceAccount get, create and update on leases.coordination.k8s.io")
        }
        _ => said,
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
