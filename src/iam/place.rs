//! Where the documents hold: account, region, cluster and prefix, and the ARNs that follow from them.

use crate::{
    api::names::{ClusterArn, SecretsPrefix, Uid},
    tenant::settings::Settings,
};

/// Where documents hold. Plain texts: in a template they are its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition, such as `aws`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account.
    pub account: String,
    /// The EKS cluster's name.
    pub cluster: String,
    /// UID of `kube-system`, by which resources of clusters of the same name are told apart.
    pub cluster_uid: String,
    /// What secret names begin with.
    pub secrets_prefix: String,
}

impl Place {
    /// The place of this cluster.
    pub fn new(cluster: &ClusterArn, uid: &Uid, prefix: &SecretsPrefix) -> Self {
        // arn:<partition>:eks:<region>:<account>:cluster/<name>, as ClusterArn has checked.
        let part = |index| cluster.as_str().split(':').nth(index).unwrap_or_default().to_owned();
        Self {
            partition: part(1),
            region: part(3),
            account: part(4),
            cluster: part(5).trim_start_matches("cluster/").to_owned(),
            cluster_uid: uid.to_string(),
            secrets_prefix: prefix.to_string(),
        }
    }

    /// The place that the operator serves; `None` outside AWS.
    pub fn of(settings: &Settings) -> Option<Self> {
        let cluster = settings.eks.as_ref()?;
        Some(Self::new(&cluster.arn, &settings.cluster_uid, &settings.secrets_prefix))
    }

    /// The same with secrets under another prefix: a tenant's is fixed in its record.
    #[must_use]
    pub fn with_prefix(self, prefix: &SecretsPrefix) -> Self {
        Self { secrets_prefix: prefix.to_string(), ..self }
    }

    /// The cluster.
    pub fn cluster_arn(&self) -> String {
        format!("arn:{}:eks:{}:{}:cluster/{}", self.partition, self.region, self.account, self.cluster)
    }

    /// Every association of the cluster.
    pub(super) fn associations(&self) -> String {
        format!("arn:{}:eks:{}:{}:podidentityassociation/{}/*", self.partition, self.region, self.account, self.cluster)
    }

    /// Every secret whose name begins with the prefix and this.
    pub(super) fn secrets(&self, below: &str) -> String {
        format!(
            "arn:{}:secretsmanager:{}:{}:secret:{}/{below}*",
            self.partition, self.region, self.account, self.secrets_prefix
        )
    }

    /// The path of the roles that are made for tenants.
    pub fn role_path(&self) -> String {
        format!("/openclaw/{}/", self.cluster)
    }

    /// Every role that is made for a tenant.
    pub(super) fn tenant_roles(&self) -> String {
        self.tenant_role("*")
    }

    /// The same names without the path: IAM judges a look at a role that does not exist by its name alone.
    pub(super) fn names_of_tenant_roles(&self) -> String {
        format!("arn:{}:iam::{}:role/openclaw-*", self.partition, self.account)
    }

    /// The role of this name that is made for a tenant.
    pub fn tenant_role(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:role{}{name}", self.partition, self.account, self.role_path())
    }

    /// The endpoint by which Secrets Manager uses a key on a caller's behalf.
    pub(super) fn via_secrets_manager(&self) -> String {
        format!("secretsmanager.{}.amazonaws.com", self.region)
    }
}

#[cfg(test)]
pub(super) fn example() -> Place {
    Place {
        partition: "aws".into(),
        region: "eu-west-1".into(),
        account: "111122223333".into(),
        cluster: "prod".into(),
        cluster_uid: "0c9d7e11-2222-4333-8444-555566667777".into(),
        secrets_prefix: "openclaw".into(),
    }
}
