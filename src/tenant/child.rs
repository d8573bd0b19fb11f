//! The Kubernetes objects that one Tenant becomes, as one closed list.
//!
//! Everything that treats children differently matches on [`Child`] without a wildcard: a new kind does not compile
//! until it is built, staged, compared, shown in a condition and taken down.

use std::fmt;

use smol_str::SmolStr;

use crate::api::{
    labels,
    names::{NamespaceName, TenantName},
    record::TenantRecordSpec,
};

macro_rules! closed_list {
    ($(#[$list_doc:meta])* $list:ident { $($(#[$doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$list_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $list { $($(#[$doc])* $variant),+ }

        impl $list {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    };
}

closed_list! {
    /// One object that a Tenant becomes.
    Child {
        /// The namespace itself.
        Namespace,
        /// CPU, memory, pods, claims and storage.
        ResourceQuota,
        /// Defaults for containers that ask for nothing.
        LimitRange,
        /// Denies all traffic.
        DefaultDeny,
        /// Allows what may pass.
        Allowlist,
        /// Allows what may be reached by its name.
        DomainPolicy,
        /// What a drain may do.
        DisruptionBudget,
        /// Who the workspace is.
        ServiceAccount,
        /// The volume.
        Claim,
        /// Configuration and secret resolver.
        ConfigMap,
        /// The port of the gateway.
        Service,
        /// The gateway itself.
        StatefulSet,
        /// Wakes the gateway when somebody comes, and lets it sleep when nobody does.
        ScaledObject,
        /// How the interceptor tells whose a request is.
        InterceptorRoute,
        /// Lets the route lead to the interceptor, in the interceptor's namespace.
        InterceptorGrant,
        /// How the load balancer reaches the workspace and sees that it is well.
        TargetGroup,
        /// How the owner reaches it.
        Route,
        /// Lets the owner see what runs in the namespace.
        OwnerBinding,
        /// The right to see this one Tenant.
        OwnerRole,
        /// Gives the owner that right.
        OwnerRoleBinding,
    }
}

closed_list! {
    /// One API kind among the children.
    Kind {
        /// `v1` Namespace.
        Namespace,
        /// `v1` ResourceQuota.
        ResourceQuota,
        /// `v1` LimitRange.
        LimitRange,
        /// `networking.k8s.io/v1` NetworkPolicy.
        NetworkPolicy,
        /// `policy/v1` PodDisruptionBudget.
        PodDisruptionBudget,
        /// `v1` ServiceAccount.
        ServiceAccount,
        /// `v1` PersistentVolumeClaim.
        PersistentVolumeClaim,
        /// `v1` ConfigMap.
        ConfigMap,
        /// `v1` Service.
        Service,
        /// `apps/v1` StatefulSet.
        StatefulSet,
        /// `gateway.networking.k8s.io/v1` HTTPRoute.
        HttpRoute,
        /// `cilium.io/v2` CiliumNetworkPolicy.
        CiliumNetworkPolicy,
        /// `keda.sh/v1alpha1` ScaledObject.
        ScaledObject,
        /// `http.keda.sh/v1beta1` InterceptorRoute, of KEDA's HTTP add-on.
        InterceptorRoute,
        /// `gateway.networking.k8s.io/v1beta1` ReferenceGrant.
        ReferenceGrant,
        /// `gateway.k8s.aws/v1beta1` TargetGroupConfiguration, of the AWS Load Balancer Controller.
        TargetGroupConfiguration,
        /// `rbac.authorization.k8s.io/v1` RoleBinding.
        RoleBinding,
        /// `rbac.authorization.k8s.io/v1` ClusterRole.
        ClusterRole,
        /// `rbac.authorization.k8s.io/v1` ClusterRoleBinding.
        ClusterRoleBinding,
    }
}

closed_list! {
    /// One part of a tenant with a condition of its own.
    Part {
        /// Namespace, quota and defaults.
        Namespace,
        /// Network policies.
        Network,
        /// ServiceAccount and Pod Identity association.
        Identity,
        /// Secrets in Secrets Manager.
        Secrets,
        /// Claim and volume.
        Storage,
        /// The running gateway.
        Workload,
        /// The way to it.
        Route,
    }
}

/// When a child may be written (rule S5). Later stages wait for all of the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// First of all.
    Namespace,
    /// What shuts the workspace in and gives it its identity and volume.
    Confinement,
    /// The workspace and the way to it.
    Workspace,
}

/// Group, version, kind and plural of an API kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural, as in URLs.
    pub plural: &'static str,
    /// Whether objects of it lie in a namespace.
    pub namespaced: bool,
}

impl KindInfo {
    /// `apiVersion` as it stands in an object.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
}

impl Kind {
    /// What the API calls it.
    pub const fn info(self) -> KindInfo {
        match self {
            Self::Namespace => cluster_wide("", "v1", "Namespace", "namespaces"),
            Self::ResourceQuota => core_kind("ResourceQuota", "resourcequotas"),
            Self::LimitRange => core_kind("LimitRange", "limitranges"),
            Self::NetworkPolicy => grouped("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::PodDisruptionBudget => grouped("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
            Self::ServiceAccount => core_kind("ServiceAccount", "serviceaccounts"),
            Self::PersistentVolumeClaim => core_kind("PersistentVolumeClaim", "persistentvolumeclaims"),
            Self::ConfigMap => core_kind("ConfigMap", "configmaps"),
            Self::Service => core_kind("Service", "services"),
            Self::StatefulSet => grouped("apps", "v1", "StatefulSet", "statefulsets"),
            Self::HttpRoute => grouped(GATEWAY_API, "v1", "HTTPRoute", "httproutes"),
            Self::CiliumNetworkPolicy => grouped("cilium.io", "v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies"),
            Self::ScaledObject => grouped("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
            Self::InterceptorRoute => grouped("http.keda.sh", "v1beta1", "InterceptorRoute", "interceptorroutes"),
            Self::ReferenceGrant => grouped(GATEWAY_API, "v1beta1", "ReferenceGrant", "referencegrants"),
            Self::TargetGroupConfiguration => {
                grouped("gateway.k8s.aws", "v1beta1", "TargetGroupConfiguration", "targetgroupconfigurations")
            }
            Self::RoleBinding => grouped(RBAC, "v1", "RoleBinding", "rolebindings"),
            Self::ClusterRole => cluster_wide(RBAC, "v1", "ClusterRole", "clusterroles"),
            Self::ClusterRoleBinding => cluster_wide(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings"),
        }
    }

    /// Whether the operator may do without it, because the cluster does not serve it or because it was not given the rights: only
    /// classes that ask for it need it.
    pub const fn is_optional(self) -> bool {
        match self {
            Self::Namespace
            | Self::ResourceQuota
            | Self::LimitRange
            | Self::NetworkPolicy
            | Self::PodDisruptionBudget
            | Self::ServiceAccount
            | Self::PersistentVolumeClaim
            | Self::ConfigMap
            | Self::Service
            | Self::StatefulSet
            | Self::HttpRoute => false,
            Self::CiliumNetworkPolicy
            | Self::ScaledObject
            | Self::InterceptorRoute
            | Self::ReferenceGrant
            | Self::TargetGroupConfiguration
            | Self::RoleBinding
            | Self::ClusterRole
            | Self::ClusterRoleBinding => true,
        }
    }

    /// Whether every API server serves it. Where it is optional all the same, it is the right to it that may be missing.
    pub const fn is_built_in(self) -> bool {
        self.comes_with().is_none()
    }

    /// Whose it is and what has to be installed for a cluster to serve it; nothing for kinds that every cluster has.
    pub const fn comes_with(self) -> Option<&'static str> {
        match self {
            Self::CiliumNetworkPolicy => Some("Cilium"),
            Self::ScaledObject => Some("KEDA"),
            Self::InterceptorRoute => Some("KEDA's HTTP add-on, 0.14 or newer"),
            Self::HttpRoute | Self::ReferenceGrant => Some("the Gateway API's standard channel"),
            Self::TargetGroupConfiguration => Some("the AWS Load Balancer Controller with its Gateway API CRDs"),
            Self::Namespace
            | Self::ResourceQuota
            | Self::LimitRange
            | Self::NetworkPolicy
            | Self::PodDisruptionBudget
            | Self::ServiceAccount
            | Self::PersistentVolumeClaim
            | Self::ConfigMap
            | Self::Service
            | Self::StatefulSet
            | Self::RoleBinding
            | Self::ClusterRole
            | Self::ClusterRoleBinding => None,
        }
    }
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

const fn core_kind(kind: &'static str, plural: &'static str) -> KindInfo {
    KindInfo { group: "", version: "v1", kind, plural, namespaced: true }
}

const fn grouped(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> KindInfo {
    KindInfo { group, version, kind, plural, namespaced: true }
}

const fn cluster_wide(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> KindInfo {
    KindInfo { group, version, kind, plural, namespaced: false }
}

impl Child {
    /// Its API kind.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Namespace => Kind::Namespace,
            Self::ResourceQuota => Kind::ResourceQuota,
            Self::LimitRange => Kind::LimitRange,
            Self::DefaultDeny | Self::Allowlist => Kind::NetworkPolicy,
            Self::DisruptionBudget => Kind::PodDisruptionBudget,
            Self::ServiceAccount => Kind::ServiceAccount,
            Self::Claim => Kind::PersistentVolumeClaim,
            Self::ConfigMap => Kind::ConfigMap,
            Self::Service => Kind::Service,
            Self::StatefulSet => Kind::StatefulSet,
            Self::Route => Kind::HttpRoute,
            Self::DomainPolicy => Kind::CiliumNetworkPolicy,
            Self::ScaledObject => Kind::ScaledObject,
            Self::InterceptorRoute => Kind::InterceptorRoute,
            Self::InterceptorGrant => Kind::ReferenceGrant,
            Self::TargetGroup => Kind::TargetGroupConfiguration,
            Self::OwnerBinding => Kind::RoleBinding,
            Self::OwnerRole => Kind::ClusterRole,
            Self::OwnerRoleBinding => Kind::ClusterRoleBinding,
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Namespace => "the namespace",
            Self::ResourceQuota => "the ResourceQuota",
            Self::LimitRange => "the LimitRange",
            Self::DefaultDeny => "NetworkPolicy default-deny",
            Self::Allowlist => "the allowing NetworkPolicy",
            Self::DisruptionBudget => "the PodDisruptionBudget",
            Self::ServiceAccount => "the ServiceAccount",
            Self::Claim => "the claim",
            Self::ConfigMap => "the ConfigMap",
            Self::Service => "the Service",
            Self::StatefulSet => "the StatefulSet",
            Self::Route => "the HTTPRoute",
            Self::DomainPolicy => "the CiliumNetworkPolicy",
            Self::ScaledObject => "the ScaledObject",
            Self::InterceptorRoute => "the InterceptorRoute",
            Self::InterceptorGrant => "the interceptor's ReferenceGrant",
            Self::TargetGroup => "the TargetGroupConfiguration",
            Self::OwnerBinding => "the owner's RoleBinding",
            Self::OwnerRole => "the owner's ClusterRole",
            Self::OwnerRoleBinding => "the owner's ClusterRoleBinding",
        }
    }

    /// When it may be written.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Namespace => Stage::Namespace,
            Self::ResourceQuota
            | Self::LimitRange
            | Self::DefaultDeny
            | Self::Allowlist
            | Self::DomainPolicy
            | Self::DisruptionBudget
            | Self::ServiceAccount
            | Self::Claim => Stage::Confinement,
            Self::ConfigMap
            | Self::Service
            | Self::StatefulSet
            | Self::ScaledObject
            | Self::InterceptorRoute
            | Self::InterceptorGrant
            | Self::TargetGroup
            | Self::Route
            | Self::OwnerBinding
            | Self::OwnerRole
            | Self::OwnerRoleBinding => Stage::Workspace,
        }
    }

    /// The condition that tells of it.
    pub const fn part(self) -> Part {
        match self {
            Self::Namespace | Self::ResourceQuota | Self::LimitRange => Part::Namespace,
            Self::DefaultDeny | Self::Allowlist | Self::DomainPolicy => Part::Network,
            Self::ServiceAccount => Part::Identity,
            Self::Claim => Part::Storage,
            Self::DisruptionBudget | Self::ConfigMap | Self::Service | Self::StatefulSet | Self::ScaledObject => {
                Part::Workload
            }
            Self::Route
            | Self::InterceptorRoute
            | Self::InterceptorGrant
            | Self::TargetGroup
            | Self::OwnerBinding
            | Self::OwnerRole
            | Self::OwnerRoleBinding => Part::Route,
        }
    }

    /// What becomes of it when access ends (suspend, and the beginning of every deletion).
    pub const fn when_access_ends(self) -> WhenAccessEnds {
        match self {
            // The scaler too: nothing may start a pod again.
            Self::Route
            | Self::InterceptorRoute
            | Self::InterceptorGrant
            | Self::ScaledObject
            | Self::OwnerBinding
            | Self::OwnerRole
            | Self::OwnerRoleBinding => WhenAccessEnds::Removed,
            Self::StatefulSet => WhenAccessEnds::ScaledToZero,
            Self::Namespace
            | Self::ResourceQuota
            | Self::LimitRange
            | Self::DefaultDeny
            | Self::Allowlist
            | Self::DomainPolicy
            | Self::DisruptionBudget
            | Self::ServiceAccount
            | Self::Claim
            | Self::ConfigMap
            | Self::TargetGroup
            | Self::Service => WhenAccessEnds::Stays,
        }
    }

    /// Whether it lies outside of the tenant's namespace: it does not go with that.
    pub const fn lies_outside(self) -> bool {
        let is_cluster_wide = !matches!(self, Self::Namespace) && !self.kind().info().namespaced;
        is_cluster_wide || matches!(self, Self::InterceptorGrant)
    }

    /// Where it is. A grant that no interceptor needs has its place in the tenant's own namespace, where it would do nothing.
    pub fn key(self, tenant: &TenantName, record: &TenantRecordSpec) -> ObjectKey {
        let name: SmolStr = match self {
            Self::Namespace => record.namespace.name.as_str().into(),
            Self::DefaultDeny => SmolStr::new_static("default-deny"),
            Self::ServiceAccount => record.service_account.as_str().into(),
            Self::Claim => claim_name(tenant, record).into(),
            Self::InterceptorGrant => grant_name(tenant).into(),
            Self::OwnerRole | Self::OwnerRoleBinding => labels::owner_role(tenant).into(),
            Self::ResourceQuota
            | Self::LimitRange
            | Self::Allowlist
            | Self::DomainPolicy
            | Self::DisruptionBudget
            | Self::ConfigMap
            | Self::Service
            | Self::StatefulSet
            | Self::ScaledObject
            | Self::InterceptorRoute
            | Self::TargetGroup
            | Self::Route
            | Self::OwnerBinding => tenant.as_str().into(),
        };
        let home = match &record.routing.interceptor {
            Some(interceptor) if self == Self::InterceptorGrant => interceptor,
            _ => &record.namespace.name,
        };
        let kind = self.kind();
        let namespace = kind.info().namespaced.then(|| home.clone());
        ObjectKey { kind, namespace, name }
    }
}

/// The name of a tenant's ReferenceGrant in the interceptor's namespace, where those of all tenants lie side by side.
pub fn grant_name(tenant: &TenantName) -> String {
    format!("openclaw-{tenant}")
}

/// The name of the tenant's claim: an adopted one keeps the name that it was made with.
pub fn claim_name<'a>(tenant: &'a TenantName, record: &'a TenantRecordSpec) -> &'a str {
    record.storage.claim.as_deref().unwrap_or(tenant.as_str())
}

/// What becomes of a child when access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenAccessEnds {
    /// It is deleted; it holds no data.
    Removed,
    /// It stays, with no pods.
    ScaledToZero,
    /// It stays as it is.
    Stays,
}

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; `None` for what is cluster-scoped.
    pub namespace: Option<NamespaceName>,
    /// Its name.
    pub name: SmolStr,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.info().kind;
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{}", self.name),
            None => write!(f, "{kind} {}", self.name),
        }
    }
}

impl Part {
    /// The type of its condition.
    pub const fn condition(self) -> &'static str {
        match self {
            Self::Namespace => "NamespaceReady",
            Self::Network => "NetworkReady",
            Self::Identity => "IdentityReady",
            Self::Secrets => "SecretsReady",
            Self::Storage => "StorageReady",
            Self::Workload => "WorkloadReady",
            Self::Route => "RouteReady",
        }
    }
}
