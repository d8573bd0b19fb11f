//! One tenant's plan of building: class and Tenant merged, limits checked, everything resolved.
//!
//! PURE. Builders take a [`Blueprint`] and decide nothing; what a Tenant may not have is refused here, by name.

use crate::api::{
    class::{IdentityMode, ScaleToZero, SecretsMode, TenantClassSpec},
    names::{SecretItemName, TenantName},
    quantity::Quantity,
    record::{SecretOrigin, TenantRecordSpec},
    tenant::{CidrRule, CpuMemory, EnvVar, TenantSpec},
};

use super::{egress::resolve_egress, reason::Reason, settings::Settings};

/// Why a Tenant cannot be built as it is written. Only a person can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The reason of the Stalled condition.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Everything that the builders need, resolved.
#[derive(Clone, Debug)]
pub struct Blueprint<'a> {
    /// The tenant.
    pub tenant: &'a TenantName,
    /// Its class.
    pub class: &'a TenantClassSpec,
    /// Its record.
    pub record: &'a TenantRecordSpec,
    /// The operator's surroundings.
    pub settings: &'a Settings,
    /// Whether the workspace runs, or access has ended.
    pub open: bool,
    /// Whether the workspace stays down although it is open: its token has leaked, and it does not start with another.
    pub stopped: bool,
    /// The quota.
    pub quota: ResolvedQuota,
    /// Requests of the gateway container.
    pub requests: CpuMemory,
    /// Limits of the gateway container.
    pub limits: CpuMemory,
    /// The size that is wanted of the volume.
    pub size: Quantity,
    /// The size that the claim asks for: less than wanted where the storage does not grow claims.
    pub claim_size: Quantity,
    /// Address ranges that the workspace may connect to, beside its mode's.
    pub cidrs: Vec<CidrRule>,
    /// DNS names that the workspace may connect to.
    pub domains: Vec<String>,
    /// How it sleeps, where the class wants that, the cluster can do it, and access has not ended.
    pub scaler: Option<&'a ScaleToZero>,
    /// Whether a TargetGroupConfiguration that nobody wants stays until the route is away.
    pub keeps_target_group: bool,
    /// Where the route leads.
    pub backend: Backend,
    /// Wanted pods: under a scaler, which decides it, as many as there are wanted already.
    pub replicas: i64,
    /// The image.
    pub image: String,
    /// Environment variables of class and Tenant, by name.
    pub env: Vec<EnvVar>,
    /// Skills that are switched on.
    pub skills: &'a [String],
    /// Secrets that the tenant shall have.
    pub secrets: Vec<WantedSecret>,
    /// What it may spend in a month, in US dollars.
    pub budget: u32,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// To the workspace itself.
    Workspace,
    /// To the interceptor that wakes it.
    Interceptor,
}

/// The quota of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedQuota {
    /// CPU of all pods together.
    pub cpu: Quantity,
    /// Memory of all pods together.
    pub memory: Quantity,
    /// Number of pods.
    pub pods: u32,
}

/// A secret that a tenant shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSecret {
    /// The name of the item.
    pub name: SecretItemName,
    /// Whose work its value is.
    pub origin: SecretOrigin,
    /// Whether the workspace is not ready without a value.
    pub required: bool,
}

/// Merges class and Tenant.
///
/// # Errors
/// The first thing that the class does not allow, in words for the Tenant's author.
pub fn blueprint<'a>(
    tenant: &'a TenantName,
    spec: &'a TenantSpec,
    class: &'a TenantClassSpec,
    record: &'a TenantRecordSpec,
    settings: &'a Settings,
) -> Result<Blueprint<'a>, Refusal> {
    check_deletion(spec, class)?;
    let quota = resolve_quota(spec, class)?;
    let (requests, limits) = resolve_resources(spec, class)?;
    let size = resolve_size(spec, class, record)?;
    let egress = resolve_egress(spec, class)?;
    Ok(Blueprint {
        tenant,
        class,
        record,
        settings,
        open: !spec.suspend,
        stopped: false,
        quota,
        requests,
        limits,
        size,
        claim_size: size,
        cidrs: egress.cidrs,
        domains: egress.domains,
        scaler: None,
        keeps_target_group: false,
        backend: Backend::Workspace,
        replicas: i64::from(!spec.suspend),
        image: resolve_image(spec, class)?,
        env: resolve_env(spec, class)?,
        skills: resolve_skills(spec, class)?,
        secrets: resolve_secrets(spec, class, record)?,
        budget: spec.budget.map_or(class.budget_monthly_usd, |budget| budget.monthly_usd),
    })
}

fn check_deletion(spec: &TenantSpec, class: &TenantClassSpec) -> Result<(), Refusal> {
    if class.deletion.allowed_policies.contains(&spec.deletion_policy) {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::DeletionPolicyNotAllowed,
        format!(
            "class {} does not allow deletionPolicy {:?}: use one of {:?}",
            spec.class_name, spec.deletion_policy, class.deletion.allowed_policies
        ),
    ))
}

fn resolve_quota(spec: &TenantSpec, class: &TenantClassSpec) -> Result<ResolvedQuota, Refusal> {
    let default = ResolvedQuota { cpu: class.quota.cpu, memory: class.quota.memory, pods: class.quota.pods };
    let Some(wish) = spec.quota else { return Ok(default) };
    let wanted = ResolvedQuota {
        cpu: wish.cpu.unwrap_or(default.cpu),
        memory: wish.memory.unwrap_or(default.memory),
        pods: wish.pods.unwrap_or(default.pods),
    };
    let maximum = class.quota.maximum.map_or(default, |m| ResolvedQuota { cpu: m.cpu, memory: m.memory, pods: m.pods });
    let mut above = Vec::new();
    if wanted.cpu > maximum.cpu {
        above.push(format!("cpu {} (at most {})", wanted.cpu, maximum.cpu));
    }
    if wanted.memory > maximum.memory {
        above.push(format!("memory {} (at most {})", wanted.memory, maximum.memory));
    }
    if wanted.pods > maximum.pods {
        above.push(format!("pods {} (at most {})", wanted.pods, maximum.pods));
    }
    if above.is_empty() {
        return Ok(wanted);
    }
    let message = format!("quota above what class {} allows: {}; lower it", spec.class_name, above.join(", "));
    Err(Refusal::new(Reason::QuotaAboveMaximum, message))
}

fn resolve_resources(spec: &TenantSpec, class: &TenantClassSpec) -> Result<(CpuMemory, CpuMemory), Refusal> {
    let Some(wish) = spec.resources else { return Ok((class.workload.requests, class.workload.limits)) };
    if !class.allow.resources {
        let message = format!("class {} does not allow resources: take the block away", spec.class_name);
        return Err(Refusal::new(Reason::ResourcesNotAllowed, message));
    }
    let merge = |wish: Option<CpuMemory>, default: CpuMemory| {
        let wish = wish.unwrap_or_default();
        CpuMemory { cpu: wish.cpu.or(default.cpu), memory: wish.memory.or(default.memory) }
    };
    Ok((merge(wish.requests, class.workload.requests), merge(wish.limits, class.workload.limits)))
}

fn resolve_size(spec: &TenantSpec, class: &TenantClassSpec, record: &TenantRecordSpec) -> Result<Quantity, Refusal> {
    let recorded = record.storage.size;
    let Some(wish) = spec.storage else {
        // A smaller default of the class shrinks nobody.
        return Ok(class.storage.size.max(recorded));
    };
    if wish.size > class.storage.maximum {
        let message = format!(
            "storage.size {} is above the {} that class {} allows: make the Tenant again with less, or have the class \
             allow more",
            wish.size, class.storage.maximum, spec.class_name
        );
        return Err(Refusal::new(Reason::StorageAboveMaximum, message));
    }
    if wish.size < recorded {
        let message = format!(
            "storage.size {} is below the volume's present {recorded}; a volume never shrinks: set at least {recorded}",
            wish.size
        );
        return Err(Refusal::new(Reason::StorageShrunk, message));
    }
    Ok(wish.size)
}

fn resolve_image(spec: &TenantSpec, class: &TenantClassSpec) -> Result<String, Refusal> {
    let default = &class.workload.image;
    let (repository, tag, digest) = match &spec.image {
        None => (&default.repository, &default.tag, &default.digest),
        Some(wish) => (wish.repository.as_ref().unwrap_or(&default.repository), &wish.tag, &wish.digest),
    };
    if spec.image.is_some() && !class.allow.image_repositories.contains(repository) {
        let message = format!(
            "class {} does not allow images from {repository}: use one of [{}] or take image away",
            spec.class_name,
            class.allow.image_repositories.join(", ")
        );
        return Err(Refusal::new(Reason::ImageNotAllowed, message));
    }
    match (digest, tag) {
        (Some(digest), _) => Ok(format!("{repository}@{digest}")),
        (None, Some(tag)) => Ok(format!("{repository}:{tag}")),
        (None, None) => {
            Err(Refusal::new(Reason::ImageNotAllowed, format!("image {repository} has neither tag nor digest: pin it")))
        }
    }
}

/// Variables that decide what a process runs, trusts or is: nobody but the operator sets them.
fn is_protected_env(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    ["AWS_", "NODE_", "OPENCLAW_", "LD_", "SSL_", "NPM_", "KUBERNETES_"].iter().any(|p| upper.starts_with(p))
        || ["HOME", "PATH", "BASH_ENV", "ENV", "SHELL", "TMPDIR", "XDG_CACHE_HOME"].contains(&upper.as_str())
        || upper.ends_with("_PROXY")
}

fn matches_any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => pattern == text,
    })
}

fn resolve_env(spec: &TenantSpec, class: &TenantClassSpec) -> Result<Vec<EnvVar>, Refusal> {
    for var in &spec.env {
        if class.workload.env.iter().any(|of_class| of_class.name == var.name) {
            let message = format!(
                "env {} is set by class {} for all its tenants: take it away, or have the class leave it to them",
                var.name, spec.class_name
            );
            return Err(Refusal::new(Reason::EnvNotAllowed, message));
        }
        if is_protected_env(&var.name) || !matches_any(&class.allow.env, &var.name) {
            let message = format!(
                "env {} is not allowed: class {} allows [{}], and never AWS_*, NODE_*, OPENCLAW_*, LD_*, SSL_*, *_PROXY, HOME or PATH",
                var.name,
                spec.class_name,
                class.allow.env.join(", ")
            );
            return Err(Refusal::new(Reason::EnvNotAllowed, message));
        }
    }
    let mut env: Vec<EnvVar> = class.workload.env.iter().chain(&spec.env).cloned().collect();
    env.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(env)
}

fn resolve_skills<'a>(spec: &'a TenantSpec, class: &TenantClassSpec) -> Result<&'a [String], Refusal> {
    match spec.skills.iter().find(|skill| !matches_any(&class.allow.skills, skill)) {
        None => Ok(&spec.skills),
        Some(skill) => Err(Refusal::new(
            Reason::SkillNotAllowed,
            format!(
                "skill {skill} is not among those of class {}: [{}]",
                spec.class_name,
                class.allow.skills.join(", ")
            ),
        )),
    }
}

/// Secrets that a record has room for, those that left the list and still exist included.
const MAX_RECORDED_SECRETS: usize = 64;

/// The secrets that a tenant is to have.
///
/// # Errors
/// Where the class does not allow them, or a record has no room for them.
pub fn resolve_secrets(
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
) -> Result<Vec<WantedSecret>, Refusal> {
    if class.secrets.mode == SecretsMode::None {
        return if spec.secrets.is_empty() {
            Ok(Vec::new())
        } else {
            let message = format!("class {} keeps no secrets (secrets.mode None): take secrets away", spec.class_name);
            Err(Refusal::new(Reason::SecretNotAllowed, message))
        };
    }
    if spec.secrets.len() > usize::from(class.allow.secrets) {
        let message = format!(
            "{} secrets are more than the {} that class {} allows",
            spec.secrets.len(),
            class.allow.secrets,
            spec.class_name
        );
        return Err(Refusal::new(Reason::SecretNotAllowed, message));
    }
    let mut wanted: Vec<WantedSecret> = class
        .secrets
        .generated
        .iter()
        .map(|item| WantedSecret { name: item.name.clone(), origin: SecretOrigin::Generated, required: true })
        .collect();
    for own in &spec.secrets {
        if wanted.iter().any(|item| item.name == own.name && item.origin == SecretOrigin::Generated) {
            let message = format!("secret {} is the class's own: choose another name", own.name);
            return Err(Refusal::new(Reason::SecretNotAllowed, message));
        }
        wanted.push(WantedSecret { name: own.name.clone(), origin: SecretOrigin::Person, required: own.required });
    }
    let unlisted = record.secrets.items.iter().filter(|item| wanted.iter().all(|one| one.name != item.name));
    let unlisted: Vec<&str> = unlisted.map(|item| item.name.as_str()).collect();
    if wanted.len() + unlisted.len() > MAX_RECORDED_SECRETS {
        let message = format!(
            "a tenant has at most {MAX_RECORDED_SECRETS} secrets, those included that left the list and are kept: delete \
             some of [{}] in Secrets Manager",
            unlisted.join(", ")
        );
        return Err(Refusal::new(Reason::SecretNotAllowed, message));
    }
    Ok(wanted)
}

impl Blueprint<'_> {
    /// Whether the workspace has an AWS identity.
    pub fn has_identity(&self) -> bool {
        self.record.identity.mode != IdentityMode::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_decide_what_runs_are_protected_in_any_case() {
        for name in ["AWS_REGION", "node_options", "HTTPS_PROXY", "http_proxy", "PATH", "LD_PRELOAD", "OPENCLAW_HOME"] {
            assert!(is_protected_env(name), "{name}");
        }
        assert!(!is_protected_env("LOG_LEVEL"));
    }

    #[test]
    fn patterns_match_whole_names_or_prefixes() {
        let patterns = ["LOG_*".to_owned(), "TZ".to_owned()];
        assert!(matches_any(&patterns, "LOG_LEVEL") && matches_any(&patterns, "TZ"));
        assert!(!matches_any(&patterns, "TZDATA") && !matches_any(&patterns, "XLOG_"));
    }
}
