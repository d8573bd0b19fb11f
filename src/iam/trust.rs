//! Who may take a role on.
//!
//! PURE. EKS Pod Identity sends six session tags with its request ("Grant Pods access to AWS resources based on tags",
//! EKS User Guide), of which three say whose pod it is, and the cluster as source. A request without session tags
//! (`disableSessionTags`) meets no condition here and is refused: a session without tags could not be told apart.

use super::{POD_IDENTITY, Place, document::Document, document::Statement};
use crate::api::names::{NamespaceName, ServiceAccountName};

/// The trust policy of a role that all tenants of a class share: any of its workspaces, on this cluster.
pub fn shared_trust(place: &Place, namespaces: &str) -> Document {
    Document::of(vec![from_cluster(place).when("StringLike", NAMESPACE, format!("{namespaces}*")).when(
        "StringLike",
        SERVICE_ACCOUNT,
        "workspace-*",
    )])
}

/// The trust policy of one tenant's role: this workspace of this incarnation, on this cluster.
pub fn tenant_trust(place: &Place, namespace: &NamespaceName, account: &ServiceAccountName) -> Document {
    exact(place, namespace.as_str(), account.as_str())
}

/// The trust policy of the operator's own role.
pub fn operator_trust(place: &Place, namespace: &str) -> Document {
    exact(place, namespace, "openclaw-tenant-operator")
}

pub(super) const NAMESPACE: &str = "aws:RequestTag/kubernetes-namespace";
pub(super) const SERVICE_ACCOUNT: &str = "aws:RequestTag/kubernetes-service-account";
pub(super) const CLUSTER: &str = "aws:RequestTag/eks-cluster-arn";

fn exact(place: &Place, namespace: &str, account: &str) -> Document {
    let statement = from_cluster(place);
    Document::of(vec![statement.when("StringEquals", NAMESPACE, namespace).when(
        "StringEquals",
        SERVICE_ACCOUNT,
        account,
    )])
}

fn from_cluster(place: &Place) -> Statement {
    Statement::trust("WorkspacesByPodIdentity", POD_IDENTITY, &["sts:AssumeRole", "sts:TagSession"])
        .when("StringEquals", CLUSTER, place.cluster_arn())
        .when("StringEquals", "aws:SourceAccount", &place.account)
        .when("ArnEquals", "aws:SourceArn", place.cluster_arn())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::iam::place::example;

    #[test]
    fn a_shared_role_is_taken_on_by_workspaces_of_the_class_on_this_cluster_only() {
        let cluster = "arn:aws:eks:eu-west-1:111122223333:cluster/prod";
        let wanted = json!({ "Version": "2012-10-17", "Statement": [{
            "Sid": "WorkspacesByPodIdentity",
            "Effect": "Allow",
            "Principal": { "Service": ["pods.eks.amazonaws.com"] },
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "ArnEquals": { "aws:SourceArn": [cluster] },
                "StringEquals": { "aws:RequestTag/eks-cluster-arn": [cluster], "aws:SourceAccount": ["111122223333"] },
                "StringLike": {
                    "aws:RequestTag/kubernetes-namespace": ["openclaw-*"],
                    "aws:RequestTag/kubernetes-service-account": ["workspace-*"],
                },
            },
        }] });
        assert_eq!(json!(shared_trust(&example(), "openclaw-")), wanted);
    }

    #[test]
    fn a_tenants_role_is_taken_on_by_its_own_incarnation_only() {
        let (namespace, account) =
            ("openclaw-alice".parse().expect("name"), "workspace-6f1c2a3b4c".parse().expect("name"));
        let trust = json!(tenant_trust(&example(), &namespace, &account));
        let equals = &trust["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(equals[NAMESPACE], json!(["openclaw-alice"]));
        assert_eq!(equals[SERVICE_ACCOUNT], json!(["workspace-6f1c2a3b4c"]));
    }
}
