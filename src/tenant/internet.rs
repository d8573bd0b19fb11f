//! Which addresses are not the internet, whatever "any public host" is asked for.
//!
//! PURE. After IANA's registries of special-purpose addresses. What decides is whether an address may lead to something that is not
//! public: it is private itself, a network of the owner's own may use it so, or an IPv4 address is written into it, which may be
//! private. Ranges that are for documents alone lead nowhere and are left as they are; so is multicast here, which TCP does not know.

/// Not the internet, of IPv4.
pub const NOT_INTERNET_V4: [&str; 10] = [
    // "This network": not public, and Linux sends to it as to any other, so a network may use it for itself.
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    // A node answers on it from outside where `route_localnet` is set, as kube-proxy does.
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    // Protocol assignments: transition mechanisms of the own network, and metadata services of some clouds.
    "192.0.0.0/24",
    "192.168.0.0/16",
    // Benchmarking, which networks use as private addresses.
    "198.18.0.0/15",
    // Reserved, and used as private addresses where those have run out.
    "240.0.0.0/4",
];

/// Not the internet, of IPv6.
pub const NOT_INTERNET_V6: [&str; 6] = [
    // Protocol assignments: Teredo (2001::/32), whose relays send to the IPv4 address that is written into each; benchmarking.
    "2001::/23",
    // 6to4: whoever still relays it sends to the IPv4 address that is written into each.
    "2002::/16",
    // Reserved: loopback, IPv4 addresses mapped and translated, NAT64's window onto all of them (64:ff9b::/96, RFC 6052) and
    // that of a network's own (64:ff9b:1::/48, RFC 8215).
    "::/8",
    "fc00::/7",
    "fe80::/10",
    // Site-local: private before there was fc00::/7, and still routed where it is used (RFC 3879).
    "fec0::/10",
];

/// Not public either, of both: multicast. No list of a Tenant's needs it.
pub const MULTICAST: [&str; 2] = ["224.0.0.0/4", "ff00::/8"];
