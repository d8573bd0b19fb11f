//! `rotate`: orders a rotation, and tells how it went.

use serde_json::{Value, json};

use crate::{
    rotate::{bed, rotated},
    support::{Bed, Instance},
};

/// The order is carried out, and the command names the version that is in use now.
#[tokio::test]
async fn the_command_waits_and_names_the_new_version() {
    let bed = bed(Instance::shared(), "rotate-cli").await;
    bed.ready_tenant(json!({})).await;
    let before = bed.instance.current_version(&format!("openclaw/{}/gateway-token", bed.tenant)).await;
    let watching = bed.instance.start_command(&["rotate", &bed.tenant, "--wait", "-o", "json"]);
    let output =
        tokio::task::spawn_blocking(|| watching.wait_with_output()).await.expect("waited").expect("its output");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    rotated(&bed, &before).await;
    let after = bed.instance.current_version(&format!("openclaw/{}/gateway-token", bed.tenant)).await;
    let json: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(json["secrets"], json!([{ "name": "gateway-token", "before": before, "versionId": after }]));
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("the Tenant");
    assert_eq!(tenant["metadata"]["annotations"]["openclaw.io/rotate-secrets"], json["order"]);
}

/// Where the operator may not rotate, the command says why in its words and fails.
#[tokio::test]
async fn an_order_that_is_blocked_is_told() {
    let bed = Bed::new("rotate-cli-blocked").await;
    bed.ready_tenant(json!({})).await;
    let name = bed.tenant.clone();
    let watching = bed.instance.start_command(&["rotate", &name, "--compromised", "--wait"]);
    let output =
        tokio::task::spawn_blocking(|| watching.wait_with_output()).await.expect("waited").expect("its output");
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{complained}");
    let expected = format!("the rotation of tenant {name}'s secrets was ordered and is not carried out: ");
    assert!(complained.contains(&expected) && complained.contains("login.tokenSource"), "{complained}");
    let (succeeded, _, complained) = bed.instance.run_operator(&["rotate", "nobody-has-this-name"]);
    assert!(!succeeded && complained.contains("there is no Tenant nobody-has-this-name"), "{complained}");
}
