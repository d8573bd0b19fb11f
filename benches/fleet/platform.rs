//! A platform for each measurement, and the operator on it.

use std::{path::PathBuf, thread};

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
            runtime.block_on(work(instance))
        });
        worker.join()
    });
    measured.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
