use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode},
};

use super::*;
use fake::Server;

use fake_api::{Api as FakeApi, Mood};

mod fake_api {
    use super::*;

    /// How the fake API server answers.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) enum Mood {
        Well,
        Failing,
        /// Takes requests and never answers.
        Silent,
    }

    #[derive(Clone)]
    pub(super) struct Api(Arc<Mutex<(Server, Mood)>>);

    impl Api {
        pub(super) fn new() -> Self {
            Self(Arc::new(Mutex::new((Server::default(), Mood::Well))))
        }

        pub(super) fn client(&self) -> Client {
            let router: Router = Router::new().fallback(serve).with_state(self.clone());
            Client::new(router, "default")
        }

        pub(super) fn with<T>(&self, act: impl FnOnce(&mut Server, &mut Mood) -> T) -> T {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (server, mood) = &mut *state;
            act(server, mood)
        }
    }

    async fn serve(State(api): State<Api>, method: Method, body: Bytes) -> (StatusCode, String) {
        let mood = api.with(|_, mood| *mood);
        match mood {
            Mood::Silent => std::future::pending().await,
            Mood::Failing => (StatusCode::SERVICE_UNAVAILABLE, failure(503, "ServiceUnavailable")),
            Mood::Well => {
                let lease = || Box::new(serde_json::from_slice(&body).unwrap());
                let request = match method {
                    Method::POST => Request::Create(lease()),
                    Method::PUT => Request::Replace(lease()),
                    _ => Request::Read,
                };
                match api.with(|server, _| server.serve(&request)) {
                    Ok(Some(lease)) => (StatusCode::OK, serde_json::to_string(&lease).unwrap()),
                    Ok(None) => (StatusCode::NOT_FOUND, failure(404, "NotFound")),
                    Err(_) => (StatusCode::CONFLICT, failure(409, "Conflict")),
                }
            }
        }
    }

    fn failure(code: u16, reason: &str) -> String {
        serde_json::json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason})
            .to_string()
    }
}

/// The term is the real one wherever the fence must open, for it stays closed in the last five seconds of any term.
const QUICK: Timing = Timing {
    term: TERM,
    renew: Duration::from_millis(10),
    retry: Duration::from_millis(10),
    poll: Duration::from_millis(10),
    request: Duration::from_millis(500),
};

/// Everything was seen.
fn ready() -> watch::Receiver<bool> {
    watch::channel(true).1
}

fn contend(api: &FakeApi, identity: &str, timing: Timing) -> (LeaderLease, Fence) {
    let fence = Fence::closed();
    let lease = LeaderLease::with_timing(api.client(), "there", "lease", identity, fence.clone(), timing);
    (lease, fence)
}

#[tokio::test]
async fn the_fence_opens_with_the_lease_and_closes_with_its_release() {
    let api = FakeApi::new();
    let (lease, fence) = contend(&api, "one", QUICK);
    let leading = lease.leading();
    assert!(fence.permit().is_err());
    let held = lease.acquire(ready(), &CancellationToken::new()).await.unwrap();
    assert!(fence.permit().is_ok());
    assert!(*leading.borrow());

    held.release().await.unwrap();
    assert!(fence.permit().is_err());
    assert!(!*leading.borrow());
    assert_eq!(api.with(|server, _| server.holder()), None);

    let (other, _) = contend(&api, "two", QUICK);
    let _held = other.acquire(ready(), &CancellationToken::new()).await.unwrap();
    assert_eq!(api.with(|server, _| server.holder()).as_deref(), Some("two"));
}

#[tokio::test]
async fn a_lease_taken_by_another_ends_the_leader_with_its_fence_closed() {
    let api = FakeApi::new();
    let (lease, fence) = contend(&api, "one", QUICK);
    let mut held = lease.acquire(ready(), &CancellationToken::new()).await.unwrap();
    api.with(|server, _| server.usurp("two"));
    let error = held.keep(&CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, LeaseError::Lost { holder: Some(holder), .. } if holder == "two"), "{error}");
    assert!(fence.permit().is_err());
    held.release().await.unwrap();
    assert_eq!(api.with(|server, _| server.holder()).as_deref(), Some("two"), "another's is left alone");
}

#[tokio::test]
async fn a_lease_that_cannot_be_renewed_runs_out() {
    for (mood, reason) in [(Mood::Failing, "503"), (Mood::Silent, "did not answer")] {
        let api = FakeApi::new();
        let short = Timing { term: Duration::from_millis(300), request: Duration::from_millis(50), ..QUICK };
        let (lease, fence) = contend(&api, "one", short);
        let mut held = lease.acquire(ready(), &CancellationToken::new()).await.unwrap();
        api.with(|_, now| *now = mood);
        let error = held.keep(&CancellationToken::new()).await.unwrap_err();
        assert!(matches!(error, LeaseError::Expired { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(fence.permit().is_err());
        assert!(!*held.leading().borrow());
        assert!(matches!(held.release().await.unwrap_err(), LeaseError::NotReleased { .. }));
    }
}

#[tokio::test]
async fn keeping_ends_when_the_last_write_is_done_with_the_lease_still_held() {
    let api = FakeApi::new();
    let (lease, fence) = contend(&api, "one", QUICK);
    let mut held = lease.acquire(ready(), &CancellationToken::new()).await.unwrap();
    let done = CancellationToken::new();
    done.cancel();
    held.keep(&done).await.unwrap();
    assert!(fence.permit().is_ok());
    drop(held);
    assert!(fence.permit().is_err(), "whoever drops the lease loses the fence");
}

#[tokio::test]
async fn a_standby_asked_to_stop_says_so() {
    let api = FakeApi::new();
    api.with(|server, _| server.usurp("other"));
    let (lease, fence) = contend(&api, "one", QUICK);
    let stop = CancellationToken::new();
    let (answer, ()) = tokio::join!(lease.acquire(ready(), &stop), async { stop.cancel() });
    assert!(matches!(answer.unwrap_err(), LeaseError::Stopped { .. }));
    assert!(fence.permit().is_err());
}

#[tokio::test]
async fn a_standby_that_has_not_seen_everything_leads_as_soon_as_it_has() {
    let api = FakeApi::new();
    // Nobody would wait for so long.
    let slow = Timing { poll: Duration::from_mins(10), ..QUICK };
    let (lease, _) = contend(&api, "one", slow);
    let (complete, ready) = watch::channel(false);
    let has_looked = || api.with(|server, _| server.reads > 0);
    let looking = async {
        while !has_looked() {
            tokio::task::yield_now().await;
        }
        assert_eq!(api.with(|server, _| server.holder()), None);
        complete.send_replace(true);
    };
    let stop = CancellationToken::new();
    let (held, ()) = tokio::join!(lease.acquire(ready, &stop), looking);
    assert!(*held.unwrap().leading().borrow());
}

#[test]
fn identities_differ_and_fit_into_an_event() {
    let (one, two) = (process_identity("pod-1").unwrap(), process_identity("pod-1").unwrap());
    assert!(one.starts_with("pod-1_"));
    assert_ne!(one, two);
    assert!(process_identity(&"x".repeat(300)).unwrap().len() <= 128);
}

#[test]
fn a_refused_right_is_named() {
    let status = kube::core::Status::failure("leases is forbidden", "Forbidden").with_code(403);
    assert!(explain(&kube::Error::Api(status.boxed())).contains("get, create and update"));
}

#[test]
fn a_lease_that_ran_out_says_what_to_look_at() {
    let place = Place { namespace: "there".to_owned(), name: "lease".to_owned() };
    let expired = |failure: Option<&str>| {
        LeaseError::Expired { place: place.clone(), term: TERM, failure: failure.map(str::to_owned) }.to_string()
    };
    assert_eq!(
        expired(Some("the API server did not answer within 4000 ms")),
        "the leader lease there/lease could not be renewed for 15 s: the API server did not answer within 4000 ms (check that the \
         API server can be reached from here); this process writes nothing more and must end"
    );
    assert_eq!(
        expired(None),
        "the leader lease there/lease could not be renewed for 15 s: this process was paused or got no processor time (check its CPU \
         limit and its node); this process writes nothing more and must end"
    );
}
