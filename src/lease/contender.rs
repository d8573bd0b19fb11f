//! Who leads, decided without a client and without a clock: answers and instants come in, requests go out.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::Lease,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};

use crate::clock::BootInstant;

/// The longest that another holder's own word about its lease's duration is believed. A mistyped one must not lock
/// everybody out for a year.
const LONGEST_TERM: Duration = Duration::from_mins(1);

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// How long one renewal holds.
    pub(super) term: Duration,
    /// From sending one renewal that succeeded to sending the next.
    pub(super) renew: Duration,
    /// From one that failed to the next attempt.
    pub(super) retry: Duration,
    /// From one look at another's lease to the next.
    pub(super) poll: Duration,
    /// The longest that one request may take.
    pub(super) request: Duration,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Send this, once, and say what came of it.
    Send(Request),
    /// Nothing, for so long.
    Wait(Duration),
    /// Stop: the lease is no longer ours.
    End(End),
}

/// One request about the Lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// Read it, from the quorum.
    Read,
    /// Create it: fails if it exists.
    Create(Box<Lease>),
    /// Replace what was seen: fails if it has moved since.
    Replace(Box<Lease>),
}

/// Why leading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The Lease names somebody else, nobody, or is gone.
    Lost { holder: Option<String> },
    /// No renewal succeeded in time.
    Expired,
    /// The Lease is older than it was: somebody has put a backup back, and all that was seen since is no more.
    Restored { live: u64, known: u64 },
}

/// The Lease as last seen, and since when it has looked so.
#[derive(Clone, Debug)]
struct Sighting {
    lease: Option<Lease>,
    since: BootInstant,
    /// How long it must stay unchanged before it may be taken; zero where nobody holds it.
    patience: Duration,
}

/// What a sighting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Acquire,
    Renew,
    Wait(Duration),
    Lost,
}

/// One process that wants to lead, or does.
#[derive(Debug)]
pub(super) struct Contender {
    name: String,
    identity: String,
    timing: Timing,
    seen: Option<Sighting>,
    /// Whether `seen` is the answer to our last request. After a failure it is not, and is read anew before any write.
    current: bool,
    /// Leading, until then.
    deadline: Option<BootInstant>,
    /// Nothing is sent before.
    next: BootInstant,
    conflicts: u32,
    /// Looks on, and takes nothing yet.
    holds_back: bool,
    /// The highest version that the Lease had. Every later state of it has a higher one, and so has another of its name.
    latest: u64,
}

impl Sighting {
    fn of(lease: Option<Lease>, before: Option<&Self>, timing: &Timing, now: BootInstant) -> Self {
        match before {
            Some(before) if mark(before.lease.as_ref()) == mark(lease.as_ref()) => {
                Self { lease, since: before.since, patience: before.patience }
            }
            _ => {
                let patience = match &lease {
                    Some(lease) if holder(lease).is_none() => Duration::ZERO,
                    Some(lease) => term_of(lease).clamp(timing.term, LONGEST_TERM.max(timing.term)),
                    // Whoever held what was deleted under it may not know it yet.
                    None => before.map_or(Duration::ZERO, |before| before.patience),
                };
                Self { lease, since: now, patience }
            }
        }
    }

    fn holder(&self) -> Option<&str> {
        self.lease.as_ref().and_then(holder)
    }

    /// The whole rule. An instant of somebody else's clock is never looked at.
    fn decide(&self, leading: bool, identity: &str, now: BootInstant) -> Decision {
        if self.holder() == Some(identity) {
            return Decision::Renew;
        }
        if leading {
            return Decision::Lost;
        }
        match self.since.after(self.patience).remaining(now) {
            Duration::ZERO => Decision::Acquire,
            left => Decision::Wait(left),
        }
    }
}

impl Contender {
    /// Somebody who has seen nothing yet. `identity` must be this process's alone.
    pub(super) fn new(name: &str, identity: &str, timing: Timing) -> Self {
        Self {
            name: name.to_owned(),
            identity: identity.to_owned(),
            timing,
            seen: None,
            current: false,
            deadline: None,
            next: BootInstant::since_boot(Duration::ZERO),
            conflicts: 0,
            holds_back: false,
            latest: 0,
        }
    }

    /// Whether the Lease is left alone, though it could be taken: for as long as this process could do nothing with it. How long its
    /// holder has been silent counts from the first look all the same.
    pub(super) fn hold_back(&mut self, holds_back: bool) {
        if std::mem::replace(&mut self.holds_back, holds_back) && !holds_back {
            self.next = BootInstant::since_boot(Duration::ZERO);
        }
    }

    /// Until when this process leads, if it does.
    pub(super) const fn deadline(&self) -> Option<BootInstant> {
        self.deadline
    }

    /// Who holds the Lease, as last seen.
    pub(super) fn holder(&self) -> Option<&str> {
        self.seen.as_ref().and_then(Sighting::holder)
    }

    /// The version of the Lease as last seen, where there is one and it reads as a number.
    fn version(&self) -> Option<u64> {
        let lease = self.seen.as_ref()?.lease.as_ref()?;
        lease.metadata.resource_version.as_deref()?.parse().ok()
    }

    /// How long a request sent now may take: a renewal answered after the deadline is of no use.
    pub(super) fn patience(&self, now: BootInstant) -> Duration {
        self.deadline.map_or(self.timing.request, |deadline| deadline.remaining(now).min(self.timing.request))
    }

    /// What to do now. `wall` is only what people read in the Lease.
    pub(super) fn next(&mut self, now: BootInstant, wall: Timestamp) -> Step {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Step::End(End::Expired);
        }
        if let Some(live) = self.version().filter(|live| *live < self.latest) {
            return Step::End(End::Restored { live, known: self.latest });
        }
        let pause = self.next.remaining(now);
        if !pause.is_zero() {
            return Step::Wait(self.deadline.map_or(pause, |deadline| deadline.remaining(now).min(pause)));
        }
        let Some(seen) = self.seen.as_ref().filter(|_| self.current) else {
            return Step::Send(Request::Read);
        };
        let decision = match seen.decide(self.deadline.is_some(), &self.identity, now) {
            Decision::Acquire if self.holds_back => Decision::Wait(self.timing.poll),
            decision => decision,
        };
        match decision {
            Decision::Acquire | Decision::Renew => {
                let request = self.claim(seen.lease.clone(), wall);
                self.current = false;
                Step::Send(request)
            }
            Decision::Wait(left) => {
                // Waking when the wait is over, not at the next poll after it, keeps the fail-over short.
                let pause = left.min(self.timing.poll);
                self.current = false;
                self.next = now.after(pause);
                Step::Wait(pause)
            }
            Decision::Lost => Step::End(End::Lost { holder: seen.holder().map(str::to_owned) }),
        }
    }

    /// The Lease was read.
    pub(super) fn read(&mut self, lease: Option<Lease>, now: BootInstant) {
        self.seen = Some(Sighting::of(lease, self.seen.as_ref(), &self.timing, now));
        self.current = true;
        self.latest = self.latest.max(self.version().unwrap_or_default());
    }

    /// A write that was sent at `sent` was answered with the Lease as stored.
    pub(super) fn wrote(&mut self, lease: Lease, sent: BootInstant, now: BootInstant) {
        self.read(Some(lease), now);
        self.conflicts = 0;
        let deadline = sent.after(self.timing.term);
        let too_late = deadline <= now || self.deadline.is_some_and(|before| before <= now);
        if self.holder() == Some(&self.identity) && !too_late {
            self.deadline = Some(deadline);
            self.next = sent.after(self.timing.renew);
        }
    }

    /// A write was refused because the Lease has moved.
    pub(super) fn refused(&mut self, now: BootInstant) {
        self.conflicts = self.conflicts.saturating_add(1);
        self.current = false;
        // A leader looks at once: another may have it. If it conflicts again and again, somebody writes in a loop.
        self.next = if self.deadline.is_some() && self.conflicts == 1 { now } else { now.after(self.pause()) };
    }

    /// A request failed, or its answer was lost: it may have been carried out, or may be yet.
    pub(super) fn failed(&mut self, now: BootInstant) {
        self.current = false;
        self.next = now.after(self.pause());
    }

    /// The next request on the way to giving the Lease up; nothing once it is not ours.
    pub(super) fn resign(&mut self) -> Option<Request> {
        self.deadline = None;
        let Some(seen) = self.seen.as_ref().filter(|_| self.current) else {
            return Some(Request::Read);
        };
        let mut lease = seen.lease.clone().filter(|lease| holder(lease) == Some(&self.identity))?;
        lease.spec.get_or_insert_default().holder_identity = None;
        self.current = false;
        Some(Request::Replace(Box::new(lease)))
    }

    const fn pause(&self) -> Duration {
        if self.deadline.is_some() { self.timing.retry } else { self.timing.poll }
    }

    /// The Lease in our name, with everything in it that is not ours to change.
    fn claim(&self, seen: Option<Lease>, wall: Timestamp) -> Request {
        let exists = seen.is_some();
        let mut lease = seen.unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            spec: None,
        });
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            spec.holder_identity = Some(self.identity.clone());
            spec.acquire_time = Some(MicroTime(wall));
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |before| before.saturating_add(1)));
        }
        spec.renew_time = Some(MicroTime(wall));
        spec.lease_duration_seconds = Some(i32::try_from(self.timing.term.as_secs().max(1)).unwrap_or(i32::MAX));
        let lease = Box::new(lease);
        if exists { Request::Replace(lease) } else { Request::Create(lease) }
    }
}

/// Who holds it; an empty name is nobody.
fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn term_of(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// What changes whenever anybody writes the Lease, or makes it anew.
type Mark<'a> = Option<(Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<&'a MicroTime>)>;

fn mark(lease: Option<&Lease>) -> Mark<'_> {
    lease.map(|lease| {
        let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
        (lease.metadata.uid.as_deref(), lease.metadata.resource_version.as_deref(), holder(lease), renewed)
    })
}

#[cfg(test)]
#[path = "simulation.rs"]
mod simulation;
#[cfg(test)]
#[path = "contender_tests.rs"]
mod tests;
