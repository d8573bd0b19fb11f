//! What shows that the tenant's network policies are enforced, and what it does not show.
//!
//! PURE. `NetworkReady` claims no more than there is evidence for. No pod, no evidence: what enforces policies begins with a pod.

use super::{
    action::PartState,
    child::{Child, Kind},
    digest::Judgement,
    observed::{Observed, PodAddress, PodView},
    reason::Reason,
};
use crate::api::class::{Enforcement, TenantClassSpec};

/// How the network stands once all policies of the tenant are as they shall be.
pub(super) fn network(observed: &Observed, class: &TenantClassSpec) -> PartState {
    let vouched = match class.network.enforcement {
        Enforcement::VpcCni => vpc_cni(observed),
        Enforcement::Cilium => cilium(observed),
        Enforcement::Declared => {
            Ok("the class declares that something enforces them; the operator has no evidence of its own".to_owned())
        }
    };
    let vouched = match vouched {
        Ok(vouched) => vouched,
        Err(state) => return state,
    };
    if observed.foreign_policies.is_empty() {
        return PartState::Done(Reason::Verified, format!("default-deny and the allowlist stand; {vouched}"));
    }
    let message = format!(
        "default-deny and the allowlist stand, but policies add up, and others let more pass: {}. Delete what is not meant to; \
         {vouched}",
        observed.foreign_policies.join(", ")
    );
    PartState::Done(Reason::ForeignPolicy, message)
}

/// Pods that are not on their way out and have an address: before they have one nothing can be said, nor done by them.
fn pods(observed: &Observed) -> Vec<(&PodView, &str)> {
    let running = observed.pods.iter().filter(|pod| !pod.deleting);
    running.filter_map(|pod| Some((pod.as_ref(), pod.ip.as_deref()?))).collect()
}

fn unseen(who: &str, kind: &str, what_to_do: &str) -> PartState {
    let message = format!(
        "the class says that {who} enforces network policies, but this cluster serves no {kind}, or the operator may not see \
         it: {what_to_do}, or set the class's network.enforcement to what does"
    );
    PartState::Blocked(Reason::EnforcementUnseen, message)
}

const NOT_YET: &str = "it is seen once a pod runs";

/// The policy controller of the VPC CNI makes PolicyEndpoints of a policy, which name the pods that the nodes' agents apply it to.
fn vpc_cni(observed: &Observed) -> Result<String, PartState> {
    let Some(endpoints) = &observed.evidence.policy_endpoints else {
        let what = "switch network policies on in the Amazon VPC CNI (enableNetworkPolicy) or use EKS Auto Mode's";
        return Err(unseen("the VPC CNI", "PolicyEndpoint (networking.k8s.aws)", what));
    };
    let running = pods(observed);
    if running.is_empty() {
        return Ok(format!("the class says that the VPC CNI enforces them; {NOT_YET}"));
    }
    for policy in policies(observed) {
        let covered = endpoints.get(&policy);
        let is_open = |(pod, ip): &&(&PodView, &str)| {
            let address = PodAddress { name: pod.name.clone(), ip: (*ip).into() };
            covered.is_none_or(|covered| !covered.contains(&address))
        };
        if let Some((open, ip)) = running.iter().find(is_open) {
            let message = format!(
                "no PolicyEndpoint applies NetworkPolicy {policy} to pod {} ({ip}) yet: see that the VPC CNI's policy controller runs",
                open.name
            );
            return Err(PartState::Working(Reason::EnforcementPending, message));
        }
    }
    Ok("the VPC CNI's policy controller has resolved both of them to every pod (PolicyEndpoints); its agents on the nodes apply \
        them and do not say so"
        .to_owned())
}

/// The names of the tenant's NetworkPolicies.
fn policies(observed: &Observed) -> Vec<String> {
    let Some(record) = observed.record_spec() else { return Vec::new() };
    let all = Child::ALL.iter().filter(|child| child.kind() == Kind::NetworkPolicy);
    all.map(|child| child.key(&observed.name, record).name.into()).collect()
}

/// Cilium says of every pod that it manages; of a managed pod it enforces all policies.
fn cilium(observed: &Observed) -> Result<String, PartState> {
    let Some(managed) = &observed.evidence.cilium_endpoints else {
        return Err(unseen("Cilium", "CiliumEndpoint (cilium.io)", "see that Cilium is installed"));
    };
    if let Some(Judgement::NotReady(why)) = observed.child(Child::DomainPolicy).and_then(|live| live.facts.as_judged())
    {
        let message = format!("Cilium does not take the CiliumNetworkPolicy: {why}");
        return Err(PartState::Blocked(Reason::RequestRefused, message));
    }
    let running = pods(observed);
    if running.is_empty() {
        return Ok(format!("the class says that Cilium enforces them; {NOT_YET}"));
    }
    if let Some((open, _)) = running.iter().find(|(pod, _)| !managed.contains(&pod.uid)) {
        let message = format!(
            "Cilium does not say yet that it manages pod {}: kubectl get ciliumendpoint {} shows what it says",
            open.name, open.name
        );
        return Err(PartState::Working(Reason::EnforcementPending, message));
    }
    Ok("Cilium manages every pod (CiliumEndpoints), and enforces them there".to_owned())
}
