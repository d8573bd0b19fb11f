//! `/healthz`, `/readyz` and `/metrics`.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::{CONTENT_TYPE, Metrics};

/// How long requests under way may still take when the process stops. A client that says nothing must not hold it up.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Why there is no health server.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address cannot be listened at.
    #[error(
        "cannot listen at {address} for health checks and metrics: {source}; choose another address or end what uses it"
    )]
    Bind {
        /// As it was given.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It listened, and then failed.
    #[error("the server for health checks and metrics failed: {0}")]
    Serve(io::Error),
}

/// Whether the process's loops live: each has a [`Heartbeat`]. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Liveness(Arc<Mutex<BTreeMap<&'static str, Beat>>>);

#[derive(Clone, Copy, Debug)]
struct Beat {
    last: Instant,
    limit: Duration,
}

/// The heartbeat of one loop. A loop that has ended falls silent like one that hangs.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    liveness: Liveness,
    name: &'static str,
    limit: Duration,
}

/// What must be true before the process is ready. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>);

/// One of the things that must be true.
#[derive(Clone, Debug)]
pub struct Condition {
    readiness: Readiness,
    name: &'static str,
}

/// A server that listens already, so that a wrong address is known at start.
#[derive(Debug)]
pub struct HealthServer {
    listener: TcpListener,
    router: Router,
}

#[derive(Clone)]
struct Checks {
    liveness: Liveness,
    readiness: Readiness,
    metrics: Metrics,
}

impl Liveness {
    /// Follows the loop `name`, which from now on must beat at least once in every `limit`.
    pub fn follow(&self, name: &'static str, limit: Duration) -> Heartbeat {
        let heartbeat = Heartbeat { liveness: self.clone(), name, limit };
        heartbeat.beat();
        heartbeat
    }

    /// One line for each loop that has fallen silent.
    fn silent(&self, now: Instant) -> Vec<String> {
        let late = |beat: &Beat| now.saturating_duration_since(beat.last);
        lock(&self.0)
            .iter()
            .filter(|(_, beat)| late(beat) > beat.limit)
            .map(|(name, beat)| format!("{name}: no sign of life for {} s", late(beat).as_secs()))
            .collect()
    }
}

impl Heartbeat {
    /// The loop is alive.
    pub fn beat(&self) {
        lock(&self.liveness.0).insert(self.name, Beat { last: Instant::now(), limit: self.limit });
    }

    /// Runs a step that may rightly take longer than the limit, such as waiting for work, beating all the while. The
    /// beats come from the same task, so one that blocks its thread still falls silent.
    pub async fn during<F: Future>(&self, step: F) -> F::Output {
        let period = (self.limit / 3).max(Duration::from_millis(1));
        self.beat();
        // A timer that is due at once wakes the runtime, and steps that are done at once come by the thousand.
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        let mut step = std::pin::pin!(step);
        loop {
            tokio::select! {
                biased;
                output = &mut step => {
                    self.beat();
                    return output;
                }
                _ = ticks.tick() => self.beat(),
            }
        }
    }
}

impl Readiness {
    /// Adds something that must be true, and is not yet: `missing` says what is waited for.
    pub fn require(&self, name: &'static str, missing: &str) -> Condition {
        let condition = Condition { readiness: self.clone(), name };
        condition.missing(missing);
        condition
    }

    /// Whether everything that must be true is.
    pub fn is_ready(&self) -> bool {
        self.lacking().is_empty()
    }

    /// One line for each thing that is not true.
    fn lacking(&self) -> Vec<String> {
        let conditions = lock(&self.0);
        conditions
            .iter()
            .filter_map(|(name, state)| state.as_ref().err().map(|missing| format!("{name}: {missing}")))
            .collect()
    }
}

impl Condition {
    /// It is true now.
    pub fn met(&self) {
        lock(&self.readiness.0).insert(self.name, Ok(()));
    }

    /// It is not, or no longer, true, and why.
    pub fn missing(&self, why: &str) {
        lock(&self.readiness.0).insert(self.name, Err(why.to_owned()));
    }
}

impl HealthServer {
    /// Listens at `address`; port 0 finds a free one.
    ///
    /// # Errors
    /// [`HealthError::Bind`] where that is not possible.
    pub async fn bind(
        address: SocketAddr,
        liveness: Liveness,
        readiness: Readiness,
        metrics: Metrics,
    ) -> Result<Self, HealthError> {
        let listener = TcpListener::bind(address).await.map_err(|source| HealthError::Bind { address, source })?;
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics_text))
            .with_state(Checks { liveness, readiness, metrics });
        Ok(Self { listener, router })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// [`HealthError::Serve`] where the system does not know.
    pub fn address(&self) -> Result<SocketAddr, HealthError> {
        self.listener.local_addr().map_err(HealthError::Serve)
    }

    /// Answers until `stop` is cancelled, and then whoever is already asking.
    ///
    /// # Errors
    /// [`HealthError::Serve`] where the listener fails.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), HealthError> {
        let served = axum::serve(self.listener, self.router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let patience = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            result = served => result.map_err(HealthError::Serve),
            () = patience => Ok(()),
        }
    }
}

async fn healthz(State(checks): State<Checks>) -> impl IntoResponse {
    verdict(&checks.liveness.silent(Instant::now()))
}

async fn readyz(State(checks): State<Checks>) -> impl IntoResponse {
    verdict(&checks.readiness.lacking())
}

async fn metrics_text(State(checks): State<Checks>) -> impl IntoResponse {
    match checks.metrics.encode() {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], format!("{error}\n")),
    }
}

fn verdict(troubles: &[String]) -> (StatusCode, String) {
    if troubles.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, troubles.join("\n") + "\n")
    }
}

/// A panic elsewhere leaves nothing half-written in these maps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn a_loop_is_alive_within_its_limit_and_named_beyond() {
        let liveness = Liveness::default();
        let start = Instant::now();
        let _lease = liveness.follow("lease", Duration::from_secs(30));
        let _sweep = liveness.follow("sweep", Duration::from_mins(50));
        assert_eq!(liveness.silent(start + Duration::from_secs(30)), Vec::<String>::new());
        assert_eq!(liveness.silent(Instant::now() + Duration::from_secs(40)), ["lease: no sign of life for 40 s"]);
    }

    #[tokio::test]
    async fn a_long_step_goes_on_beating() {
        let liveness = Liveness::default();
        let heartbeat = liveness.follow("work", Duration::from_millis(3));
        let before = lock(&liveness.0)["work"].last;
        let beaten = async {
            while lock(&liveness.0)["work"].last == before {
                tokio::task::yield_now().await;
            }
            "done"
        };
        assert_eq!(heartbeat.during(beaten).await, "done");
    }

    #[test]
    fn ready_means_every_condition_and_each_can_be_lost_again() {
        let readiness = Readiness::default();
        let caches = readiness.require("caches", "not synced yet");
        let crds = readiness.require("crds", "install the CRDs");
        assert_eq!(readiness.lacking(), ["caches: not synced yet", "crds: install the CRDs"]);
        caches.met();
        crds.met();
        assert!(readiness.is_ready());
        crds.missing("tenants.openclaw.io is gone");
        assert_eq!(readiness.lacking(), ["crds: tenants.openclaw.io is gone"]);
    }

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_server_answers_all_three_and_stops_when_asked() {
        let (liveness, readiness) = (Liveness::default(), Readiness::default());
        let caches = readiness.require("caches", "not synced yet");
        let metrics = Metrics::new("1.2.3", "abc");
        let server = HealthServer::bind(LOCAL, liveness.clone(), readiness, metrics).await.unwrap();
        let address = server.address().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(stop.clone()));

        let answer = ask(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("caches: not synced yet\n"), "{answer}");
        caches.met();
        assert!(ask(address, "/readyz").await.starts_with("HTTP/1.1 200"));

        assert!(ask(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let late = Beat { last: Instant::now(), limit: Duration::ZERO };
        lock(&liveness.0).insert("lease", late);
        let answer = ask(address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("lease: "), "{answer}");

        let answer = ask(address, "/metrics").await;
        assert!(answer.contains(CONTENT_TYPE) && answer.contains("openclaw_build_info"), "{answer}");

        stop.cancel();
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = TcpListener::bind(LOCAL).await.unwrap();
        let address = taken.local_addr().unwrap();
        let server = HealthServer::bind(address, Liveness::default(), Readiness::default(), Metrics::new("", ""));
        let error = server.await.unwrap_err();
        assert!(matches!(error, HealthError::Bind { .. }));
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
