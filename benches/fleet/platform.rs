//! A platform for each measurement, and the operator on it.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    thread,
};

use crate::{
    support::{ACCOUNT, Instance, OperatorProcess},
    usage::Usage,
};

/// Does something on a fresh platform, which ends with it.
pub fn with<T: Send, F: Future<Output = T>>(work: impl FnOnce(&'static Instance) -> F + Send) -> T {
    // A thread of its own: platforms end with the thread that has started them.
    let measured = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let instance = Instance::own();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
            let measured = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work(instance))));
            measured.unwrap_or_else(|panic| {
                keep_logs(Path::new(instance.fact("/dir")));
                resume_unwind(panic)
            })
        });
        worker.join()
    });
    measured.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Keeps what operators and the platform wrote into their logs while a measurement failed: with the platform it would be gone, and a large
/// fleet takes an hour to fail again. `OPENCLAW_EVIDENCE_DIR` keeps all of every run, and asks for metrics each second, which a measurement
/// would count.
fn keep_logs(platform: &Path) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleet-failed");
    let _ = fs::remove_dir_all(&kept);
    let files = [platform.to_owned(), platform.join("logs")].into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let logs = files.flatten().filter_map(|file| Some(file.ok()?.path()));
    // What was asked of the API server says little of why nothing came of it, in gigabytes.
    let is_kept = |path: &PathBuf| path.extension().is_some_and(|end| end == "log") && !path.ends_with("audit.log");
    let copied = fs::create_dir_all(&kept).and_then(|()| {
        let mut names = logs.filter(is_kept).filter_map(|log| Some((log.file_name()?.to_owned(), log)));
        names.try_for_each(|(name, log)| fs::copy(log, kept.join(name)).map(drop))
    });
    match copied {
        Ok(()) => println!("logs of the operator and of the platform: {}", kept.display()),
        Err(error) => println!("logs are lost: {}: {error}", kept.display()),
    }
}

/// Starts the operator as it runs in production, but for how fast AWS may be asked: the emulator's quotas are its own.
pub fn operator(instance: &Instance) -> OperatorProcess {
    instance.start_operator_with(&FLAGS)
}

/// What the operator has cost so far.
pub fn usage(operator: &OperatorProcess) -> Usage {
    Usage::of(operator.pid().expect("the operator runs"))
}

/// Tests want to see more in the log than production writes.
pub const FLAGS: [&str; 2] = ["--log-filter", "info"];

/// A client with the operator's rights.
pub async fn client(instance: &Instance) -> kube::Client {
    let path = PathBuf::from(instance.fact("/dir")).join("floor.kubeconfig");
    instance.mint(ACCOUNT, &path);
    let kubeconfig = kube::config::Kubeconfig::read_from(&path).expect("kubeconfig");
    let options = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("kubeconfig");
    config.default_retry = false;
    kube::Client::try_from(config).expect("client")
}
