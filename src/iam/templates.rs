//! The files of `deploy/aws`: CloudFormation templates and example documents, made from the same functions as the
//! documents that the operator itself writes and asks for, so that they cannot differ.
//!
//! PURE.

use serde_json::{Map, Value, json};

use super::{
    Document, ModelArns, OperatorMode, Place, Reach, boundary, operator_permissions, operator_trust, permissions,
    shared_trust, tenant_trust,
};
use crate::api::names::{Incarnation, NamespacePrefix, TenantName};

/// Where the example documents hold, and for whom.
#[derive(Clone, Debug)]
pub struct Example {
    /// Account, region, cluster, prefix.
    pub place: Place,
    /// The class's namespace prefix.
    pub namespace_prefix: NamespacePrefix,
    /// The tenant of the documents of one tenant.
    pub tenant: TenantName,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The operator's namespace.
    pub operator_namespace: String,
    /// The roles that tenants share.
    pub shared_roles: Vec<String>,
    /// The permissions boundary of tenants' roles.
    pub boundary: String,
    /// KMS keys of the secrets.
    pub kms_keys: Vec<String>,
    /// Models of the class.
    pub models: ModelArns,
    /// Whether workspaces may list models.
    pub discovery: bool,
}

/// The documents by name.
pub fn documents(example: &Example) -> Vec<(&'static str, Document)> {
    let Example { place, kms_keys, .. } = example;
    let reach = |tenant| Reach {
        tenant,
        kms_keys: kms_keys.clone(),
        models: example.models.clone(),
        discovery: example.discovery,
    };
    let namespace = example.namespace_prefix.namespace(&example.tenant);
    let account = example.incarnation.service_account();
    let shared = OperatorMode::SharedRole(example.shared_roles.clone());
    let per_tenant = OperatorMode::RolePerTenant { boundary: example.boundary.clone() };
    vec![
        ("shared-role-trust", shared_trust(place, example.namespace_prefix.as_str())),
        ("shared-role-permissions", permissions(place, &reach(None))),
        ("tenant-role-trust", tenant_trust(place, &namespace, &account)),
        ("tenant-role-permissions", permissions(place, &reach(Some(example.tenant.clone())))),
        ("tenant-role-boundary", boundary(place, kms_keys.clone())),
        ("operator-trust", operator_trust(place, &example.operator_namespace)),
        ("operator-shared-role", operator_permissions(place, kms_keys.clone(), &shared)),
        ("operator-role-per-tenant", operator_permissions(place, kms_keys.clone(), &per_tenant)),
    ]
}

/// The templates by name.
pub fn templates() -> Vec<(&'static str, Value)> {
    let per_tenant = OperatorMode::RolePerTenant { boundary: "${Boundary}".to_owned() };
    vec![
        ("shared-role", shared_role_template()),
        ("operator-shared-role", operator_template(&OperatorMode::SharedRole(vec!["${SharedRoleArns}".to_owned()]))),
        ("operator-role-per-tenant", operator_template(&per_tenant)),
    ]
}

/// Statements that stand only where a parameter was given: by name of the statement, the condition.
const WITH_KEY: [(&str, &str); 2] = [("DecryptOwnSecrets", "HasKmsKey"), ("EncryptSecrets", "HasKmsKey")];

/// The same for the role that tenants share.
const WITH_MODELS: [(&str, &str); 5] = [
    ("DecryptOwnSecrets", "HasKmsKey"),
    ("InvokeModels", "HasModels"),
    ("InvokeProfiles", "HasProfiles"),
    ("InvokeModelsThroughProfiles", "HasDestinations"),
    ("ListModels", "HasDiscovery"),
];

/// Parameters that are lists.
const LISTS: [&str; 4] =
    ["${SharedRoleArns}", "${FoundationModelArns}", "${InferenceProfileArns}", "${DestinationModelArns}"];

fn template_place() -> Place {
    Place {
        partition: "${AWS::Partition}".into(),
        region: "${AWS::Region}".into(),
        account: "${AWS::AccountId}".into(),
        cluster: "${ClusterName}".into(),
        cluster_uid: "${ClusterUid}".into(),
        secrets_prefix: "${SecretsPrefix}".into(),
    }
}

fn shared_role_template() -> Value {
    let mut parameters = common_parameters();
    parameters.extend([
        parameter("NamespacePrefix", "namespacePrefix of the TenantClass", Some("openclaw-")),
        list_parameter("FoundationModelArns", "ARNs of models that are invoked themselves", true),
        list_parameter("InferenceProfileArns", "ARNs of inference profiles", true),
        list_parameter("DestinationModelArns", "ARNs of the models that those profiles lead to, in every region", true),
        choice("ModelDiscovery", "Whether workspaces may list models and inference profiles"),
    ]);
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The role that all workspaces of one TenantClass share",
        "Parameters": Map::from_iter(parameters),
        "Conditions": {
            "HasKmsKey": given("KmsKeyArn"),
            "HasModels": any_given("FoundationModelArns"),
            "HasProfiles": any_given("InferenceProfileArns"),
            "HasDestinations": any_given("DestinationModelArns"),
            "HasDiscovery": { "Fn::Equals": [{ "Ref": "ModelDiscovery" }, "true"] },
        },
        "Resources": { "WorkspaceRole": workspace_role() },
        "Outputs": {
            "RoleArn": {
                "Description": "identity.roleArn of the TenantClass",
                "Value": { "Fn::GetAtt": ["WorkspaceRole", "Arn"] },
            },
        },
    })
}

fn workspace_role() -> Value {
    let place = template_place();
    let list = |name: &str| vec![format!("${{{name}}}")];
    let models = ModelArns {
        on_demand: list("FoundationModelArns"),
        profiles: list("InferenceProfileArns"),
        destinations: list("DestinationModelArns"),
    };
    let reach = Reach { tenant: None, kms_keys: list("KmsKeyArn"), models, discovery: true };
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "Workspaces of one TenantClass; session tags and resource tags keep tenants apart",
            "AssumeRolePolicyDocument": in_template(&json!(shared_trust(&place, "${NamespacePrefix}"))),
            "Policies": [inline("openclaw-workspace", &permissions(&place, &reach), &WITH_MODELS)],
        },
    })
}

fn operator_template(mode: &OperatorMode) -> Value {
    let place = template_place();
    let mut parameters = common_parameters();
    let uid = "UID of the namespace kube-system: kubectl get namespace kube-system -o jsonpath={.metadata.uid}";
    parameters.extend([
        parameter("ClusterUid", uid, None),
        parameter("OperatorNamespace", "The namespace that the operator runs in", Some("openclaw-system")),
    ]);
    let key = vec!["${KmsKeyArn}".to_owned()];
    let mut resources = Map::from_iter([
        ("OperatorRole".to_owned(), operator_role(&place, key.clone(), mode)),
        ("OperatorAssociation".to_owned(), operator_association()),
    ]);
    let mut outputs = Map::new();
    match mode {
        OperatorMode::SharedRole(_) => {
            parameters.push(list_parameter("SharedRoleArns", "ARNs of the roles that TenantClasses name", false));
        }
        OperatorMode::RolePerTenant { .. } => {
            resources.insert("Boundary".to_owned(), boundary_resource(&boundary(&place, key)));
            let words = "identity.permissionsBoundaryArn of the TenantClass";
            outputs.insert("BoundaryArn".to_owned(), json!({ "Description": words, "Value": { "Ref": "Boundary" } }));
        }
    }
    let arn = json!({ "Description": "The operator's role", "Value": { "Fn::GetAtt": ["OperatorRole", "Arn"] } });
    outputs.insert("OperatorRoleArn".to_owned(), arn);
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What openclaw-tenant-operator may do in AWS, and its Pod Identity association",
        "Parameters": Map::from_iter(parameters),
        "Conditions": { "HasKmsKey": given("KmsKeyArn") },
        "Resources": resources,
        "Outputs": outputs,
    })
}

fn operator_role(place: &Place, keys: Vec<String>, mode: &OperatorMode) -> Value {
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "openclaw-tenant-operator",
            "AssumeRolePolicyDocument": in_template(&json!(operator_trust(place, "${OperatorNamespace}"))),
            "Policies": [inline("openclaw-tenant-operator", &operator_permissions(place, keys, mode), &WITH_KEY)],
        },
    })
}

fn operator_association() -> Value {
    json!({
        "Type": "AWS::EKS::PodIdentityAssociation",
        "Properties": {
            "ClusterName": { "Ref": "ClusterName" },
            "Namespace": { "Ref": "OperatorNamespace" },
            "ServiceAccount": "openclaw-tenant-operator",
            "RoleArn": { "Fn::GetAtt": ["OperatorRole", "Arn"] },
        },
    })
}

fn boundary_resource(document: &Document) -> Value {
    json!({
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": "The most that the role of any tenant may do",
            "PolicyDocument": policy(document, &WITH_KEY),
        },
    })
}

fn common_parameters() -> Vec<(String, Value)> {
    vec![
        parameter("ClusterName", "The EKS cluster's name", None),
        parameter("SecretsPrefix", "What secret names begin with: --secrets-prefix of the operator", Some("openclaw")),
        parameter("KmsKeyArn", "secrets.kmsKeyArn of the TenantClass; empty for the account's default key", Some("")),
    ]
}

fn parameter(name: &str, description: &str, default: Option<&str>) -> (String, Value) {
    let mut parameter = json!({ "Type": "String", "Description": description });
    if let Some(default) = default {
        parameter["Default"] = json!(default);
    }
    (name.to_owned(), parameter)
}

fn list_parameter(name: &str, description: &str, may_be_empty: bool) -> (String, Value) {
    let mut parameter = json!({ "Type": "CommaDelimitedList", "Description": description });
    if may_be_empty {
        parameter["Default"] = json!("");
    }
    (name.to_owned(), parameter)
}

fn choice(name: &str, description: &str) -> (String, Value) {
    let values = ["true", "false"];
    let choice = json!({ "Type": "String", "Description": description, "AllowedValues": values, "Default": "false" });
    (name.to_owned(), choice)
}

fn given(parameter: &str) -> Value {
    json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] })
}

fn any_given(list: &str) -> Value {
    json!({ "Fn::Not": [{ "Fn::Equals": [{ "Fn::Join": ["", { "Ref": list }] }, ""] }] })
}

fn inline(name: &str, document: &Document, optional: &[(&str, &str)]) -> Value {
    json!({ "PolicyName": name, "PolicyDocument": policy(document, optional) })
}

/// A document in which statements stand only where their parameter was given.
fn policy(document: &Document, optional: &[(&str, &str)]) -> Value {
    let statement = |statement: &super::Statement| {
        let rendered = in_template(&json!(statement));
        match optional.iter().find(|(sid, _)| *sid == statement.sid) {
            Some((_, condition)) => {
                json!({ "Fn::If": [condition, rendered, { "Ref": "AWS::NoValue" }] })
            }
            None => rendered,
        }
    };
    json!({ "Version": document.version, "Statement": document.statement.iter().map(statement).collect::<Vec<_>>() })
}

/// Parameters become references; IAM's own variables are kept from CloudFormation's eyes.
fn in_template(value: &Value) -> Value {
    match value {
        Value::Array(list) => match list.as_slice() {
            [Value::String(one)] if LISTS.contains(&one.as_str()) => {
                json!({ "Ref": one.trim_start_matches("${").trim_end_matches('}') })
            }
            _ => list.iter().map(in_template).collect(),
        },
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), in_template(value))).collect(),
        // An IAM variable alone needs no substitution.
        Value::String(text) if text.contains("${") && !text.starts_with("${aws:") => {
            json!({ "Fn::Sub": text.replace("${aws:", "${!aws:") })
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}
