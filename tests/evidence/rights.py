"""The operator's rights in Kubernetes: what deploy/operator gives it, and what the audit logs say that it asked for."""

import json
from collections import Counter, namedtuple

USER = "system:serviceaccount:openclaw-system:openclaw-tenant-operator"

# namespace: where it holds, "*" for a ClusterRole. name: of the one object, or "".
Right = namedtuple("Right", "namespace group resource name verb")


def granted(documents, account="openclaw-tenant-operator"):
    """Each single right that these objects give the account: of the Roles and ClusterRoles that are bound to it."""
    rights = set()
    documents = list(documents)
    bindings = [one for one in documents if one["kind"].endswith("Binding")]
    bound = {one["roleRef"]["name"] for one in bindings if any(subject["name"] == account for subject in one["subjects"])}
    for document in documents:
        if document["kind"] not in ("ClusterRole", "Role") or document["metadata"]["name"] not in bound:
            continue
        for rule in document["rules"]:
            namespace = document["metadata"].get("namespace", "*")
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for name in rule.get("resourceNames", [""]):
                        rights |= {Right(namespace, group, resource, name, verb) for verb in rule["verbs"]}
    return rights


def asked(lines, user=USER):
    """What the user asked for in an audit log, with the number of times. Who acts in its name does not count."""
    found = Counter()
    for line in lines:
        event = json.loads(line)
        what = event.get("objectRef")
        if event["user"]["username"] != user or "impersonatedUser" in event or what is None:
            continue
        # What was refused was not had. That there was nothing, or another version, is an answer.
        code = event.get("responseStatus", {}).get("code", 200)
        if code >= 400 and code not in (404, 409):
            continue
        resource = "/".join(part for part in (what.get("resource"), what.get("subresource")) if part)
        # Of a cluster-scoped object the log names its own name as the namespace, where it is a Namespace.
        namespace = "" if resource.startswith("namespaces") else what.get("namespace", "")
        found[Right(namespace, what.get("apiGroup", ""), resource, what.get("name", ""), event["verb"])] += 1
    return found


def covering(request, rights):
    """The right that gives what was asked for, if one does."""
    for namespace in ("*", request.namespace):
        for name in ("", request.name):
            right = Right(namespace, request.group, request.resource, name, request.verb)
            if right in rights:
                return right
    return None


# Needed to put an object of an optional kind right or to take it away, which the suite does for some of them only.
UNSHOWN = {
    ("delete", "ciliumnetworkpolicies"), ("delete", "targetgroupconfigurations"), ("update", "targetgroupconfigurations"),
    ("update", "referencegrants"), ("update", "interceptorroutes"), ("update", "scaledobjects"), ("update", "clusterroles"),
    ("update", "rolebindings"),
}

# Asked for by admission of another request, so that no log tells of it.
IMPLIED = {"bind": ("rolebindings", "create")}


def compare(rights, requests):
    """Rights that nobody used, and requests, without their names, that no right gives."""
    used, missing = Counter(), Counter()
    for right in rights:
        by = IMPLIED.get(right.verb)
        times = sum(count for request, count in requests.items() if (request.resource, request.verb) == by)
        if times:
            used[right] = times
    for request, count in requests.items():
        right = covering(request, rights)
        if right:
            used[right] += count
        else:
            missing[request._replace(name="")] += count
    return used, rights - set(used), missing


def told(right):
    place = {"*": "", "": ""}.get(right.namespace, f" in {right.namespace}")
    group = f".{right.group}" if right.group else ""
    name = f" {right.name}" if right.name else ""
    return f"{right.verb} {right.resource}{group}{name}{place}"
