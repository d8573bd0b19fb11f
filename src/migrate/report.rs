//! PURE: what the command has to say, as a table for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    cloud::{CloudItem, CloudReport},
    step::{OldKind, Step},
    today::{OldClaim, OldWorkload, Today},
};
use crate::api::{labels, names::OwnerHash};

/// How a tenant stands on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It can be made a Tenant.
    #[default]
    Open,
    /// It cannot, until a person has decided something.
    Blocked,
    /// A Tenant says what the list says.
    Migrated,
    /// A Tenant is there and says otherwise.
    Differs,
}

impl State {
    /// One word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "to migrate",
            Self::Blocked => "blocked",
            Self::Migrated => "migrated",
            Self::Differs => "differs",
        }
    }
}

/// What there is to say of the ApplicationSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetReport {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What is to be changed in it so that it cannot cascade.
    pub steps: Vec<Step>,
    /// What a person has to look at.
    pub remarks: Vec<String>,
    /// Whether it was read from the cluster: a file cannot be prepared.
    pub live: bool,
    /// Whether its Applications were read: what was not seen may cascade.
    pub applications_seen: bool,
    /// How many Applications of tenants that were not asked for still cascade.
    pub elsewhere: usize,
    /// Whether AWS was looked at.
    pub aws_seen: bool,
}

/// What there is to say of one tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TenantReport {
    /// Its name, as the list has it.
    pub name: String,
    /// Its owner's address, as the list has it.
    pub email: String,
    /// The Tenant's namespace; empty where the name is none.
    pub namespace: String,
    /// How it stands.
    pub state: State,
    /// What it has today.
    pub today: Today,
    /// What of that the Tenant will take over.
    pub attach: Vec<String>,
    /// Whether the namespace says that this tenant may take it over.
    pub consented: bool,
    /// What will be otherwise.
    pub differs: Vec<String>,
    /// What only a person can decide.
    pub blocks: Vec<String>,
    /// What would take data along when it goes.
    pub hazards: Vec<String>,
    /// Who else says that things are theirs.
    pub claimed: Vec<String>,
    /// What lies in AWS for it; `None` where that was not seen.
    pub cloud: Option<CloudReport>,
    /// Whose it is to be, where that could be told.
    pub owner: Option<OwnerHash>,
    /// What is to be changed so that nothing cascades.
    pub steps: Vec<Step>,
    /// The Tenant.
    pub manifest: Option<Value>,
}

/// All that there is to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Of the ApplicationSet.
    pub set: SetReport,
    /// Of the class.
    pub class: String,
    /// Of each tenant, in the order of the list.
    pub tenants: Vec<TenantReport>,
    /// Tenants that were asked for and are not in the list.
    pub unknown: Vec<String>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

impl TenantReport {
    /// The command by which the namespace consents to be taken over; `None` where there is none, or where it has.
    pub fn consent(&self) -> Option<String> {
        let wanted = !self.attach.is_empty() && !self.consented && self.blocks.is_empty();
        wanted.then(|| format!("kubectl annotate namespace {} {}={}", self.namespace, labels::ADOPT_BY, self.name))
    }

    /// The commands by which what is in AWS consents, where it does not.
    fn consent_in_aws(&self) -> Vec<String> {
        let cloud = self.cloud.iter().filter(|_| self.blocks.is_empty());
        cloud.flat_map(|cloud| cloud.silent().map(|target| target.command(&self.name, &cloud.region))).collect()
    }

    fn json(&self) -> Value {
        let workload = |one: &OldWorkload| json!({ "kind": one.kind, "name": one.name, "atRest": one.at_rest });
        let claim = |claim: &OldClaim| {
            json!({
                "name": claim.name, "size": claim.size, "storageClass": claim.storage_class, "accessModes": claim.access_modes,
                "volume": claim.volume, "reclaimPolicy": claim.reclaim, "owners": claim.owners,
            })
        };
        json!({
            "name": self.name,
            "email": self.email,
            "namespace": self.namespace,
            "state": self.state.as_str(),
            "today": {
                "workloads": self.today.workloads.as_ref().map(|all| all.iter().map(workload).collect::<Vec<_>>()),
                "claims": self.today.claims.as_ref().map(|all| all.iter().map(claim).collect::<Vec<_>>()),
                "serviceAccounts": self.today.accounts,
                "secrets": self.today.secrets,
            },
            "attach": self.attach,
            "consent": self.consent(),
            "aws": self.cloud.as_ref().map(|cloud| cloud.json(&self.name)),
            "differs": self.differs,
            "blocks": self.blocks,
            "hazards": self.hazards,
            "claimed": self.claimed,
            "toPrepare": self.steps.iter().map(Step::json).collect::<Vec<_>>(),
            "manifest": self.manifest,
        })
    }

    /// What it has today, in one line.
    fn has(&self) -> String {
        let today = &self.today;
        let mut parts: Vec<String> =
            today.workloads.iter().flatten().map(|one| format!("{} {}", one.kind, one.name)).collect();
        parts.extend(
            today.claims.iter().flatten().map(|claim| format!("PersistentVolumeClaim {} ({})", claim.name, claim.size)),
        );
        parts.extend(today.accounts.iter().flatten().map(|name| format!("ServiceAccount {name}")));
        parts.extend(today.secrets.iter().flatten().map(|name| format!("Secret {name}")));
        parts.join(", ")
    }

    fn write(&self, text: &mut String) {
        let lines = [
            ("blocks", self.blocks.clone()),
            ("has", Some(self.has()).filter(|line| !line.is_empty()).into_iter().collect()),
            ("attach", self.attach.clone()),
            ("aws", self.cloud.iter().flat_map(|cloud| &cloud.items).map(CloudItem::said).collect()),
            ("consent", self.consent().into_iter().chain(self.consent_in_aws()).collect()),
            ("differs", self.differs.clone()),
            ("cascade", self.steps.iter().map(ToString::to_string).collect()),
            ("danger", self.hazards.clone()),
            ("claimed", self.claimed.clone()),
        ];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", if self.name.is_empty() { "(without a name)" } else { &self.name });
        for (title, line) in lines.iter().flat_map(|(title, lines)| lines.iter().map(move |line| (title, line))) {
            let _ = writeln!(text, "  {title:8} {line}");
        }
    }
}

impl Report {
    /// Every step that is still to be taken, the ApplicationSet's first.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.set.steps.iter().chain(self.tenants.iter().flat_map(|tenant| &tenant.steps))
    }

    /// How many are blocked, or were asked for and are not in the list.
    pub fn blocked(&self) -> usize {
        self.tenants.iter().filter(|tenant| tenant.state == State::Blocked).count() + self.unknown.len()
    }

    /// Whether the ApplicationSet and all its Applications can go without taking anything along, by all that was seen.
    pub fn is_prepared(&self) -> bool {
        let set = &self.set;
        set.live
            && set.applications_seen
            && set.elsewhere == 0
            && set.remarks.is_empty()
            && self.cascading().next().is_none()
    }

    /// What is missing of the preparation. A consent that is missing cascades nothing.
    fn cascading(&self) -> impl Iterator<Item = &Step> {
        self.steps().filter(|step| step.object.kind != OldKind::Namespace)
    }

    /// As JSON, for programs.
    pub fn json(&self) -> Value {
        json!({
            "applicationSet": {
                "namespace": self.set.namespace,
                "name": self.set.name,
                "toPrepare": self.set.steps.iter().map(Step::json).collect::<Vec<_>>(),
                "remarks": self.set.remarks,
                "prepared": self.is_prepared(),
                "applicationsElsewhere": self.set.elsewhere,
                "awsSeen": self.set.aws_seen,
            },
            "class": self.class,
            "tenants": self.tenants.iter().map(TenantReport::json).collect::<Vec<_>>(),
            "unknown": self.unknown,
            "unread": self.unread,
        })
    }

    /// As a table with what there is to say of each, for people.
    pub fn table(&self) -> String {
        let place = self.set.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        let mut text = format!("ApplicationSet {place}{}: {}; {}\n", self.set.name, count(&self.tenants), self.class);
        for step in &self.set.steps {
            let _ = writeln!(text, "  cascade  {step}");
        }
        for remark in &self.set.remarks {
            let _ = writeln!(text, "  look     {remark}");
        }
        for what in &self.unread {
            let _ = writeln!(text, "  unread   {what}");
        }
        for name in &self.unknown {
            let _ = writeln!(text, "  unknown  {name} is not in the list");
        }
        text.push('\n');
        text.push_str(&self.rows());
        self.tenants.iter().for_each(|tenant| tenant.write(&mut text));
        text.push_str(&self.advice());
        text
    }

    fn rows(&self) -> String {
        let head = ["NAME", "OWNER", "NAMESPACE", "WORKLOAD", "STATE"].map(str::to_owned);
        let row = |tenant: &TenantReport| {
            let kinds: Vec<&str> = tenant.today.workloads.iter().flatten().map(|one| one.kind.as_str()).collect();
            let cells = [tenant.name.clone(), tenant.email.clone(), tenant.namespace.clone(), kinds.join(",")];
            let [name, email, namespace, workload] =
                cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell });
            [name, email, namespace, workload, tenant.state.as_str().to_owned()]
        };
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(self.tenants.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut text = String::new();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        }
        text
    }

    fn advice(&self) -> String {
        let mut text = String::from("\n");
        let set = &self.set;
        if self.is_prepared() {
            text.push_str(
                "Prepared: the ApplicationSet and its Applications can be deleted without taking along what they made, with kubectl or \
                 argocd app delete --cascade=false. A plain argocd app delete, and Argo CD's pages where Non-Cascading is not chosen, put the finalizer back first. \
                 Look at \"danger\" before you delete workloads.\n",
            );
        } else if self.cascading().next().is_some() {
            text.push_str("Not prepared: what stands behind \"cascade\" comes first, before anything of the old side is removed. ");
            text.push_str(if set.live {
                "None of it was done; --apply does it.\n"
            } else {
                "A file cannot be prepared: name the ApplicationSet in the cluster (--applicationset).\n"
            });
        } else {
            text.push_str("Not known to be prepared: ");
            text.push_str(match (set.live, set.applications_seen, set.elsewhere) {
                (false, ..) => "a file was read. Name the ApplicationSet in the cluster (--applicationset).\n",
                (_, false, _) => "the Applications could not be read.\n",
                (_, _, 0) => "look at what stands behind \"look\".\n",
                _ => "Applications of other tenants still cascade. Run it without --tenant.\n",
            });
        }
        if self.tenants.iter().any(|tenant| tenant.consent().is_some()) {
            text.push_str(
                "A namespace is taken over only where it consents itself: by the command behind \"consent\", or --apply --consent.\n",
            );
        }
        if !set.aws_seen {
            text.push_str(
                "AWS was not looked at: secrets and associations there have to consent as well. --cluster-name NAME looks at them.\n",
            );
        }
        text
    }
}

fn count(tenants: &[TenantReport]) -> String {
    let of = |state: State| tenants.iter().filter(|tenant| tenant.state == state).count();
    let states = [State::Open, State::Migrated, State::Differs, State::Blocked];
    let parts = states.map(|state| (of(state), state)).into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, state)| format!("{number} {}", state.as_str())).collect();
    if parts.is_empty() { "no tenants".to_owned() } else { parts.join(", ") }
}
