//! What a process has cost so far, as the system tells it (Linux).

use std::{collections::HashSet, fs, process::Command, sync::OnceLock};

use serde::{Deserialize, Serialize};

/// What a process has cost since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// On all cores, in user and kernel.
    pub cpu_seconds: f64,
    /// Resident now.
    pub rss_bytes: u64,
    /// The most that ever was resident.
    pub peak_bytes: u64,
}

impl Usage {
    /// Of a process that runs.
    pub fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc/PID/stat");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc/PID/status");
        // The name, in brackets, may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
        };
        Self {
            // utime and stime, the 14th and the 15th field (proc_pid_stat(5)).
            cpu_seconds: (ticks(11) + ticks(12)) / ticks_per_second(),
            rss_bytes: kilobytes("VmRSS:") * 1024,
            peak_bytes: kilobytes("VmHWM:") * 1024,
        }
    }

    /// What was spent since then; memory as it is now.
    pub fn since(self, before: Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds - before.cpu_seconds, ..self }
    }
}

/// CPU seconds that this process and all that it has started have cost so far: platform, operator, client. Where a machine is shared,
/// this says what wall time does not.
pub fn work() -> f64 {
    let processes: Vec<(u32, u32, f64)> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
            // ppid, utime and stime, the 4th, the 14th and the 15th field (proc_pid_stat(5)).
            Some((pid, fields.get(1)?.parse().ok()?, ticks(11)? + ticks(12)?))
        })
        .collect();
    let mut ours = HashSet::from([std::process::id()]);
    loop {
        let known = ours.len();
        ours.extend(
            processes.iter().filter(|(_, parent, _)| ours.contains(parent)).map(|(pid, ..)| *pid).collect::<Vec<_>>(),
        );
        if ours.len() == known {
            break;
        }
    }
    let ticks: f64 = processes.iter().filter(|(pid, ..)| ours.contains(pid)).map(|(.., ticks)| ticks).sum();
    ticks / ticks_per_second()
}

fn ticks_per_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let output = Command::new("getconf").arg("CLK_TCK").output().expect("getconf");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("ticks of the clock")
    })
}
