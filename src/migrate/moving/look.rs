//! Looks at one tenant in the caller's own name. Before anything is moved, everything that could matter must have been seen.

use futures::future::join_all;
use kube::{Client, api::ApiResource, discovery};
use serde_json::Value;

use super::{
    ARGOCD, MoveError, Options,
    removal::Belongings,
    rivals::{self, Writers},
    sight::{Sight, is_ours},
};
use crate::{
    kubernetes::{definitions, listing::callers_cluster},
    migrate::{
        cluster::{SECRET, get, list, list_named, list_of_name, metadata, workload_kinds},
        observed::APPLICATION,
    },
    tenant::{
        child::{Kind, KindInfo, claim_name},
        views,
    },
};

const fn kind(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> KindInfo {
    KindInfo { group, version, kind, plural, namespaced: true }
}

const REPLICA_SET: KindInfo = kind("apps", "v1", "ReplicaSet", "replicasets");
const AUTOSCALER: KindInfo = kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
const SCALED_OBJECT: KindInfo = kind("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects");
const INGRESS: KindInfo = kind("networking.k8s.io", "v1", "Ingress", "ingresses");
const ROLE_BINDING: KindInfo = kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings");
const CLUSTER_ROLE_BINDING: KindInfo = KindInfo {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    namespaced: false,
};

/// What may name a Secret or a ServiceAccount, beside workloads and pods.
const REFERRERS: [KindInfo; 4] = [
    kind("apps", "v1", "DaemonSet", "daemonsets"),
    kind("batch", "v1", "Job", "jobs"),
    kind("batch", "v1", "CronJob", "cronjobs"),
    INGRESS,
];

/// What is only told.
const OTHERS: [KindInfo; 8] = [
    kind("", "v1", "Service", "services"),
    kind("", "v1", "ConfigMap", "configmaps"),
    INGRESS,
    kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    AUTOSCALER,
    SCALED_OBJECT,
    ROLE_BINDING,
];

/// Templates of agent-sandbox: what a SandboxClaim gets its pod from.
const TEMPLATES: (&str, &str) = ("extensions.agents.x-k8s.io", "SandboxTemplate");

/// Who looks.
pub struct Looker {
    /// The caller's client.
    pub client: Client,
    options: Options,
    workloads: Vec<ApiResource>,
}

fn unreadable(what: impl Into<String>) -> impl FnOnce(String) -> MoveError {
    let what = what.into();
    move |why| MoveError::Unreadable { what, why }
}

impl Looker {
    /// Connects to the cluster that the caller's environment names.
    ///
    /// # Errors
    /// Where there is none, or it cannot be told which kinds of workloads there are.
    pub async fn connect(options: &Options) -> Result<Self, MoveError> {
        let client = callers_cluster().await?;
        let workloads = workload_kinds(&client).await.map_err(unreadable("agent-sandbox"))?;
        Ok(Self { client, options: options.clone(), workloads })
    }

    /// The tenant and its former workload, as they are now.
    ///
    /// # Errors
    /// Where anything of it cannot be read.
    pub async fn look(&self) -> Result<Sight, MoveError> {
        let name = &self.options.tenant;
        let one = async |info: KindInfo, namespace: Option<&str>, name: &str| {
            let found = get(&self.client, &info.into(), namespace, name).await;
            found.map_err(unreadable(format!("{} {name}", info.kind)))
        };
        let tenant = one(definitions::TENANT, None, name.as_str()).await?;
        let tenant = tenant.ok_or_else(|| MoveError::NoTenant(name.clone()))?;
        let record = one(definitions::RECORD, None, name.as_str()).await?;
        let record = record.as_ref().and_then(views::record).ok_or_else(|| MoveError::NoRecord(name.clone()))?;
        let record = record.spec.map_err(unreadable(format!("TenantRecord {name}")))?;
        let namespace = record.namespace.name.to_string();
        let claim = one(Kind::PersistentVolumeClaim.info(), Some(&namespace), claim_name(name, &record)).await?;
        let volume = match claim.as_ref().and_then(|claim| claim["spec"]["volumeName"].as_str()) {
            Some(volume) => one(definitions::VOLUME, None, volume).await?,
            None => None,
        };
        let mut workloads = Vec::new();
        for resource in &self.workloads {
            workloads.extend(self.all(resource, &namespace).await?);
        }
        Ok(Sight {
            sets: self.all(&REPLICA_SET.into(), &namespace).await?,
            pods: self.all(&definitions::POD.into(), &namespace).await?,
            name: name.clone(),
            tenant,
            record,
            claim,
            volume,
            workloads,
        })
    }

    async fn all(&self, resource: &ApiResource, namespace: &str) -> Result<Vec<Value>, MoveError> {
        let found = list_named(&self.client, resource, Some(namespace)).await;
        found.map_err(unreadable(format!("namespace {namespace}")))
    }

    /// Who writes or scales what is in the namespace.
    ///
    /// # Errors
    /// Where any of it cannot be read: who was not seen could start the former workload again.
    pub async fn writers(&self, sight: &Sight) -> Result<Writers, MoveError> {
        let (namespace, named) = (sight.namespace(), &self.options.argocd_namespaces);
        let mut applications = Vec::new();
        let where_it_is = [ARGOCD.to_owned()];
        for argo in if named.is_empty() { where_it_is.as_slice() } else { named } {
            let found = list(&self.client, &APPLICATION.into(), Some(argo)).await;
            applications.extend(found.map_err(unreadable(format!("namespace {argo}")))?);
        }
        for mark in rivals::absent(sight, &applications) {
            // Not everybody may look everywhere; then what the caller has named decides.
            if let Ok(found) = list_of_name(&self.client, &APPLICATION.into(), &mark.name).await {
                applications.extend(found.into_iter().filter(|one| mark.is_of(sight, one)));
            }
        }
        Ok(Writers {
            applications,
            named: named.clone(),
            autoscalers: self.all(&AUTOSCALER.into(), namespace).await?,
            scaled_objects: self.all(&SCALED_OBJECT.into(), namespace).await?,
        })
    }

    /// What lies in the namespace beside workloads. What cannot be read is said, and keeps what it could be about.
    ///
    /// # Errors
    /// Where the names of Secrets, the ServiceAccounts or whose the claims are cannot be read.
    pub async fn belongings(&self, sight: &Sight) -> Result<Belongings, MoveError> {
        let namespace = sight.namespace();
        let secrets = metadata(&self.client, &SECRET.into(), namespace).await;
        let claims = metadata(&self.client, &Kind::PersistentVolumeClaim.info().into(), namespace).await;
        let mut found = Belongings {
            secrets: secrets.map_err(unreadable(format!("namespace {namespace}")))?,
            claims: claims.map_err(unreadable(format!("namespace {namespace}")))?,
            accounts: self.all(&Kind::ServiceAccount.info().into(), namespace).await?,
            ..Belongings::default()
        };
        let mut referrers: Vec<ApiResource> = REFERRERS.map(ApiResource::from).into();
        match discovery::group(&self.client, TEMPLATES.0).await {
            Ok(group) => referrers.extend(group.recommended_kind(TEMPLATES.1).map(|(resource, _)| resource)),
            Err(kube::Error::Discovery(_)) => {}
            Err(error) => found.unread.push(format!("what {} serves: {error}", TEMPLATES.0)),
        }
        for resource in &referrers {
            match list_named(&self.client, resource, Some(namespace)).await {
                Ok(all) => found.referrers.extend(all),
                Err(why) => found.unread.push(why),
            }
        }
        for (info, place) in [(ROLE_BINDING, Some(namespace)), (CLUSTER_ROLE_BINDING, None)] {
            match list_named(&self.client, &info.into(), place).await {
                Ok(all) => found.referrers.extend(all),
                Err(why) => found.unread_bindings.push(why),
            }
        }
        found.others = self.others(sight).await;
        Ok(found)
    }

    /// What is only told; what cannot be read of it is not.
    async fn others(&self, sight: &Sight) -> Vec<Value> {
        let resources = OTHERS.map(ApiResource::from);
        let lists = resources.iter().map(|resource| metadata(&self.client, resource, sight.namespace()));
        let all = join_all(lists).await.into_iter().flatten().flatten();
        // Every namespace has that ConfigMap.
        let is_known =
            |one: &Value| is_ours(one) || (one["kind"] == "ConfigMap" && views::name(one) == "kube-root-ca.crt");
        all.filter(|one| !is_known(one)).collect()
    }
}
