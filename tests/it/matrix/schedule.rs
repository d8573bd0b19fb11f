//! Rotation by schedule, brought about without waiting for days: a tenant whose hour of the day is now, and a record by
//! which its secret is old.

use std::time::{SystemTime, UNIX_EPOCH};

use openclaw_tenant_operator::api::names::sha256_hex;
use serde_json::{Value, json};

use crate::support::Bed;

/// How much of the hour must be left: far more than a cell takes.
const LEFT: u64 = 600;

/// Whether a tenant of this UID rotates now, and for some time yet (`src/tenant/rotation/schedule.rs`: a tenant's hour is
/// drawn from its incarnation).
fn is_its_hour(uid: &str) -> bool {
    let incarnation: String = uid.replace('-', "").chars().take(10).collect();
    let drawn = sha256_hex(&[&incarnation, "hour"]);
    let drawn = u64::from_str_radix(&drawn[..4], 16).expect("hex digits");
    let (day, begins) = (24 * 3600, 24 * 3600 * drawn / 0xffff);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    (now + day - begins) % day < 3600 - LEFT
}

/// Makes Tenants, of a class that is not there yet, until one has its hour now. Nothing is made of those that have not.
pub async fn apply_in_its_hour(bed: &mut Bed) {
    bed.class.push_str("-later");
    loop {
        let tenant = bed.apply_tenant(json!({})).await.expect("taken");
        let uid = &tenant["metadata"]["uid"];
        if is_its_hour(uid.as_str().expect("a UID")) {
            // An operator that has not heard of this one yet would begin another incarnation, by the one before it.
            let is_seen = |tenant: &Value| {
                tenant["metadata"]["uid"] == *uid && tenant["status"]["observedGeneration"].as_i64() >= Some(1)
            };
            bed.until("seen", is_seen).await;
            return;
        }
        bed.delete("Tenant", None, &bed.tenant).await;
        bed.gone().await;
    }
}

/// Lets the record say that the secrets were rotated long ago.
pub async fn grow_old(bed: &Bed) {
    let somebody = bed.acting_as("somebody-in-an-emergency", &["openclaw:break-glass", "system:authenticated"]).await;
    let aged = || async {
        let record = bed.record().await?;
        let mut items = record["spec"]["secrets"]["items"].clone();
        for item in items.as_array_mut()? {
            item["rotatedAt"] = json!("2020-01-01T00:00:00Z");
        }
        let version = &record["metadata"]["resourceVersion"];
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "secrets": { "items": items } } });
        match somebody.patch("TenantRecord", None, &bed.tenant, patch).await {
            Ok(_) => Some(()),
            // The operator has written it meanwhile.
            Err(kube::Error::Api(status)) if status.code == 409 => None,
            Err(error) => panic!("{error}"),
        }
    };
    bed.until_so("the record of an old secret", aged).await;
}

/// A class that rotates the token every day.
pub fn class(mut class: Value) -> Value {
    class["secrets"]["generated"] = json!([{ "name": "gateway-token", "rotateEveryDays": 1 }]);
    class
}
