//! Tells in each class's status how far its pod template has come.
//!
//! What decisions left is counted every few seconds; written only where it differs, and never faster than that, however
//! many tenants restart.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{rolled::rolled, written};
use crate::{
    api::{class::TenantClassStatus, names::ClassName},
    kubernetes::{Kubernetes, RequestError, Resource, definitions},
    tenant::{cache::Cache, progress::Progress},
};

/// Between two looks, and so between two writes of one class.
const PAUSE: Duration = Duration::from_secs(10);

/// Tells how far roll-outs have come.
pub struct Rollouts {
    /// Kubernetes.
    pub kubernetes: Kubernetes,
    /// What is known.
    pub cache: Arc<Cache>,
    /// Nothing is written.
    pub dry_run: bool,
}

impl Rollouts {
    /// Tells until it is told to stop. To be called while leading. Writes nothing in a dry run.
    pub async fn run(self, stop: CancellationToken) {
        let mut told = HashMap::new();
        let mut ticks = tokio::time::interval(PAUSE);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if !self.dry_run {
                self.tell(&mut told).await;
            }
        }
    }

    async fn tell(&self, told: &mut HashMap<ClassName, (i64, Progress)>) {
        let all = self.cache.progress(Timestamp::now());
        told.retain(|name, _| all.iter().any(|(class, ..)| class == name));
        for (class, generation, progress) in all {
            let news = (generation, progress);
            if news.1.is_premature() || told.get(&class) == Some(&news) {
                continue;
            }
            match self.write(&class, &news).await {
                Ok(()) => drop(told.insert(class, news)),
                Err(error) => tracing::info!(%error, %class, "how far the roll-out has come is told later"),
            }
        }
    }

    async fn write(&self, class: &ClassName, (generation, progress): &(i64, Progress)) -> Result<(), RequestError> {
        let resource = Resource::cluster(definitions::CLASS, class.as_str());
        let Some(live) = self.kubernetes.get(&resource).await? else { return Ok(()) };
        let before: TenantClassStatus = serde_json::from_value(live["status"].clone()).unwrap_or_default();
        let next = rolled(progress, &before, *generation, Timestamp::now());
        if next == before {
            return Ok(());
        }
        let text = |field: &str| live["metadata"][field].as_str();
        let metadata = json!({ "name": class, "uid": text("uid"), "resourceVersion": text("resourceVersion") });
        written(&self.kubernetes, metadata, &live["spec"], &next).await
    }
}
