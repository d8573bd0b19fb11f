//! The subcommand `orphans`: one sweep in the caller's own name, for what nobody stands behind in AWS. It only reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::{
    administer::table,
    api::{
        labels::tags,
        names::{SecretsPrefix, TenantName, Uid},
    },
    aws::{self, AwsClients, AwsError, AwsSettings, AwsStartError, Rates},
    fence::Fence,
    inspect::age,
    kubernetes::{
        definitions,
        listing::{ListError, all, callers_cluster},
    },
    sweep::{
        findings::{Listing, judge},
        orphans::{Kind, Memory, Orphan, Orphans},
        prefixes,
    },
    tenant::{
        cache::marks,
        census::Census,
        child,
        digest::Digest,
        observed::{Definitions, RecordView},
        views,
    },
};

/// What the command is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The EKS cluster's name.
    pub cluster_name: String,
    /// The AWS region, where it shall not be discovered.
    pub region: Option<String>,
    /// What secret names begin with.
    pub secrets_prefix: SecretsPrefix,
}

/// Why orphans cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OrphansError {
    /// The cluster cannot be seen, and everything would look like an orphan.
    #[error(transparent)]
    Kubernetes(#[from] ListError),
    /// This is no cluster that tenants can live in.
    #[error("namespace kube-system is not there: by its UID resources in AWS tell clusters apart")]
    NoKubeSystem,
    /// AWS cannot be spoken to.
    #[error(transparent)]
    AwsStart(#[from] AwsStartError),
    /// AWS refuses or does not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Nothing deletes orphans yet.
    #[error(
        "--delete is not in this version: nothing was deleted. Without --delete the command lists the orphans and says how to \
         remove each by hand"
    )]
    NoPurge,
}

/// What one sweep sees of orphans.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The EKS cluster's name, for the commands that remove them.
    pub cluster_name: String,
    /// When it was looked.
    pub now: Timestamp,
    /// What was found.
    pub orphans: Orphans,
}

/// Looks once.
///
/// # Errors
/// Where either side refuses or does not answer: half a sight is none.
pub async fn look(options: Options) -> Result<Report, OrphansError> {
    let client = callers_cluster().await?;
    // Closed for ever: this command writes nothing.
    let settings =
        AwsSettings { cluster_name: options.cluster_name.clone(), region: options.region, rates: Rates::default() };
    let aws = aws::connect(settings, Fence::closed(), None).await?;
    let now = Timestamp::now();
    let records = all(&client, definitions::RECORD).await?;
    let records: Vec<RecordView> = records.iter().filter_map(views::record).collect();
    let prefixes = prefixes(&options.secrets_prefix, records.iter());
    let listing = crate::sweep::list(&aws, &prefixes, now).await?;
    // After AWS: what a tenant made meanwhile has a record by now.
    let census = census(&client).await?;
    let orphans = orphans(&aws, &listing, &census, now).await?;
    Ok(Report { cluster_name: options.cluster_name, now, orphans })
}

async fn orphans(aws: &AwsClients, listing: &Listing, census: &Census, now: Timestamp) -> Result<Orphans, AwsError> {
    let (findings, mut memory) = judge(listing, census, Memory::default(), now);
    for id in findings.unknown {
        let found = aws.pod_identity.describe(&id).await?;
        memory.described(id, found);
    }
    Ok(judge(listing, census, memory, now).0.orphans)
}

async fn census(client: &Client) -> Result<Census, OrphansError> {
    let namespaces = all(client, definitions::NAMESPACE).await?;
    let system = namespaces.iter().find(|namespace| views::name(namespace) == "kube-system");
    let uid = system.and_then(|namespace| namespace.pointer("/metadata/uid")).and_then(Value::as_str);
    let cluster_uid: Uid = uid.and_then(|uid| uid.parse().ok()).ok_or(OrphansError::NoKubeSystem)?;
    let tenants = all(client, definitions::TENANT).await?;
    let records = all(client, definitions::RECORD).await?;
    let name = |object: &Value| views::name(object).parse::<TenantName>().ok();
    let digests = namespaces.iter().filter_map(|namespace| Digest::of(child::Kind::Namespace, namespace).ok());
    Ok(Census {
        definitions: Definitions::Stand,
        cluster_uid,
        tenants: tenants.iter().filter_map(name).collect::<BTreeSet<_>>(),
        records: records.iter().filter_map(|one| Some((name(one)?, views::record(one)?.into()))).collect(),
        marks: digests.flat_map(|digest| marks(&digest)).collect(),
        aws: BTreeMap::new(),
    })
}

impl Report {
    /// All of them; one look tells no more than that they are there.
    fn found(&self) -> impl Iterator<Item = &Orphan> {
        self.orphans.confirmed.iter().chain(&self.orphans.suspected)
    }

    /// How to remove one by hand; `None` while what is seen is not believed.
    fn removal(&self, orphan: &Orphan) -> Option<String> {
        match (self.orphans.refused, orphan.kind) {
            (Some(_), _) => None,
            (None, Kind::Association) => Some(format!(
                "aws eks delete-pod-identity-association --cluster-name {} --association-id {}",
                self.cluster_name, orphan.name
            )),
            (None, Kind::Secret) => Some(format!(
                "aws secretsmanager delete-secret --secret-id {} --recovery-window-in-days 30",
                orphan.name
            )),
        }
    }

    /// As JSON, for programs.
    pub fn json(&self) -> Value {
        let one = |orphan: &Orphan| {
            json!({
                "kind": orphan.kind.as_str(),
                "name": orphan.name,
                "arn": orphan.arn,
                "namespace": orphan.account.as_ref().map(|(namespace, _)| namespace),
                "serviceAccount": orphan.account.as_ref().map(|(_, account)| account),
                "tags": orphan.tags.iter().collect::<BTreeMap<_, _>>(),
                "createdAt": orphan.created_at.map(|at| at.to_string()),
                "remove": self.removal(orphan),
            })
        };
        let refused = self.orphans.refused.map(|why| why.to_string());
        json!({ "refused": refused, "orphans": self.found().map(one).collect::<Vec<_>>() })
    }

    /// As a table, for people.
    pub fn table(&self) -> String {
        let head = ["KIND", "NAME", "TENANT", "INCARNATION", "AGE"].map(str::to_owned);
        let rows: Vec<[String; 5]> = self.found().map(|orphan| self.row(orphan)).collect();
        if rows.is_empty() {
            return "No orphans: somebody stands behind everything of this cluster in AWS.\n".to_owned();
        }
        let mut text = table(&head, &rows);
        text.push_str(&self.advice());
        text
    }

    fn row(&self, orphan: &Orphan) -> [String; 5] {
        let tag = |key: &str| orphan.tags.get(key).map_or("-", SmolStr::as_str).to_owned();
        let age = orphan.created_at.map_or_else(|| "-".to_owned(), |at| age(at, self.now));
        [orphan.kind.to_string(), orphan.name.clone(), tag(tags::TENANT), tag(tags::INCARNATION), age]
    }

    fn advice(&self) -> String {
        if let Some(why) = &self.orphans.refused {
            return format!(
                "\nNot believed: {why}. Delete nothing on the ground of this; are CustomResourceDefinitions, Tenants and \
                 TenantRecords there, and is this the right cluster?\n"
            );
        }
        let mut text =
            "\nSeen once, which proves nothing: listings lag, and records are rebuilt. The operator believes an \
                        orphan that it sees again after more than an hour (event OrphansFound, metric \
                        openclaw_orphans{state=\"confirmed\"}). All tags: --output json. To remove one by hand:\n"
                .to_owned();
        for orphan in self.found() {
            let _ = writeln!(text, "  {}", self.removal(orphan).unwrap_or_default());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::orphans::Refusal;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("time")
    }

    fn report(refused: Option<Refusal>) -> Report {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let orphan = |kind, name: &str, tags: &[(String, String)]| Orphan {
            kind,
            name: name.to_owned(),
            arn: format!("arn:{name}"),
            account: (kind == Kind::Association).then(|| ("openclaw-ghost".to_owned(), "workspace-1".to_owned())),
            tags: tags.iter().map(|(key, value)| (key.into(), value.into())).collect(),
            created_at: (kind == Kind::Secret).then(|| at(0)),
            since: at(100_000),
        };
        let tags = [tag(tags::TENANT, "ghost"), tag(tags::INCARNATION, "0123456789")];
        let suspected =
            vec![orphan(Kind::Association, "a-1", &tags), orphan(Kind::Secret, "openclaw/ghost/gateway-token", &[])];
        let orphans = Orphans { confirmed: Vec::new(), suspected, refused };
        Report { cluster_name: "prod".into(), now: at(100_000), orphans }
    }

    #[test]
    fn the_table_is_aligned_and_says_how_to_remove_each() {
        let table = report(None).table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "KIND         NAME                          TENANT  INCARNATION  AGE");
        assert_eq!(lines[1], "association  a-1                           ghost   0123456789   -");
        assert_eq!(lines[2], "secret       openclaw/ghost/gateway-token  -       -            27h");
        assert!(table.contains("aws eks delete-pod-identity-association --cluster-name prod --association-id a-1"));
        assert!(table.contains("aws secretsmanager delete-secret --secret-id openclaw/ghost/gateway-token "));
    }

    #[test]
    fn what_is_not_believed_is_listed_and_never_offered_for_deletion() {
        let report = report(Some(Refusal::NoTenants));
        let table = report.table();
        assert!(table.contains("a-1") && table.contains("Not believed: there is no Tenant at all"), "{table}");
        assert!(!table.contains("aws "), "{table}");
        assert_eq!(report.json()["orphans"][0]["remove"], Value::Null);
        assert_eq!(report.json()["refused"], "there is no Tenant at all");
    }

    #[test]
    fn json_holds_everything_that_is_known() {
        let expected = json!({
            "kind": "association", "name": "a-1", "arn": "arn:a-1", "namespace": "openclaw-ghost",
            "serviceAccount": "workspace-1",
            "tags": { "openclaw-tenant": "ghost", "openclaw-incarnation": "0123456789" },
            "createdAt": null,
            "remove": "aws eks delete-pod-identity-association --cluster-name prod --association-id a-1",
        });
        assert_eq!(report(None).json()["orphans"][0], expected);
        assert_eq!(report(None).json()["orphans"][1]["createdAt"], "1970-01-01T00:00:00Z");
        assert_eq!(report(None).json()["orphans"][1]["tags"], json!({}));
    }

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        let told = |seconds: i64| age(at(0), at(seconds));
        assert_eq!([90, 600, 7_300, 200_000].map(told), ["90s", "10m", "2h", "2d"]);
    }
}
