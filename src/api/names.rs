//! Names that were checked once. A function that takes a [`TenantName`] need not ask again what is in it.

use sha2::{Digest as _, Sha256};
use smol_str::format_smolstr;

use super::checked::{checked_string, is_dns_1035, is_dns_1123, is_dns_subdomain, is_lower_hex};
pub use super::uid::Uid;

/// Names a Tenant may not have, because somebody would mistake its objects for the platform's own.
/// Names that begin with `kube-` are refused as well.
pub const RESERVED_TENANT_NAMES: [&str; 8] =
    ["system", "default", "operator", "gateway", "admin", "shared", "public", "openclaw"];

fn is_tenant_name(text: &str) -> bool {
    is_dns_1035(text) && !RESERVED_TENANT_NAMES.contains(&text) && !text.starts_with("kube-")
}

fn is_namespace_prefix(text: &str) -> bool {
    text.ends_with('-') && is_dns_1035(text.trim_end_matches('-')) && !text.starts_with("kube-")
}

fn is_secret_item(text: &str) -> bool {
    // A name that ends in a hyphen and six characters confuses Secrets Manager's lookup by partial ARN
    // (the service model of CreateSecret warns about it).
    let confusing = text.rsplit_once('-').is_some_and(|(_, tail)| tail.len() == 6);
    is_dns_1035(text) && !confusing
}

fn is_email(text: &str) -> bool {
    matches!(text.split_once('@'), Some((user, host))
        if !user.is_empty() && host.contains('.') && !host.contains('@')
            && !text.contains(char::is_whitespace))
}

fn is_arn(text: &str, service: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    parts.next() == Some("arn")
        && parts.next().is_some_and(|p| p.starts_with("aws"))
        && parts.next() == Some(service)
        && parts.nth(2).is_some_and(|resource| !resource.is_empty())
}

checked_string! {
    /// The name of a Tenant: a DNS-1035 label of 1 to 40 characters, none of the reserved ones.
    TenantName, what: "tenant name",
    rule: "use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or \
           digit, and none of the reserved names (system, default, operator, gateway, admin, shared, public, \
           openclaw, kube-…)",
    pattern: "^[a-z]([a-z0-9-]*[a-z0-9])?$", length: 1..=40, check: is_tenant_name
}

checked_string! {
    /// The name of a TenantClass.
    ClassName, what: "class name",
    rule: "use 1 to 63 lower-case letters, digits, hyphens and dots, as of a TenantClass object",
    pattern: "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", length: 1..=63, check: is_dns_subdomain
}

checked_string! {
    /// The name of a namespace.
    NamespaceName, what: "namespace name",
    rule: "use 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit",
    pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", length: 1..=63, check: is_dns_1123
}

checked_string! {
    /// What a class puts before a tenant's name to name its namespace. With the longest tenant name the
    /// namespace stays within 63 characters.
    NamespacePrefix, what: "namespace prefix",
    rule: "use 2 to 23 lower-case letters, digits and hyphens, beginning with a letter, ending with one hyphen, not kube-",
    pattern: "^[a-z][a-z0-9-]{0,21}-$", length: 2..=23, check: is_namespace_prefix
}

checked_string! {
    /// What stands before `/<tenant>/<item>` in the name of every secret of this operator.
    SecretsPrefix, what: "secrets prefix",
    rule: "use 1 to 64 letters, digits and the characters / _ + = . @ -, neither beginning nor ending with /",
    pattern: "^[A-Za-z0-9_+=.@-]([A-Za-z0-9/_+=.@-]*[A-Za-z0-9_+=.@-])?$", length: 1..=64,
    check: |t| t.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c))
        && !t.starts_with('/') && !t.ends_with('/')
}

checked_string! {
    /// The name of one secret of a tenant, the last part of its name in Secrets Manager.
    SecretItemName, what: "secret name",
    rule: "use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter and not ending in a hyphen \
           and six characters (Secrets Manager mistakes such an ending for its own suffix)",
    pattern: "^[a-z]([a-z0-9-]*[a-z0-9])?$", length: 1..=40, check: is_secret_item
}

checked_string! {
    /// Who a person is: the opaque subject of the identity provider, or the lower-cased email where none is known.
    OwnerSubject, what: "owner subject",
    rule: "use 1 to 256 characters without spaces or control characters",
    pattern: "^[^\\s\\x00-\\x1f]+$", length: 1..=256,
    check: |t| !t.contains(|c: char| c.is_whitespace() || c.is_control())
}

checked_string! {
    /// How to reach a person.
    Email, what: "email address",
    rule: "use an address such as alice@example.com, at most 254 characters",
    pattern: "^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", length: 3..=254, check: is_email
}

checked_string! {
    /// What "this tenant" means to AWS: the first ten hex digits of the UID of the Tenant that began it.
    Incarnation, what: "incarnation",
    rule: "it is ten lower-case hex digits",
    pattern: "^[0-9a-f]{10}$", length: 10..=10, check: is_lower_hex
}

checked_string! {
    /// SHA-256 of an owner's subject, in lower-case hex: names an owner without naming the person.
    OwnerHash, what: "owner hash",
    rule: "it is 64 lower-case hex digits",
    pattern: "^[0-9a-f]{64}$", length: 64..=64, check: is_lower_hex
}

checked_string! {
    /// 128 bits of randomness in lower-case hex, from which the idempotency tokens of a record are made.
    Nonce, what: "nonce",
    rule: "it is 32 lower-case hex digits",
    pattern: "^[0-9a-f]{32}$", length: 32..=32, check: is_lower_hex
}

checked_string! {
    /// The name of the workspace's ServiceAccount, which is also an AWS session tag and therefore holds the incarnation.
    ServiceAccountName, what: "ServiceAccount name",
    rule: "use 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit",
    pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", length: 1..=63, check: is_dns_1123
}

checked_string! {
    /// The ARN of an IAM role.
    RoleArn, what: "IAM role ARN",
    rule: "use the full ARN, such as arn:aws:iam::123456789012:role/openclaw-tenant",
    pattern: "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", length: 20..=2048,
    check: |t| is_arn(t, "iam") && t.contains(":role/")
}

checked_string! {
    /// The ARN of a KMS key. Aliases are not taken: Describe returns what was given, and an alias can move.
    KmsKeyArn, what: "KMS key ARN",
    rule: "use the full ARN of the key, such as arn:aws:kms:eu-west-1:123456789012:key/…, not an alias",
    pattern: "^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", length: 20..=2048,
    check: |t| is_arn(t, "kms") && t.contains(":key/")
}

checked_string! {
    /// The name of an IAM role, without its path. Unique in an account, whatever the path.
    RoleName, what: "role name",
    rule: "use 1 to 64 letters, digits and the characters + = , . @ - _",
    pattern: "^[A-Za-z0-9+=,.@_-]+$", length: 1..=64,
    check: |t| t.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
}

checked_string! {
    /// The ARN of a managed IAM policy.
    PolicyArn, what: "managed policy ARN",
    rule: "use the full ARN, such as arn:aws:iam::123456789012:policy/openclaw-boundary",
    pattern: "^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", length: 20..=2048,
    check: |t| is_arn(t, "iam") && t.contains(":policy/")
}

checked_string! {
    /// The id of a foundation model on Amazon Bedrock.
    ModelId, what: "model id",
    rule: "use the id of a foundation model without any region's prefix, such as anthropic.claude-sonnet-4-5-20250929-v1:0",
    pattern: "^[a-z0-9-]+[.][A-Za-z0-9.:_-]+$", length: 3..=140,
    check: |t| t.split_once('.').is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty())
        && t.chars().all(|c| c.is_ascii_alphanumeric() || ".:_-".contains(c))
}

checked_string! {
    /// An inference profile of Amazon Bedrock: what stands before a model's id in a profile of AWS, or an ARN.
    InferenceProfile, what: "inference profile",
    rule: "use what stands before the model's id in the profile's, such as eu or global, or the profile's full ARN",
    pattern: "^([a-z]{2,16}(-[a-z]{2,16})?|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:(application-)?inference-profile/[A-Za-z0-9.:_-]+)$",
    length: 2..=512,
    check: |t| (is_arn(t, "bedrock") && t.contains("inference-profile/"))
        || (t.len() <= 33 && t.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
}

checked_string! {
    /// The ARN of an EKS cluster.
    ClusterArn, what: "EKS cluster ARN",
    rule: "use the full ARN, such as arn:aws:eks:eu-west-1:123456789012:cluster/prod",
    pattern: "^arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/.+$", length: 20..=2048,
    check: |t| is_arn(t, "eks") && t.contains(":cluster/")
}

checked_string! {
    /// The ARN of a secret, as Secrets Manager returned it.
    SecretArn, what: "secret ARN",
    rule: "it is the ARN that Secrets Manager returned",
    pattern: "^arn:aws[a-z-]*:secretsmanager:.+$", length: 20..=2048, check: |t| is_arn(t, "secretsmanager")
}

checked_string! {
    /// The id of an EKS Pod Identity association, as EKS returned it.
    AssociationId, what: "association id",
    rule: "it is the id that EKS returned, such as a-1a2b3c4d5e6f7g8h9",
    pattern: "^[A-Za-z0-9-]+$", length: 1..=128,
    check: |t| t.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

checked_string! {
    /// The id of one version of a secret: the idempotency token it was written with, or what a person's tool drew.
    VersionId, what: "secret version id",
    rule: "use 32 to 64 characters, as ClientRequestToken of Secrets Manager",
    pattern: "^[A-Za-z0-9._-]+$", length: 32..=64,
    check: |t| t.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

checked_string! {
    /// A DNS name.
    DomainName, what: "domain name",
    rule: "use lower-case DNS labels separated by dots, such as openclaw.example.com",
    pattern: "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", length: 1..=253, check: is_dns_subdomain
}

impl NamespacePrefix {
    /// The namespace of a tenant. Prefix and name together are at most 63 characters, so this cannot fail.
    pub fn namespace(&self, tenant: &TenantName) -> NamespaceName {
        NamespaceName(format_smolstr!("{self}{tenant}"))
    }
}

impl Incarnation {
    /// The incarnation that a Tenant of this UID begins; `None` for a UID with fewer than ten hex digits.
    pub fn begun_by(uid: &Uid) -> Option<Self> {
        let digits: String = uid.to_string().to_ascii_lowercase().chars().filter(|c| *c != '-').take(10).collect();
        digits.parse().ok()
    }

    /// The ServiceAccount's name of this incarnation: `workspace-<incarnation>`.
    pub fn service_account(&self) -> ServiceAccountName {
        ServiceAccountName(format_smolstr!("workspace-{self}"))
    }
}

impl RoleName {
    /// The role of one tenant: `openclaw-<tenant>-<incarnation>`, at most 60 characters.
    pub fn of(tenant: &TenantName, incarnation: &Incarnation) -> Self {
        Self(format_smolstr!("openclaw-{tenant}-{incarnation}"))
    }
}

impl RoleArn {
    /// The role's name: what follows any path.
    pub fn name(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }
}

impl OwnerSubject {
    /// The subject of a person of whom only the email is known: the address in lower case.
    pub fn from_email(email: &Email) -> Self {
        Self(email.as_str().to_ascii_lowercase().into())
    }

    /// SHA-256 of the subject, in hex.
    pub fn hash(&self) -> OwnerHash {
        OwnerHash(sha256_hex(&[self.as_str()]).into())
    }
}

impl Nonce {
    /// A nonce from 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes).into())
    }

    /// A nonce of its own for each `part`, from one draw.
    #[must_use]
    pub fn derive(&self, part: &str) -> Self {
        Self(sha256_hex(&[self.as_str(), part]).chars().take(32).collect())
    }
}

impl VersionId {
    /// The version that this nonce stands for: lower hex of SHA-256 over secret, incarnation and nonce.
    pub fn of(secret: &str, incarnation: &Incarnation, nonce: &Nonce) -> Self {
        Self(sha256_hex(&[secret, incarnation.as_str(), nonce.as_str()]).into())
    }

    /// Whether it looks like one that the operator made. The nonce is lost with a record, so the form has to tell: what the
    /// SDKs, the command line and the console make is a UUID ("ClientRequestToken", API reference of PutSecretValue).
    pub fn is_of_our_making(&self) -> bool {
        self.0.len() == 64 && self.0.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    }
}

/// SHA-256 in lower hex over the parts, each ended by a zero byte so that no two lists of parts read alike.
pub fn sha256_hex(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        if parts.len() > 1 {
            hasher.update([0]);
        }
    }
    hex(&hasher.finalize())
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_names_are_dns_labels_of_at_most_40_characters_and_not_reserved() {
        for good in ["a", "alice", "a-1", &"a".repeat(40)] {
            assert!(good.parse::<TenantName>().is_ok(), "{good}");
        }
        for bad in ["", "Alice", "a.b", "1alice", "-a", "a-", &"a".repeat(41), "system", "default", "kube-x", "a_b"] {
            assert!(bad.parse::<TenantName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_error_says_what_was_wrong_with_what() {
        let error = "Alice".parse::<TenantName>().expect_err("capital letter");
        assert!(error.to_string().starts_with("tenant name \"Alice\" is not valid: use 1 to 40 lower-case"), "{error}");
    }

    #[test]
    fn longest_prefix_and_longest_name_make_a_valid_namespace() {
        let prefix: NamespacePrefix = format!("{}-", "p".repeat(22)).parse().expect("prefix");
        let tenant: TenantName = "t".repeat(40).parse().expect("name");
        assert!(prefix.namespace(&tenant).as_str().parse::<NamespaceName>().is_ok());
    }

    #[test]
    fn prefixes_need_their_hyphen() {
        for bad in ["openclaw", "-", "kube-", "Open-", "a--b"] {
            assert!(bad.parse::<NamespacePrefix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_incarnation_is_the_first_ten_hex_digits_of_the_uid() {
        let uid: Uid = "6f1c2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b".parse().expect("uid");
        let incarnation = Incarnation::begun_by(&uid).expect("hex");
        assert_eq!(incarnation.as_str(), "6f1c2a3b4c");
        assert_eq!(incarnation.service_account().as_str(), "workspace-6f1c2a3b4c");
    }

    #[test]
    fn the_owner_hash_is_plain_sha256_so_that_anybody_can_check_it() {
        // printf %s alice@example.com | sha256sum
        let email: Email = "Alice@Example.com".parse().expect("email");
        assert_eq!(
            OwnerSubject::from_email(&email).hash().as_str(),
            "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976"
        );
    }

    #[test]
    fn version_ids_differ_by_secret_incarnation_and_nonce() {
        let incarnation: Incarnation = "0123456789".parse().expect("incarnation");
        let nonce = Nonce::from_bytes([7; 16]);
        let one = VersionId::of("openclaw/a/b", &incarnation, &nonce);
        assert_eq!(one, VersionId::of("openclaw/a/b", &incarnation, &nonce));
        assert_eq!(one.as_str().len(), 64);
        assert_ne!(one, VersionId::of("openclaw/a/c", &incarnation, &nonce));
        assert_ne!(one, VersionId::of("openclaw/a/b", &incarnation, &nonce.derive("x")));
    }

    #[test]
    fn secret_names_that_look_like_arn_suffixes_are_refused() {
        assert!("slack-bot-token".parse::<SecretItemName>().is_ok());
        assert!("api-abcdef".parse::<SecretItemName>().is_err());
    }
}
