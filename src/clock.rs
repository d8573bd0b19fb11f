//! The clock that leases and fences are reckoned on: it goes on while the machine sleeps.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point on the boot-time clock (`CLOCK_BOOTTIME`), which neither steps nor stops when the machine is suspended.
///
/// A monotonic clock would stand still while a virtual machine is paused, and a lease that ran out meanwhile would
/// look valid on waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// Now.
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Self(Duration::new(seconds, nanos))
    }

    /// So much time since boot.
    pub const fn since_boot(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// This point, `later` later.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How much time lies between now and this point; zero if it is past.
    pub fn remaining(self, now: Self) -> Duration {
        self.0.saturating_sub(now.0)
    }

    /// Time since boot.
    pub const fn elapsed_since_boot(self) -> Duration {
        self.0
    }
}
