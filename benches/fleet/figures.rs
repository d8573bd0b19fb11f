//! The figures of a run, as they are written down.

use std::{collections::BTreeMap, fs, process::Command, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    asked::{Asked, Counts},
    usage::Usage,
};

/// One run of the benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// What it was measured on.
    pub machine: Machine,
    /// What was measured.
    pub commit: String,
    /// How it was built.
    pub profile: String,
    /// What the pure core takes, where benches/core was run before.
    #[serde(default)]
    pub core: BTreeMap<String, f64>,
    /// One for each size of the fleet.
    pub points: Vec<Point>,
    /// How the figures grow with the fleet; needs two sizes.
    pub growth: Option<Growth>,
}

/// The machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// What the processor says it is.
    pub processor: String,
    /// How many of them.
    pub cores: usize,
    /// Memory.
    pub memory_bytes: u64,
    /// The kernel.
    pub system: String,
    /// Processes that wanted to run when it began, averaged over a minute: above 1 something else was at work.
    pub load: String,
    /// When it began.
    pub began: String,
}

/// Figures of one size of the fleet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// How many tenants.
    pub tenants: u32,
    /// From the first apply to the last tenant.
    pub converge: Converge,
    /// The same by a bare client.
    pub floor: Option<Floor>,
    /// With nothing to do.
    pub rest: Option<Rest>,
    /// A new process.
    pub restart: Option<Restart>,
    /// Repairs.
    pub drift: Vec<Repair>,
    /// Another pod template for all.
    pub class_change: Option<ClassChange>,
    /// Ill ones beside healthy ones.
    pub neighbours: Option<Neighbours>,
}

/// From the first apply to the last tenant with all its objects and its halves in AWS.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Converge {
    /// Wall time.
    pub seconds: f64,
    /// From a Tenant's apply to Ready.
    pub latency: Spread,
    /// What the operator had cost before.
    pub before: Usage,
    /// What it has cost meanwhile, and its memory then.
    pub usage: Usage,
    /// CPU seconds of everything: platform, operator, this program.
    pub work_seconds: f64,
    /// Passes of the operator over tenants.
    pub passes: u64,
    /// How much etcd's file has grown, with all versions that are not compacted yet.
    pub etcd_bytes: u64,
    /// What is there in the end, by kind.
    pub made: BTreeMap<String, usize>,
    /// What was asked.
    pub asked: Asked,
}

/// What a bare client needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Floor {
    /// For the same requests, waiting at the same gates.
    pub seconds: f64,
    /// CPU seconds of everything: platform, client, this program.
    pub work_seconds: f64,
    /// From a Tenant's apply to Ready.
    pub latency: Spread,
    /// For the objects alone, without Tenants, records, statuses, events, AWS.
    pub objects_seconds: f64,
    /// How many objects those are.
    pub objects: usize,
    /// Requests for each tenant that the operator and the floor sent, where they differ.
    pub differences: BTreeMap<String, (f64, f64)>,
    /// Requests that the floor had to send again.
    pub repeated: Counts,
    /// Requests for each tenant.
    pub requests: f64,
}

/// What was done with nothing to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rest {
    /// For how long.
    pub seconds: f64,
    /// What was asked.
    pub asked: Asked,
    /// What it has cost.
    pub usage: Usage,
}

/// A new process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Restart {
    /// Until /readyz says so.
    pub ready_seconds: f64,
    /// Until every tenant is verified.
    pub verified_seconds: f64,
    /// What was asked until then.
    pub asked: Asked,
    /// What it has cost.
    pub usage: Usage,
}

/// How fast changes by hand to one kind are brought back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Repair {
    /// What was done to which kind.
    pub what: String,
    /// How long it took.
    pub time: Spread,
}

/// Another pod template for all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassChange {
    /// Until the last tenant has it and is Ready.
    pub seconds: f64,
    /// Changes in Kubernetes and AWS for each tenant.
    pub writes: f64,
    /// What was asked.
    pub asked: Asked,
    /// What it has cost.
    pub usage: Usage,
}

/// Ill ones beside healthy ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Neighbours {
    /// How many are poisoned.
    pub ill: usize,
    /// How many calls of AWS were refused for being too many.
    pub throttled: u64,
    /// Until the last healthy one is Ready.
    pub seconds: f64,
    /// From a healthy Tenant's apply to Ready.
    pub latency: Spread,
    /// What was worked until then, for whomever; a run that is older than this figure does not say.
    #[serde(default)]
    pub work: Option<Work>,
}

/// What was worked in a period.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// What the operator has cost.
    pub usage: Usage,
    /// CPU seconds of everything.
    pub seconds: f64,
    /// Requests of the operator.
    pub requests: u64,
}

impl Work {
    /// What a request of the operator cost all others, in CPU seconds: how slow the machine was.
    fn pace(&self) -> f64 {
        (self.seconds - self.usage.cpu_seconds) / real_count(self.requests)
    }
}

/// How figures of one kind lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Half are not above this.
    pub p50: f64,
    /// 99 of 100 are not above this.
    pub p99: f64,
    /// The greatest.
    pub most: f64,
}

impl Spread {
    /// Of durations, in seconds.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut seconds: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        // The smallest that is not below so many hundredths of all.
        let at = |hundredths: usize| {
            let rank = (seconds.len() * hundredths).div_ceil(100).max(1);
            seconds.get(rank - 1).copied().unwrap_or_default()
        };
        Self { count: seconds.len(), p50: at(50), p99: at(99), most: at(100) }
    }
}

/// Exponents of `figure = constant × tenants ^ exponent`: 1 is linear.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Of the wall time to converge.
    pub time: f64,
    /// Of the operator's CPU time to converge.
    pub cpu: f64,
    /// Of the memory that tenants take: what an idle operator has is taken off.
    pub memory: f64,
    /// Memory for each tenant, by the largest fleet.
    pub bytes_per_tenant: f64,
}

impl Growth {
    /// By least squares on logarithms, where there are two sizes.
    pub fn of(points: &[Point]) -> Option<Self> {
        let largest = points.iter().max_by_key(|point| point.tenants).filter(|_| points.len() > 1)?;
        let exponent = |figure: &dyn Fn(&Point) -> f64| {
            slope(points.iter().map(|point| (f64::from(point.tenants).ln(), figure(point).max(f64::EPSILON).ln())))
        };
        let memory =
            |point: &Point| real_bytes(point.converge.usage.rss_bytes) - real_bytes(point.converge.before.rss_bytes);
        Some(Self {
            time: exponent(&|point| point.converge.seconds),
            cpu: exponent(&|point| point.converge.usage.cpu_seconds),
            memory: exponent(&memory),
            bytes_per_tenant: memory(largest) / f64::from(largest.tenants),
        })
    }
}

fn slope(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = points.collect();
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / real(points.len());
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        ((point.0 - x).mul_add(point.1 - y, above), (point.0 - x).mul_add(point.0 - x, below))
    });
    above / below
}

impl Converge {
    fn work(&self) -> Work {
        Work { usage: self.usage, seconds: self.work_seconds, requests: self.asked.count() }
    }
}

impl Point {
    /// Of a fleet that has converged.
    pub const fn new(tenants: u32, converge: Converge) -> Self {
        Self {
            tenants,
            converge,
            floor: None,
            rest: None,
            restart: None,
            drift: Vec::new(),
            class_change: None,
            neighbours: None,
        }
    }

    /// The operator's time by the floor's.
    pub fn ratio(&self) -> Option<f64> {
        self.floor.as_ref().map(|floor| self.converge.seconds / floor.seconds)
    }

    /// What everything did by what it did for the floor, in CPU time.
    pub fn work_ratio(&self) -> Option<f64> {
        self.floor.as_ref().map(|floor| self.converge.work_seconds / floor.work_seconds)
    }

    /// How late the healthy beside ill neighbours are Ready, by an all-healthy fleet: p99 by p99, at the machine's pace.
    pub fn lateness_beside_ill(&self) -> Option<f64> {
        let ill = self.neighbours.as_ref()?;
        Some(ill.latency.p99 / self.converge.latency.p99 / self.pace_beside_ill()?)
    }

    /// What the operator works beside ill neighbours, by its work for an all-healthy fleet: CPU time by CPU time, at the machine's pace.
    pub fn cpu_beside_ill(&self) -> Option<f64> {
        let ill = self.neighbours.as_ref()?.work.as_ref()?;
        Some(ill.usage.cpu_seconds / self.converge.usage.cpu_seconds / self.pace_beside_ill()?)
    }

    /// How much slower the machine was than for an all-healthy fleet: between the two lie minutes, in which a shared one may have become another.
    fn pace_beside_ill(&self) -> Option<f64> {
        Some(self.neighbours.as_ref()?.work.as_ref()?.pace() / self.converge.work().pace())
    }

    /// What the operator asks beside ill neighbours, by what it asks for an all-healthy fleet.
    pub fn requests_beside_ill(&self) -> Option<f64> {
        let ill = self.neighbours.as_ref()?.work.as_ref()?;
        Some(real_count(ill.requests) / real_count(self.converge.work().requests))
    }

    /// The operator's CPU time for each tenant, in milliseconds.
    pub fn cpu_per_tenant(&self) -> f64 {
        self.converge.usage.cpu_seconds * 1000.0 / f64::from(self.tenants)
    }
}

impl Run {
    /// Takes over what was measured of the same commit, built in the same way, on a machine like this one.
    pub fn keep(&mut self, former: Self) {
        let of = |run: &Self| {
            let Machine { processor, cores, memory_bytes, system, load: _, began: _ } = run.machine.clone();
            (run.commit.clone(), run.profile.clone(), processor, cores, memory_bytes, system)
        };
        // What is not committed has no name by which it could be known again.
        if of(self) == of(&former) && !self.commit.ends_with("-dirty") {
            self.points = former.points;
        } else {
            println!("what is committed is of {}, or of another machine, and is not kept", former.commit);
        }
    }

    /// Takes in what was measured of one size.
    pub fn take(&mut self, point: Point) {
        self.points.retain(|one| one.tenants != point.tenants);
        self.points.push(point);
        self.points.sort_by_key(|one| one.tenants);
        self.growth = Growth::of(&self.points);
    }

    /// Nothing measured yet.
    pub fn on_this_machine() -> Self {
        let machine = Machine {
            processor: first("/proc/cpuinfo", "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: first("/proc/meminfo", "MemTotal")
                .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or_default()
                * 1024,
            system: said("uname", &["-sr"]),
            load: fs::read_to_string("/proc/loadavg")
                .unwrap_or_default()
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
            began: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        };
        let profile = if cfg!(debug_assertions) {
            "profile dev: no measure of anything"
        } else {
            "profile bench (release without LTO, 16 codegen units)"
        };
        let here = env!("CARGO_MANIFEST_DIR");
        let commit = said("git", &["-C", here, "describe", "--always", "--exclude=*"]);
        // What a run before this one has written is no change of what is measured.
        let changed = said("git", &["-C", here, "status", "--porcelain", "--", ".", ":!docs/performance"]);
        let commit = if changed.is_empty() { commit } else { commit + "-dirty" };
        Self { machine, commit, profile: profile.to_owned(), core: BTreeMap::new(), points: Vec::new(), growth: None }
    }
}

fn first(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// A count to divide by.
pub fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("no such count is as large"))
}

/// Requests, as a number to divide.
pub fn real_count(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("no such count is as large"))
}

/// Bytes, as a number to divide; to the next 1,024.
pub fn real_bytes(bytes: u64) -> f64 {
    real_count(bytes / 1024) * 1024.0
}
