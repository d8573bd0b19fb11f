//! Every command of the documentation is run by a test, or stands under a mark that says why none can.
//!
//! A command is in a block of code for a shell, or in prose where it is whole. It is run as it stands by tests/it/documented.rs or by this file; by what ELSEWHERE says
//! of it, under other names; or not at all, where it is marked (`documentation::MARKS`). A new one fails here until one of these is so.

#![allow(clippy::panic, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod documentation;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use documentation::{Shown, pages, read, shown, told};

/// What a command begins with, besides a variable (`name=`). Anything else in such a block is taken for output, and has to be known.
const PROGRAMS: [&str; 17] = [
    "aws ",
    "cargo ",
    "cosign ",
    "gh ",
    "sha256sum ",
    "curl ",
    "docker ",
    "eval ",
    "flux ",
    "git ",
    "helm ",
    "kubectl ",
    "ln ",
    "make ",
    "openclaw-tenant-operator ",
    "deploy/",
    "tests/",
];

/// What stands in such blocks and is no command: a page, and what it begins with.
const OUTPUT: [(&str, &str); 10] = [
    ("charts/openclaw-tenant-operator/README.md", "this cluster has its operator already: "),
    ("deploy/local/README.md", "platform/"),
    ("deploy/local/README.md", "kubernetes/ kwok/"),
    ("deploy/local/README.md", "coredns/"),
    ("deploy/local/README.md", "envoy/"),
    ("deploy/local/README.md", "helm/ prometheus/"),
    ("deploy/local/README.md", "judge/"),
    ("deploy/local/README.md", "emulators/"),
    ("docs/manifests.md", "tenants/bob.yaml:1: "),
    ("docs/manifests.md", "tenants/carol.yaml:1: "),
];

/// What other tests run, under other names: a command, and where which words say so.
const ELSEWHERE: [(&str, &str, &str); 31] = [
    ("make test", ".ci/run", "make --no-print-directory test"),
    ("make demo-node", "tests/e2e/leftovers.rs", "make(\"demo-node\")"),
    ("make e2e", ".ci/run", "make --no-print-directory e2e"),
    (
        "deploy/local/platform.sh up --real-node --openclaw DIR",
        "tests/e2e/inside.rs",
        "\"--real-node\", \"--openclaw\"",
    ),
    // An hour of the machine to itself; what it runs stands there.
    ("make bench", "Makefile", "$(call timed,bench,$(FLEET) --commit $(FLEET_FLAGS))"),
    ("make bench-check", "Makefile", "$(call timed,bench-check,$(FLEET) --check "),
    ("tests/chart/run.sh [templates|alerts|cluster]", "Makefile", "tests/chart/run.sh"),
    ("tests/gitops/run.sh [manifests|argocd|flux]", "Makefile", "tests/gitops/run.sh"),
    (
        "openclaw-tenant-operator check --class class/ tenants/",
        "tests/gitops/run.sh",
        "check --class deploy/gitops/class deploy/gitops/tenants",
    ),
    ("tests/supply/run.sh [files|versions|dependencies [--advisories]]", ".ci/run", "tests/supply/run.sh files"),
    ("tests/supply/versions.py --release v1.2.3", "tests/supply/run.sh", "test_versions"),
    ("tests/dashboard/run.sh", "Makefile", "tests/dashboard/run.sh"),
    ("tests/dashboard/run.sh --picture docs/dashboard.png", "Makefile", "tests/dashboard/run.sh"),
    ("tests/openclaw/run.sh", "Makefile", "tests/openclaw/run.sh"),
    ("tests/openclaw/run.sh openclaw::after_a_rotation", "Makefile", "tests/openclaw/run.sh"),
    // The life of a release.
    (
        "helm upgrade --install openclaw charts/openclaw-tenant-operator --namespace openclaw-system --create-namespace --values \
         values.yaml --wait",
        CHART,
        FIRST_INSTALL,
    ),
    (
        "helm upgrade --install openclaw charts/openclaw-tenant-operator --namespace openclaw-system --values values.yaml",
        CHART,
        FIRST_INSTALL,
    ),
    (
        "helm upgrade openclaw charts/openclaw-tenant-operator --namespace openclaw-system --values values.yaml",
        CHART,
        "self.helm(\"upgrade\")",
    ),
    ("helm rollback openclaw --namespace openclaw-system", CHART, "self.platform.helm(\"rollback\", "),
    (
        "helm uninstall openclaw --namespace openclaw-system",
        CHART,
        "self.platform.helm(\"uninstall\", \"openclaw\", \"--namespace\", NAMESPACE)",
    ),
    // From an ApplicationSet.
    (
        "openclaw-tenant-operator migrate --applicationset tenants --argocd-namespace argocd --class default",
        "tests/it/migrate.rs",
        "\"--applicationset\"",
    ),
    (
        "openclaw-tenant-operator migrate --applicationset tenants --cluster-name prod --region eu-central-1",
        "tests/it/migrate/in_aws.rs",
        "\"--cluster-name\"",
    ),
    (
        "openclaw-tenant-operator migrate --applicationset tenants --apply --tenant alice",
        "tests/it/migrate.rs",
        "\"--apply\", \"--tenant\"",
    ),
    ("openclaw-tenant-operator migrate --applicationset tenants --apply", "tests/it/migrate.rs", "\"--apply\""),
    (
        "openclaw-tenant-operator migrate --applicationset tenants --manifests tenants/",
        "tests/it/migrate.rs",
        "\"--manifests\"",
    ),
    ("openclaw-tenant-operator migrate cut-over alice --argocd-namespace argocd", CUT_OVER, "\"cut-over\""),
    ("openclaw-tenant-operator migrate --file tenants.yaml", "tests/it/migrate/reading.rs", "\"--file\""),
    ("openclaw-tenant-operator iam --output deploy/aws", "Makefile", "iam --output deploy/aws"),
    ("openclaw-tenant-operator migrate back-out alice", CUT_OVER, "\"back-out\""),
    ("openclaw-tenant-operator migrate finish alice --argocd-namespace argocd", CUT_OVER, "\"finish\""),
    ("openclaw-tenant-operator migrate finish alice --argocd-namespace argocd --yes", CUT_OVER, "\"--yes\""),
];

const CHART: &str = "tests/chart/test_cluster.py";
const FIRST_INSTALL: &str = "self.helm(\"upgrade\", \"--install\", ";
const CUT_OVER: &str = "tests/it/migrate/cut_over.rs";

/// What no test can run, though it needs no account; the page says so beside it.
const UNRUN: [(&str, &str); 5] = [
    (
        "kubectl --namespace openclaw-alice logs alice-0 --container gateway",
        "the nodes of the local platform run no container",
    ),
    ("make reproduce", "the release workflow makes it each time"),
    ("kubectl -n argocd patch configmap argocd-cm --patch-file argocd/argocd-cm.yaml", ON_NO_CLUSTER),
    ("kubectl apply -f argocd/root.yaml", ON_NO_CLUSTER),
    ("kubectl apply -k flux", ON_NO_CLUSTER),
];

const ON_NO_CLUSTER: &str = "Neither program itself runs on a cluster of the tests";

/// What this file runs.
const CHECK: &str = "openclaw-tenant-operator check --class classes/default.yaml tenants/";
const IAM: [&str; 2] = [
    "openclaw-tenant-operator iam --help",
    "openclaw-tenant-operator iam --model eu=anthropic.claude-sonnet-4-5-20250929-v1:0",
];

fn all() -> Vec<Shown> {
    pages().iter().flat_map(|page| [shown(page), told(page)].concat()).collect()
}

fn is_command(text: &str) -> bool {
    let is_variable = text
        .split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    is_variable || text.starts_with('"') || PROGRAMS.iter().any(|program| text.starts_with(program))
}

fn is_output(shown: &Shown) -> bool {
    OUTPUT.iter().any(|(page, begins)| shown.page == *page && shown.text.starts_with(begins))
}

/// Whether tests/it/documented.rs has it as a literal.
fn is_run_as_it_stands(text: &str, source: &str) -> bool {
    source.contains(&format!("\"{text}\""))
}

#[test]
fn blocks_are_read_as_readers_read_them() {
    documentation::check_reading();
}

#[test]
fn every_command_is_run_or_marked() {
    let source = read("tests/it/documented.rs");
    let all = all();
    assert!(all.len() > 90, "they are found: {}", all.len());
    let elsewhere = |text: &str| ELSEWHERE.iter().any(|(command, ..)| *command == text);
    let unrun = |shown: &&Shown| {
        let text = shown.text.as_str();
        !shown.marked
            && !is_output(shown)
            && text != CHECK
            && !IAM.contains(&text)
            && !UNRUN.iter().any(|(command, _)| *command == text)
            && !elsewhere(text)
            && !is_run_as_it_stands(text, &source)
    };
    let unrun: Vec<String> = all
        .iter()
        .filter(unrun)
        .map(|Shown { page, text, .. }| {
            let kind = if is_command(text) { "command" } else { "line that is no command" };
            format!("{page}: {kind}: {text}")
        })
        .collect();
    assert!(
        unrun.is_empty(),
        "run these in tests/it/documented.rs, say in tests/commands.rs who does, or mark them:\n{}",
        unrun.join("\n")
    );
}

/// A list that nobody shortens is believed by nobody.
#[test]
fn what_is_listed_is_shown_and_run() {
    let all = all();
    let texts: BTreeSet<&str> = all.iter().filter(|shown| !shown.marked).map(|shown| shown.text.as_str()).collect();
    for (command, file, words) in ELSEWHERE {
        assert!(texts.contains(command), "no page shows: {command}");
        assert!(read(file).contains(words), "{file} does not say {words}, by which it runs: {command}");
    }
    let all_pages: String = pages().iter().map(|page| read(page)).collect();
    for (command, why) in UNRUN {
        assert!(texts.contains(command) && all_pages.contains(why), "no page shows {command}, and says that {why}");
    }
    for command in [CHECK].into_iter().chain(IAM) {
        assert!(texts.contains(command), "no page shows: {command}");
    }
    for (page, begins) in OUTPUT {
        let is_there = all.iter().any(|shown| shown.page == page && shown.text.starts_with(begins));
        assert!(is_there, "{page} shows no {begins}");
    }
    for shown in &all {
        assert!(is_command(&shown.text) != is_output(shown), "{}: is it a command? {}", shown.page, shown.text);
    }
}

/// A mark is for what needs an account, a registry or another's cluster: it is not to hide what could be run.
#[test]
fn marks_hide_nothing_that_could_be_run() {
    let marked: Vec<Shown> = all().into_iter().filter(|shown| shown.marked).collect();
    assert!(!marked.is_empty(), "there are marks");
    for shown in marked {
        let own = shown.text.starts_with("openclaw-tenant-operator check") || shown.text.starts_with("make ");
        assert!(!own, "{}: needs no account: {}", shown.page, shown.text);
    }
}

/// What needs no more than the program.
#[test]
fn documents_are_printed_as_the_pages_say() {
    for (command, expected) in
        IAM.into_iter().zip(["--cluster-arn", "inference-profile/eu.anthropic.claude-sonnet-4-5"])
    {
        let (code, said, complained) = offline(command, Path::new(env!("CARGO_MANIFEST_DIR")));
        assert_eq!(code, Some(0), "{complained}");
        assert!(said.contains(expected), "{command} says:\n{said}");
    }
}

/// A command that needs no cluster: its exit code, what it says, and what it complains about.
fn offline(command: &str, place: &Path) -> (Option<i32>, String, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_openclaw-tenant-operator")).parent().expect("a directory").display();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap_or_default());
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", command])
        .current_dir(place)
        .env("PATH", path)
        .env("KUBECONFIG", "/nonexistent");
    let output = bash.output().expect("bash");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// `check` in a pull request: the examples of this repository, in the folders that the page names.
#[test]
fn a_folder_of_tenants_is_checked_as_the_page_says() {
    let place = std::env::temp_dir().join(format!("openclaw-commands-{}", std::process::id()));
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in ["classes", "tenants", "bin"] {
        fs::create_dir_all(place.join(directory)).expect("a directory");
    }
    let examples = top.join("deploy/examples");
    fs::copy(examples.join("class-local.yaml"), place.join("classes/default.yaml")).expect("a class");
    fs::copy(examples.join("tenants.yaml"), place.join("tenants/tenants.yaml")).expect("tenants");
    let run = || offline(CHECK, &place);
    let (code, said, complained) = run();
    assert_eq!((code, said.as_str()), (Some(0), ""), "{complained}");
    // And what the page shows of a folder with mistakes in it.
    let tenant = |name: &str, more: &str| {
        format!(
            "apiVersion: openclaw.io/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\nspec:\n  owner: {{email: a@example.com}}\n{more}"
        )
    };
    fs::remove_file(place.join("tenants/tenants.yaml")).expect("removed");
    fs::write(place.join("tenants/bob.yaml"), tenant("bob", "  quota: {cpu: 6}\n")).expect("a file");
    fs::write(place.join("tenants/carol.yaml"), tenant("carol", "  storage: {size: 1Ti}\n")).expect("a file");
    let (code, said, complained) = run();
    assert_eq!(code, Some(1), "{said}{complained}");
    for (page, begins) in OUTPUT.iter().filter(|(page, _)| *page == "docs/manifests.md") {
        assert!(said.lines().any(|line| line.starts_with(begins)), "{page}: {begins} is not in:\n{said}");
    }
    let _ = fs::remove_dir_all(&place);
}
