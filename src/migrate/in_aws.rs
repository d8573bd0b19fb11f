//! The old side's AWS half, looked at and tagged with the caller's own credentials. No value of a secret is ever read: the traits of
//! [`crate::aws`] have no way to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::BoxFuture;
use kube::Client;
use serde_json::Value;
use smol_str::SmolStr;

use super::{
    MigrateError,
    cloud::{CloudSight, Target, contradiction},
    cluster::get,
    report::TenantReport,
};
use crate::{
    api::{
        labels::tags,
        names::{NamespaceName, SecretsPrefix, Uid},
    },
    aws::{
        self, AwsError, AwsSettings, PodIdentity, Rates, Secrets,
        types::{Association, Secret, Tags},
    },
    fence::Fence,
    kubernetes::definitions,
};

/// How AWS is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsOptions {
    /// The EKS cluster's name.
    pub cluster_name: String,
    /// The region, where it shall not be discovered.
    pub region: Option<String>,
    /// What secrets' names begin with.
    pub secrets_prefix: SecretsPrefix,
}

/// AWS with the caller's own credentials.
pub struct Aws {
    options: AwsOptions,
    region: String,
    secrets: Arc<dyn Secrets>,
    pod_identity: Arc<dyn PodIdentity>,
}

impl Aws {
    /// Connects; nothing is sent yet. What may be tagged is decided by whoever may write: for everybody else the way is closed.
    ///
    /// # Errors
    /// Where the region is missing, or an endpoint is no URL.
    pub async fn connect(options: &AwsOptions, may_tag: bool) -> Result<Self, MigrateError> {
        let settings = AwsSettings {
            cluster_name: options.cluster_name.clone(),
            region: options.region.clone(),
            rates: Rates::default(),
        };
        let fence = if may_tag { Fence::of_a_person() } else { Fence::closed() };
        let clients = aws::connect(settings, fence, None).await?;
        Ok(Self {
            options: options.clone(),
            region: clients.region.clone(),
            secrets: clients.secrets,
            pod_identity: clients.pod_identity,
        })
    }

    /// Looks at what these tenants have, each with its namespace. What cannot be read is said, and nothing is said of it.
    pub async fn look(
        &self,
        client: &Client,
        tenants: &BTreeMap<String, NamespaceName>,
        unread: &mut BTreeSet<String>,
    ) -> Option<CloudSight> {
        let system = get(client, &definitions::NAMESPACE.into(), None, "kube-system").await;
        let uid = system.map(|found| found.and_then(|one| cluster_uid(&one)));
        let cluster_uid = match uid {
            Ok(Some(uid)) => uid,
            Ok(None) => {
                return told(
                    Err("AWS: namespace kube-system has no UID, by which clusters are told apart".to_owned()),
                    unread,
                );
            }
            Err(why) => return told(Err(format!("AWS: Namespace kube-system: {why}")), unread),
        };
        let said = |what: &str| format!("AWS {what}");
        let secrets = self.secrets(tenants).await.map_err(|error| format!("{}: {error}", said("secrets")));
        let associations =
            self.associations(tenants).await.map_err(|error| format!("{}: {error}", said("associations")));
        Some(CloudSight {
            cluster_name: self.options.cluster_name.clone(),
            cluster_uid,
            region: self.region.clone(),
            prefix: self.options.secrets_prefix.clone(),
            secrets: told(secrets, unread).unwrap_or_default(),
            associations: told(associations, unread).unwrap_or_default(),
        })
    }

    /// Listed once, described one by one: a listing shows tags minutes late.
    async fn secrets(
        &self,
        tenants: &BTreeMap<String, NamespaceName>,
    ) -> Result<BTreeMap<String, Vec<Secret>>, AwsError> {
        let listed = self.secrets.list(&format!("{}/", self.options.secrets_prefix)).await?;
        let mut all = BTreeMap::new();
        for tenant in tenants.keys() {
            let beginning = format!("{}/{tenant}/", self.options.secrets_prefix);
            let mut found = Vec::new();
            for one in listed.iter().filter(|one| one.secret.name.starts_with(&beginning)) {
                found.extend(self.secrets.describe(&one.secret.name).await?);
            }
            found.sort_by(|one, other| one.name.cmp(&other.name));
            all.insert(tenant.clone(), found);
        }
        Ok(all)
    }

    async fn associations(
        &self,
        tenants: &BTreeMap<String, NamespaceName>,
    ) -> Result<BTreeMap<String, Vec<Association>>, AwsError> {
        let listed = self.pod_identity.list().await?;
        let mut all = BTreeMap::new();
        for (tenant, namespace) in tenants {
            let mut found = Vec::new();
            for one in listed.iter().filter(|one| one.namespace == namespace.as_str() && !one.is_addons) {
                found.extend(self.pod_identity.describe(&one.id).await?);
            }
            found.sort_by(|one, other| one.id.cmp(&other.id));
            all.insert(tenant.clone(), found);
        }
        Ok(all)
    }

    /// Lets everything consent that was found to be silent, by a look just before; what was done, or why the rest was not.
    pub async fn consent(&self, report: &TenantReport, sight: &CloudSight) -> (Vec<String>, Option<String>) {
        let mut done = Vec::new();
        let Some((cloud, owner)) = report.cloud.as_ref().zip(report.owner.as_ref()) else { return (done, None) };
        for target in cloud.silent() {
            let speaks_against =
                |actual: &Tags| contradiction(actual, &report.name, owner, &sight.cluster_uid).map_or(Ok(()), Err);
            match self.tag(target, &report.name, &speaks_against).await {
                Ok(()) => done.push(format!("{target}: tagged with {}={}", tags::ADOPT_BY, report.name)),
                Err(why) => return (done, Some(format!("{target}: {why}"))),
            }
        }
        (done, None)
    }

    fn tag<'a>(
        &'a self,
        target: &'a Target,
        tenant: &'a str,
        check: &'a (dyn Fn(&Tags) -> Result<(), String> + Sync),
    ) -> BoxFuture<'a, Result<(), String>> {
        let gone = || "it is gone".to_owned();
        let wanted = Tags::from_iter([(SmolStr::new_static(tags::ADOPT_BY), tenant.into())]);
        Box::pin(async move {
            let said = |error: AwsError| error.to_string();
            match target {
                Target::Secret { name, .. } => {
                    let live = self.secrets.describe(name).await.map_err(said)?.ok_or_else(gone)?;
                    check(&live.tags)?;
                    self.secrets.tag(&live.arn, &wanted).await.map_err(said)
                }
                Target::Association { id, .. } => {
                    let live = self.pod_identity.describe(id).await.map_err(said)?.ok_or_else(gone)?;
                    check(&live.tags)?;
                    self.pod_identity.tag(&live, &wanted).await.map_err(said)
                }
            }
        })
    }
}

fn cluster_uid(system: &Value) -> Option<Uid> {
    system["metadata"]["uid"].as_str()?.parse().ok()
}

fn told<T>(found: Result<T, String>, unread: &mut BTreeSet<String>) -> Option<T> {
    found.map_err(|why| unread.insert(why)).ok()
}
