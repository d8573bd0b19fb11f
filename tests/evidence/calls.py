"""What the operator asked of AWS, as an IAM policy sees it: written to aws-calls.json.

A list of objects, one for each kind of call, sorted:

    service       the action's prefix: eks, secretsmanager, iam, kms
    operation     the action, such as CreateSecret
    impliedBy     null for a request that was sent; else the operation that AWS also asks this right for
    resources     ARNs of the resources, with * for what differs from tenant to tenant
    requestTags   tags in the request (aws:RequestTag/KEY), * for values that differ; its keys are aws:TagKeys
    resourceTags  tags of the resource when it was asked for (aws:ResourceTag/KEY), likewise
    conditions    other condition keys with their values (of iam:PassRole)
    count         how many such calls
    example       resources, requestTags, resourceTags and conditions of one of them, without any *
"""

import json
import re


class Tags:
    """The tags of everything, brought up to date by each request that was carried out."""

    def __init__(self):
        self.of = {}

    def take_up(self, record, key):
        if not record["done"] or key is None:
            return
        body, operation = record.get("body") or {}, record["operation"]
        if operation in ("CreateSecret", "CreatePodIdentityAssociation"):
            # A repeated creation changes no tags.
            self.of.setdefault(key, request_tags(record))
        elif operation == "TagResource":
            self.of[key] = self.of.get(key, {}) | request_tags(record)
        elif operation == "UntagResource":
            gone = body.get("TagKeys") or (record.get("query") or {}).get("tagKeys") or []
            self.of[key] = {name: value for name, value in self.of.get(key, {}).items() if name not in gone}
        elif operation == "DeletePodIdentityAssociation":
            self.of.pop(key, None)


def request_tags(record):
    body = record.get("body") or {}
    given = body.get("tags", body.get("Tags")) or {}
    return dict(given) if isinstance(given, dict) else {tag["Key"]: tag["Value"] for tag in given}


def secret_name(identifier):
    _, arn, name = identifier.rpartition(":secret:")
    return re.sub(r"-[A-Za-z0-9]{6}$", "", name) if arn else name


class Account:
    """ARNs of one platform's account."""

    def __init__(self, aws):
        self.aws = aws
        self.cluster = aws["clusterArn"]
        self.beginning = f"{aws['region']}:{aws['accountId']}"

    def key(self, record):
        """What the tags of the request's resource are kept under."""
        body = record.get("body") or {}
        if record["service"] == "secretsmanager":
            identifier = body.get("Name") or body.get("SecretId")
            return identifier and f"secret {secret_name(identifier)}"
        if record["operation"] == "CreatePodIdentityAssociation":
            return f"association {body['namespace']}/{body['serviceAccount']}"
        return f"association {record['identity']}" if record.get("identity") else None

    def resource(self, record):
        """The ARN of what a request is about; * where the action knows no resources."""
        body = record.get("body") or {}
        if record["service"] == "secretsmanager":
            identifier = body.get("Name") or body.get("SecretId")
            if not identifier:
                return "*"
            # Secrets Manager adds a hyphen and six characters of its own.
            return f"arn:aws:secretsmanager:{self.beginning}:secret:{secret_name(identifier)}-AbCdEf"
        if record["service"] == "iam":
            name = (record.get("form") or {}).get("RoleName", ["*"])[0]
            return f"arn:aws:iam::{self.aws['accountId']}:role/{name}"
        association = re.search(r"/pod-identity-associations/([^/]+)$", record["path"])
        if record["operation"] in ("TagResource", "UntagResource"):
            association = re.search(r"(?:%2F|/)([^/%]+)$", record["path"])
        return self.association(association[1]) if association else self.cluster

    def association(self, identifier):
        return f"arn:aws:eks:{self.beginning}:podidentityassociation/{self.aws['clusterName']}/{identifier}"


def pattern(arn):
    """The ARN with * for what is one tenant's."""
    arn = re.sub(r"(:podidentityassociation/[^/]+)/.+$", r"\1/*", arn)
    return re.sub(r"(:secret:[^/]+)/.+$", r"\1/*", arn)


def rights(record, account, tags):
    """All that AWS asks for when it is asked for this."""
    body = record.get("body") or {}
    asked = request_tags(record)
    has = {} if record["operation"].startswith("Create") else tags.of.get(account.key(record), {})
    resource = account.resource(record)
    yield call(record["service"], record["operation"], None, resource, asked, has)
    if record["operation"].startswith("Create") and asked:
        tagged = account.association("a-new") if record["service"] == "eks" else resource
        yield call(record["service"], "TagResource", record["operation"], tagged, asked, {})
    if record["service"] == "eks" and body.get("roleArn"):
        # "iam:PassRole" and "iam:GetRole" (EKS user guide, "Assign an IAM role to a Kubernetes service account")
        conditions = {"iam:PassedToService": "pods.eks.amazonaws.com", "iam:AssociatedResourceArn": account.cluster}
        yield call("iam", "PassRole", record["operation"], body["roleArn"], {}, {}, conditions)
        yield call("iam", "GetRole", record["operation"], body["roleArn"], {}, {})
    if body.get("KmsKeyId"):
        for action in ("GenerateDataKey", "Decrypt"):
            yield call("kms", action, record["operation"], body["KmsKeyId"], {}, {})


def call(service, operation, implied_by, resource, asked, has, conditions=None):
    return {"service": service, "operation": operation, "impliedBy": implied_by, "resources": [resource],
            "requestTags": asked, "resourceTags": has, "conditions": conditions or {}}


def summed_up(calls):
    """Calls of one kind as one entry."""
    kinds = {}
    for one in calls:
        head = (one["service"], one["operation"], one["impliedBy"] or "")
        key = (*head, *map(pattern, one["resources"]), *(tuple(sorted(one[part])) for part in ("requestTags", "resourceTags")))
        entry = kinds.get(key)
        if entry is None:
            example = {part: one[part] for part in ("resources", "requestTags", "resourceTags", "conditions")}
            entry = one | {"resources": [pattern(arn) for arn in one["resources"]], "count": 0, "example": example}
            kinds[key] = entry
        entry["count"] += 1
        for part in ("requestTags", "resourceTags"):
            same = entry[part]
            entry[part] = {name: value if same[name] == value else "*" for name, value in one[part].items()}
    return [kinds[key] for key in sorted(kinds)]


def write(calls, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summed_up(calls), indent=2, sort_keys=True) + "\n")
