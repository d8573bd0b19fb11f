"""The AWS of a running instance, as boto3 sees it: each thing that the proxy mends, and the faults and the call log.

    eval "$(deploy/local/platform.sh env)"; "$OPENCLAW_PLATFORM_PYTHON" deploy/local/emulators/test_mends.py
"""

import json
import os
import unittest
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

CLUSTER = "openclaw-local"
TENANT_ROLE = "arn:aws:iam::123456789012:role/openclaw-tenant"
ONE_TRY = Config(retries={"total_max_attempts": 1})
CONTROL = os.environ["OPENCLAW_PLATFORM_CONTROL"]

eks = boto3.client("eks", config=ONE_TRY)
secrets = boto3.client("secretsmanager", config=ONE_TRY)
iam = boto3.client("iam", config=ONE_TRY)
sts = boto3.client("sts", config=ONE_TRY)


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(CONTROL + path, data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def unique(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


class Case(unittest.TestCase):
    def refused(self, code, call, **parameters):
        with self.assertRaises(ClientError) as caught:
            call(**parameters)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]


def associate(namespace, account="ws", **more):
    parameters = {"clusterName": CLUSTER, "namespace": namespace, "serviceAccount": account, "roleArn": TENANT_ROLE}
    return eks.create_pod_identity_association(**(parameters | more))["association"]


class PodIdentity(Case):
    def test_same_token_same_answer(self):
        namespace, token = unique("token"), uuid.uuid4().hex
        first = associate(namespace, clientRequestToken=token)
        self.assertEqual(first["associationId"], associate(namespace, clientRequestToken=token)["associationId"])
        eks.delete_pod_identity_association(clusterName=CLUSTER, associationId=first["associationId"])
        again = associate(namespace, clientRequestToken=token)
        self.assertNotEqual(first["associationId"], again["associationId"])

    def test_duplicate_names_the_first(self):
        namespace = unique("double")
        first = associate(namespace)
        message = self.refused("ResourceInUseException", associate, namespace=namespace)
        self.assertIn(first["associationId"], message)

    def test_role_must_exist_and_trust(self):
        self.refused("InvalidParameterException", associate, namespace=unique("role"), roleArn="nonsense")
        self.refused("InvalidParameterException", associate, namespace=unique("role"),
                     roleArn="arn:aws:iam::123456789012:role/missing")
        name = unique("distrustful")
        trust = {"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        message = self.refused("InvalidParameterException", associate, namespace=unique("role"), roleArn=role)
        self.assertIn("Trust policy", message)
        trust["Statement"] |= {"Principal": {"Service": ["pods.eks.amazonaws.com"]}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        self.assertEqual(role, associate(unique("role"), roleArn=role)["roleArn"])

    def test_session_policy_excludes_tags(self):
        self.refused("InvalidParameterException", associate, namespace=unique("policy"), policy="{}")
        associate(unique("policy"), policy="{}", disableSessionTags=True)

    def test_tags(self):
        made = associate(unique("tags"), tags={"tenant": "a", "keep": "1"})
        arn, one = made["associationArn"], {"clusterName": CLUSTER, "associationId": made["associationId"]}
        eks.tag_resource(resourceArn=arn, tags={"tenant": "b", "more": "2"})
        eks.untag_resource(resourceArn=arn, tagKeys=["keep"])
        wanted = {"tenant": "b", "more": "2"}
        self.assertEqual(wanted, eks.list_tags_for_resource(resourceArn=arn)["tags"])
        self.assertEqual(wanted, eks.describe_pod_identity_association(**one)["association"]["tags"])
        self.refused("BadRequestException", eks.tag_resource, resourceArn=arn, tags={f"k{i}": "" for i in range(49)})
        eks.delete_pod_identity_association(**one)
        self.refused("NotFoundException", eks.tag_resource, resourceArn=arn, tags={"a": "b"})
        self.refused("ResourceNotFoundException", eks.describe_pod_identity_association, **one)

    def test_pages(self):
        namespace = unique("pages")
        made = [associate(namespace, f"sa-{i}")["associationId"] for i in range(120)]
        first = eks.list_pod_identity_associations(clusterName=CLUSTER, namespace=namespace)
        self.assertEqual(100, len(first["associations"]))
        self.assertNotIn("ownerArn", first["associations"][0])
        pages = eks.get_paginator("list_pod_identity_associations").paginate(
            clusterName=CLUSTER, namespace=namespace, PaginationConfig={"PageSize": 33})
        self.assertEqual(made, [a["associationId"] for page in pages for a in page["associations"]])
        self.refused("InvalidParameterException", eks.list_pod_identity_associations, clusterName=CLUSTER, maxResults=101)

    def test_update_and_owner(self):
        made = associate(unique("update"))
        one = {"clusterName": CLUSTER, "associationId": made["associationId"]}
        self.refused("InvalidParameterException", eks.update_pod_identity_association,
                     **one, roleArn="arn:aws:iam::123456789012:role/missing")
        self.assertTrue(eks.update_pod_identity_association(**one, disableSessionTags=True)["association"]["disableSessionTags"])
        self.assertNotIn("ownerArn", eks.describe_pod_identity_association(**one)["association"])
        control("PUT", "/associations/" + made["associationId"], {"ownerArn": "arn:aws:eks:us-west-2:123456789012:addon/x"})
        self.assertIn("addon", eks.describe_pod_identity_association(**one)["association"]["ownerArn"])

    def test_identity_of_the_account(self):
        self.assertEqual("123456789012", sts.get_caller_identity()["Account"])
        self.assertEqual("ACTIVE", eks.describe_cluster(name=CLUSTER)["cluster"]["status"])


def token():
    return uuid.uuid4().hex


class Secrets(Case):
    def setUp(self):
        self.name, self.first = unique("openclaw/t/gateway-token"), token()
        self.arn = secrets.create_secret(Name=self.name, SecretString="1", ClientRequestToken=self.first,
                                         Tags=[{"Key": "tenant", "Value": "t"}])["ARN"]

    def stages(self):
        return {v: sorted(s) for v, s in secrets.describe_secret(SecretId=self.name)["VersionIdsToStages"].items()}

    def put(self, version, **more):
        return secrets.put_secret_value(SecretId=self.name, SecretString=version, ClientRequestToken=version, **more)

    def test_create_is_idempotent(self):
        again = {"Name": self.name, "ClientRequestToken": self.first}
        self.put(token())
        self.assertEqual(self.first, secrets.create_secret(**again, SecretString="1")["VersionId"])
        self.refused("ResourceExistsException", secrets.create_secret, **again, SecretString="2")
        self.refused("ResourceExistsException", secrets.create_secret, Name=self.name, SecretString="1")
        self.refused("ValidationException", secrets.create_secret, Name="a b", SecretString="1")

    def test_put_is_idempotent(self):
        second = token()
        self.put(second)
        self.put(second)
        self.refused("ResourceExistsException", secrets.put_secret_value, SecretId=self.name, SecretString="other",
                     ClientRequestToken=second)
        self.refused("ResourceExistsException", secrets.update_secret, SecretId=self.name, SecretString=second,
                     ClientRequestToken=second)
        self.assertEqual({self.first: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}, self.stages())

    def test_rotation_by_labels(self):
        second, third, fourth = token(), token(), token()
        self.put(second, VersionStages=["openclaw-next"])
        self.assertEqual({self.first: ["AWSCURRENT"], second: ["openclaw-next"]}, self.stages())
        move = {"SecretId": self.name, "VersionStage": "AWSCURRENT", "MoveToVersionId": second}
        self.refused("InvalidParameterException", secrets.update_secret_version_stage, **move)
        self.refused("InvalidParameterException", secrets.update_secret_version_stage, **move, RemoveFromVersionId=second)
        secrets.update_secret_version_stage(**move, RemoveFromVersionId=self.first)
        self.refused("InvalidParameterException", secrets.update_secret_version_stage, **move, RemoveFromVersionId=self.first)
        self.assertEqual({self.first: ["AWSPREVIOUS"], second: ["AWSCURRENT", "openclaw-next"]}, self.stages())
        self.assertEqual(second, secrets.get_secret_value(SecretId=self.name)["SecretString"])
        self.put(third, VersionStages=["openclaw-next"])
        self.assertEqual({self.first: ["AWSPREVIOUS"], second: ["AWSCURRENT"], third: ["openclaw-next"]}, self.stages())
        self.put(fourth)
        self.assertEqual({second: ["AWSPREVIOUS"], third: ["openclaw-next"], fourth: ["AWSCURRENT"]}, self.stages())
        self.assertEqual(fourth, secrets.get_secret_value(SecretId=self.arn)["SecretString"])

    def test_own_label_is_swapped_too(self):
        second = token()
        self.put(second, VersionStages=["openclaw-next"])
        move = {"SecretId": self.name, "VersionStage": "openclaw-next", "MoveToVersionId": self.first}
        self.refused("InvalidParameterException", secrets.update_secret_version_stage, **move)
        self.refused("InvalidParameterException", secrets.update_secret_version_stage, **(move | {"MoveToVersionId": token()}),
                     RemoveFromVersionId=second)
        secrets.update_secret_version_stage(**move, RemoveFromVersionId=second)
        self.assertEqual({self.first: ["AWSCURRENT", "openclaw-next"]}, self.stages())
        listed = secrets.list_secret_version_ids(SecretId=self.name)["Versions"]
        self.assertEqual([self.first], [v["VersionId"] for v in listed])
        self.assertEqual(2, len(secrets.list_secret_version_ids(SecretId=self.name, IncludeDeprecated=True)["Versions"]))

    def test_recovery_window(self):
        secrets.delete_secret(SecretId=self.arn, RecoveryWindowInDays=7)
        message = self.refused("InvalidRequestException", secrets.create_secret, Name=self.name, SecretString="1",
                               ClientRequestToken=self.first)
        self.assertIn("already scheduled for deletion", message)
        for call, more in (
            (secrets.put_secret_value, {"SecretString": "2"}), (secrets.update_secret, {"SecretString": "2"}),
            (secrets.get_secret_value, {}), (secrets.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}),
            (secrets.untag_resource, {"TagKeys": ["tenant"]}), (secrets.delete_secret, {"RecoveryWindowInDays": 7}),
            (secrets.update_secret_version_stage, {"VersionStage": "x", "MoveToVersionId": self.first}),
        ):
            self.refused("InvalidRequestException", call, SecretId=self.name, **more)
        self.assertIn("DeletedDate", secrets.describe_secret(SecretId=self.name))
        by_name = {"Filters": [{"Key": "name", "Values": [self.name]}]}
        self.assertEqual([], secrets.list_secrets(**by_name)["SecretList"])
        kept = secrets.list_secrets(**by_name, IncludePlannedDeletion=True)["SecretList"][0]
        self.assertEqual([{"Key": "tenant", "Value": "t"}], kept["Tags"])
        secrets.restore_secret(SecretId=self.name)
        self.assertEqual("1", secrets.get_secret_value(SecretId=self.name)["SecretString"])
        secrets.delete_secret(SecretId=self.name, ForceDeleteWithoutRecovery=True)
        self.refused("ResourceNotFoundException", secrets.describe_secret, SecretId=self.name)
        secrets.create_secret(Name=self.name, SecretString="new")

    def test_secret_without_a_value(self):
        name = unique("empty")
        secrets.create_secret(Name=name)
        self.refused("ResourceNotFoundException", secrets.get_secret_value, SecretId=name)
        self.assertNotIn("VersionIdsToStages", secrets.describe_secret(SecretId=name))
        first = token()
        secrets.put_secret_value(SecretId=name, SecretString="v", ClientRequestToken=first)
        self.assertEqual({first: ["AWSCURRENT"]}, secrets.describe_secret(SecretId=name)["VersionIdsToStages"])


class Disturbed(Case):
    def rule(self, match, **fields):
        made = control("POST", "/faults", {"match": match, "times": 1} | fields)
        self.addCleanup(control, "DELETE", "/faults/" + made["id"])

    def test_answer_is_lost(self):
        namespace = unique("lost")
        self.rule(namespace, service="eks", operation="CreatePodIdentityAssociation", when="after", action="drop")
        associate(unique("other"))
        with self.assertRaises((ConnectionClosedError, ReadTimeoutError)):
            associate(namespace)
        self.assertEqual(1, len(eks.list_pod_identity_associations(clusterName=CLUSTER, namespace=namespace)["associations"]))

    def test_call_is_refused(self):
        name = unique("throttled")
        self.rule(name, service="secretsmanager", operation="CreateSecret", when="before",
                  action={"status": 400, "code": "ThrottlingException", "message": "Rate exceeded"})
        self.refused("ThrottlingException", secrets.create_secret, Name=name, SecretString="x")
        self.refused("ResourceNotFoundException", secrets.describe_secret, SecretId=name)
        secrets.create_secret(Name=name, SecretString="x")

    def test_iam_error_is_xml(self):
        name = unique("denied")
        self.rule(name, service="iam", operation="GetRole", when="before",
                  action={"status": 403, "code": "AccessDenied", "message": "not <allowed>"})
        self.assertEqual("not <allowed>", self.refused("AccessDenied", iam.get_role, RoleName=name))

    def test_list_is_stale(self):
        namespace = unique("stale")
        first = associate(namespace, "a")["associationId"]
        associate(namespace, "b")
        self.rule(namespace, service="eks", operation="ListPodIdentityAssociations", when="after", action="stale")
        listing = {"clusterName": CLUSTER, "namespace": namespace}
        self.assertEqual([first], [a["associationId"] for a in eks.list_pod_identity_associations(**listing)["associations"]])
        self.assertEqual(2, len(eks.list_pod_identity_associations(**listing)["associations"]))

    def test_calls_are_logged_without_values(self):
        name = unique("openclaw/logged/x")
        since = max((c["seq"] for c in control("GET", "/calls")), default=0)
        arn = secrets.create_secret(Name=name, SecretString="top-secret-value")["ARN"]
        secrets.describe_secret(SecretId=arn)
        calls = control("GET", f"/calls?since={since}")
        self.assertEqual([("CreateSecret", True, name, 200), ("DescribeSecret", False, name, 200)],
                         [(c["operation"], c["mutating"], c["target"], c["status"]) for c in calls])
        self.assertEqual(os.environ["AWS_ACCESS_KEY_ID"], calls[0]["accessKeyId"])
        self.assertNotIn("top-secret-value", json.dumps(calls))


if __name__ == "__main__":
    unittest.main(verbosity=1)
