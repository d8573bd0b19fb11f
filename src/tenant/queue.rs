//! Who comes next: each tenant at most once at a time, failing ones less and less often.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _, channel::mpsc, stream::BoxStream};
use kube::runtime::scheduler::{ScheduleRequest, Scheduler, scheduler};
use tokio::time::Instant;

pub use super::reconcile::Next;
use crate::api::names::TenantName;

/// The first pause of one that was overtaken: a watch tells within that of what the other has written. It doubles each time.
const FIRST_GLANCE: Duration = Duration::from_millis(20);

/// The first pause after a failure; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Puts tenants into the queue.
#[derive(Clone)]
pub struct Entrance(mpsc::UnboundedSender<ScheduleRequest<TenantName>>);

/// The queue.
pub struct Queue {
    scheduler: Scheduler<TenantName, BoxStream<'static, ScheduleRequest<TenantName>>>,
    entrance: Entrance,
    running: HashSet<TenantName>,
    /// When each that the scheduler holds is to come; it tells nobody.
    due: Due,
    failures: HashMap<TenantName, Failures>,
}

/// How often in a row a tenant came back for each reason: who was overtaken a few times has not failed yet.
#[derive(Clone, Copy, Default)]
struct Failures {
    overtaken: u32,
    failed: u32,
}

/// Locked only for a moment, and never while another lock is held.
#[derive(Clone, Default)]
struct Due(Arc<Mutex<HashMap<TenantName, Instant>>>);

impl Entrance {
    /// As soon as there is a free place.
    pub fn now(&self, name: TenantName) {
        self.at(name, Instant::now());
    }

    fn at(&self, name: TenantName, run_at: Instant) {
        // The queue is gone only when the process ends.
        let _ = self.0.unbounded_send(ScheduleRequest { message: name, run_at });
    }
}

impl Queue {
    /// An empty queue and its entrance.
    pub fn new() -> (Self, Entrance) {
        let (sender, receiver) = mpsc::unbounded();
        let entrance = Entrance(sender);
        let due = Due::default();
        let noted = due.clone();
        let requests = receiver.inspect(move |request: &ScheduleRequest<TenantName>| noted.note(request));
        let queue = Self {
            scheduler: scheduler(requests.boxed()),
            entrance: entrance.clone(),
            running: HashSet::new(),
            due,
            failures: HashMap::new(),
        };
        (queue, entrance)
    }

    /// The next tenant whose turn it is and that is not being worked on; it counts as being worked on from here.
    pub async fn next(&mut self) -> Option<TenantName> {
        let running = &self.running;
        let mut scheduler = Pin::new(&mut self.scheduler);
        let name = scheduler.as_mut().hold_unless(|name| !running.contains(name)).next().await?;
        self.due.gone(&name);
        self.running.insert(name.clone());
        Some(name)
    }

    /// How many wait for a free place: their turn has come, and they are not being worked on.
    pub fn waiting(&mut self) -> usize {
        self.waiting_at(Instant::now())
    }

    fn waiting_at(&mut self, now: Instant) -> usize {
        // While there is no free place nobody asks for the next one, so what was sent meanwhile is taken in here.
        let _ = Pin::new(&mut self.scheduler).hold().next().now_or_never();
        self.due.until(now, &self.running)
    }

    /// A tenant is not worked on after all, and comes back when somebody puts it into the queue.
    pub fn put_off(&mut self, name: &TenantName) {
        self.running.remove(name);
    }

    /// A tenant was worked on, and comes back as it says.
    pub fn done(&mut self, name: &TenantName, next: Next, chance: f64) {
        self.running.remove(name);
        let failures = match next {
            Next::Overtaken => counted(&mut self.failures.entry(name.clone()).or_default().overtaken),
            Next::Retry | Next::RetryAfter(_) => counted(&mut self.failures.entry(name.clone()).or_default().failed),
            Next::OnEvent | Next::After(_) => {
                self.failures.remove(name);
                0
            }
        };
        let pause = pause_until(next, failures, chance);
        if let Some(pause) = pause {
            self.entrance.at(name.clone(), Instant::now() + pause);
        }
    }
}

impl Due {
    /// The scheduler keeps one request of each tenant, the earliest.
    fn note(&self, request: &ScheduleRequest<TenantName>) {
        let mut due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = due.entry(request.message.clone()).or_insert(request.run_at);
        *at = request.run_at.min(*at);
    }

    fn gone(&self, name: &TenantName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn until(&self, now: Instant, except: &HashSet<TenantName>) -> usize {
        let due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        due.iter().filter(|(name, at)| **at <= now && !except.contains(*name)).count()
    }
}

/// Counts one more; how many there were before.
const fn counted(count: &mut u32) -> u32 {
    let before = *count;
    *count = before.saturating_add(1);
    before
}

/// How long until a tenant is worked on again that failed so often before; `None` where only an event brings it back.
fn pause_until(next: Next, failures: u32, chance: f64) -> Option<Duration> {
    match next {
        Next::OnEvent => None,
        Next::After(pause) => Some(jittered(pause, chance)),
        Next::Overtaken => Some(jittered(doubled(FIRST_GLANCE, failures), chance)),
        Next::Retry => Some(jittered(pause_after(failures), chance)),
        // Never sooner than asked, and later by as much as those who were asked together should come apart.
        Next::RetryAfter(rest) => Some(pause_after(failures).max(rest).mul_f64(1.0 + 0.5 * chance.clamp(0.0, 1.0))),
    }
}

fn pause_after(failures: u32) -> Duration {
    doubled(FIRST_PAUSE, failures)
}

fn doubled(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST_PAUSE)
}

/// Between three and five quarters of a pause, so that those who failed together do not come back together.
fn jittered(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.75 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TenantName {
        text.parse().expect("name")
    }

    #[tokio::test]
    async fn a_tenant_that_is_worked_on_waits_and_comes_once() {
        let (mut queue, entrance) = Queue::new();
        entrance.now(name("alice"));
        assert_eq!(queue.next().await, Some(name("alice")));
        entrance.now(name("alice"));
        entrance.now(name("alice"));
        entrance.now(name("bob"));
        assert_eq!(queue.next().await, Some(name("bob")), "alice is being worked on");
        queue.done(&name("alice"), Next::OnEvent, 0.5);
        assert_eq!(queue.next().await, Some(name("alice")), "what came meanwhile is not lost");
        queue.done(&name("alice"), Next::OnEvent, 0.5);
        entrance.now(name("carol"));
        assert_eq!(queue.next().await, Some(name("carol")), "alice came once for both");
    }

    #[tokio::test]
    async fn who_is_put_off_comes_back_when_somebody_says_so() {
        let (mut queue, entrance) = Queue::new();
        entrance.now(name("alice"));
        assert_eq!(queue.next().await, Some(name("alice")));
        queue.put_off(&name("alice"));
        assert_eq!((queue.waiting(), queue.next().now_or_never()), (0, None));
        entrance.now(name("alice"));
        assert_eq!(queue.next().await, Some(name("alice")));
    }

    #[tokio::test]
    async fn waiting_is_whose_turn_has_come_and_who_is_not_being_worked_on() {
        let (mut queue, entrance) = Queue::new();
        assert_eq!(queue.waiting(), 0);
        for tenant in ["alice", "bob", "bob", "carol"] {
            entrance.now(name(tenant));
        }
        assert_eq!(queue.waiting(), 3, "each once, though nobody has asked for the next one");
        let first = queue.next().await.expect("one of three");
        assert_eq!(queue.waiting(), 2);
        entrance.now(first.clone());
        assert_eq!(queue.waiting(), 2, "who is being worked on waits for no place");
        queue.done(&first, Next::OnEvent, 0.5);
        assert_eq!(queue.waiting(), 3, "then it does");
        for _ in 0..3 {
            let next = queue.next().await.expect("a tenant");
            queue.done(&next, Next::After(Duration::from_secs(10)), 0.5);
        }
        assert_eq!(queue.waiting(), 0, "their time has not come");
        entrance.now(name("bob"));
        assert_eq!(queue.waiting(), 1, "an event brings it forward");
        assert_eq!(queue.waiting_at(Instant::now() + Duration::from_secs(10)), 3, "then it will have");
    }

    #[tokio::test]
    async fn who_was_overtaken_comes_back_later_each_time_and_has_not_failed() {
        let (mut queue, entrance) = Queue::new();
        entrance.now(name("alice"));
        let mut pauses = Vec::new();
        for next in [Next::Overtaken, Next::Overtaken, Next::Overtaken, Next::Retry, Next::OnEvent] {
            assert_eq!(queue.next().await, Some(name("alice")));
            let done = Instant::now();
            queue.done(&name("alice"), next, 0.5);
            // What was sent is taken in when somebody looks.
            queue.waiting();
            let due = queue.due.0.lock().expect("not poisoned").get(&name("alice")).copied();
            pauses.push(due.map(|due| (due - done).as_millis() / 10 * 10));
        }
        assert_eq!(pauses, [Some(20), Some(40), Some(80), Some(250), None]);
    }

    #[test]
    fn who_was_asked_to_wait_comes_back_no_sooner() {
        let rest = Next::RetryAfter(Duration::from_secs(20));
        assert_eq!(pause_until(rest, 0, 0.0), Some(Duration::from_secs(20)));
        assert_eq!(pause_until(rest, 0, 1.0), Some(Duration::from_secs(30)), "later, so that they come apart");
        assert_eq!(pause_until(rest, 40, 0.0), Some(Duration::from_mins(1)), "who fails for long waits longer");
        assert_eq!(pause_until(Next::OnEvent, 0, 0.5), None);
    }

    #[test]
    fn who_was_overtaken_looks_again_at_once_and_less_soon_each_time() {
        let after = |failures| pause_until(Next::Overtaken, failures, 0.5);
        assert_eq!(after(0), Some(Duration::from_millis(20)));
        assert_eq!(
            after(3),
            Some(Duration::from_millis(160)),
            "two that overtake each other do not go on at that pace"
        );
        assert_eq!(after(40), Some(Duration::from_mins(1)));
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_are_jittered() {
        assert_eq!(pause_after(0), Duration::from_millis(250));
        assert_eq!(pause_after(3), Duration::from_secs(2));
        assert_eq!(pause_after(40), Duration::from_mins(1));
        assert_eq!(jittered(Duration::from_secs(4), 0.0), Duration::from_secs(3));
        assert_eq!(jittered(Duration::from_secs(4), 1.0), Duration::from_secs(5));
    }
}
