//! What a whole test run is examined by afterwards (tests/evidence): the operators' metrics, beside their logs.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    thread,
    time::Duration,
};

/// Set where the run is examined: the directory in which platforms leave theirs.
const DIRECTORY: &str = "OPENCLAW_EVIDENCE_DIR";

/// How often metrics are written down. A series that is there once stays, so the last look has them all.
const PERIOD: Duration = Duration::from_secs(1);

/// Writes an operator's metrics down from time to time, until the test process ends.
pub fn watch(log: &Path) {
    if env::var_os(DIRECTORY).is_none() {
        return;
    }
    let log = log.to_owned();
    // A thread: the operator that most tests share is never dropped, and belongs to no test's runtime.
    thread::spawn(move || {
        let mut known = None;
        loop {
            thread::sleep(PERIOD);
            known = known.or_else(|| address(&log));
            if let Some(address) = &known {
                keep_from(address, &log);
            }
        }
    });
}

/// Writes an operator's metrics down now, where the run is examined and the operator answers.
pub fn keep(log: &Path) {
    if env::var_os(DIRECTORY).is_some()
        && let Some(address) = address(log)
    {
        keep_from(&address, log);
    }
}

fn keep_from(address: &str, log: &Path) {
    let Ok(metrics) = ask(address) else { return };
    let scratch = log.with_extension("metrics.new");
    if fs::write(&scratch, metrics).is_ok() {
        let _ = fs::rename(scratch, log.with_extension("metrics"));
    }
}

/// Where an operator serves its metrics, once it has said so.
pub fn address(log: &Path) -> Option<String> {
    let said = fs::read_to_string(log).ok()?;
    let line = said.lines().find(|line| line.contains("health and metrics are served"))?;
    line.split_whitespace().find_map(|word| word.strip_prefix("address=")).map(str::to_owned)
}

fn ask(address: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
