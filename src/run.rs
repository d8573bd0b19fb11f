//! The process: telemetry, clients, lease, controllers, servers, and an end in good order.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Client, Config};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    api::names::{ClusterArn, NamespaceName, SecretsPrefix, Uid},
    aws::{self, AwsClients, AwsError, AwsSettings, AwsStartError, Discovered, Rates, types::Cluster},
    class::{ClassChecks, Rollouts},
    fence::Fence,
    kubernetes::{Kubernetes, RequestError, Resource, definitions},
    lease::{self, LeaderLease, LeaseError},
    sweep::{Reach, Sweeper},
    telemetry::{
        events::Events,
        health::{HealthError, HealthServer, Liveness, Readiness},
        metrics::Metrics,
    },
    tenant::{
        apply::{ActionError, Hands},
        cache::Cache,
        controller::{Controller, follow_definitions},
        figures,
        queue::Queue,
        reconcile::Reconciler,
        settings::{Settings, Sweeps},
        watching::Watches,
    },
};

/// What the operator is told by flags and environment.
#[derive(Clone, Debug)]
pub struct Options {
    /// The EKS cluster's name; without it AWS is not spoken to.
    pub cluster_name: Option<String>,
    /// Its ARN, where it shall not be asked for.
    pub cluster_arn: Option<ClusterArn>,
    /// The AWS region, where it shall not be discovered.
    pub region: Option<String>,
    /// The operator's own namespace.
    pub operator_namespace: NamespaceName,
    /// What secret names begin with.
    pub secrets_prefix: SecretsPrefix,
    /// Address ranges of the cluster.
    pub cluster_cidrs: Vec<String>,
    /// Addresses that answer DNS beside the cluster's DNS pods.
    pub dns_addresses: Vec<String>,
    /// Where workspaces find an emulator of Secrets Manager.
    pub emulator_endpoint: Option<String>,
    /// Where health and metrics are served.
    pub health_address: SocketAddr,
    /// How many tenants are worked on at the same time.
    pub concurrency: NonZeroUsize,
    /// How often AWS is looked at as a whole.
    pub sweeps: Sweeps,
    /// How fast AWS is asked.
    pub rates: Rates,
    /// Nothing is written.
    pub dry_run: bool,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No cluster to talk to.
    #[error("no Kubernetes cluster: {0}. Run inside a cluster or set KUBECONFIG")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The client cannot be made.
    #[error("the Kubernetes client cannot be made: {0}")]
    Client(#[from] kube::Error),
    /// AWS cannot be spoken to.
    #[error(transparent)]
    Aws(#[from] AwsStartError),
    /// Health cannot be served.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// The lease was lost: another process leads, or none may.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// Signals cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(#[from] std::io::Error),
    /// Somebody has put an older backup of etcd back.
    #[error(
        "the cluster's state is older than what this process has seen of it: a backup was put back. The process ends, and its \
         successor looks at everything anew"
    )]
    Restored,
    /// A task ended by a panic.
    #[error("an internal task ended by a panic; the process ends so that a new one starts clean")]
    Panicked,
}

/// How long is waited between two attempts to reach what is needed at start.
const START_PAUSE: Duration = Duration::from_secs(3);

/// A loop that says nothing for so long is hung.
const SILENCE: Duration = Duration::from_secs(30);

/// Runs the operator until it is told to stop.
///
/// # Errors
/// Where it cannot start, or the lease is lost.
pub async fn run(options: Options) -> Result<(), RunError> {
    let stop = stop_on_signals()?;
    let config = kubernetes_config().await?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), option_env!("OPENCLAW_REVISION").unwrap_or("unknown"));
    let (liveness, readiness) = (Liveness::default(), Readiness::default());
    let health =
        HealthServer::bind(options.health_address, liveness.clone(), readiness.clone(), metrics.clone()).await?;
    tracing::info!(address = %health.address()?, version = env!("CARGO_PKG_VERSION"), "health and metrics are served");
    let serve_until = CancellationToken::new();
    let server = tokio::spawn(health.serve(serve_until.clone()));

    let fence = Fence::closed();
    let kubernetes = Kubernetes::new(Client::try_from(config.clone())?, fence.clone(), metrics.clone());
    let started = readiness.require("start", "the surroundings are being looked at");
    let surroundings = surroundings(&options, &kubernetes, &fence, &metrics, &stop).await?;
    let result = match surroundings {
        // Told to stop before anything began.
        None => Ok(()),
        Some((settings, aws)) => {
            started.met();
            let parts = Parts { options, config, fence, kubernetes, metrics, liveness, readiness };
            Box::pin(parts.operate(settings, aws, &stop)).await
        }
    };
    serve_until.cancel();
    // The server answers its last callers and ends by itself.
    let _ = server.await;
    result
}

/// The cluster from the environment, with kube's own retries off: there is one place that retries.
async fn kubernetes_config() -> Result<Config, RunError> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    Ok(config)
}

/// Signals that ask for an end in good order.
fn stop_on_signals() -> Result<CancellationToken, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop: what was begun comes to its end");
        token.cancel();
    });
    Ok(stop)
}

/// What must be known before anything is decided; waited for, with one clear line for what is missing.
async fn surroundings(
    options: &Options,
    kubernetes: &Kubernetes,
    fence: &Fence,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Result<Option<(Settings, Option<AwsClients>)>, RunError> {
    let Some(cluster_uid) = until(stop, "Kubernetes", || cluster_uid(kubernetes)).await else { return Ok(None) };
    let (aws, eks) = match &options.cluster_name {
        None => (None, None),
        Some(name) => {
            let settings =
                AwsSettings { cluster_name: name.clone(), region: options.region.clone(), rates: options.rates };
            let clients = aws::connect(settings, fence.clone(), Some(metrics.clone())).await?;
            let Some(found) = until(stop, "AWS", || discovered(options, &clients)).await else { return Ok(None) };
            let cluster = Cluster { arn: found.arn, name: name.clone(), uid: cluster_uid.clone() };
            (Some(clients), Some(cluster))
        }
    };
    let settings = Settings {
        operator_namespace: options.operator_namespace.clone(),
        secrets_prefix: options.secrets_prefix.clone(),
        cluster_uid,
        eks,
        region: aws.as_ref().map(|clients| clients.region.clone()),
        cluster_cidrs: options.cluster_cidrs.clone(),
        dns_addresses: options.dns_addresses.clone(),
        emulator_endpoint: options.emulator_endpoint.clone(),
        sweeps: options.sweeps,
        dry_run: options.dry_run,
    };
    Ok(Some((settings, aws)))
}

/// Tries until it succeeds or the process is told to stop.
async fn until<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
    stop: &CancellationToken,
    what: &str,
    attempt: impl Fn() -> F,
) -> Option<T> {
    loop {
        match attempt().await {
            Ok(value) => return Some(value),
            Err(error) => {
                tracing::warn!(%error, "{what} is not reached yet, tried again every {} s", START_PAUSE.as_secs());
            }
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(START_PAUSE) => {}
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("namespace kube-system is not there: this is no cluster that tenants can live in")]
    NoKubeSystem,
}

async fn cluster_uid(kubernetes: &Kubernetes) -> Result<Uid, StartError> {
    let object = kubernetes.get(&Resource::cluster(definitions::NAMESPACE, "kube-system")).await?;
    let uid = object.as_ref().and_then(|object| object.pointer("/metadata/uid")).and_then(Value::as_str);
    uid.and_then(|uid| uid.parse().ok()).ok_or(StartError::NoKubeSystem)
}

async fn discovered(options: &Options, clients: &AwsClients) -> Result<Discovered, AwsError> {
    match &options.cluster_arn {
        Some(arn) => Ok(Discovered::from(arn.clone())),
        None => clients.discover_cluster().await,
    }
}

/// Everything that a running operator is made of.
struct Parts {
    options: Options,
    config: Config,
    fence: Fence,
    kubernetes: Kubernetes,
    metrics: Metrics,
    liveness: Liveness,
    readiness: Readiness,
}

impl Parts {
    /// Caches first, then the lease, then the work.
    async fn operate(
        self,
        settings: Settings,
        aws: Option<AwsClients>,
        stop: &CancellationToken,
    ) -> Result<(), RunError> {
        let settings = Arc::new(settings);
        let cache = Arc::new(Cache::new(Arc::clone(&settings)));
        let (queue, entrance) = Queue::new();
        let mut watching = JoinSet::new();
        let watches = Watches::new(self.kubernetes.client(), Arc::clone(&cache), entrance.clone());
        let complete = watches.start(&self.readiness, &mut watching);
        let definitions = self.readiness.require("definitions", "not looked for yet");
        watching.spawn(follow_definitions(Arc::clone(&cache), definitions, stop.clone()));

        let identity = lease::process_identity(&host())?;
        let lease_client = Client::try_from(self.config.clone())?;
        let lease = LeaderLease::new(lease_client, lease::NAMESPACE, lease::NAME, &identity, self.fence.clone());
        watching.spawn(figures::follow(Arc::clone(&cache), self.metrics.clone(), lease.leading(), stop.clone()));
        let mut held = match lease.acquire(complete, stop).await {
            Ok(held) => held,
            Err(LeaseError::Stopped { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.metrics.set_leader(true);
        let written = CancellationToken::new();
        let events = Events::new(self.kubernetes.client(), self.fence.clone(), self.metrics.clone(), &identity);
        let classes =
            ClassChecks { kubernetes: self.kubernetes.clone(), aws: aws.clone(), settings: Arc::clone(&settings) };
        let rollouts =
            Rollouts { kubernetes: self.kubernetes.clone(), cache: Arc::clone(&cache), dry_run: settings.dry_run };
        let reach = aws.clone().map(|aws| Reach {
            aws,
            cache: Arc::clone(&cache),
            entrance: entrance.clone(),
            events: events.clone(),
            settings,
            metrics: self.metrics.clone(),
            clock: Timestamp::now,
        });
        let hands = Hands {
            kubernetes: self.kubernetes,
            aws,
            cache: Arc::clone(&cache),
            metrics: self.metrics.clone(),
            restored: CancellationToken::new(),
        };
        let restored = hands.restored.clone();
        let controller = Controller {
            reconciler: Reconciler::new(hands.clone(), events),
            cache,
            queue,
            entrance,
            concurrency: self.options.concurrency.get(),
            metrics: self.metrics.clone(),
            heartbeat: self.liveness.follow("controller", SILENCE),
        };
        let work = async {
            // A standby may have lived through the restoration of a backup.
            if until(stop, "Kubernetes", || is_current(&hands)).await == Some(true) {
                // Ends with this block, whatever ends that.
                let mut sweeping = JoinSet::new();
                let heartbeat = controller.heartbeat.clone();
                heartbeat.during(begin_sweeping(reach, &self.liveness, &mut sweeping, stop)).await;
                tokio::join!(controller.run(stop.clone()), classes.run(stop.clone()), rollouts.run(stop.clone()));
            }
            written.cancel();
        };
        let kept = tokio::select! {
            // Lost: whatever is under way is dropped, and nothing more is written.
            kept = held.keep(&written) => kept,
            () = work => Ok(()),
            () = restored.cancelled() => Ok(()),
        };
        self.metrics.set_leader(false);
        if restored.is_cancelled() {
            // It may be another's by now, as the backup has it.
            let _ = held.release().await;
            return Err(RunError::Restored);
        }
        kept?;
        held.release().await?;
        if stop.is_cancelled() { Ok(()) } else { Err(RunError::Panicked) }
    }
}

/// Whether the server's store has gone on from what is known: asked until it is told.
async fn is_current(hands: &Hands) -> Result<bool, ActionError> {
    match hands.check_not_restored().await {
        Err(ActionError::Restored(error)) => {
            tracing::error!(%error, "backup");
            Ok(false)
        }
        answer => answer.map(|()| true),
    }
}

/// The first sweep before any tenant is decided about, and the others beside the work.
async fn begin_sweeping(
    reach: Option<Reach>,
    liveness: &Liveness,
    sweeping: &mut JoinSet<()>,
    stop: &CancellationToken,
) {
    let Some(reach) = reach else { return };
    let mut sweeper = Sweeper::new(reach, liveness.follow("sweep", SILENCE));
    tokio::select! {
        () = stop.cancelled() => return,
        () = sweeper.first() => {}
    }
    sweeping.spawn(sweeper.run(stop.clone()));
}

/// The pod's name where Kubernetes says it, else the host's.
fn host() -> String {
    std::env::var("POD_NAME")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_else(|_| "openclaw-tenant-operator".into())
}
