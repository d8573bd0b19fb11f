//! Where the cells are played: many tenants on one platform, and one at rest on another.

use std::thread;

use serde_json::json;
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

use super::{
    class_role::{SharedRole, place},
    scene::{self, Scene},
};
use crate::support::{Bed, Instance, LOOKS_OFTEN, OperatorProcess, example_class};

/// Tenants that come and go at the same time: as many as keep a small machine busy, most of a cell being waiting.
pub const TENANTS_AT_ONCE: usize = 18;

/// Sweeps and classes' checks follow one another; nothing is audited within a test's time.
const SWEEPS_ALL_THE_TIME: [&str; 4] = ["--sweep-interval", "1s", "--audit-rate", "50"];

/// Both platforms with their operators.
pub struct World {
    /// Where most cells are played, each with a tenant or a class of its own.
    pub crowd: &'static Instance,
    /// Where nothing happens.
    pub quiet: Quiet,
    _operator: OperatorProcess,
    tenants: Semaphore,
    starts: Mutex<()>,
}

/// A platform with one tenant at rest, for calls about the whole cluster.
pub struct Quiet {
    /// Its operator.
    pub operator: OperatorProcess,
    /// The tenant.
    pub bed: Bed,
    /// A class without tenants.
    pub class: Bed,
    /// A secret under the prefix that nobody has tagged.
    pub untagged: String,
    /// One cell at a time: nothing tells their calls apart.
    pub turn: Mutex<()>,
}

/// Held while a cell is played.
#[expect(dead_code, reason = "held, and never read")]
pub enum Place {
    Tenant(SemaphorePermit<'static>),
    Start(MutexGuard<'static, ()>),
    Class,
}

impl World {
    /// Starts both platforms at the same time.
    pub async fn start() -> Self {
        let other = thread::spawn(Instance::start);
        let crowd = Instance::own();
        let operator = crowd.start_operator_with(&LOOKS_OFTEN);
        scene::prepare(crowd).await;
        let other = other.join().expect("the other platform starts").of_this_test();
        let quiet = Quiet::on(other).await;
        let tenants = Semaphore::new(TENANTS_AT_ONCE);
        Self { crowd, quiet, _operator: operator, tenants, starts: Mutex::default() }
    }

    /// Waits for a place. Two operators cannot start at a time: nothing tells their calls apart. A class costs nothing.
    pub async fn place(&'static self, scene: Scene) -> Place {
        match scene {
            Scene::OperatorStarts => Place::Start(self.starts.lock().await),
            Scene::SharedRoleOpened => Place::Class,
            _ => Place::Tenant(self.tenants.acquire().await.expect("never closed")),
        }
    }
}

impl Quiet {
    async fn on(instance: &'static Instance) -> Self {
        let operator = instance.start_operator_with(&SWEEPS_ALL_THE_TIME);
        let bed = Bed::on(instance, "quiet").await;
        bed.ready_tenant(json!({})).await;
        let role = SharedRole::make(instance).await;
        role.open(instance).await;
        let mut class = example_class(instance);
        class["identity"]["roleArn"] = json!(role.arn);
        let class = Bed::with_class(instance, "judged", class).await;
        let untagged = format!("{}/legacy/token", place(instance).secrets_prefix);
        let secret = instance.secrets().create_secret().name(&untagged).secret_string("somebody's");
        secret.send().await.expect("a secret without tags");
        Self { operator, bed, class, untagged, turn: Mutex::default() }
    }
}
