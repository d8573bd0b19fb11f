//! Several contenders, one server, and whatever can happen to requests and processes: two fences are never open at once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    super::fake::{Conflict, Server},
    *,
};

/// What runs is what is simulated.
const TIMING: Timing = crate::lease::TIMING;

/// What happens to one request, or to the process that sends it. All in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Fate {
    /// From sending to being carried out; `None`: it never is.
    reaches: Option<u64>,
    /// From there to the answer; `None`: the answer is lost.
    answers: Option<u64>,
    /// For so long the process then stands still, as a paused virtual machine does.
    paused: u64,
    /// Then it dies, and another starts in its place.
    dies: bool,
}

const SMOOTH: Fate = Fate { reaches: Some(5), answers: Some(5), paused: 0, dies: false };

fn fate() -> impl Strategy<Value = Fate> {
    let reaches = prop_oneof![6 => (0..50_u64).prop_map(Some), 2 => (0..25_000_u64).prop_map(Some), 1 => Just(None)];
    let answers = prop_oneof![6 => (0..50_u64).prop_map(Some), 2 => (0..5_000_u64).prop_map(Some), 2 => Just(None)];
    let paused = prop_oneof![9 => Just(0_u64), 1 => 0..30_000_u64];
    (reaches, answers, paused, prop::bool::weighted(0.02)).prop_map(|(reaches, answers, paused, dies)| Fate {
        reaches,
        answers,
        paused,
        dies,
    })
}

#[derive(Debug)]
enum Event {
    /// A process looks at what to do.
    Wake { process: usize, life: u32 },
    /// A request is carried out.
    Reach { id: u64, request: Request },
    /// A process learns what came of its request: the result, if there is one by now.
    Learn { process: usize, life: u32, id: u64, sent: u64, answered: bool },
}

struct Process {
    contender: Contender,
    life: u32,
    fence: BootInstant,
}

struct World {
    server: Server,
    processes: Vec<Process>,
    agenda: BTreeMap<(u64, u64), Event>,
    results: BTreeMap<u64, (Request, Result<Option<Lease>, Conflict>)>,
    fates: std::vec::IntoIter<Fate>,
    serial: u64,
    calm_since: u64,
}

const fn at(millis: u64) -> BootInstant {
    BootInstant::since_boot(Duration::from_millis(millis))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

impl World {
    fn new(processes: usize, fates: Vec<Fate>) -> Self {
        let mut world = Self {
            server: Server::default(),
            processes: Vec::new(),
            agenda: BTreeMap::new(),
            results: BTreeMap::new(),
            fates: fates.into_iter(),
            serial: 0,
            calm_since: 0,
        };
        for process in 0..processes {
            world.processes.push(Process { contender: fresh(process, 0), life: 0, fence: at(0) });
            world.plan(1000, Event::Wake { process, life: 0 });
        }
        world
    }

    fn plan(&mut self, time: u64, event: Event) {
        self.serial += 1;
        self.agenda.insert((time, self.serial), event);
    }

    /// Runs until `quiet` milliseconds after the last fate was used up.
    fn run(&mut self, quiet: u64) {
        while !self.fates.as_slice().is_empty() || self.time() <= self.calm_since + quiet {
            self.turn();
        }
    }

    /// When the next thing happens.
    fn time(&self) -> u64 {
        self.agenda.first_key_value().map_or(u64::MAX, |((time, _), _)| *time)
    }

    fn turn(&mut self) {
        let Some(((now, _), event)) = self.agenda.pop_first() else { panic!("nobody does anything any more") };
        match event {
            Event::Wake { process, life } if self.processes[process].life == life => self.wake(process, now),
            Event::Reach { id, request } => {
                let result = self.server.serve(&request);
                self.results.insert(id, (request, result));
            }
            Event::Learn { process, life, id, sent, answered } if self.processes[process].life == life => {
                self.learn(process, id, sent, answered, now);
            }
            Event::Wake { .. } | Event::Learn { .. } => {}
        }
    }

    fn wake(&mut self, process: usize, now: u64) {
        let life = self.processes[process].life;
        match self.processes[process].contender.next(at(now), Timestamp::UNIX_EPOCH) {
            // Sleeping to the millisecond.
            Step::Wait(pause) => self.plan(now + millis(pause).max(1), Event::Wake { process, life }),
            Step::End(_) => self.reborn(process, now),
            Step::Send(request) => self.send(process, request, now),
        }
    }

    fn send(&mut self, process: usize, request: Request, now: u64) {
        let life = self.processes[process].life;
        let fate = self.fates.next().unwrap_or(SMOOTH);
        if self.fates.as_slice().is_empty() && self.calm_since == 0 {
            self.calm_since = now + 60_000;
        }
        let limit = millis(self.processes[process].contender.patience(at(now)));
        let answer = fate.reaches.zip(fate.answers).map(|(reaches, answers)| reaches + answers).filter(|t| *t < limit);
        self.serial += 1;
        let id = self.serial;
        if let Some(reaches) = fate.reaches {
            self.plan(now + reaches, Event::Reach { id, request });
        }
        if fate.dies {
            self.reborn(process, now);
        } else {
            let learns = now + answer.unwrap_or(limit) + fate.paused;
            self.plan(learns, Event::Learn { process, life, id, sent: now, answered: answer.is_some() });
        }
    }

    fn learn(&mut self, process: usize, id: u64, sent: u64, answered: bool, now: u64) {
        let result = self.results.remove(&id).filter(|_| answered);
        let contender = &mut self.processes[process].contender;
        match result {
            None => contender.failed(at(now)),
            Some((Request::Read, Ok(lease))) => contender.read(lease, at(now)),
            Some((_, Ok(Some(lease)))) => contender.wrote(lease, at(sent), at(now)),
            Some(_) => contender.refused(at(now)),
        }
        if let Some(deadline) = self.processes[process].contender.deadline() {
            self.processes[process].fence = deadline;
            let open = self.leaders(now);
            assert!(open.len() <= 1, "at {now} ms fences are open in {open:?}");
        }
        let life = self.processes[process].life;
        self.plan(now, Event::Wake { process, life });
    }

    fn reborn(&mut self, process: usize, now: u64) {
        let life = self.processes[process].life + 1;
        self.processes[process] = Process { contender: fresh(process, life), life, fence: at(0) };
        self.plan(now + 500, Event::Wake { process, life });
    }

    fn leaders(&self, now: u64) -> Vec<usize> {
        let open = |process: &Process| process.fence > at(now);
        (0..self.processes.len()).filter(|index| open(&self.processes[*index])).collect()
    }
}

fn fresh(process: usize, life: u32) -> Contender {
    let poll = TIMING.poll + Duration::from_millis(300 * u64::try_from(process).unwrap());
    Contender::new("lease", &format!("{process}-{life}"), Timing { poll, ..TIMING })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_fences_are_never_open_and_after_the_storm_one_is(
        processes in 1..4_usize,
        fates in prop::collection::vec(fate(), 0..300),
    ) {
        let mut world = World::new(processes, fates);
        world.run(60_000);
        let end = world.calm_since + 60_000;
        prop_assert_eq!(world.leaders(end).len(), 1);
    }
}

#[test]
fn another_leads_less_than_twenty_seconds_after_a_leader_died() {
    for moment in (20_000..26_000).step_by(37) {
        let mut world = World::new(2, Vec::new());
        while world.time() < moment {
            world.turn();
        }
        let dead = world.leaders(moment)[0];
        world.processes[dead].life += 1;
        world.processes[dead].fence = at(0);
        while world.leaders(world.time()).is_empty() {
            world.turn();
        }
        let waited = world.time() - moment;
        assert!(waited < 20_000, "the leader died at {moment} ms, its successor came {waited} ms later");
    }
}
