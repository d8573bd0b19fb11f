"""What the operator asked of AWS, as an IAM policy sees it: written to aws-calls.json.

A list of objects, one for each kind of call, sorted:

    service       the action's prefix: eks, secretsmanager, iam, kms
    operation     the action, such as CreateSecret
    impliedBy     null for a request that was sent; else the operation that AWS also asks this right for
    mode          whose right it is: SharedRole or RolePerTenant, or null where both modes need it. Decided by the resource:
                  everything of IAM is about one of the two kinds of roles, everything else about no role
    resources     ARNs of the resources, with * for what differs from tenant to tenant
    requestTags   tags in the request (aws:RequestTag/KEY), * for values that differ; its keys are aws:TagKeys
    resourceTags  tags of the resource when it was asked for (aws:ResourceTag/KEY), likewise
    conditions    other condition keys with their values
    count         how many such calls
    example       resources, requestTags, resourceTags and conditions of one of them, without any *, and its place:
                  the cluster's ARN and its UID

Calls that differ in whether a tag is this operator's are different kinds. tests/iam/prove.sh asks an evaluator about each.
"""

import json
import re

# What the tags that policies compare have to say for a resource to be this operator's (src/api/labels.rs).
MANAGED_BY, CLUSTER_UID = "managed-by", "openclaw-cluster-uid"
US = "openclaw-tenant-operator"


SERVICES = ("eks", "secretsmanager", "iam")


def in_order(records):
    """Each request twice: when it comes (True), and when it is answered. One that hangs is asked for long before, of what stands
    then."""
    coming = {}
    for record in records:
        coming.setdefault(record["after"], []).append(record)
    for number, record in enumerate(records):
        yield from ((True, one) for one in coming.get(number, []))
        yield False, record


class Tags:
    """The tags of everything, brought up to date by each request that was carried out.

    What is deleted keeps those that it had last. A second deletion may cross the first, when that hangs: AWS answers it with
    "not found" or with a denial, whatever a policy says, and after either the operator looks again.
    """

    def __init__(self):
        self.of = {}
        # Of a role: path and boundary; of a secret: key. What else ARNs and conditions are made of.
        self.facts = {}
        self.gone = set()

    def take_up(self, record, key):
        if not record["done"] or key is None:
            return
        operation = record["operation"]
        if operation in ("CreateSecret", "CreatePodIdentityAssociation", "CreateRole"):
            # A repeated creation changes no tags.
            if key not in self.of or key in self.gone:
                self.of[key], self.facts[key] = request_tags(record), facts(record)
            self.gone.discard(key)
        elif operation in ("TagResource", "TagRole"):
            self.of[key] = self.of.get(key, {}) | request_tags(record)
        elif operation in ("UntagResource", "UntagRole"):
            gone = untagged(record)
            self.of[key] = {name: value for name, value in self.of.get(key, {}).items() if name not in gone}
        elif operation in ("DeletePodIdentityAssociation", "DeleteRole"):
            self.gone.add(key)

    def of_what_is_asked(self, operation, key):
        """Tags and facts of what a request is about. Looks find no more what is gone."""
        if key in self.gone and not operation.startswith("Delete"):
            return {}, {}
        return self.of.get(key, {}), self.facts.get(key, {})


def form(record, name):
    """A field of the query protocol; None where it is not there."""
    return (record.get("form") or {}).get(name, [None])[0]


def members(record, *names):
    """Rows of a list of the query protocol, by these fields."""
    number = 1
    while form(record, names[0].format(number)) is not None:
        yield tuple(form(record, name.format(number)) or "" for name in names)
        number += 1


def facts(record):
    body = record.get("body") or {}
    return {"path": form(record, "Path") or "/", "boundary": form(record, "PermissionsBoundary"), "key": body.get("KmsKeyId")}


def request_tags(record):
    if record["service"] == "iam":
        return dict(members(record, "Tags.member.{}.Key", "Tags.member.{}.Value"))
    body = record.get("body") or {}
    given = body.get("tags", body.get("Tags")) or {}
    return dict(given) if isinstance(given, dict) else {tag["Key"]: tag["Value"] for tag in given}


def untagged(record):
    if record["service"] == "iam":
        return [name for [name] in members(record, "TagKeys.member.{}")]
    return (record.get("body") or {}).get("TagKeys") or (record.get("query") or {}).get("tagKeys") or []


def secret_name(identifier):
    _, arn, name = identifier.rpartition(":secret:")
    return re.sub(r"-[A-Za-z0-9]{6}$", "", name) if arn else name


class Account:
    """ARNs of one platform's account."""

    def __init__(self, aws, cluster_uid):
        self.aws = aws
        self.cluster = aws["clusterArn"]
        self.cluster_uid = cluster_uid
        self.identities = {}
        self.beginning = f"{aws['region']}:{aws['accountId']}"

    def key(self, record):
        """What the tags of the request's resource are kept under."""
        body = record.get("body") or {}
        if record["service"] == "secretsmanager":
            identifier = body.get("Name") or body.get("SecretId")
            return identifier and f"secret {secret_name(identifier)}"
        if record["service"] == "iam":
            name = form(record, "RoleName")
            return name and f"role {name}"
        if record["operation"] == "CreatePodIdentityAssociation":
            return f"association {body['namespace']}/{body['serviceAccount']}"
        # Of one that is gone nothing but its id is known.
        identifier = self.association_id(record)
        if record.get("identity"):
            self.identities[identifier] = record["identity"]
        return f"association {self.identities[identifier]}" if identifier in self.identities else None

    def association_id(self, record):
        place = r"(?:%2F|/)([^/%]+)$" if record["operation"] in ("TagResource", "UntagResource") else r"/pod-identity-associations/([^/]+)$"
        found = re.search(place, record["path"])
        return found and found[1]

    def resource(self, record, known):
        """The ARN of what a request is about; * where the action knows no resources."""
        body = record.get("body") or {}
        if record["service"] == "secretsmanager":
            identifier = body.get("Name") or body.get("SecretId")
            if not identifier:
                return "*"
            # Secrets Manager adds a hyphen and six characters of its own.
            return f"arn:aws:secretsmanager:{self.beginning}:secret:{secret_name(identifier)}-AbCdEf"
        if record["service"] == "iam":
            if form(record, "PolicyArn") and not form(record, "RoleName"):
                return form(record, "PolicyArn")
            # Requests name no path: IAM takes that of the role, and of one that does not exist the name alone.
            path = form(record, "Path") if record["operation"] == "CreateRole" else known.get("path")
            return f"arn:aws:iam::{self.aws['accountId']}:role{path or '/'}{form(record, 'RoleName')}"
        identifier = self.association_id(record)
        return self.association(identifier) if identifier else self.cluster

    def association(self, identifier):
        return f"arn:aws:eks:{self.beginning}:podidentityassociation/{self.aws['clusterName']}/{identifier}"


    def mode(self, service, resource):
        """The mode that a right belongs to: by the path of tenants' own roles; where none is there yet, by their names."""
        if service != "iam":
            return None
        own = rf":role/(openclaw/{re.escape(self.aws['clusterName'])}/.+|openclaw-[^/]+-[0-9a-f]{{10}})$"
        return "RolePerTenant" if re.search(own, resource) else "SharedRole"

    def via_secrets_manager(self, secret):
        """The conditions under which Secrets Manager uses a key ("Secret encryption and decryption", its User Guide)."""
        return {"kms:ViaService": f"secretsmanager.{self.aws['region']}.amazonaws.com", "kms:EncryptionContext:SecretARN": secret}


def pattern(arn):
    """The ARN with * for what is one tenant's, or one test's."""
    arn = re.sub(r"(:podidentityassociation/[^/]+)/.+$", r"\1/*", arn)
    arn = re.sub(r"(:role/(?:.+/)?)[^/]+$", r"\1*", arn)
    arn = re.sub(r"(:iam::\d+:policy/(?:.+/)?)[^/]+$", r"\1*", arn)
    return re.sub(r"(:secret:[^/]+)/.+$", r"\1/*", arn)


def rights(record, account, tags):
    """All that AWS asks for when it is asked for this."""
    body, operation = record.get("body") or {}, record["operation"]
    asked, key = request_tags(record), account.key(record)
    makes = operation.startswith("Create")
    has, known = ({}, facts(record)) if makes else tags.of_what_is_asked(operation, key)
    resource = account.resource(record, known)
    bounded = {"iam:PermissionsBoundary": known["boundary"]} if known.get("boundary") else {}

    def right(service, action, resource, asked=None, has=None, conditions=None):
        implied_by = None if (service, action) == (record["service"], operation) else operation
        return {"service": service, "operation": action, "impliedBy": implied_by, "mode": account.mode(service, resource),
                "resources": [resource], "requestTags": asked or {}, "resourceTags": has or {}, "conditions": conditions or {},
                "place": {"clusterArn": account.cluster, "clusterUid": account.cluster_uid}}

    yield right(record["service"], operation, resource, asked, has, bounded)
    if makes and asked:
        tagged = account.association("a-new") if record["service"] == "eks" else resource
        tag = "TagRole" if record["service"] == "iam" else "TagResource"
        yield right(record["service"], tag, tagged, asked)
    if record["service"] == "eks" and body.get("roleArn"):
        # "iam:PassRole" and "iam:GetRole" (EKS user guide, "Assign an IAM role to a Kubernetes service account")
        conditions = {"iam:PassedToService": "pods.eks.amazonaws.com", "iam:AssociatedResourceArn": account.cluster}
        yield right("iam", "PassRole", body["roleArn"], conditions=conditions)
        yield right("iam", "GetRole", body["roleArn"])
    if operation in ("CreateSecret", "PutSecretValue") and known.get("key"):
        for action in ("GenerateDataKey", "Decrypt"):
            yield right("kms", action, known["key"], conditions=account.via_secrets_manager(resource))


def kind(right):
    """What two calls of one kind have in common."""
    ours = {MANAGED_BY: US, CLUSTER_UID: right["place"]["clusterUid"]}
    tags = (tuple(sorted((name, value == ours.get(name, value)) for name, value in right[part].items()))
            for part in ("requestTags", "resourceTags"))
    return (right["service"], right["operation"], right["impliedBy"] or "", right["mode"] or "",
            *map(pattern, right["resources"]), *tags, tuple(sorted(right["conditions"])))


def summed_up(calls):
    """Calls of one kind as one entry."""
    kinds = {}
    for one in calls:
        entry = kinds.get(kind(one))
        if entry is None:
            example = {part: one[part] for part in ("resources", "requestTags", "resourceTags", "conditions", "place")}
            entry = one | {"resources": [pattern(arn) for arn in one["resources"]], "count": 0, "example": example}
            del entry["place"]
            kinds[kind(one)] = entry
        entry["count"] += 1
        for part in ("requestTags", "resourceTags", "conditions"):
            same = entry[part]
            entry[part] = {name: value if same[name] == value else "*" for name, value in one[part].items()}
    return [kinds[key] for key in sorted(kinds)]


def write(calls, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summed_up(calls), indent=2, sort_keys=True) + "\n")
