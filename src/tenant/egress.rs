//! Where a workspace may connect to beyond its mode: what the class lists, and what the class lets the Tenant list.
//!
//! PURE.

use std::net::IpAddr;

use super::{
    blueprint::Refusal,
    internet::{MULTICAST, NOT_INTERNET_V4, NOT_INTERNET_V6},
    reason::Reason,
};
use crate::api::{
    class::{EgressMode, Enforcement, TenantClassSpec},
    tenant::{CidrRule, TenantSpec},
};

/// What may be reached beyond the mode's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Egress {
    /// Address ranges.
    pub(super) cidrs: Vec<CidrRule>,
    /// DNS names, sorted; TCP 443 of each.
    pub(super) domains: Vec<String>,
}

/// Address ranges and names of class and Tenant.
///
/// # Errors
/// Where the class does not allow what the Tenant lists, or nothing here could enforce it.
pub(super) fn resolve_egress(spec: &TenantSpec, class: &TenantClassSpec) -> Result<Egress, Refusal> {
    let mut rules = class.network.cidrs.clone();
    let class_name = &spec.class_name;
    let wish = spec.egress.clone().unwrap_or_default();
    if !wish.cidrs.is_empty() && !class.allow.egress_cidrs {
        let message = format!("class {class_name} does not allow egress.cidrs: take them away");
        return Err(Refusal::new(Reason::EgressNotAllowed, message));
    }
    if !wish.domains.is_empty() && !class.allow.egress_domains {
        let message = format!("class {class_name} does not allow egress.domains: take them away");
        return Err(Refusal::new(Reason::EgressNotAllowed, message));
    }
    if !wish.domains.is_empty() || !class.network.domains.is_empty() {
        check_domains(class)?;
    }
    if let Some(broad) = wish.domains.iter().find(|domain| is_broad(domain)) {
        let message = format!(
            "egress.domains: {broad} names everybody under one top-level domain: name a domain under it, such as *.example.com"
        );
        return Err(Refusal::new(Reason::EgressNotAllowed, message));
    }
    for rule in wish.cidrs {
        if !is_public(&rule.cidr) {
            let message = format!(
                "egress.cidrs: {} holds private or reserved addresses, which only the class may open; name public ranges only",
                rule.cidr
            );
            return Err(Refusal::new(Reason::EgressNotAllowed, message));
        }
        rules.push(rule);
    }
    let mut domains: Vec<String> = class.network.domains.iter().cloned().chain(wish.domains).collect();
    domains.sort_unstable();
    domains.dedup();
    Ok(Egress { cidrs: rules, domains })
}

/// Whether a pattern has a top-level domain for its only fixed part.
fn is_broad(domain: &str) -> bool {
    domain.strip_prefix("*.").is_some_and(|fixed| !fixed.trim_end_matches('.').contains('.'))
}

/// Domain lists need a mode in which they restrict something and a network that knows names.
fn check_domains(class: &TenantClassSpec) -> Result<(), Refusal> {
    if class.network.egress_mode == EgressMode::Internet {
        return Err(Refusal::new(
            Reason::DomainsNeedAllowlist,
            "a list of domains restricts nothing while every public host may be reached on port 443: use a class whose \
             network.egressMode is Allowlist, or take the domains away",
        ));
    }
    match class.network.enforcement {
        Enforcement::Cilium => Ok(()),
        Enforcement::VpcCni | Enforcement::Declared => Err(Refusal::new(
            Reason::DomainsUnsupported,
            "egress by domain name cannot be enforced here: the class's network.enforcement knows addresses only (Cilium knows              names); list address ranges instead",
        )),
    }
}

/// Whether every address of the range is public, so that a Tenant may open it. What cannot be read is not.
pub(super) fn is_public(cidr: &str) -> bool {
    let Some(range) = parse_cidr(cidr) else { return false };
    let mut closed = NOT_INTERNET_V4.iter().chain(&NOT_INTERNET_V6).chain(&MULTICAST);
    closed.all(|closed| parse_cidr(closed).is_some_and(|closed| !overlap(range, closed)))
}

pub(crate) fn parse_cidr(cidr: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = cidr.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
}

/// Whether the first range holds all of the second.
pub(super) fn holds(outer: (IpAddr, u8), inner: (IpAddr, u8)) -> bool {
    outer.1 <= inner.1 && overlap(outer, inner)
}

/// Whether two ranges share an address: one of two prefixes that meet is a prefix of the other.
fn overlap((left, left_bits): (IpAddr, u8), (right, right_bits): (IpAddr, u8)) -> bool {
    let shared = u32::from(left_bits.min(right_bits));
    match (left, right) {
        (IpAddr::V4(left), IpAddr::V4(right)) => {
            shared == 0 || (u32::from(left) ^ u32::from(right)).checked_shr(32 - shared).unwrap_or(0) == 0
        }
        (IpAddr::V6(left), IpAddr::V6(right)) => {
            shared == 0 || (u128::from(left) ^ u128::from(right)).checked_shr(128 - shared).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_ranges_are_public_and_anything_that_meets_a_private_one_is_not() {
        for public in ["203.0.113.0/24", "8.8.8.8/32", "2600::/16", "2001:db8::/32", "2001:200::/23", "2003::/16"] {
            assert!(is_public(public), "{public}");
        }
        for private in [
            "10.1.2.0/24",
            "0.0.0.0/0",
            "8.0.0.0/5",
            "192.168.1.1/32",
            "169.254.169.254/32",
            "0.1.2.3/32",
            "127.0.0.1/32",
            "192.0.0.170/32",
            "224.0.0.1/32",
            "240.0.0.1/32",
            "255.255.255.255/32",
            "::/0",
            "::1/128",
            "::ffff:10.0.0.1/128",
            "64:ff9b::/96",
            "64:ff9b:1:a00::/56",
            "2001:0:a00::/40",
            "2002:a00:1::/48",
            "fd00::/8",
            "fe80::1/128",
            "fec0::/10",
            "feff::1/128",
            "ff02::1/128",
            "x/8",
            "1.2.3.4",
        ] {
            assert!(!is_public(private), "{private}");
        }
    }
}
