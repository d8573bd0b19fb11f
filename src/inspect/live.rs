//! Looks at the cluster, in the caller's name.

use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::Value;

use super::{
    InspectError, cloud,
    fleet::Fleet,
    objects::{Object, One, Seen, has_details, is_wanted},
};
use crate::{
    administer::AdministerError,
    api::{
        labels,
        names::{NamespaceName, TenantName},
        record::TenantRecordSpec,
    },
    aws::AwsClients,
    fence::REQUEST_TIMEOUT,
    kubernetes::{definitions, listing::all},
    telemetry::result::describe,
    tenant::{
        child::{Child, KindInfo},
        views,
    },
};

/// All tenants, and why what is missing of the sight could not be seen.
///
/// # Errors
/// Where Tenants cannot be listed.
pub async fn fleet(client: &Client) -> Result<(Fleet, Option<String>), InspectError> {
    let tenants = all(client, definitions::TENANT).await?;
    let (records, unseen) = match all(client, definitions::RECORD).await {
        Ok(records) => (Some(records), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok((Fleet::of(&tenants, records.as_deref(), Timestamp::now()), unseen))
}

/// One tenant with everything that it has. AWS is asked where clients for it are given.
///
/// # Errors
/// Where there is neither a Tenant nor a record of this name, or neither can be seen.
pub async fn one(client: &Client, name: &TenantName, aws: Option<&AwsClients>) -> Result<One, InspectError> {
    let tenant = get(client, definitions::TENANT, None, name.as_str(), true).await;
    let record = get(client, definitions::RECORD, None, name.as_str(), true).await;
    match (&tenant, &record) {
        (Seen::Missing, Seen::Missing) => return Err(AdministerError::NoTenant(name.clone()).into()),
        (Seen::Unseen(why), Seen::Missing | Seen::Unseen(_)) => {
            return Err(InspectError::Unseen { name: name.clone(), why: why.clone() });
        }
        _ => {}
    }
    let spec = record.there().and_then(views::record).and_then(|view| view.spec.ok());
    let mut one = One {
        name: name.to_string(),
        now: Timestamp::now(),
        tenant,
        record,
        objects: Vec::new(),
        volume: None,
        pods: Seen::Missing,
        cloud: None,
    };
    if let Some(spec) = &spec {
        look_at_objects(client, name, spec, &mut one).await;
        if let Some(aws) = aws {
            one.cloud = Some(cloud::look(aws, spec).await);
        }
    }
    Ok(one)
}

async fn look_at_objects(client: &Client, name: &TenantName, record: &TenantRecordSpec, one: &mut One) {
    let looks = Child::ALL.iter().map(|child| async move {
        let key = child.key(name, record);
        let kind = child.kind();
        let seen = get(client, kind.info(), key.namespace.as_ref(), &key.name, has_details(kind)).await;
        (*child, key, seen)
    });
    for (child, key, seen) in futures::future::join_all(looks).await {
        let wanted = is_wanted(child, one.tenant.there(), record);
        one.objects.push(Object { child, key, seen, wanted });
    }
    let claim = one.objects.iter().find(|object| object.child == Child::Claim).and_then(|object| object.seen.there());
    let bound = claim.and_then(|claim| claim["spec"]["volumeName"].as_str()).map(str::to_owned);
    let volume = bound.or_else(|| record.storage.volume.as_ref().map(|volume| volume.name.clone()));
    if let Some(volume) = volume {
        let seen = get(client, definitions::VOLUME, None, &volume, true).await;
        one.volume = Some((volume, seen));
    }
    one.pods = pods(client, &record.namespace.name, name).await;
}

fn api(client: &Client, info: KindInfo, namespace: Option<&NamespaceName>) -> Api<DynamicObject> {
    let resource = ApiResource::from(info);
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace.as_str(), &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Reads an object; of those with nothing more to tell, only the metadata.
async fn get(
    client: &Client,
    info: KindInfo,
    namespace: Option<&NamespaceName>,
    name: &str,
    whole: bool,
) -> Seen<Value> {
    let api = api(client, info, namespace);
    let request = async {
        if whole {
            let object = api.get_opt(name).await?;
            Ok(object.map(|object| serde_json::to_value(object).unwrap_or_default()))
        } else {
            let object = api.get_metadata_opt(name).await?;
            Ok(object.map(|object| serde_json::to_value(object).unwrap_or_default()))
        }
    };
    seen(tokio::time::timeout(REQUEST_TIMEOUT, request).await.ok())
}

/// What an answer tells; `None` is no answer.
fn seen<T>(answer: Option<kube::Result<Option<T>>>) -> Seen<T> {
    match answer {
        Some(Ok(Some(object))) => Seen::There(object),
        Some(Ok(None)) => Seen::Missing,
        // The kind itself is not served.
        Some(Err(kube::Error::Api(status))) if status.code == 404 => Seen::Missing,
        Some(Err(error)) => Seen::Unseen(describe(&error)),
        None => Seen::Unseen(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs())),
    }
}

async fn pods(client: &Client, namespace: &NamespaceName, tenant: &TenantName) -> Seen<Vec<Value>> {
    let which = ListParams::default().labels(&format!("{}={tenant}", labels::TENANT));
    let request = async {
        let list = api(client, definitions::POD, Some(namespace)).list(&which).await?;
        Ok(Some(list.items.iter().map(|pod| serde_json::to_value(pod).unwrap_or_default()).collect()))
    };
    seen(tokio::time::timeout(REQUEST_TIMEOUT, request).await.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_and_what_may_not_be_seen_are_two_things() {
        let refusal = |code| {
            let status = kube::core::Status::failure("no", "").with_code(code);
            Some(Err(kube::Error::Api(status.boxed())))
        };
        assert_eq!(seen(Some(Ok(Some(1)))), Seen::There(1));
        assert_eq!(seen::<u8>(Some(Ok(None))), Seen::Missing);
        assert_eq!(seen::<u8>(refusal(404)), Seen::Missing, "its kind is not served");
        assert_eq!(seen::<u8>(refusal(403)), Seen::Unseen("no (status 403)".into()));
        assert_eq!(seen::<u8>(None), Seen::Unseen("no answer within 5 s".into()));
    }
}
