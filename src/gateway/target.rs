//! Where an administrator wants a tenant to be moved to.

use std::{fmt, str::FromStr};

use crate::api::{
    class::GatewaySlot,
    names::{DomainName, NamespaceName},
};

/// A Gateway, and the domain on it where a class lists it under several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    namespace: NamespaceName,
    name: String,
    domain: Option<DomainName>,
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no gateway: use NAMESPACE/NAME, or NAMESPACE/NAME/DOMAIN where a class lists it under several domains"
)]
pub struct NoTarget(String);

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || NoTarget(text.chars().take(80).collect());
        let mut parts = text.splitn(3, '/');
        let namespace = parts.next().and_then(|part| part.parse().ok()).ok_or_else(error)?;
        // As Kubernetes names a Gateway.
        let is_name = |part: &&str| {
            let is_known = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-' || one == '.';
            (1..=253).contains(&part.len()) && part.chars().all(is_known)
        };
        let name = parts.next().filter(is_name).ok_or_else(error)?.to_owned();
        let domain = parts.next().map(|part| part.parse().map_err(|_| error())).transpose()?;
        Ok(Self { namespace, name, domain })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)?;
        self.domain.as_ref().map_or(Ok(()), |domain| write!(f, "/{domain}"))
    }
}

impl Target {
    /// Whether a slot is one that it may mean.
    pub fn means(&self, slot: &GatewaySlot) -> bool {
        let is_gateway = slot.namespace == self.namespace && slot.name == self.name;
        is_gateway && self.domain.as_ref().is_none_or(|domain| slot.domain == *domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_gateway_and_maybe_a_domain() {
        for text in ["gateways/first", "gateways/first.one/a.example.com"] {
            assert_eq!(text.parse::<Target>().expect("a target").to_string(), text);
        }
        for text in ["", "first", "gateways/", "/first", "gateways/First", "gateways/a b", "gateways/first/", "g/a/b/c"]
        {
            let error = text.parse::<Target>().expect_err(text).to_string();
            assert!(error.contains("use NAMESPACE/NAME"), "{error}");
        }
    }
}
