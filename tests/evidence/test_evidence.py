"""The checks find what they are for."""

import base64
import json
import secrets
import tempfile
import unittest
from pathlib import Path

import calls
import rights
from conforms import violations
from search import Search

ACCOUNT = {"region": "us-west-2", "accountId": "123456789012", "clusterName": "prod",
           "clusterArn": "arn:aws:eks:us-west-2:123456789012:cluster/prod"}
SECRET = "openclaw/alice/gateway-token"
ROLE = "arn:aws:iam::123456789012:role/openclaw-tenant"


def eks(operation, method, path, body=None, query=None, **more):
    return {"accessKeyId": "operator", "service": "eks", "operation": operation, "method": method, "path": path,
            "query": query, "header": {}, "body": body, "done": True} | more


def create_association(**more):
    body = {"namespace": "openclaw-alice", "serviceAccount": "workspace-0123456789", "roleArn": ROLE,
            "clientRequestToken": "t", "tags": {"openclaw-tenant": "alice"}}
    return eks("CreatePodIdentityAssociation", "POST", "/clusters/prod/pod-identity-associations", body | more)


def secret(operation, **body):
    return {"accessKeyId": "operator", "service": "secretsmanager", "operation": operation, "method": "POST", "path": "/",
            "header": {"X-Amz-Target": f"secretsmanager.{operation}"}, "body": body, "done": True}


def role(action, **form):
    form = {"Action": action, "Version": "2010-05-08"} | form
    return {"accessKeyId": "operator", "service": "iam", "operation": action, "method": "POST", "path": "/", "header": {},
            "form": {name: [value] for name, value in form.items()}, "done": True}


class Conforms(unittest.TestCase):
    def refused(self, record, *parts):
        found = violations(record)
        self.assertTrue(any(all(part in one for part in parts) for one in found), found)

    def test_good_requests_are_good(self):
        for record in [
            create_association(),
            eks("ListPodIdentityAssociations", "GET", "/clusters/prod/pod-identity-associations", query={"maxResults": ["100"]}),
            eks("TagResource", "POST", "/tags/arn%3Aaws%3Aeks%3Ax%3A1%3Apodidentityassociation%2Fprod%2Fa-1", {"tags": {"a": "b"}}),
            secret("CreateSecret", Name=SECRET, SecretString="A" * 43, ClientRequestToken="0" * 64,
                   Tags=[{"Key": "openclaw-tenant", "Value": "alice"}]),
            role("CreateRole", **{"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags.member.1.Key": "a",
                                  "Tags.member.1.Value": "b"}),
        ]:
            self.assertEqual([], violations(record), record["operation"])

    def test_a_tag_that_is_too_long_is_found(self):
        self.refused(create_association(tags={"k": "v" * 257}), "tags{}=", "257 characters, more than 256")
        self.refused(secret("TagResource", SecretId=SECRET, Tags=[{"Key": "k" * 129, "Value": ""}]), "129 characters")

    def test_a_wrong_pattern_is_found(self):
        self.refused(create_association(tags={"owner": "Zoë <zoe@example.com>"}), "does not match")
        self.refused(role("GetRole", RoleName="a role"), "RoleName", "does not match")
        self.refused(secret("CreateSecret", Name="openclaw/alice smith/x"), "Name", "does not match")

    def test_an_unknown_or_missing_member_is_found(self):
        self.refused(create_association(colour="blue"), "colour", "no such member")
        self.refused(secret("PutSecretValue", SecretString="A"), "SecretId is missing")
        self.refused(role("GetRole", RoleName="r", Colour="blue"), "Colour", "no such member")
        listing = eks("ListPodIdentityAssociations", "GET", "/clusters/prod/pod-identity-associations", query={"colour": ["blue"]})
        self.refused(listing, "colour", "no such member")

    def test_wrong_types_bounds_and_enumerations_are_found(self):
        self.refused(secret("CreateSecret", Name=SECRET, ClientRequestToken="short"), "5 characters, fewer than 32")
        self.refused(secret("ListSecrets", MaxResults=101), "more than 100")
        self.refused(secret("ListSecrets", MaxResults="100"), "not a number")
        self.refused(secret("ListSecrets", Filters=[{"Key": "colour", "Values": ["blue"]}]), "is none of")
        self.refused(secret("TagResource", SecretId=SECRET, Tags=[{"Key": "aws:x", "Value": ""}]), "AWS's own tags")

    def test_another_operation_than_it_seems_is_found(self):
        self.refused(eks("DeletePodIdentityAssociation", "DELETE", "/clusters/prod"), "path")
        self.refused(eks("Nonsense", "GET", "/"), "no such operation")
        self.refused(secret("CreateSecret", Name=SECRET) | {"header": {}}, "X-Amz-Target")
        self.refused(secret("CreateSecret") | {"unreadable": True}, "cannot be read")


class Values(unittest.TestCase):
    def setUp(self):
        self.value = secrets.token_urlsafe(32)
        self.search = Search([self.value, secrets.token_urlsafe(32)])

    def test_a_planted_value_is_found_wherever_it_stands(self):
        number = self.search.values.index(self.value)
        plain = self.value.encode()
        for data in [plain, b'{"token":"' + plain + b'"}', b"\0\xff" + plain + b"\0", b"x" * 500 + plain + b"y" * 500]:
            self.assertEqual({number}, self.search.in_bytes(data))
        for before in range(4):
            text = b"k" * before + plain + b"&more"
            for encoded in [base64.b64encode(text), base64.urlsafe_b64encode(text)]:
                self.assertEqual({number}, self.search.in_bytes(b'data: "' + encoded + b'"'), before)

    def test_a_planted_file_is_found_and_others_are_not(self):
        with tempfile.TemporaryDirectory() as directory:
            good, bad, empty = (Path(directory) / name for name in ("good", "bad", "empty"))
            good.write_text(secrets.token_urlsafe(32) * 100)
            bad.write_bytes(b"\0" * 5_000_000 + self.value.encode() + b"\0")
            empty.touch()
            found = {path.name: self.search.in_file(path) for path in (good, bad, empty)}
        self.assertEqual({"good": set(), "bad": {self.search.values.index(self.value)}, "empty": set()}, found)

    def test_values_too_short_for_the_search_are_refused(self):
        with self.assertRaises(ValueError):
            Search(["short"])


class Calls(unittest.TestCase):
    def rights(self, *records):
        account, tags, found = calls.Account(ACCOUNT, "uid"), calls.Tags(), []
        for comes, record in calls.in_order([{"after": number} | record for number, record in enumerate(records)]):
            if not comes:
                tags.take_up(record, account.key(record))
            elif record["accessKeyId"] == "operator":
                found.extend(calls.rights(record, account, tags))
        return calls.summed_up(found)

    def test_what_a_creation_implies_is_listed(self):
        found = {(one["service"], one["operation"], one["impliedBy"]): one for one in self.rights(create_association())}
        by = "CreatePodIdentityAssociation"
        self.assertEqual({("eks", by, None), ("eks", "TagResource", by), ("iam", "PassRole", by), ("iam", "GetRole", by)}, set(found))
        self.assertEqual([ACCOUNT["clusterArn"]], found["eks", by, None]["resources"])
        self.assertEqual({"openclaw-tenant": "alice"}, found["eks", by, None]["requestTags"])
        self.assertEqual("pods.eks.amazonaws.com", found["iam", "PassRole", by]["conditions"]["iam:PassedToService"])

    def test_tags_of_the_resource_are_those_at_the_time(self):
        tag = {"Key": "tenant", "Value": "alice"}
        records = [
            secret("CreateSecret", Name=SECRET, Tags=[tag]),
            secret("UntagResource", SecretId=SECRET, TagKeys=["tenant"]) | {"accessKeyId": "somebody"},
            secret("TagResource", SecretId=SECRET, Tags=[tag]) | {"done": False},
            secret("PutSecretValue", SecretId=SECRET, SecretString="A"),
            secret("TagResource", SecretId=f"arn:aws:secretsmanager:us-west-2:1:secret:{SECRET}-Ab12Cd", Tags=[tag]),
            secret("DescribeSecret", SecretId=SECRET),
        ]
        found = {one["operation"]: one for one in self.rights(*records) if not one["impliedBy"]}
        self.assertEqual({}, found["PutSecretValue"]["resourceTags"], "a call that was not carried out has tagged nothing")
        self.assertEqual({"tenant": "alice"}, found["DescribeSecret"]["resourceTags"])

    def test_calls_that_differ_in_the_tenant_are_one_kind(self):
        bob = secret("DescribeSecret", SecretId="openclaw/bob/gateway-token")
        [one] = self.rights(secret("DescribeSecret", SecretId=SECRET), bob)
        self.assertEqual((2, ["arn:aws:secretsmanager:us-west-2:123456789012:secret:openclaw/*"]), (one["count"], one["resources"]))
        self.assertEqual([f"arn:aws:secretsmanager:us-west-2:123456789012:secret:{SECRET}-AbCdEf"], one["example"]["resources"])

    def one(self, found, operation, implied_by=None):
        [one] = [one for one in found if (one["operation"], one["impliedBy"]) == (operation, implied_by)]
        return one

    def test_a_tenants_own_role_has_its_path_its_boundary_and_its_tags(self):
        boundary, name = "arn:aws:iam::123456789012:policy/openclaw-boundary", "openclaw-alice-0123456789"
        tags = {"Tags.member.1.Key": "tenant", "Tags.member.1.Value": "alice"}
        path, inline = "/openclaw/prod/", {"RoleName": name, "PolicyName": "p"}
        found = self.rights(
            role("GetRole", RoleName=name) | {"done": False},
            role("CreateRole", RoleName=name, Path=path, PermissionsBoundary=boundary, **tags),
            role("UntagRole", RoleName=name, **{"TagKeys.member.1": "tenant"}) | {"accessKeyId": "somebody"},
            role("PutRolePolicy", **inline),
            role("TagRole", RoleName=name, **tags),
            role("DeleteRolePolicy", **inline),
            role("DeleteRole", RoleName=name),
            role("ListRolePolicies", RoleName=name) | {"done": False},
        )
        self.assertEqual({"RolePerTenant"}, {one["mode"] for one in found})
        bare, own = (f"arn:aws:iam::123456789012:role/{way}{name}" for way in ("", "openclaw/prod/"))
        at = {one["operation"]: one["example"]["resources"] for one in found if not one["impliedBy"]}
        self.assertEqual(([bare], [own], [own], [bare]), tuple(at[name] for name in ("GetRole", "CreateRole", "DeleteRole", "ListRolePolicies")))
        self.assertEqual([own], self.one(found, "TagRole", "CreateRole")["example"]["resources"])
        for operation in ("CreateRole", "PutRolePolicy", "DeleteRolePolicy", "DeleteRole"):
            self.assertEqual({"iam:PermissionsBoundary": boundary}, self.one(found, operation)["conditions"], operation)
        self.assertEqual({}, self.one(found, "PutRolePolicy")["resourceTags"], "somebody took the tag off")
        self.assertEqual({"tenant": "alice"}, self.one(found, "DeleteRolePolicy")["resourceTags"])

    def test_a_request_that_hangs_is_about_what_stood_when_it_came(self):
        name, tags = "openclaw-alice-0123456789", {"Tags.member.1.Key": "tenant", "Tags.member.1.Value": "alice"}
        found = self.rights(
            role("CreateRole", RoleName=name, Path="/openclaw/prod/", **tags),
            role("DeleteRole", RoleName=name),
            role("DeleteRole", RoleName=name) | {"done": False, "after": 1},
        )
        self.assertEqual((2, {"tenant": "alice"}), (self.one(found, "DeleteRole")["count"], self.one(found, "DeleteRole")["resourceTags"]))

    def test_a_second_deletion_that_crosses_the_first_is_about_the_same(self):
        path, identity = "/clusters/prod/pod-identity-associations/a-1", "openclaw-alice/workspace-0123456789"
        delete = eks("DeletePodIdentityAssociation", "DELETE", path)
        look = eks("DescribePodIdentityAssociation", "GET", path)
        found = self.rights(create_association(), look | {"identity": identity}, delete | {"identity": identity},
                            delete | {"done": False}, look | {"done": False})
        deleted = self.one(found, "DeletePodIdentityAssociation")
        self.assertEqual((2, {"openclaw-tenant": "alice"}), (deleted["count"], deleted["resourceTags"]))
        looks = [one["resourceTags"] for one in found if one["operation"] == "DescribePodIdentityAssociation"]
        self.assertEqual([{}, {"openclaw-tenant": "alice"}], looks)

    def test_a_role_that_tenants_share_and_its_policies_belong_to_the_other_mode(self):
        policy = "arn:aws:iam::123456789012:policy/workspaces"
        found = self.rights(create_association(), role("GetRole", RoleName="openclaw-tenant"), role("GetPolicy", PolicyArn=policy))
        self.assertEqual({"SharedRole", None}, {one["mode"] for one in found})
        self.assertEqual([policy], self.one(found, "GetPolicy")["example"]["resources"])
        self.assertEqual([ROLE], self.one(found, "GetRole")["example"]["resources"])

    def test_a_key_is_used_by_every_request_that_writes_a_value(self):
        key = "arn:aws:kms:us-west-2:123456789012:key/1"
        records = [secret("CreateSecret", Name=SECRET, KmsKeyId=key), secret("PutSecretValue", SecretId=SECRET, SecretString="A")]
        found = self.rights(*records)
        for by in ("CreateSecret", "PutSecretValue"):
            for action in ("GenerateDataKey", "Decrypt"):
                self.assertEqual("secretsmanager.us-west-2.amazonaws.com", self.one(found, action, by)["conditions"]["kms:ViaService"])

    def test_what_is_ours_and_what_is_not_are_two_kinds(self):
        tagged = [secret("CreateSecret", Name=f"openclaw/{name}/x", Tags=[{"Key": calls.CLUSTER_UID, "Value": uid}])
                  for name, uid in (("alice", "uid"), ("bob", "uid"), ("carol", "another"))]
        found = [one for one in self.rights(*tagged) if one["operation"] == "CreateSecret"]
        self.assertEqual([1, 2], sorted(one["count"] for one in found))


class Roles(unittest.TestCase):
    ROLES = [
        {"kind": "ClusterRole", "metadata": {"name": "a"}, "rules": [
            {"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["get", "delete"]},
            {"apiGroups": ["openclaw.io"], "resources": ["tenants/status"], "verbs": ["update"]}]},
        {"kind": "Role", "metadata": {"name": "b", "namespace": "kube-system"}, "rules": [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["one"], "verbs": ["update"]}]},
        {"kind": "ClusterRole", "metadata": {"name": "others"}, "rules": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
        *({"kind": kind, "metadata": {"name": name}, "roleRef": {"name": name}, "subjects": [{"name": subject}]}
          for kind, name, subject in [("ClusterRoleBinding", "a", "openclaw-tenant-operator"), ("ClusterRoleBinding", "others", "others"),
                                      ("RoleBinding", "b", "openclaw-tenant-operator")]),
    ]

    def event(self, verb, user=rights.USER, **what):
        return json.dumps({"verb": verb, "user": {"username": user}, "objectRef": what})

    def compared(self, *events):
        granted = rights.granted(self.ROLES)
        self.assertEqual(6, len(granted))
        used, unused, missing = rights.compare(granted, rights.asked(events))
        self.assertEqual(granted, set(used) | unused)
        return sorted(map(rights.told, used)), sorted(map(rights.told, unused)), sorted(map(rights.told, missing))

    def test_each_right_is_used_and_each_request_is_given(self):
        used, unused, missing = self.compared(
            self.event("get", resource="namespaces", namespace="x", name="x"),
            self.event("delete", resource="pods", namespace="x", name="p"),
            self.event("update", resource="tenants", subresource="status", apiGroup="openclaw.io", name="alice"),
            self.event("update", resource="leases", apiGroup="coordination.k8s.io", namespace="kube-system", name="one"),
        )
        self.assertEqual([], missing)
        self.assertEqual(["delete namespaces", "get pods"], unused)
        self.assertEqual(4, len(used))

    def test_a_request_that_no_role_gives_is_told(self):
        _, _, missing = self.compared(
            self.event("patch", resource="pods", namespace="x", name="p"),
            self.event("update", resource="tenants", apiGroup="openclaw.io", name="alice"),
            self.event("update", resource="leases", apiGroup="coordination.k8s.io", namespace="kube-system", name="two"),
            self.event("update", resource="leases", apiGroup="coordination.k8s.io", namespace="default", name="one"),
            json.dumps(json.loads(self.event("list", resource="secrets")) | {"responseStatus": {"code": 403}}),
            self.event("get", user="somebody", resource="secrets", namespace="x", name="s"),
        )
        wanted = ["patch pods in x", "update leases.coordination.k8s.io in default",
                  "update leases.coordination.k8s.io in kube-system", "update tenants.openclaw.io"]
        self.assertEqual(wanted, missing)


if __name__ == "__main__":
    unittest.main()
