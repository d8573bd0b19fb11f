//! Which object a request is about.

use std::fmt;

use kube::api::ApiResource;

use crate::{
    api::{
        labels::GROUP,
        names::{NamespaceName, TenantName},
    },
    tenant::child::{KindInfo, ObjectKey},
};

/// One object, by kind, place and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    info: KindInfo,
    namespace: Option<NamespaceName>,
    name: String,
    subresource: Option<&'static str>,
}

const fn ours(kind: &'static str, plural: &'static str) -> KindInfo {
    KindInfo { group: GROUP, version: "v1alpha1", kind, plural, namespaced: false }
}

/// Kinds beside the children.
pub mod definitions {
    use super::{KindInfo, ours};

    /// Tenant.
    pub const TENANT: KindInfo = ours("Tenant", "tenants");
    /// TenantRecord.
    pub const RECORD: KindInfo = ours("TenantRecord", "tenantrecords");
    /// TenantClass.
    pub const CLASS: KindInfo = ours("TenantClass", "tenantclasses");
    /// Pod.
    pub const POD: KindInfo = KindInfo { group: "", version: "v1", kind: "Pod", plural: "pods", namespaced: true };
    /// Event.
    pub const EVENT: KindInfo =
        KindInfo { group: "", version: "v1", kind: "Event", plural: "events", namespaced: true };
    /// PersistentVolume.
    pub const VOLUME: KindInfo =
        KindInfo { group: "", version: "v1", kind: "PersistentVolume", plural: "persistentvolumes", namespaced: false };
    /// StorageClass.
    pub const STORAGE_CLASS: KindInfo = KindInfo {
        group: "storage.k8s.io",
        version: "v1",
        kind: "StorageClass",
        plural: "storageclasses",
        namespaced: false,
    };
    /// CustomResourceDefinition.
    pub const DEFINITION: KindInfo = KindInfo {
        group: "apiextensions.k8s.io",
        version: "v1",
        kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions",
        namespaced: false,
    };
    /// PolicyEndpoint, of the VPC CNI's policy controller.
    pub const POLICY_ENDPOINT: KindInfo = KindInfo {
        group: "networking.k8s.aws",
        version: "v1alpha1",
        kind: "PolicyEndpoint",
        plural: "policyendpoints",
        namespaced: true,
    };
    /// CiliumEndpoint.
    pub const CILIUM_ENDPOINT: KindInfo = KindInfo {
        group: "cilium.io",
        version: "v2",
        kind: "CiliumEndpoint",
        plural: "ciliumendpoints",
        namespaced: true,
    };
    /// Namespace.
    pub const NAMESPACE: KindInfo =
        KindInfo { group: "", version: "v1", kind: "Namespace", plural: "namespaces", namespaced: false };
}

impl From<KindInfo> for ApiResource {
    fn from(info: KindInfo) -> Self {
        Self {
            group: info.group.to_owned(),
            version: info.version.to_owned(),
            api_version: info.api_version(),
            kind: info.kind.to_owned(),
            plural: info.plural.to_owned(),
        }
    }
}

impl Resource {
    /// A child of a tenant.
    pub fn child(key: &ObjectKey) -> Self {
        Self { info: key.kind.info(), namespace: key.namespace.clone(), name: key.name.to_string(), subresource: None }
    }

    /// A cluster-scoped object.
    pub fn cluster(info: KindInfo, name: &str) -> Self {
        Self { info, namespace: None, name: name.to_owned(), subresource: None }
    }

    /// An object in a namespace.
    pub fn in_namespace(info: KindInfo, namespace: &NamespaceName, name: &str) -> Self {
        Self { info, namespace: Some(namespace.clone()), name: name.to_owned(), subresource: None }
    }

    /// All objects of a kind in a namespace.
    pub const fn all_in(info: KindInfo, namespace: NamespaceName) -> Self {
        Self { info, namespace: Some(namespace), name: String::new(), subresource: None }
    }

    /// The status of a Tenant.
    pub fn tenant_status(name: &TenantName) -> Self {
        Self { subresource: Some("status"), ..Self::cluster(definitions::TENANT, name.as_str()) }
    }

    /// The status of a TenantClass.
    pub fn class_status(name: &str) -> Self {
        Self { subresource: Some("status"), ..Self::cluster(definitions::CLASS, name) }
    }

    /// Its kind.
    pub const fn kind(&self) -> &'static str {
        self.info.kind
    }

    /// What to do where the server does not know a field of it.
    pub(super) fn what_knows_fields(&self) -> String {
        let KindInfo { group, kind, plural, .. } = self.info;
        if group == GROUP {
            return format!(
                "CustomResourceDefinition {plural}.{GROUP} is older than this operator: apply those of the operator's version \
                 over it (kubectl apply --server-side -f crds/). Until then nothing is written that would be forgotten"
            );
        }
        format!(
            "This cluster serves {kind} ({}) without that field: see which versions of it, or of Kubernetes, the operator needs, \
             and upgrade it",
            self.info.api_version()
        )
    }

    /// Path of the collection that it is in.
    pub fn collection_path(&self) -> String {
        let root = if self.info.group.is_empty() {
            format!("/api/{}", self.info.version)
        } else {
            format!("/apis/{}/{}", self.info.group, self.info.version)
        };
        match &self.namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.info.plural),
            None => format!("{root}/{}", self.info.plural),
        }
    }

    /// Its own path.
    pub fn path(&self) -> String {
        let subresource = self.subresource.map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}/{}{subresource}", self.collection_path(), self.name)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subresource = self.subresource.map(|name| format!(" ({name})")).unwrap_or_default();
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}{subresource}", self.info.kind, self.name),
            None => write!(f, "{} {}{subresource}", self.info.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let namespace: NamespaceName = "openclaw-a".parse().expect("name");
        let pod = Resource::in_namespace(definitions::POD, &namespace, "a-0");
        assert_eq!(pod.path(), "/api/v1/namespaces/openclaw-a/pods/a-0");
        let status = Resource::tenant_status(&"a".parse().expect("name"));
        assert_eq!(status.path(), "/apis/openclaw.io/v1alpha1/tenants/a/status");
        assert_eq!(status.to_string(), "Tenant a (status)");
    }
}
