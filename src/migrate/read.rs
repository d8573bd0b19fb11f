//! Reads what a report is made from, in the caller's own name. What the caller may not read is told, and the rest is reported.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use futures::{StreamExt as _, stream};
use kube::{Client, Config, api::ApiResource};
use serde_json::Value;

use super::{
    MigrateError, Options, Source,
    cluster::{SECRET, get, list, list_named, metadata, workload_kinds},
    entries::{namespaces, tenants},
    in_aws::Aws,
    observed::{APPLICATION, APPLICATION_SET, ClassSight, Place, Sight},
};
use crate::{
    kubernetes::definitions,
    tenant::{child::Kind, views},
};

/// Namespaces that are looked into at the same time.
const AT_ONCE: usize = 8;

/// Who reads.
pub struct Reader {
    client: Option<Client>,
    aws: Option<Aws>,
}

/// What could not be read, each said once.
type Unread = BTreeSet<String>;

impl Reader {
    /// A client of the caller's own, where the cluster is to be asked.
    ///
    /// # Errors
    /// Where there is no cluster, or AWS shall be looked at and cannot be.
    pub async fn connect(options: &Options) -> Result<Self, MigrateError> {
        if matches!(options.source, Source::FileAlone(_)) {
            return Ok(Self { client: None, aws: None });
        }
        let mut config = Config::infer().await?;
        config.default_retry = false;
        let client = Some(Client::try_from(config).map_err(MigrateError::Client)?);
        let aws = match &options.aws {
            Some(aws) => Some(Aws::connect(aws, options.apply && options.wishes.consent).await?),
            None => None,
        };
        Ok(Self { client, aws })
    }

    /// AWS, where it is looked at.
    pub const fn aws(&self) -> Option<&Aws> {
        self.aws.as_ref()
    }

    /// The client.
    pub const fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Looks at everything that matters.
    ///
    /// # Errors
    /// Where the ApplicationSet cannot be read.
    pub async fn look(&self, options: &Options) -> Result<Sight, MigrateError> {
        let set = self.set(&options.source, &options.argocd_namespace).await?;
        let offline = ClassSight { name: options.class.clone(), prefix: options.prefix.clone(), spec: None };
        let mut sight = Sight {
            set,
            live: matches!(options.source, Source::Cluster { .. }),
            applications: None,
            class: offline,
            tenants: BTreeMap::new(),
            records: BTreeMap::new(),
            places: BTreeMap::new(),
            cloud: None,
            unread: Vec::new(),
        };
        let Some(client) = &self.client else { return Ok(sight) };
        let mut unread = Unread::new();
        class(client, &mut sight.class, &mut unread).await;
        let argo = sight.set["metadata"]["namespace"].as_str().unwrap_or(&options.argocd_namespace).to_owned();
        sight.applications = told(list(client, &APPLICATION.into(), Some(&argo)).await, &mut unread);
        sight.tenants = by_name(list(client, &definitions::TENANT.into(), None).await, &mut unread);
        sight.records = by_name(list(client, &definitions::RECORD.into(), None).await, &mut unread);
        let wanted = namespaces(&sight.set, &sight.class, &options.wishes.tenants)?;
        sight.places = places(client, wanted, &mut unread).await;
        if let Some(aws) = &self.aws {
            let tenants = tenants(&sight.set, &sight.class, &options.wishes.tenants)?;
            sight.cloud = aws.look(client, &tenants, &mut unread).await;
        }
        sight.unread = unread.into_iter().collect();
        Ok(sight)
    }

    async fn set(&self, source: &Source, namespace: &str) -> Result<Value, MigrateError> {
        let name = match source {
            Source::File(path) | Source::FileAlone(path) => {
                let failed = |why: String| MigrateError::File { path: path.clone(), why };
                let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                return from_text(&text).map_err(failed);
            }
            Source::Cluster { name } => name,
        };
        let what = format!("ApplicationSet {namespace}/{name}");
        let Some(client) = &self.client else {
            return Err(MigrateError::Unreadable { what, why: "no cluster was asked".to_owned() });
        };
        let unreadable = |why: String| MigrateError::Unreadable { what: what.clone(), why };
        let found = get(client, &APPLICATION_SET.into(), Some(namespace), name).await.map_err(unreadable)?;
        found.ok_or_else(|| unreadable("there is none of that name, or Argo CD is not in this cluster".to_owned()))
    }
}

/// The one ApplicationSet of a YAML or JSON file.
fn from_text(text: &str) -> Result<Value, String> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    let mut sets = all.into_iter().filter(|object| object["kind"] == "ApplicationSet");
    match (sets.next(), sets.next()) {
        (Some(set), None) => Ok(set),
        (None, _) => Err("no ApplicationSet is in it".to_owned()),
        (Some(_), Some(_)) => Err("several ApplicationSets are in it: give one at a time".to_owned()),
    }
}

async fn class(client: &Client, class: &mut ClassSight, unread: &mut Unread) {
    match get(client, &definitions::CLASS.into(), None, class.name.as_str()).await {
        Ok(Some(object)) => match views::class(&object) {
            Ok(spec) => {
                class.prefix = spec.namespace_prefix.clone();
                class.spec = Some(spec);
            }
            Err(why) => drop(unread.insert(format!("TenantClass {}: {why}", class.name))),
        },
        Ok(None) => drop(unread.insert(format!("TenantClass {}: there is none yet", class.name))),
        Err(why) => drop(unread.insert(format!("TenantClass {}: {why}", class.name))),
    }
}

fn by_name(found: Result<Vec<Value>, String>, unread: &mut Unread) -> BTreeMap<String, Value> {
    let all = found.unwrap_or_else(|why| {
        unread.insert(why);
        Vec::new()
    });
    all.into_iter().map(|object| (views::name(&object).to_owned(), object)).collect()
}

/// What lies in these namespaces. One that cannot be read is left out.
async fn places(client: &Client, wanted: BTreeSet<String>, unread: &mut Unread) -> BTreeMap<String, Option<Place>> {
    let kinds = workload_kinds(client).await;
    let namespace = ApiResource::from(definitions::NAMESPACE);
    let looks = stream::iter(wanted).map(|name| {
        let (kinds, namespace) = (&kinds, &namespace);
        async move {
            match get(client, namespace, None, &name).await {
                Ok(Some(object)) => {
                    let (place, missing) = place(client, kinds, &name, object).await;
                    (name, Some(Some(place)), missing)
                }
                Ok(None) => (name, Some(None), Unread::new()),
                Err(why) => {
                    let missing = Unread::from([format!("Namespace {name}: {why}")]);
                    (name, None, missing)
                }
            }
        }
    });
    let mut all = BTreeMap::new();
    let mut looks = looks.buffer_unordered(AT_ONCE);
    while let Some((name, found, missing)) = looks.next().await {
        unread.extend(missing);
        all.extend(found.map(|found| (name, found)));
    }
    all
}

async fn place(
    client: &Client,
    kinds: &Result<Vec<ApiResource>, String>,
    name: &str,
    namespace: Value,
) -> (Place, Unread) {
    let mut unread = Unread::new();
    let claims = told(list(client, &Kind::PersistentVolumeClaim.info().into(), Some(name)).await, &mut unread);
    let reclaim = reclaim_policies(client, claims.as_deref().unwrap_or_default(), &mut unread).await;
    let place = Place {
        namespace,
        workloads: told(workloads(client, kinds, name).await, &mut unread),
        claims,
        accounts: told(list(client, &Kind::ServiceAccount.info().into(), Some(name)).await, &mut unread),
        secrets: told(metadata(client, &SECRET.into(), name).await, &mut unread).map(|all| names(&all)),
        reclaim,
    };
    (place, unread)
}

fn names(objects: &[Value]) -> Vec<String> {
    objects.iter().map(|object| views::name(object).to_owned()).collect()
}

fn told<T>(found: Result<T, String>, unread: &mut Unread) -> Option<T> {
    found.map_err(|why| unread.insert(why)).ok()
}

/// All of them: half a sight would say that nobody mounts a claim.
async fn workloads(
    client: &Client,
    kinds: &Result<Vec<ApiResource>, String>,
    namespace: &str,
) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    for resource in kinds.as_ref().map_err(Clone::clone)? {
        all.extend(list_named(client, resource, Some(namespace)).await?);
    }
    // What another workload made is none of its own.
    all.retain(|object| !made_by_another(object));
    Ok(all)
}

async fn reclaim_policies(client: &Client, claims: &[Value], unread: &mut Unread) -> BTreeMap<String, String> {
    let mut policies = BTreeMap::new();
    for volume in claims.iter().filter_map(|claim| claim["spec"]["volumeName"].as_str()) {
        match get(client, &definitions::VOLUME.into(), None, volume).await {
            Ok(found) => {
                let policy =
                    found.and_then(|found| Some(found["spec"]["persistentVolumeReclaimPolicy"].as_str()?.to_owned()));
                policies.extend(policy.map(|policy| (volume.to_owned(), policy)));
            }
            Err(why) => drop(unread.insert(format!("PersistentVolume {volume}: {why}"))),
        }
    }
    policies
}

/// A SandboxClaim is one of its own; the Sandbox that it got holds the pod, and is looked at all the same.
fn made_by_another(object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.into_iter().any(|owner| owner["controller"] == true && owner["kind"] != "SandboxClaim")
}
