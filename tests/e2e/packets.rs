//! What passes: each connection that somebody could try from inside a workspace, or into one, in both egress modes.
//!
//! What is expected is written from section 7 of the design and the platform's own rules (layer 3 of its security page); what is measured
//! stands beside it. A pod of the gateway's namespace, which has no policies of its own, tries the same: what that does not reach shows nothing.

use serde_json::{Value, json};

use crate::{
    inside::{DOORS, Pod, UNPOLICED, class, cluster, is_elsewhere, running},
    support::Bed,
    table::{committed, markdown},
};

const PROBE: &str = include_str!("probe.mjs");

/// The hosts that the platform plays beyond the node (deploy/local/platform/internal/outside).
const INTERNET: &str = "198.51.100.10";
const PERMITTED: &str = "203.0.113.10";
const FOREIGN_NAMES: &str = "198.51.100.53";

/// One connection.
struct Try {
    to: &'static str,
    protocol: &'static str,
    host: String,
    port: u16,
    /// Whether it shall pass, in mode Internet and in mode Allowlist.
    passes: [bool; 2],
}

fn tcp(to: &'static str, host: &str, port: u16, passes: [bool; 2]) -> Try {
    Try { to, protocol: "tcp", host: host.to_owned(), port, passes }
}

fn udp(to: &'static str, host: &str, port: u16, passes: [bool; 2]) -> Try {
    Try { to, protocol: "udp", host: host.to_owned(), port, passes }
}

/// Everything that is tried from inside a workspace.
fn outwards(neighbour: &Pod<'_>, bob: &Bed) -> Vec<Try> {
    let (always, never, internet) = ([true, true], [false, false], [true, false]);
    let instance = bob.instance;
    let service = "--output=jsonpath={.spec.clusterIP}";
    let service = instance.kubectl(&["get", "service", "--namespace", &bob.namespace(), &bob.tenant, service]);
    let node = instance.kubectl(&["get", "node", "--output=jsonpath={.items[0].status.addresses[0].address}"]);
    vec![
        udp("the cluster's DNS", "10.96.0.10", 53, always),
        tcp("the cluster's DNS", "10.96.0.10", 53, always),
        tcp("the Pod Identity agent", "169.254.170.23", 80, always),
        tcp("a pod of the same namespace", &neighbour.address(), 18789, always),
        tcp("a listed range, its port", PERMITTED, 8443, always),
        tcp("a listed range, the port of HTTPS", PERMITTED, 443, internet),
        tcp("a listed range, another port", PERMITTED, 5432, never),
        tcp("the internet, HTTPS", INTERNET, 443, internet),
        tcp("the internet, HTTP", INTERNET, 80, never),
        tcp("the internet, SSH", INTERNET, 22, never),
        udp("somebody else's DNS", FOREIGN_NAMES, 53, never),
        tcp("somebody else's DNS", FOREIGN_NAMES, 53, never),
        tcp("another tenant's pod", &Pod::of(bob).address(), 18789, never),
        tcp("another tenant's Service", &service, 18789, never),
        tcp("the API server's Service", "10.96.0.1", 443, never),
        tcp("the kubelet of its node", &node, 10250, never),
        tcp("the instance metadata service", "169.254.169.254", 80, never),
        tcp("another link-local address", "169.254.1.10", 443, never),
        tcp("a host of 10/8", "10.20.0.10", 443, never),
        tcp("a host of 172.16/12", "172.16.0.10", 443, never),
        tcp("a host of 192.168/16", "192.168.0.10", 443, never),
        tcp("a host of 100.64/10", "100.64.0.10", 443, never),
    ]
}

fn tried(from: &Pod<'_>, tries: &[Try]) -> Vec<String> {
    let asked: Vec<Value> =
        tries.iter().map(|one| json!({ "protocol": one.protocol, "host": one.host, "port": one.port })).collect();
    let said = from.node(PROBE, &json!(asked));
    said.as_array().expect("a list").iter().map(|one| one.as_str().expect("a word").to_owned()).collect()
}

const fn word(passes: bool) -> &'static str {
    if passes { "yes" } else { "no" }
}

/// What a connection came to, in the table's words. The enforcer drops what it does not let pass: a refusal came from whoever was reached, and
/// stands in the table as it is.
fn passed(said: &str) -> &str {
    if said == "dropped" { word(false) } else { said }
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn packets_pass_as_the_table_says() {
    if is_elsewhere("an outside of its own") {
        return;
    }
    let listed = json!([{ "cidr": "203.0.113.0/24", "ports": [8443] }]);
    let of_mode = |mode: &str| {
        let mut class = class(cluster(), json!({}));
        class["network"]["egressMode"] = json!(mode);
        class["network"]["cidrs"].as_array_mut().expect("ranges").extend(listed.as_array().expect("a list").clone());
        class
    };
    let bob = running("bob", of_mode("Internet")).await;
    let modes = [running("internet", of_mode("Internet")).await, running("allowlist", of_mode("Allowlist")).await];
    let stranger = Pod::make(cluster(), UNPOLICED, "stranger");
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let neighbours = modes.each_ref().map(|bed| Pod::make(bed.instance, &bed.namespace(), "neighbour"));
    let tries = neighbours.each_ref().map(|neighbour| outwards(neighbour, &bob));
    let door = Pod::make(cluster(), DOORS, "door");
    let control = tried(&door, &tries[0]);
    let measured = [0, 1].map(|mode| tried(&Pod::of(&modes[mode]), &tries[mode]));
    for (number, one) in tries[0].iter().enumerate() {
        let mut row =
            vec![one.to.to_owned(), format!("{} {}", one.protocol, one.port), passed(&control[number]).to_owned()];
        for mode in [0, 1] {
            let (expected, found) = (word(one.passes[mode]), passed(&measured[mode][number]));
            row.extend([expected.to_owned(), found.to_owned()]);
            if expected != found {
                wrong
                    .push(format!("{} {}: expected {expected}, measured {}", one.to, one.port, measured[mode][number]));
            }
        }
        if control[number] != "yes" {
            wrong.push(format!(
                "{} {}: nobody reaches it, so that it shows nothing: {}",
                one.to, one.port, control[number]
            ));
        }
        rows.push(row);
    }
    let head = [
        "from a workspace to",
        "port",
        "without policies of one's own",
        "Internet: expected",
        "measured",
        "Allowlist: expected",
        "measured",
    ];
    let outwards = markdown(&head, &rows);
    let mut into = Vec::new();
    for (mode, bed) in [("Internet", &modes[0]), ("Allowlist", &modes[1])] {
        let (rows, more) = inwards(mode, bed, &door, &bob, &stranger);
        into.extend(rows);
        wrong.extend(more);
    }
    let inwards = markdown(&["into a workspace of mode", "from", "port", "expected", "measured"], &into);
    // Whoever was reached before is still there: what did not pass meanwhile was dropped, not gone.
    if tried(&door, &tries[0]) != control {
        wrong.push("what was tried has changed meanwhile".to_owned());
    }
    assert!(wrong.is_empty(), "{outwards}\n{inwards}\n{}", wrong.join("\n"));
    committed("packets.md", "Packets, measured", &format!("{outwards}\n{inwards}"));
}

/// What is tried into a workspace: its own port, from whoever could be there.
fn inwards(mode: &str, alice: &Bed, door: &Pod<'_>, bob: &Bed, stranger: &Pod<'_>) -> (Vec<Vec<String>>, Vec<String>) {
    let to = Pod::of(alice);
    let gateway = tcp("", &to.address(), 18789, [true, true]);
    let asked = std::slice::from_ref(&gateway);
    let of_bob = Pod::of(bob);
    let sources = [
        ("the gateway's namespace", door, true),
        ("another tenant's workspace", &of_bob, false),
        ("a pod of another namespace", stranger, false),
    ];
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for (who, from, passes) in sources {
        let found = tried(from, asked).remove(0);
        if passed(&found) != word(passes) {
            wrong.push(format!("into a workspace from {who}: expected {}, measured {found}", word(passes)));
        }
        rows.push(vec![
            mode.to_owned(),
            who.to_owned(),
            "tcp 18789".to_owned(),
            word(passes).to_owned(),
            passed(&found).to_owned(),
        ]);
    }
    (rows, wrong)
}
