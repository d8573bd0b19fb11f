//! The same of policies of names, judged by the policy engine of Cilium.

use serde_json::json;

use super::{Case, judge, partner};

/// The classes of the table, of a cluster whose network knows names.
fn cases() -> [Case; 4] {
    let names = json!(["models.example.com", "*.tools.example.com"]);
    let own = json!(["alice.example.net", "*.alice.example.net"]);
    let ranges = json!([
        { "cidr": "10.0.250.0/24" },
        { "cidr": "2600:1f13:abc:de99::/64" },
        { "cidr": "10.0.252.0/24", "ports": [5432] },
        { "cidr": "2600:1f13:abc:de98::/64", "ports": [5432] },
    ]);
    [
        Case {
            name: "names",
            network: json!({
                "egressMode": "Allowlist", "enforcement": "Cilium", "cidrs": ranges, "domains": names,
            }),
            egress: json!({ "cidrs": partner(), "domains": own }),
            ..Case::default()
        },
        Case {
            name: "metadata",
            network: json!({
                "egressMode": "Allowlist", "enforcement": "Cilium", "cidrs": ranges, "domains": names,
                "allowInstanceMetadata": true,
            }),
            egress: json!({ "cidrs": partner(), "domains": own }),
            ..Case::default()
        },
        Case {
            name: "own",
            network: json!({ "egressMode": "Allowlist", "enforcement": "Cilium" }),
            has_identity: false,
            egress: json!({ "domains": own }),
            ..Case::default()
        },
        Case {
            name: "internet",
            network: json!({ "egressMode": "Internet", "enforcement": "Cilium", "cidrs": ranges }),
            ..Case::default()
        },
    ]
}

#[test]
fn cilium_finds_who_may_talk_to_whom_as_it_is_written() {
    judge("cilium", &cases(), &["../peers.yaml"]);
}
