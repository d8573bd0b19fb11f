//! The commands of the documentation, run as they stand there. What is another cluster's, account's or machine's in them is replaced
//! by what the local platform has; each stands in a literal of its own, by which tests/commands.rs knows that it is run.

mod shell;

use std::{fs, path::Path};

use crate::{documentation, migrate::ARGO, support::Instance};
use shell::{Shell, TOP};

const README: &str = "README.md";
const ADOPTION: &str = "docs/adoption.md";
const CLI: &str = "docs/cli.md";
const CONCEPTS: &str = "docs/concepts.md";
const INSTALL: &str = "docs/install.md";
const LIFECYCLE: &str = "docs/lifecycle.md";
const MIGRATION: &str = "docs/migration.md";
const LOCAL: &str = "deploy/local/README.md";
const OPERATIONS: &str = "docs/operations.md";
const POLICIES: &str = "deploy/policies/README.md";
const STATUS: &str = "docs/status.md";
const SWEEPS: &str = "docs/sweeps.md";
const TROUBLESHOOTING: &str = "docs/troubleshooting.md";
const UPGRADE: &str = "docs/upgrade.md";

fn contains(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

/// The class of the local platform, whose sign-in reads Secrets Manager, and its role.
fn class_and_role(shell: &Shell, instance: &Instance) -> String {
    let class = fs::read_to_string(Path::new(TOP).join("deploy/examples/class-local.yaml")).expect("a class");
    let class = class.replace("\nspec:\n", "\nspec:\n  login:\n    tokenSource: SecretsManager\n");
    fs::write(shell.file("class.yaml"), class).expect("a file");
    let documents = shell.file("iam");
    let (cluster, python, role) = ("/aws/clusterArn", "/python", "/aws/tenantRoleArn");
    shell.sh(&format!(
        "uid=$(kubectl get namespace kube-system -o jsonpath='{{.metadata.uid}}')
         openclaw-tenant-operator iam --cluster-arn {} --cluster-uid \"$uid\" --output {documents}
         AWS_DEFAULT_REGION=\"$AWS_REGION\" OPENCLAW_TENANT_ROLE={} {} deploy/demo/look.py role {documents}",
        instance.fact(cluster),
        instance.fact(role),
        instance.fact(python),
    ));
    shell.file("class.yaml")
}

/// From an empty cluster to the first workspace, by the steps that a cluster alone can take, then what is looked at day by day.
#[test]
fn from_the_installation_to_the_first_tenant_and_its_day() {
    let instance = Instance::own();
    let shell = Shell::on(instance, "install");
    let class = class_and_role(&shell, instance);
    let shell = shell.with(&[
        (" class.yaml", format!(" {class}")),
        ("openclaw-NAME", "openclaw-alice".to_owned()),
        ("--cluster-name prod", format!("--cluster-name {}", instance.fact("/aws/clusterName"))),
    ]);
    let plugins = format!("{}/", shell.file("bin"));
    let shell = shell.with(&[("/usr/local/bin/", plugins)]);

    shell.run(UPGRADE, "openclaw-tenant-operator crds | kubectl apply --server-side --force-conflicts -f -");
    shell.run(UPGRADE, "kubectl apply --server-side --force-conflicts -f crds/");
    shell.run(POLICIES, "kubectl apply -k deploy/policies");
    shell.run(INSTALL, "kubectl apply -f deploy/operator/namespace.yaml");
    shell.run(UPGRADE, "kubectl apply -k deploy/policies");
    shell.run(UPGRADE, "kubectl apply -f deploy/operator/rbac.yaml");
    let _operator = instance.start_operator();

    shell.run(INSTALL, "kubectl apply -f class.yaml");
    shell.run(
        INSTALL,
        "kubectl apply -f - <<END
apiVersion: openclaw.io/v1alpha1
kind: Tenant
metadata:
  name: alice
spec:
  owner:
    email: alice@example.com
END",
    );
    shell.run(INSTALL, "kubectl wait --for=condition=Ready tenant/alice --timeout=5m");
    shell.run(INSTALL, "kubectl wait --for=condition=RoleReady tenantclass/default --timeout=5m");
    contains(&shell.run(INSTALL, "kubectl get tenant alice --output wide"), &["openclaw-alice", "alice@example.com"]);

    for page in [STATUS, CONCEPTS, OPERATIONS] {
        contains(&shell.run(page, "kubectl get tenants"), &["alice"]);
    }
    for page in [CONCEPTS, OPERATIONS] {
        contains(&shell.run(page, "kubectl get tenantrecords"), &["Active"]);
    }
    contains(&shell.run(INSTALL, "kubectl get service kubernetes"), &["ClusterIP"]);
    shell.run(INSTALL, "kubectl describe tenant alice");
    contains(&shell.run(STATUS, "kubectl describe tenant alice"), &["WorkloadReady", "Verified"]);
    shell.run(STATUS, "kubectl wait --for=condition=Ready tenant/alice --timeout=5m");
    contains(&shell.run(STATUS, "openclaw-tenant-operator status"), &["alice"]);
    contains(&shell.run(STATUS, "openclaw-tenant-operator status alice"), &["Tenant alice: Ready"]);
    shell.run(CLI, r#"ln -s "$(command -v openclaw-tenant-operator)" /usr/local/bin/kubectl-tenant"#);
    contains(&shell.run(CLI, "kubectl tenant status"), &["alice"]);

    let logs =
        "kubectl --namespace openclaw-system logs --selector app.kubernetes.io/name=openclaw-tenant-operator --prefix";
    for page in [OPERATIONS, TROUBLESHOOTING] {
        shell.run(page, logs);
        shell.run(page, "openclaw-tenant-operator status");
    }
    shell.run(OPERATIONS, "kubectl get tenants --output wide");
    shell.run(OPERATIONS, "kubectl get tenants,tenantrecords");
    shell.run(OPERATIONS, "kubectl --namespace openclaw-system get deployment,pods");
    contains(&shell.run(OPERATIONS, "kubectl --namespace openclaw-NAME describe pod"), &["alice-0"]);
    let lease = "kubectl --namespace kube-system get lease openclaw-tenant-operator --output yaml";
    contains(&shell.run(OPERATIONS, lease), &["holderIdentity"]);
    contains(&shell.run(STATUS, "kubectl describe namespace"), &["openclaw-alice"]);
    contains(&shell.run(SWEEPS, "openclaw-tenant-operator orphans --cluster-name prod"), &["No orphans"]);
    shell.run(SWEEPS, "openclaw-tenant-operator orphans --cluster-name prod --output json");
    shell.run(UPGRADE, "openclaw-tenant-operator status --until-ready --timeout 20m");
    contains(&shell.run(UPGRADE, "kubectl get tenantclasses"), &["default"]);
    when_it_hurts(&shell);
}

/// What is asked in troubles, of a tenant that has none but for one secret without a value.
fn when_it_hurts(shell: &Shell) {
    let reason = |shell: &Shell| {
        shell.run(
            TROUBLESHOOTING,
            r#"kubectl get tenant alice --output jsonpath='{.status.conditions[?(@.type=="Ready")].reason}: {.status.conditions[?(@.type=="Ready")].message}'"#,
        )
    };
    contains(&reason(shell), &["Verified: "]);
    shell.run(TROUBLESHOOTING, "kubectl describe tenant alice");
    contains(&shell.run(TROUBLESHOOTING, "kubectl describe namespace openclaw-alice"), &["Active"]);
    let url = shell.run(TROUBLESHOOTING, "kubectl get tenant alice --output jsonpath={.status.url}");
    contains(&url, &["http://alice.openclaw.local"]);
    contains(&shell.run(TROUBLESHOOTING, "openclaw-tenant-operator status alice"), &["Tenant alice: Ready"]);
    let in_aws = shell.run(TROUBLESHOOTING, "openclaw-tenant-operator status alice --cluster-name prod");
    contains(&in_aws, &["; the same in AWS"]);
    contains(&shell.run(TROUBLESHOOTING, "kubectl --namespace openclaw-alice describe pod"), &["alice-0"]);
    shell.run(TROUBLESHOOTING, "kubectl --namespace openclaw-alice get events --sort-by .lastTimestamp");
    let quota = shell.run(TROUBLESHOOTING, "kubectl --namespace openclaw-alice describe resourcequota alice");
    contains(&quota, &["limits.cpu", "persistentvolumeclaims"]);
    let phase = r#"kubectl get tenant alice --output jsonpath='{.status.phase}: {.status.conditions[?(@.type=="Ready")].message}'"#;
    contains(&shell.run(TROUBLESHOOTING, phase), &["Ready: "]);
    let lease = shell.run(TROUBLESHOOTING, "kubectl --namespace kube-system get lease openclaw-tenant-operator");
    contains(&lease, &["openclaw-tenant-operator"]);
    shell.run(TROUBLESHOOTING, "kubectl --namespace openclaw-system get deployment,pods");
    let ours = "kubectl get crd tenants.openclaw.io tenantclasses.openclaw.io tenantrecords.openclaw.io";
    shell.run(TROUBLESHOOTING, ours);
    shell.sh("kubectl --namespace openclaw-alice delete configmap alice");
    shell.sh("kubectl --namespace openclaw-alice wait --for=create configmap/alice --timeout=5m");
    let policy = shell.run(
        TROUBLESHOOTING,
        "kubectl --namespace openclaw-alice get networkpolicy alice --output yaml --show-managed-fields",
    );
    contains(&policy, &["manager: openclaw-tenant-operator"]);

    shell.sh(r#"kubectl patch tenant alice --type merge -p '{"spec":{"secrets":[{"name":"slack","required":true}]}}'"#);
    shell.sh("kubectl wait --for=condition=Stalled tenant/alice --timeout=5m");
    let stalled = shell.run(
        OPERATIONS,
        r#"kubectl get tenants --output jsonpath='{range .items[*].status.conditions[?(@.type=="Stalled")]}{.reason}{"\n"}{end}' | sort | uniq -c"#,
    );
    contains(&stalled, &["1 AwaitingValue"]);
}

/// What administrators order and protect, and the end of it all.
#[test]
fn from_orders_and_protection_to_the_uninstallation() {
    let instance = Instance::own();
    let shell = Shell::on(instance, "orders");
    let class = class_and_role(&shell, instance);
    let files = ["openclaw.yaml", "tenants.yaml"].map(|name| shell.file(name));
    let shell = shell.with(&[
        ("--cluster-name prod", format!("--cluster-name {}", instance.fact("/aws/clusterName"))),
        ("--confirm N", "--confirm 2".to_owned()),
        // Whenever this is read.
        ("2030-01-31", "2099-01-31".to_owned()),
        ("> openclaw.yaml", format!("> {}", files[0])),
        ("> tenants.yaml", format!("> {}", files[1])),
    ]);
    let operator = instance.start_operator();
    shell.sh(&format!("kubectl apply -f {class} -f deploy/examples/tenants.yaml"));
    shell.sh("kubectl wait --for=condition=Ready tenant/alice tenant/bob tenant/carol --timeout=5m");

    let order = r#"kubectl annotate tenant alice openclaw.io/rotate-secrets="$(date +%s)" --overwrite"#;
    shell.run(CONCEPTS, order);
    let leak = r#"kubectl annotate tenant alice openclaw.io/rotate-secrets="compromised:$(date +%s)" --overwrite"#;
    shell.run(CONCEPTS, leak);
    contains(&shell.run(CONCEPTS, "openclaw-tenant-operator rotate alice --wait"), &["gateway-token"]);

    let give = "kubectl apply -f - <<END
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: openclaw-team-blue}
rules:
  - {apiGroups: [openclaw.io], resources: [tenantclasses], resourceNames: [blue], verbs: [use]}
END";
    shell.run(POLICIES, give);
    contains(&shell.run(CONCEPTS, "kubectl get tenant alice"), &["alice"]);
    shell.run(POLICIES, "kubectl annotate tenant alice openclaw.io/protected=true");
    let refused = shell.try_sh("kubectl delete tenant alice").expect_err("protected");
    contains(&refused, &["is protected from deletion"]);
    shell.run(POLICIES, "kubectl annotate tenant alice openclaw.io/protected-");
    shell.run(POLICIES, r#"kubectl --as="$USER" --as-group=openclaw:break-glass edit tenantrecord alice"#);
    shell.run(
        POLICIES,
        r#"kubectl --as="$USER" --as-group=openclaw:break-glass --as-group=system:masters delete namespace openclaw-alice"#,
    );
    shell.sh("kubectl wait --for=create namespace/openclaw-alice --timeout=5m");
    shell.sh("kubectl wait --for=condition=Ready tenant/alice --timeout=5m");

    kept_and_back(&shell, &class);
    for page in [LIFECYCLE, OPERATIONS, TROUBLESHOOTING] {
        contains(&shell.run(page, "openclaw-tenant-operator deletions"), &["Nothing is being removed"]);
    }
    contains(&shell.run(LIFECYCLE, "openclaw-tenant-operator deletions --confirm 3"), &["Confirmed 0 of 3"]);
    contains(&shell.run(OPERATIONS, "openclaw-tenant-operator deletions --confirm N"), &["Confirmed 0 of 2"]);
    shell.run(OPERATIONS, "openclaw-tenant-operator orphans --cluster-name prod");

    shell.run(UPGRADE, "kubectl get tenants,tenantclasses,tenantrecords --output yaml > openclaw.yaml");
    contains(&fs::read_to_string(&files[0]).expect("a copy"), &["kind: TenantRecord", "kind: TenantClass"]);
    assert!(operator.stop(), "it ends in good order");
    // No kubelet runs here, so no Deployment does.
    shell.sh("kubectl --namespace openclaw-system create deployment openclaw-tenant-operator --image example.com/it");
    shell.run(LIFECYCLE, "kubectl --namespace openclaw-system scale deployment openclaw-tenant-operator --replicas 0");
    shell.run(MIGRATION, "kubectl delete deployment openclaw-tenant-operator -n openclaw-system");
    contains(&shell.run(LIFECYCLE, "openclaw-tenant-operator release --all"), &["Released 3 Tenants"]);
    shell.run(POLICIES, "kubectl get tenants.openclaw.io -o yaml > tenants.yaml");
    contains(&fs::read_to_string(&files[1]).expect("a copy"), &["name: carol"]);
    let refused = shell.try_sh("kubectl delete crd tenants.openclaw.io").expect_err("not allowed");
    contains(&refused, &["openclaw.io/deletion-allowed"]);
    shell.run(POLICIES, "kubectl annotate crd tenants.openclaw.io openclaw.io/deletion-allowed=true");
    shell.run(POLICIES, "kubectl delete crd tenants.openclaw.io");
    contains(&shell.sh("kubectl get namespace openclaw-alice --output jsonpath={.status.phase}"), &["Active"]);
}

/// A deletion that is kept longer, and the owner who comes back.
fn kept_and_back(shell: &Shell, class: &str) {
    shell.run(LIFECYCLE, r#"kubectl patch tenant alice --type merge -p '{"spec":{"deletionPolicy":"Retain"}}'"#);
    shell.sh("kubectl delete tenant alice --timeout=5m");
    contains(&shell.sh("openclaw-tenant-operator retained"), &["alice"]);
    shell.run(LIFECYCLE, "openclaw-tenant-operator keep alice --until 2030-01-31T00:00:00Z");
    shell.sh("kubectl wait --for=jsonpath='{.spec.purgeAfter}'=2099-01-31T00:00:00Z tenantrecord/alice --timeout=5m");
    let history = shell.run(TROUBLESHOOTING, "kubectl get tenantrecord alice --output jsonpath='{.spec.history}'");
    contains(&history, &["keep-until"]);
    contains(&shell.run(POLICIES, "kubectl get tenantrecord alice -o yaml"), &["phase: Retained"]);
    contains(&shell.run(LIFECYCLE, "kubectl get tenantrecords -o json"), &["\"placement\""]);
    shell.sh(&format!("kubectl apply -f {class} -f deploy/examples/tenants.yaml"));
    shell.sh("kubectl wait --for=condition=Ready tenant/alice --timeout=5m");
}

/// Examples for EKS are taken by the API server, and so is consent.
#[test]
fn examples_and_consent_are_taken() {
    let instance = Instance::own();
    let shell = Shell::on(instance, "examples").with(&[("tenant NAME", "tenant alice".to_owned())]);
    shell.run(README, "kubectl apply -f deploy/aws/storage-class.yaml");
    shell.run(README, "kubectl apply -f deploy/examples/class-eks.yaml");
    let made = shell.sh("kubectl get storageclass/openclaw-efs tenantclass/default --output name");
    contains(&made, &["openclaw-efs", "default"]);

    shell.sh(&format!(
        "kubectl create namespace openclaw-alice
         kubectl apply --namespace openclaw-alice -f - <<END
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: alice-data}}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: {}
  resources: {{requests: {{storage: 1Gi}}}}
END",
        instance.fact("/storageClass")
    ));
    shell.run(ADOPTION, "kubectl annotate namespace openclaw-alice openclaw.io/adopt-by=alice");
    shell.run(ADOPTION, "kubectl annotate pvc -n openclaw-alice alice-data openclaw.io/adopt-by=alice");
    let consents = shell.sh(
        "kubectl get namespace/openclaw-alice persistentvolumeclaim/alice-data --namespace openclaw-alice --output \
         jsonpath='{.items[*].metadata.annotations.openclaw\\.io/adopt-by}'",
    );
    assert_eq!(consents, "alice alice");
    shell.run(MIGRATION, "kubectl annotate namespace openclaw-alice openclaw.io/adopt-by=alice");
    shell.run(MIGRATION, "kubectl annotate namespace openclaw-alice openclaw.io/adopt-by-");

    // What the orders do shows tests/it/adopt.rs.
    shell.sh("kubectl apply -f deploy/examples/tenants.yaml");
    let order =
        || shell.sh("kubectl get tenant alice --output jsonpath='{.metadata.annotations.openclaw\\.io/cut-over}'");
    shell.run(ADOPTION, "kubectl annotate tenant alice openclaw.io/cut-over=start");
    assert_eq!(order(), "start");
    shell.run(ADOPTION, "kubectl annotate tenant alice openclaw.io/cut-over=finish --overwrite");
    assert_eq!(order(), "finish");
    shell.run(ADOPTION, "kubectl annotate tenant alice openclaw.io/cut-over-");
    assert_eq!(order(), "");
    shell.run(STATUS, "kubectl annotate tenant NAME openclaw.io/cut-over=start");
    the_old_side_as_it_was(&shell);
}

/// The way back from the preparation of an ApplicationSet.
fn the_old_side_as_it_was(shell: &Shell) {
    fs::write(shell.file("argo.yaml"), ARGO).expect("a file");
    shell.sh(&format!("kubectl apply -f {}", shell.file("argo.yaml")));
    shell.sh("kubectl wait --for=condition=Established crd/applicationsets.argoproj.io --timeout=5m");
    shell.sh("kubectl create namespace argocd
         kubectl apply --namespace argocd -f - <<END
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: tenants}
spec: {syncPolicy: {preserveResourcesOnDeletion: true}, template: {spec: {syncPolicy: {automated: {prune: false}}}}}
END");
    shell.run(
        MIGRATION,
        r#"kubectl patch applicationset tenants -n argocd --type merge -p '{"spec":{"syncPolicy":{"preserveResourcesOnDeletion":false},"template":{"spec":{"syncPolicy":{"automated":{"prune":true}}}}}}'"#,
    );
    let prunes =
        "kubectl get applicationset tenants -n argocd -o jsonpath={.spec.template.spec.syncPolicy.automated.prune}";
    assert_eq!(shell.sh(prunes), "true");
}

/// The first command of the README, and its last.
#[test]
fn the_demo_shows_three_tenants_and_leaves_nothing() {
    let mut shell = Shell::new("demo");
    let name = format!("documented-{}", std::process::id());
    shell.environment.push(("OPENCLAW_DEMO_NAME", name.clone()));
    shell.at_last = Some("make demo-down".to_owned());
    let said = shell.run(README, "make demo");
    contains(&said, &["alice", "bob", "carol", "What alice became", "openclaw/alice/gateway-token"]);
    shell.sh("make demo-down");
    let gone = shell.try_sh(&format!("deploy/local/platform.sh env --name {name}")).expect_err("nothing is left");
    contains(&gone, &["does not run"]);
}

/// The local platform by itself: up, looked at, examined, down.
#[test]
fn the_local_platform_comes_and_goes() {
    let shell = Shell::new("platform");
    let name = format!("--name documented-local-{}", std::process::id());
    let mut shell = shell.with(&[
        ("platform.sh up", format!("platform.sh up {name}")),
        ("platform.sh env", format!("platform.sh env {name}")),
        ("platform.sh down", format!("platform.sh down {name}")),
    ]);
    shell.at_last = Some(format!("deploy/local/platform.sh down {name}"));
    shell.run(LOCAL, "deploy/local/platform.sh up");
    let env = r#"eval "$(deploy/local/platform.sh env)""#;
    shell.run(LOCAL, env);
    // Its variables are for the commands that follow in the same shell.
    let env = format!(r#"eval "$(deploy/local/platform.sh env {name})""#);
    for (command, expected) in [
        ("kubectl get nodes", "local-1"),
        (r#""$OPENCLAW_PLATFORM_PYTHON" deploy/local/emulators/test_mends.py"#, "OK"),
    ] {
        assert!(documentation::shown(LOCAL).iter().any(|shown| shown.text == command), "{LOCAL} shows {command}");
        contains(&shell.sh(&format!("{env}\n{command}")), &[expected]);
    }
    shell.run(LOCAL, "deploy/local/platform.sh down");
}
