//! The run as a table, as JSON and as a picture.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    figures::{Point, Run, Spread, real_bytes},
    picture,
};

fn directory(committed: bool) -> PathBuf {
    let place = if committed { "docs/performance" } else { "tests/output/fleet" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join(place)
}

/// Writes all three; where it is to be committed, to the documentation as well.
pub fn write(run: &Run, commit: bool) {
    for directory in [Some(directory(false)), commit.then(|| directory(true))].into_iter().flatten() {
        fs::create_dir_all(&directory).expect("a directory");
        let json = serde_json::to_string_pretty(run).expect("figures");
        fs::write(directory.join("fleet.json"), json + "\n").expect("fleet.json");
        fs::write(directory.join("fleet.md"), markdown(run)).expect("fleet.md");
        fs::write(directory.join("fleet.svg"), picture::of(run)).expect("fleet.svg");
    }
}

/// What Criterion estimates of benches/core, in nanoseconds: beside the executable lies what it has written.
pub fn core_estimates() -> BTreeMap<String, f64> {
    let executable = std::env::current_exe().expect("this executable");
    let Some(target) = executable.ancestors().nth(3) else { return BTreeMap::new() };
    let read = |path: PathBuf| serde_json::from_str::<Value>(&fs::read_to_string(path).ok()?).ok();
    let estimates = fs::read_dir(target.join("criterion")).into_iter().flatten().filter_map(|entry| {
        let new = entry.ok()?.path().join("new");
        let what = read(new.join("benchmark.json"))?["full_id"].as_str()?.to_owned();
        Some((what, read(new.join("estimates.json"))?["mean"]["point_estimate"].as_f64()?))
    });
    estimates.collect()
}

/// The run that the documentation shows.
pub fn committed() -> Run {
    let path = directory(true).join("fleet.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The table.
pub fn markdown(run: &Run) -> String {
    let machine = &run.machine;
    let mut text = String::from("# The fleet, measured\n\n");
    let _ = writeln!(
        text,
        "Written by `make bench`; [performance](../performance.md) says what the figures mean.\n\n\
         {}, {} cores, {:.0} GB, {}; load before it began {}. Commit {}, {}. {}.\n\n![Time and memory against the size of the \
         fleet](fleet.svg)\n",
        machine.processor,
        machine.cores,
        real_bytes(machine.memory_bytes) / 1e9,
        machine.system,
        machine.load,
        run.commit,
        run.profile,
        machine.began
    );
    let sizes: Vec<String> = run.points.iter().map(|point| format!("{} tenants", point.tenants)).collect();
    let _ = writeln!(text, "| | {} |\n|---|{}", sizes.join(" | "), "---:|".repeat(run.points.len()));
    for (what, figure) in ROWS {
        let cells: Vec<String> = run.points.iter().map(|point| figure(point).unwrap_or_default()).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
        }
    }
    if let Some(growth) = &run.growth {
        let _ = writeln!(
            text,
            "\nGrowth with the fleet, `figure = constant × tenants ^ exponent` by least squares: time {:.2}, CPU {:.2}, memory \
             {:.2}. Memory for each tenant, by the largest fleet: {:.1} kB.",
            growth.time,
            growth.cpu,
            growth.memory,
            growth.bytes_per_tenant / 1e3
        );
    }
    core(run, &mut text);
    repairs(run, &mut text);
    differences(run, &mut text);
    text
}

fn core(run: &Run, text: &mut String) {
    if run.core.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## The pure core\n\n| what | mean |\n|---|---:|");
    for (what, nanoseconds) in &run.core {
        let _ = writeln!(text, "| {what} | {:.1} µs |", nanoseconds / 1e3);
    }
}

fn repairs(run: &Run, text: &mut String) {
    for point in run.points.iter().filter(|point| !point.drift.is_empty()) {
        let _ = writeln!(
            text,
            "\n## Repairs, {} tenants\n\n| what | times | p50 | p99 |\n|---|---:|---:|---:|",
            point.tenants
        );
        for repair in &point.drift {
            let Spread { count, p50, p99, .. } = repair.time;
            let _ = writeln!(text, "| {} | {count} | {p50:.3} s | {p99:.3} s |", repair.what);
        }
    }
}

fn differences(run: &Run, text: &mut String) {
    for point in &run.points {
        let Some(floor) = &point.floor else { continue };
        let _ = writeln!(text, "\n## Requests for each tenant, {} tenants\n", point.tenants);
        if floor.differences.is_empty() {
            let _ = writeln!(text, "Operator and floor sent the same {:.1}.", floor.requests);
            continue;
        }
        let _ = writeln!(
            text,
            "The floor sent {:.1}. Where the operator sent another number:\n\n| request | operator | floor |\n|---|---:|---:|",
            floor.requests
        );
        for (what, (operator, floor)) in &floor.differences {
            let _ = writeln!(text, "| {what} | {operator:.2} | {floor:.2} |");
        }
    }
}

type Figure = fn(&Point) -> Option<String>;

const ROWS: [(&str, Figure); 31] = [
    ("converge", |point| Some(seconds(point.converge.seconds))),
    ("floor", |point| Some(seconds(point.floor.as_ref()?.seconds))),
    ("**converge by floor** (goal 1.25)", |point| Some(format!("**{:.2}**", point.ratio()?))),
    ("CPU time of everything, operator's run and floor's", |point| {
        Some(format!("{}, {}", seconds(point.converge.work_seconds), seconds(point.floor.as_ref()?.work_seconds)))
    }),
    ("the ratio of these", |point| Some(format!("{:.2}", point.work_ratio()?))),
    ("objects alone", |point| Some(seconds(point.floor.as_ref()?.objects_seconds))),
    ("converge by objects alone", |point| {
        Some(format!("{:.2}", point.converge.seconds / point.floor.as_ref()?.objects_seconds))
    }),
    ("from apply to Ready, p50 and p99", |point| Some(spread(&point.converge.latency))),
    ("the same of the floor", |point| Some(spread(&point.floor.as_ref()?.latency))),
    ("CPU of the operator for each tenant (goal 20 ms)", |point| Some(format!("{:.1} ms", point.cpu_per_tenant()))),
    ("passes over each tenant", |point| {
        Some(format!("{:.1}", crate::figures::real_count(point.converge.passes) / f64::from(point.tenants)))
    }),
    ("memory before", |point| Some(megabytes(point.converge.before.rss_bytes))),
    ("memory after", |point| Some(megabytes(point.converge.usage.rss_bytes))),
    ("memory, peak", |point| Some(megabytes(point.converge.usage.peak_bytes))),
    ("growth of etcd's file for each tenant, history included", |point| {
        Some(format!("{:.0} kB", real_bytes(point.converge.etcd_bytes) / 1e3 / f64::from(point.tenants)))
    }),
    ("changes in AWS for each tenant", |point| {
        let asked = &point.converge.asked.aws_writes;
        Some(format!("{:.2}", crate::figures::real_count(asked.values().sum()) / f64::from(point.tenants)))
    }),
    ("rest: observed for", |point| Some(seconds(point.rest.as_ref()?.seconds))),
    ("rest: changes (goal 0)", |point| Some(point.rest.as_ref()?.asked.changes().to_string())),
    ("rest: events, renewals of the lease", |point| {
        let asked = &point.rest.as_ref()?.asked;
        Some(format!("{}, {}", asked.events, asked.leases))
    }),
    ("rest: reads of Kubernetes, calls of AWS", |point| {
        let asked = &point.rest.as_ref()?.asked;
        Some(format!("{}, {}", asked.looks(), asked.aws()))
    }),
    ("rest: CPU", |point| {
        let rest = point.rest.as_ref()?;
        Some(format!(
            "{:.2} s, {:.2} % of a core",
            rest.usage.cpu_seconds,
            rest.usage.cpu_seconds * 100.0 / rest.seconds
        ))
    }),
    ("restart: ready", |point| Some(seconds(point.restart.as_ref()?.ready_seconds))),
    ("restart: all verified", |point| Some(seconds(point.restart.as_ref()?.verified_seconds))),
    ("restart: changes and events (goal 0)", |point| {
        let asked = &point.restart.as_ref()?.asked;
        Some((asked.changes() + asked.events).to_string())
    }),
    ("restart: reads of Kubernetes, calls of AWS", |point| {
        let asked = &point.restart.as_ref()?.asked;
        Some(format!("{}, {}", asked.looks(), asked.aws()))
    }),
    ("restart: CPU, memory", |point| {
        let usage = &point.restart.as_ref()?.usage;
        Some(format!("{:.2} s, {}", usage.cpu_seconds, megabytes(usage.rss_bytes)))
    }),
    ("drift: the slowest kind's p50 and p99 (goal 0.3 s)", |point| {
        let worst =
            |figure: fn(&Spread) -> f64| point.drift.iter().map(|repair| figure(&repair.time)).max_by(f64::total_cmp);
        Some(format!("{:.3} s, {:.3} s", worst(|time| time.p50)?, worst(|time| time.p99)?))
    }),
    ("class change: all have it; writes, CPU for each tenant", |point| {
        let change = point.class_change.as_ref()?;
        let cpu = change.usage.cpu_seconds * 1000.0 / f64::from(point.tenants);
        Some(format!("{}; {:.1}, {cpu:.1} ms", seconds(change.seconds), change.writes))
    }),
    ("neighbours: ill, calls refused", |point| {
        let neighbours = point.neighbours.as_ref()?;
        Some(format!("{}, {}", neighbours.ill, neighbours.throttled))
    }),
    ("neighbours: the healthy Ready; p50 and p99", |point| {
        let neighbours = point.neighbours.as_ref()?;
        Some(format!("{}; {}", seconds(neighbours.seconds), spread(&neighbours.latency)))
    }),
    ("neighbours: by an all-healthy fleet p99 and CPU at the machine's pace, requests", |point| {
        let (late, cpu) = (point.lateness_beside_ill()?, point.cpu_beside_ill()?);
        Some(format!("{late:.2}, {cpu:.2}, {:.2}", point.requests_beside_ill()?))
    }),
];

fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}

fn spread(spread: &Spread) -> String {
    format!("{}, {}", seconds(spread.p50), seconds(spread.p99))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", real_bytes(bytes) / 1e6)
}
