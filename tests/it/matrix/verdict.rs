//! Whether a tenant and its half of AWS are as they must be: one of everything, ours, and no value lost.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scene::Staged;
use crate::support::{Bed, condition};

/// Characters of 32 bytes in URL-safe base64 without padding.
const VALUE_LENGTH: usize = 43;

pub fn secret_name(bed: &Bed) -> String {
    format!("openclaw/{}/gateway-token", bed.tenant)
}

/// Current version and value, as an administrator reads them.
pub async fn value(bed: &Bed) -> Option<(String, String)> {
    let answer = bed.instance.secrets().get_secret_value().secret_id(secret_name(bed)).send().await.ok()?;
    answer.version_id.zip(answer.secret_string)
}

/// The value before the current one, as an administrator reads it.
async fn previous_value(bed: &Bed) -> Option<String> {
    let request = bed.instance.secrets().get_secret_value().secret_id(secret_name(bed)).version_stage("AWSPREVIOUS");
    request.send().await.ok()?.secret_string
}

/// The tags that make a resource this tenant's.
pub async fn identifying_tags(bed: &Bed, tenant: &Value) -> BTreeMap<&'static str, String> {
    let system = bed.get("Namespace", None, "kube-system").await.expect("kube-system");
    let text = |value: &Value| value.as_str().expect("a UID").to_owned();
    let uid = text(&tenant["metadata"]["uid"]).replace('-', "");
    BTreeMap::from([
        ("managed-by", "openclaw-tenant-operator".to_owned()),
        ("openclaw-tenant", bed.tenant.clone()),
        ("openclaw-incarnation", uid.chars().take(10).collect()),
        ("openclaw-cluster-uid", text(&system["metadata"]["uid"])),
    ])
}

/// Whether two values are equal, and which of them is not as it must be.
pub fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} instead of {wanted:?}")) }
}

/// The Tenant says, for its present generation, that all is well.
pub fn tenant(staged: &Staged, tenant: &Value) -> Result<(), String> {
    expect("observedGeneration", &tenant["status"]["observedGeneration"], &tenant["metadata"]["generation"])?;
    expect("Ready", &condition(tenant, "Ready")["status"], &"True".into())?;
    for absent in ["Stalled", "Reconciling"] {
        expect(absent, &condition(tenant, absent), &Value::Null)?;
    }
    let phase = if staged.scene.is_suspended() { "Suspended" } else { "Ready" };
    expect("phase", &tenant["status"]["phase"], &phase.into())
}

/// Everything is removed, in the record's words and in fact: the secret can be restored, and nobody could read it then.
pub async fn removed(staged: &Staged) -> Result<(), String> {
    let bed = &staged.bed;
    expect("the Tenant is gone", &bed.get("Tenant", None, &bed.tenant).await, &None)?;
    let record = bed.record().await.ok_or("no record")?;
    expect("phase", &record["spec"]["phase"], &"Purged".into())?;
    expect("the namespace is gone", &bed.get("Namespace", None, &bed.namespace()).await, &None)?;
    let volume = record["spec"]["purge"]["receipt"].as_array().into_iter().flatten();
    let volume = volume.filter(|line| line["kind"] == "PersistentVolume").collect::<Vec<_>>();
    expect("volumes that are removed", &volume.iter().filter(|line| line["outcome"] == "Removed").count(), &1)?;
    let describe = bed.instance.secrets().describe_secret().secret_id(secret_name(bed));
    let found = describe.send().await.map_err(|_| "no secret".to_owned())?;
    expect("it is scheduled", &found.deleted_date().is_some(), &true)?;
    let keys: Vec<&str> = found.tags().iter().filter_map(|tag| tag.key()).collect();
    for access in ["tenant-namespace", "tenant-service-account"] {
        expect(&format!("its tag {access}"), &keys.contains(&access), &false)?;
    }
    expect("its identifying tags", &keys.contains(&"openclaw-incarnation"), &true)
}

/// One association, none where access has ended; with the right role and our tags.
pub async fn association(staged: &Staged, tenant: &Value) -> Result<(), String> {
    let bed = &staged.bed;
    let list = bed.instance.eks().list_pod_identity_associations().namespace(bed.namespace());
    let listed = list.cluster_name(bed.instance.fact("/aws/clusterName")).send().await.expect("a listing");
    let ids: Vec<&str> = listed.associations().iter().filter_map(|one| one.association_id()).collect();
    let recorded = &tenant["status"]["identity"]["associationId"];
    if staged.scene.is_suspended() {
        expect("associations", &ids, &Vec::new())?;
        return expect("status.identity.associationId", recorded, &Value::Null);
    }
    let [id] = ids.as_slice() else {
        return Err(format!("{} associations: {ids:?}", ids.len()));
    };
    expect("status.identity.associationId", recorded, &(*id).into())?;
    if let Some(before) = &staged.association {
        expect("the association", id, &before.as_str())?;
    }
    let found = bed.instance.association(id).await;
    expect("its role", &found.role_arn().unwrap_or_default(), &staged.role(tenant).as_str())?;
    let tags = found.tags().cloned().unwrap_or_default();
    for (key, value) in identifying_tags(bed, tenant).await {
        expect(&format!("its tag {key}"), &tags.get(key), &Some(&value))?;
    }
    expect("its tag openclaw-owner-hash", &tags.contains_key("openclaw-owner-hash"), &true)
}

/// One secret with one version, which holds the value that was first made, or after a rotation two; readable by whom it
/// should be.
pub async fn secret(staged: &Staged, tenant: &Value) -> Result<(), String> {
    let bed = &staged.bed;
    let describe = bed.instance.secrets().describe_secret().secret_id(secret_name(bed));
    let found = describe.send().await.map_err(|_| "no secret".to_owned())?;
    let versions = found.version_ids_to_stages().cloned().unwrap_or_default();
    let mut labels: Vec<&str> = versions.values().flatten().map(String::as_str).collect();
    labels.sort_unstable();
    let is_rotated = staged.scene.is_rotated();
    let wanted = if is_rotated { vec!["AWSCURRENT", "AWSPREVIOUS"] } else { vec!["AWSCURRENT"] };
    expect("labels of all versions", &labels, &wanted)?;
    let (version, value) = value(bed).await.ok_or("no current value")?;
    expect("status.secrets[0].versionId", &tenant["status"]["secrets"][0]["versionId"], &version.into())?;
    // Values are compared and not shown.
    expect("length of the value", &value.len(), &VALUE_LENGTH)?;
    if let Some(before) = &staged.value {
        let kept = if is_rotated { previous_value(bed).await } else { Some(value.clone()) };
        expect("the value from before is kept", &(kept.as_ref() == Some(before)), &true)?;
        expect("the value is another one", &(value != *before), &is_rotated)?;
    }
    let tags: BTreeMap<&str, &str> = found.tags().iter().filter_map(|tag| tag.key().zip(tag.value())).collect();
    for (key, value) in identifying_tags(bed, tenant).await {
        expect(&format!("its tag {key}"), &tags.get(key).copied(), &Some(value.as_str()))?;
    }
    let account = tenant["status"]["identity"]["serviceAccount"].as_str().unwrap_or_default();
    let reader = if staged.scene.is_suspended() { "revoked" } else { account };
    expect("its tag tenant-service-account", &tags.get("tenant-service-account").copied(), &Some(reader))
}
