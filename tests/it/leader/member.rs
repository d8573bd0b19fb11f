//! Operators of which one leads, and what must be true of how one follows the other.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    way::Way,
    writes::{Handover, Write, credential, handover, in_aws, in_kubernetes},
};
use crate::support::{ACCOUNT, Bed, Instance, OperatorProcess, Start, eventually};

/// How long a renewal holds.
pub const TERM: SignedDuration = SignedDuration::from_secs(15);

/// From one leader's last renewal to the next leader's first at most.
pub const FAIL_OVER: SignedDuration = SignedDuration::from_secs(20);

/// One of two operators.
pub struct Member {
    pub name: &'static str,
    pub process: OperatorProcess,
    pub credential: String,
    access_key: &'static str,
}

impl Member {
    pub fn start(instance: &Instance, name: &'static str, access_key: &'static str) -> Self {
        let kubeconfig = minted(instance, name, ACCOUNT);
        Self::start_with(instance, name, access_key, &kubeconfig, &kubeconfig, &[])
    }

    /// The one that leads first, which faults of AWS are for.
    pub fn first(instance: &Instance) -> Self {
        Self::start(instance, "first", "operator")
    }

    /// The same with a way of its own to the API server.
    pub fn first_by_a_way(instance: &Instance) -> (Self, Way) {
        let kubeconfig = minted(instance, "first", ACCOUNT);
        let way = Way::to(&kubeconfig);
        (Self::start_with(instance, "first", "operator", &kubeconfig, way.kubeconfig(), &[]), way)
    }

    pub fn start_with(
        instance: &Instance,
        name: &'static str,
        access_key: &'static str,
        own: &Path,
        kubeconfig: &Path,
        flags: &[&str],
    ) -> Self {
        let process = instance.start_operator_as(&Start { pod: name, kubeconfig, access_key, variables: &[], flags });
        Self { name, process, credential: credential(own), access_key }
    }

    /// The one that stands by, with its caches full.
    pub async fn second(instance: &Instance) -> Self {
        let second = Self::start(instance, "second", "standby");
        second.stands_by().await;
        second
    }

    pub async fn stands_by(&self) {
        let ready = eventually(|| async { (self.process.get("/readyz").await?.0 == 200).then_some(()) }).await;
        assert!(ready.is_some(), "{} is not ready\n{}", self.name, self.process.log());
    }

    pub fn in_kubernetes(&self, instance: &Instance) -> Vec<Write> {
        in_kubernetes(instance, &self.credential)
    }

    pub async fn in_aws(&self, instance: &Instance) -> Vec<Write> {
        in_aws(instance, self.access_key).await
    }

    /// Waits until it has ended by itself, and returns when that was seen.
    pub async fn ends_for(&mut self, reason: &str) -> Timestamp {
        let code = eventually(|| std::future::ready(self.process.exit_code())).await;
        let seen = Timestamp::now();
        let log = self.process.log();
        assert_eq!(code, Some(1), "{} ends by itself, and not in good order\n{log}", self.name);
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains(reason), "it says why at last: {last}");
        println!("{} ended: {last}", self.name);
        seen
    }
}

pub fn minted(instance: &Instance, name: &str, account: &str) -> PathBuf {
    let path = Path::new(instance.fact("/dir")).join(format!("{name}.kubeconfig"));
    instance.mint(account, &path);
    path
}

pub async fn lease(bed: &Bed) -> Value {
    bed.get("Lease", Some("kube-system"), "openclaw-tenant-operator").await.expect("the Lease")["spec"].clone()
}

pub async fn until_leads(bed: &Bed, member: &Member) {
    let leads = || async {
        let lease = lease(bed).await;
        lease["holderIdentity"].as_str().is_some_and(|holder| holder.starts_with(member.name)).then_some(())
    };
    bed.until_so(&format!("{} as the leader", member.name), leads).await;
}

/// The one wrote until the other took the Lease, and never since; the other never before. Fates of what AWS carries out late are told
/// apart by the fault.
pub async fn one_after_the_other(instance: &Instance, former: &Member, next: &Member) -> Handover {
    let (handover, stale) = how_one_followed(instance, former, next).await;
    assert!(stale.in_kubernetes.is_empty(), "{} wrote after {} led: {stale:#?}", former.name, next.name);
    assert!(stale.in_aws.is_empty(), "{} changed AWS after {} led: {stale:#?}", former.name, next.name);
    handover
}

/// What a former leader's requests did when another led already.
#[derive(Debug)]
pub struct Stale {
    pub in_kubernetes: Vec<Write>,
    pub in_aws: Vec<Write>,
}

/// How the one followed the other, which had changed nothing before; and what came of the former one after that.
pub async fn how_one_followed(instance: &Instance, former: &Member, next: &Member) -> (Handover, Stale) {
    let (before, after) = (former.in_kubernetes(instance), next.in_kubernetes(instance));
    let handover = handover(&before, &after);
    let early: Vec<_> = after.iter().filter(|write| write.at < handover.next).collect();
    assert!(early.is_empty(), "{} wrote before it led: {early:#?}", next.name);
    let in_kubernetes = before.into_iter().filter(|write| write.at >= handover.next).collect();
    let (before, after) = (former.in_aws(instance).await, next.in_aws(instance).await);
    let early: Vec<_> = after.iter().filter(|write| write.at < handover.next).collect();
    assert!(early.is_empty(), "{} changed AWS before it led: {early:#?}", next.name);
    let is_stale = |write: &Write| write.at >= handover.next && !write.what.contains("Late");
    let in_aws = before.into_iter().filter(is_stale).collect();
    (handover, Stale { in_kubernetes, in_aws })
}

/// Neither before the former leader's time was over, nor much later.
pub fn in_time(handover: Handover) {
    println!("{:#} after the last renewal the next one led", handover.took());
    assert!(handover.took() >= TERM && handover.took() < FAIL_OVER, "{handover:?}");
}

/// One association, and one version of the one secret.
pub async fn one_of_each(bed: &Bed) {
    let eks = bed.instance.eks().list_pod_identity_associations().namespace(bed.namespace());
    let listed = eks.cluster_name(bed.instance.fact("/aws/clusterName")).send().await.expect("list");
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let secret = bed.instance.secrets().describe_secret().secret_id(name).send().await.expect("described");
    let versions = secret.version_ids_to_stages().map_or(0, std::collections::HashMap::len);
    assert_eq!((listed.associations().len(), versions), (1, 1), "{}", bed.tenant);
}
