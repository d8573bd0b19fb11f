//! Labels, annotations and tags of ours, as docs/api.md tells of them.

use std::fmt::Write as _;

/// One label, annotation, finalizer or tag.
struct Mark {
    /// Its key.
    key: &'static str,
    /// What it is on.
    on: &'static str,
    /// What it does, or says.
    does: &'static str,
}

const fn mark(key: &'static str, on: &'static str, does: &'static str) -> Mark {
    Mark { key, on, does }
}

/// What the owners of manifests write, people and Git.
const WISHES: [Mark; 5] = [
    mark(
        "openclaw.io/paused",
        "Tenant",
        "`\"true\"`: nothing is written for it; its status says what would be changed ([coming and going](concepts.md#coming-and-going))",
    ),
    mark(
        "openclaw.io/protected",
        "Tenant",
        "any value but `\"false\"`: nobody deletes it ([policies](../deploy/policies/README.md#protect-one-tenant))",
    ),
    mark(
        "openclaw.io/rotate-secrets",
        "Tenant",
        "each new value orders new values of its generated secrets; one that begins with `compromised` says that they have leaked \
         ([rotation](concepts.md#rotation))",
    ),
    mark(
        "openclaw.io/cut-over",
        "Tenant",
        "`start` moves an adopted workspace over, `finish` ends the way back, taking it off goes back ([adoption](adoption.md))",
    ),
    mark(
        "openclaw.io/halt",
        "TenantClass",
        "`\"true\"`: nothing of its tenants is removed for good ([the breaker](lifecycle.md#the-breaker))",
    ),
];

/// What whoever owns a thing, or looks after the cluster, writes.
const CONSENTS: [Mark; 2] = [
    mark(
        "openclaw.io/adopt-by",
        "Namespace, PersistentVolumeClaim of an earlier system",
        "consents to becoming the tenant's whom it names ([consent](adoption.md#consent))",
    ),
    mark(
        "openclaw.io/deletion-allowed",
        "CustomResourceDefinition of ours",
        "`\"true\"`: it may be deleted, with all its objects \
         ([policies](../deploy/policies/README.md#delete-a-customresourcedefinition))",
    ),
];

/// Orders on a TenantRecord, which take the verb `administer`.
const ORDERS: [Mark; 5] = [
    mark("openclaw.io/keep-until", "TenantRecord", "a time: a retained tenant is kept at least so long"),
    mark("openclaw.io/purge-now", "TenantRecord", "its incarnation: retention ends now"),
    mark(
        "openclaw.io/confirm-deletion",
        "TenantRecord",
        "its incarnation, with `@` and the beginning where one removal alone is meant: it may pass the breaker",
    ),
    mark("openclaw.io/transfer-to", "TenantRecord", "a subject: from now on it is that owner's"),
    mark(
        "openclaw.io/move-to",
        "TenantRecord",
        "`namespace/gateway`, or `namespace/gateway/domain`: it is moved there, within its class",
    ),
];

/// What the operator and `migrate` write.
const OURS: [Mark; 18] = [
    mark(
        "openclaw.io/managed",
        "label of everything that the operator keeps",
        "`\"true\"`; the watches and Gateways select by it",
    ),
    mark(
        "openclaw.io/tenant",
        "label of everything that the operator keeps, and of the workspace's pod; annotation of the Namespace",
        "the tenant's name",
    ),
    mark("openclaw.io/tenant-operator", "finalizer of a Tenant", "goes when the end of access was confirmed"),
    mark(
        "openclaw.io/incarnation",
        "annotation of the Namespace; label of the PersistentVolume",
        "mirrors the record: its incarnation",
    ),
    mark(
        "openclaw.io/owner-hash",
        "annotation of the Namespace",
        "mirrors the record: SHA-256 of the owner's subject, in hex",
    ),
    mark(
        "openclaw.io/service-account",
        "annotation of the Namespace",
        "mirrors the record: the workspace's ServiceAccount",
    ),
    mark("openclaw.io/class", "annotation of the Namespace", "mirrors the record: the class"),
    mark("openclaw.io/phase", "annotation of the Namespace", "mirrors the record: its phase"),
    mark("openclaw.io/purge-after", "annotation of the Namespace", "mirrors the record: when it may be purged"),
    mark(
        "openclaw.io/rotation-order",
        "annotation of the Namespace",
        "mirrors the record: the order to rotate that was carried out last",
    ),
    mark(
        "openclaw.io/handed-over",
        "annotation of the Namespace",
        "mirrors the record: generated secrets have to get new values, because a former owner may know them",
    ),
    mark(
        "openclaw.io/claim",
        "annotation of the Namespace",
        "mirrors the record: the name of an adopted claim that is not the tenant's",
    ),
    mark("openclaw.io/adoption", "annotation of the Namespace", "mirrors the record: how far an adoption is"),
    mark(
        "openclaw.io/former-labels",
        "annotation of the Namespace",
        "mirrors the record: labels from before an adoption, as JSON",
    ),
    mark(
        "openclaw.io/delete-approved",
        "annotation of the Namespace",
        "its own UID, once its removal was decided: the policies let the operator delete no other",
    ),
    mark(
        "openclaw.io/released-at",
        "annotation of a PersistentVolume",
        "when it was given to its storage to be deleted",
    ),
    mark(
        "openclaw.io/config-hash",
        "annotation of the pod template",
        "hash of the configuration: a changed one rolls the pod",
    ),
    mark(
        "openclaw.io/before-cut-over",
        "annotation of a former workload",
        "what it was before `migrate cut-over` scaled it to zero, as JSON",
    ),
];

/// Keys of tags in AWS.
const TAGS: [Mark; 10] = [
    mark("openclaw-tenant", "secret, association, role", "the tenant's name"),
    mark("openclaw-incarnation", "secret, association, role", "the incarnation"),
    mark("openclaw-owner-hash", "secret, association, role", "SHA-256 of the owner's subject, in hex"),
    mark("openclaw-cluster-uid", "secret, association, role", "UID of the namespace `kube-system`"),
    mark("managed-by", "secret, association, role", "`openclaw-tenant-operator`"),
    mark("tenant-namespace", "secret", "a reader's session tag `kubernetes-namespace` must equal it"),
    mark(
        "tenant-service-account",
        "secret",
        "a reader's session tag `kubernetes-service-account` must equal it; `revoked` ends access at once",
    ),
    mark("eks-cluster-arn", "secret", "a reader's session tag of that name must equal it"),
    mark("budget-usd", "secret", "what the workspace may spend in a month, for what watches costs"),
    mark(
        "openclaw-adopt-by",
        "secret, association of an earlier system",
        "put by a person: consents to becoming the tenant's whom it names ([consent](adoption.md#consent))",
    ),
];

/// The sections of the page.
pub(super) fn write(page: &mut String) {
    page.push_str(
        "\n## Labels and annotations\n\nOnly these are looked at or written; other people's are left as they are.\n",
    );
    let sections: [(&str, &str, &[Mark]); 4] = [
        ("Wishes", "Written by whoever writes the object, people or Git. They are annotations.", &WISHES),
        ("Consent", "Written by whoever owns the thing or looks after the cluster. They are annotations.", &CONSENTS),
        (
            "Orders",
            "Written by administrators, who hold the verb `administer`; the operator takes each off when it was carried out or refused \
             ([lifecycle](lifecycle.md#administrators-orders)). They are annotations.",
            &ORDERS,
        ),
        (
            "The operator's own",
            "Written by the operator, the last one by `migrate`. To change one of a namespace's by hand is refused \
             ([policies](../deploy/policies/README.md)). Where that was passed it is brought back, or contradicts the record and makes a \
             tenant `Stalled: RecordDisputed`.",
            &OURS,
        ),
    ];
    for (title, who, marks) in sections {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n### {title}\n\n{who}\n");
        table(marks, page);
    }
    page.push_str("\n## Tags in AWS\n\nWritten by the operator, where nothing else is said. [Incarnation](concepts.md#incarnation) says why.\n");
    table(&TAGS, page);
}

fn table(marks: &[Mark], page: &mut String) {
    page.push_str("\n| key | on | what it does |\n|---|---|---|\n");
    for Mark { key, on, does } in marks {
        let _ = writeln!(page, "| `{key}` | {on} | {does} |");
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn top() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn told() -> BTreeSet<&'static str> {
        [&WISHES[..], &CONSENTS, &ORDERS, &OURS].into_iter().flatten().map(|mark| mark.key).collect()
    }

    /// The constants of text in a source, by name.
    fn constants(source: &str) -> Vec<(&str, &str)> {
        let declared = source.split("pub const ").skip(1).filter_map(|rest| rest.split_once(": &str = \""));
        declared.filter_map(|(name, rest)| rest.split_once('"').map(|(value, _)| (name, value))).collect()
    }

    /// All marks in a text: what follows `openclaw.io/`.
    fn marks(text: &str) -> BTreeSet<String> {
        let rest = text.split("openclaw.io/").skip(1);
        let word = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>();
        // A trailing hyphen takes an annotation off.
        let words = rest.map(|rest| word(rest).trim_end_matches('-').to_owned());
        words.filter(|word| word.len() > 1).map(|word| format!("openclaw.io/{word}")).collect()
    }

    #[test]
    fn every_constant_is_told_of() {
        let source = read(&top().join("src/api/labels.rs"));
        let (marks, tags) = source.split_once("pub mod tags").expect("tags");
        let told = told();
        let keys: Vec<_> =
            constants(marks).into_iter().filter(|(_, value)| value.starts_with("openclaw.io/")).collect();
        assert!(keys.len() > 25, "they are found: {keys:?}");
        for (name, key) in keys {
            assert!(told.contains(key), "{name} ({key}) of src/api/labels.rs is not in src/cli/reference/marks.rs");
        }
        let values = ["MANAGED_BY_US", "REVOKED"];
        let keys: BTreeSet<&str> =
            constants(tags).into_iter().filter(|(name, _)| !values.contains(name)).map(|(_, key)| key).collect();
        assert_eq!(TAGS.iter().map(|mark| mark.key).collect::<BTreeSet<_>>(), keys, "the tags of src/api/labels.rs");
    }

    #[test]
    fn every_mark_that_a_policy_or_a_page_names_is_told_of_and_none_besides() {
        let mut named = BTreeSet::new();
        for directory in ["deploy/policies", "deploy/examples", "deploy/operator", "docs"] {
            for entry in fs::read_dir(top().join(directory)).expect("a directory") {
                let path = entry.expect("an entry").path();
                let is_text = path.extension().is_some_and(|extension| extension == "md" || extension == "yaml");
                if is_text && path.file_name().is_some_and(|name| name != "api.md") {
                    named.extend(marks(&read(&path)));
                }
            }
        }
        let told = told();
        let missing: Vec<&String> = named.iter().filter(|mark| !told.contains(mark.as_str())).collect();
        assert_eq!(missing, Vec::<&String>::new(), "not in src/cli/reference/marks.rs");
        named.extend(marks(&read(&top().join("src/api/labels.rs"))));
        let idle: Vec<&&str> = told.iter().filter(|mark| !named.contains(**mark)).collect();
        assert_eq!(idle, Vec::<&&str>::new(), "nobody reads or writes them");
    }
}
