//! The fence of rule S8: no write is started unless the lease outlives the request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::clock::BootInstant;

/// The longest that one mutating request may take, Kubernetes or AWS. Each has one attempt.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Says whether this process may start a write now.
///
/// The lease moves the deadline; everything that writes asks for a [`Permit`] first, anew for each attempt.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    /// Milliseconds since boot; 0 while closed.
    deadline: Arc<AtomicU64>,
}

/// Proof that the fence was open when one request was about to start. Write functions ask for it by value.
#[derive(Debug)]
#[must_use = "a permit is for one request"]
pub struct Permit(());

/// No write may start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no write is started: this process does not hold the leader lease for long enough; it tries again as soon as it does"
)]
pub struct FenceClosed;

impl Fence {
    /// A fence that is closed until the lease opens it.
    pub fn closed() -> Self {
        Self::default()
    }

    /// A fence that no lease guards, for what a person does with a command in their own name. The operator has none such.
    pub fn of_a_person() -> Self {
        Self { deadline: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Lets writes start that end before `deadline`. Only the lease calls this.
    pub fn open_until(&self, deadline: BootInstant) {
        let millis = u64::try_from(deadline.elapsed_since_boot().as_millis()).unwrap_or(u64::MAX);
        self.deadline.store(millis, Ordering::SeqCst);
    }

    /// Lets no further write start.
    pub fn close(&self) {
        self.deadline.store(0, Ordering::SeqCst);
    }

    /// Permission to start one write now.
    ///
    /// # Errors
    /// [`FenceClosed`] where the lease may run out before the request's timeout.
    pub fn permit(&self) -> Result<Permit, FenceClosed> {
        self.permit_at(BootInstant::now())
    }

    fn permit_at(&self, now: BootInstant) -> Result<Permit, FenceClosed> {
        let deadline = BootInstant::since_boot(Duration::from_millis(self.deadline.load(Ordering::SeqCst)));
        if deadline.remaining(now) > REQUEST_TIMEOUT { Ok(Permit(())) } else { Err(FenceClosed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> BootInstant {
        BootInstant::since_boot(Duration::from_secs(seconds))
    }

    #[test]
    fn a_new_fence_is_closed() {
        assert_eq!(Fence::closed().permit_at(at(0)).err(), Some(FenceClosed));
    }

    #[test]
    fn a_person_needs_no_lease() {
        assert!(Fence::of_a_person().permit().is_ok());
    }

    #[test]
    fn writes_start_only_while_the_deadline_lies_more_than_a_request_ahead() {
        let fence = Fence::closed();
        fence.open_until(at(100));
        assert!(fence.permit_at(at(94)).is_ok());
        assert!(fence.permit_at(at(95)).is_err(), "exactly one request ahead is too late");
        assert!(fence.permit_at(at(101)).is_err());
    }

    #[test]
    fn closing_holds_at_once_and_clones_share_one_fence() {
        let fence = Fence::closed();
        let clone = fence.clone();
        fence.open_until(at(100));
        assert!(clone.permit_at(at(0)).is_ok());
        clone.close();
        assert!(fence.permit_at(at(0)).is_err());
    }
}
