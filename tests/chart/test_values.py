"""Each value of the chart has its place, and what is wrong is refused. Nothing here needs a cluster."""

import json
import re
import subprocess
import sys
import unittest

from chart import (
    CHART,
    CLASS,
    EKS,
    MONITOR,
    NAME,
    TOP,
    Refused,
    at,
    container,
    defaults,
    documents,
    documents_of,
    helm,
    leaves,
    merged,
    render,
    text,
)

# Maps that are one value each: what is in them is Kubernetes' own, or free.
WHOLE = {
    "operator.rates",
    "resources.requests",
    "resources.limits",
    "nodeSelector",
    "affinity",
    "podLabels",
    "podAnnotations",
    "serviceAccount.annotations",
    "defaultClass.spec",
    "metrics.serviceMonitor.labels",
    "metrics.prometheusRule.labels",
    "metrics.prometheusRule.alertLabels",
    "metrics.dashboard.labels",
    "metrics.dashboard.annotations",
}

TERM = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}

# For each value one that is not its default, and where in the rendering it has to be found.
SAMPLES = {
    "image.repository": ("registry.example.com/other", "registry.example.com/other:0.1.0"),
    "image.tag": ("1.2.3", "registry.example.com/operator:1.2.3"),
    "image.digest": ("sha256:" + "a" * 64, "registry.example.com/operator@sha256:" + "a" * 64),
    "image.pullPolicy": ("Always", '"imagePullPolicy": "Always"'),
    "image.pullSecrets": ([{"name": "pull"}], '"imagePullSecrets": [{"name": "pull"}]'),
    "cluster.name": ("other", '"--cluster-name=other"'),
    "cluster.arn": ("arn:aws:eks:us-west-2:123456789012:cluster/production", '"--cluster-arn=arn:aws:eks:us-west-2:1'),
    "cluster.region": ("eu-west-1", '{"name": "AWS_REGION", "value": "eu-west-1"}'),
    "cluster.cidrs": (["10.1.0.0/16", "fd00::/64"], '"--cluster-cidrs=10.1.0.0/16,fd00::/64"'),
    "cluster.dnsAddresses": (["172.20.0.10", "fd00::a"], '"--dns-addresses=172.20.0.10,fd00::a"'),
    "operator.secretsPrefix": ("other", '"--secrets-prefix=other"'),
    "operator.concurrency": (8, '"--concurrency=8"'),
    "operator.sweepInterval": ("90m", '"--sweep-interval=90m"'),
    "operator.auditPeriod": ("48h", '"--audit-period=48h"'),
    "operator.auditRate": (5, '"--audit-rate=5"'),
    "operator.rates": ({"eksRead": 3, "iamWrite": 2}, '"--eks-read-rate=3", "--iam-write-rate=2"'),
    "operator.dryRun": (True, '"--dry-run"'),
    "operator.logFormat": ("human", '"--log-format=human"'),
    "operator.logFilter": ("debug", '"--log-filter=debug"'),
    "operator.listen": ("::", '"--health-address=[::]:8080"'),
    "operator.extraEnv": ([{"name": "HTTPS_PROXY", "value": "http://proxy"}], '{"name": "HTTPS_PROXY", "value": "http://proxy"}'),
    "replicas": (3, '"replicas": 3'),
    "spread": ("Required", '"whenUnsatisfiable": "DoNotSchedule"'),
    "podDisruptionBudget.enabled": (False, None),
    "resources.requests": ({"cpu": "1", "memory": "1Gi"}, '"requests": {"cpu": "1", "memory": "1Gi"}'),
    "resources.limits": ({"memory": "2Gi"}, '"limits": {"memory": "2Gi"}'),
    "nodeSelector": ({"disk": "ssd"}, '"nodeSelector": {"disk": "ssd"}'),
    "tolerations": ([{"operator": "Exists"}], '"tolerations": [{"operator": "Exists"}]'),
    "affinity": (TERM, f'"affinity": {json.dumps(TERM)}'),
    "priorityClassName": ("high", '"priorityClassName": "high"'),
    "podLabels": ({"team": "a"}, '"team": "a"'),
    "podAnnotations": ({"note": "b"}, '"annotations": {"note": "b"}'),
    "serviceAccount.roleArn": (
        "arn:aws:iam::123456789012:role/op",
        '{"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/op"}',
    ),
    "serviceAccount.annotations": ({"note": "c"}, '"annotations": {"note": "c"}'),
    "crds.install": (False, None),
    "policies.install": (False, None),
    "policies.keep": (False, None),
    "ownerAccess.enabled": (True, '"name": "openclaw-tenant-operator-owner-access"'),
    "policies.writers": (
        ["system:serviceaccount:velero:velero", "kyverno"],
        "!(request.userInfo.username in ['system:serviceaccount:velero:velero', 'kyverno'])",
    ),
    "policies.breakGlassGroup": ("security:oncall", "'security:oncall'"),
    "policies.signUpGroup": ("apps:sign-up", "'apps:sign-up' in request.userInfo.groups"),
    "defaultClass.create": (False, None),
    "defaultClass.spec": ({"quota": {"cpu": "8"}}, '"quota": {"cpu": "8"}'),
    "networkPolicy.enabled": (False, None),
    "networkPolicy.apiServerCidrs": (["10.0.1.0/24"], '"to": [{"ipBlock": {"cidr": "10.0.1.0/24"}}]'),
    "networkPolicy.apiServerPorts": ([8443], '[{"protocol": "TCP", "port": 8443}]'),
    "networkPolicy.awsCidrs": (["10.0.2.0/24"], '"to": [{"ipBlock": {"cidr": "10.0.2.0/24"}}]'),
    "networkPolicy.metricsFrom": ([{"podSelector": {}}], '[{"podSelector": {}}]'),
    "networkPolicy.probesFrom": (["10.0.3.0/24"], '{"ipBlock": {"cidr": "10.0.3.0/24"}}'),
    "networkPolicy.extraEgress": ([{"ports": [{"port": 3128}]}], '{"ports": [{"port": 3128}]}'),
    "metrics.serviceMonitor.enabled": (False, None),
    "metrics.serviceMonitor.interval": ("10s", '"interval": "10s"'),
    "metrics.serviceMonitor.labels": ({"release": "a"}, '"release": "a"'),
    "metrics.prometheusRule.enabled": (False, None),
    "metrics.prometheusRule.labels": ({"release": "b"}, '"release": "b"'),
    "metrics.prometheusRule.alertLabels": ({"team": "c"}, '"team": "c"'),
    "metrics.prometheusRule.disabled": (["OpenClawNoStandby"], None),
    "metrics.prometheusRule.runbookUrl": ("https://wiki.example.com/op", "https://wiki.example.com/op#openclawnoleader"),
    "metrics.dashboard.enabled": (False, None),
    "metrics.dashboard.labels": ({"grafana_dashboard": "yes"}, '"grafana_dashboard": "yes"'),
    "metrics.dashboard.annotations": ({"folder": "d"}, '"annotations": {"folder": "d"}'),
}

# Each switch, what has to be set beside it, and what is there only where it is on.
SWITCHES = {
    "podDisruptionBudget.enabled": ({}, {("PodDisruptionBudget", NAME)}),
    "networkPolicy.enabled": ({}, {("NetworkPolicy", NAME)}),
    "crds.install": (
        {},
        {("CustomResourceDefinition", f"{plural}.openclaw.io") for plural in ("tenants", "tenantclasses", "tenantrecords")},
    ),
    "defaultClass.create": ({"defaultClass": {"spec": {"quota": {"cpu": "4"}}}}, {("TenantClass", "default")}),
    "ownerAccess.enabled": (
        {},
        {
            ("ClusterRole", "openclaw:tenant-reader"),
            ("ClusterRole", "openclaw-tenant-operator-owner-access"),
            ("ClusterRoleBinding", "openclaw-tenant-operator-owner-access"),
        },
    ),
    "metrics.serviceMonitor.enabled": ({}, {("ServiceMonitor", NAME)}),
    "metrics.prometheusRule.enabled": ({}, {("PrometheusRule", NAME)}),
    "metrics.dashboard.enabled": ({}, {("ConfigMap", f"{NAME}-dashboard")}),
    "policies.install": (
        {},
        {
            (item["kind"], item["metadata"]["name"])
            for path in (CHART / "files" / "policies").glob("*.yaml")
            for item in documents(path)
        },
    ),
}
# These change what is in an object, and have tests of their own.
NO_OBJECTS = {"policies.keep", "operator.dryRun"}


class Values(unittest.TestCase):
    def test_every_value_has_its_place_in_what_is_rendered(self):
        self.assertEqual(set(SAMPLES), set(leaves(defaults(), WHOLE)), "a sample for each value")
        base = merged(EKS, MONITOR, CLASS)
        before = render(base)
        for path, (value, where) in SAMPLES.items():
            with self.subTest(path):
                after = render(merged(base, at(path, value)))
                self.assertTrue(after != before, "it changes nothing")
                if where is not None:
                    self.assertFalse(where in text(before), f"{where} is there anyhow")
                    self.assertTrue(where in text(after), f"{where} is not there")

    def test_every_switch_both_ways(self):
        flags = {path for path in leaves(defaults(), WHOLE) if isinstance(SAMPLES[path][0], bool)}
        self.assertEqual(flags, set(SWITCHES) | NO_OBJECTS)
        for path, (beside, expected) in SWITCHES.items():
            with self.subTest(path):
                off = render(merged(EKS, beside, at(path, False)))
                on = render(merged(EKS, beside, at(path, True)))
                self.assertEqual(set(on) - set(off), expected)
                self.assertEqual({key: on[key] for key in off}, off, "and nothing else changes")

    def test_what_is_there_by_default(self):
        kinds = sorted(
            key for key in render(EKS) if key[0] not in ("CustomResourceDefinition",) and key not in SWITCHES["policies.install"][1]
        )
        expected = [
            ("ClusterRole", NAME),
            ("ClusterRoleBinding", NAME),
            ("Deployment", NAME),
            ("NetworkPolicy", NAME),
            ("PodDisruptionBudget", NAME),
            ("Role", f"{NAME}-events"),
            ("Role", f"{NAME}-lease"),
            ("RoleBinding", f"{NAME}-events"),
            ("RoleBinding", f"{NAME}-lease"),
            ("Service", NAME),
            ("ServiceAccount", NAME),
        ]
        self.assertEqual([key for key in kinds if key in expected], expected)
        rbac = {(item["kind"], item["metadata"]["name"]) for item in documents(TOP / "deploy" / "operator" / "rbac.yaml")}
        self.assertEqual(set(kinds) - set(expected) - rbac, set())

    def test_the_table_of_values_and_the_copies_are_up_to_date(self):
        done = subprocess.run([sys.executable, str(TOP / "charts" / "generate.py"), "--check"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        text = (CHART / "README.md").read_text()
        self.assertEqual(re.findall(r"^\| `([^`]+)` \| `", text, re.M), list(leaves(defaults(), WHOLE)))

    def test_the_version_is_the_operator_s(self):
        cargo = re.search(r'^version = "(.+)"$', (TOP / "Cargo.toml").read_text(), re.M).group(1)
        meta = documents(CHART / "Chart.yaml")[0]
        self.assertEqual((meta["version"], meta["appVersion"]), (cargo, cargo))
        labels = render(EKS)["Deployment", NAME]["metadata"]["labels"]
        self.assertEqual(labels["app.kubernetes.io/version"], cargo)


class Refusals(unittest.TestCase):
    def refusal(self, values):
        with self.assertRaises(Refused) as caught:
            render(merged(EKS, values))
        return str(caught.exception)

    def test_what_cannot_be_installed_says_what_to_do(self):
        for values, words in [
            ({"image": {"repository": ""}}, "--set image.repository="),
            ({"cluster": {"cidrs": []}}, "Give the VPC's ranges and the service range"),
            ({"defaultClass": {"create": True}}, "deploy/examples/class-eks.yaml shows one"),
        ]:
            with self.subTest(values):
                self.assertIn(words, self.refusal(values))
        self.assertNotIn(
            "cluster.cidrs", render(merged(EKS, {"cluster": {"name": "", "cidrs": []}})), "without AWS it is not asked for"
        )

    def test_the_schema_refuses_wrong_values(self):
        for path, wrong in [
            ("image.repository", "registry/operator@sha256:1"),
            ("image.tag", "a b"),
            ("image.digest", "sha256:1"),
            ("image.pullPolicy", "Sometimes"),
            ("image.pullSecrets", ["pull"]),
            ("cluster.name", 1),
            ("cluster.arn", "production"),
            ("cluster.region", "US West"),
            ("cluster.cidrs", ["10.0.0.1"]),
            ("cluster.cidrs", "10.0.0.0/8"),
            ("cluster.dnsAddresses", []),
            ("operator.secretsPrefix", ""),
            ("operator.concurrency", 0),
            ("operator.sweepInterval", "10"),
            ("operator.sweepInterval", "0s"),
            ("operator.auditPeriod", "1d"),
            ("operator.auditRate", 0.5),
            ("operator.rates", {"eksRead": 0}),
            ("operator.rates", {"s3Read": 1}),
            ("operator.dryRun", "yes"),
            ("operator.logFormat", "xml"),
            ("operator.logFilter", 1),
            ("operator.listen", "127.0.0.1"),
            ("operator.extraEnv", [{"value": "a"}]),
            ("replicas", -1),
            ("replicas", "2"),
            ("spread", "None"),
            ("podDisruptionBudget.enabled", 1),
            ("resources.requests", []),
            ("resources.limits", "1Gi"),
            ("nodeSelector", {"a": 1}),
            ("tolerations", {}),
            ("affinity", {"nodeaffinity": {}}),
            ("priorityClassName", 1),
            ("podLabels", {"a": True}),
            ("podAnnotations", []),
            ("serviceAccount.roleArn", "op"),
            ("serviceAccount.annotations", {"a": 1}),
            ("crds.install", "true"),
            ("policies.install", None),
            ("policies.keep", 0),
            ("policies.breakGlassGroup", "it's"),
            ("policies.writers", ["it's"]),
            ("policies.signUpGroup", ""),
            ("defaultClass.create", "no"),
            ("defaultClass.spec", []),
            ("networkPolicy.enabled", "on"),
            ("networkPolicy.apiServerCidrs", ["all"]),
            ("networkPolicy.apiServerPorts", [0]),
            ("networkPolicy.apiServerPorts", []),
            ("networkPolicy.awsCidrs", [443]),
            ("networkPolicy.metricsFrom", [{}]),
            ("networkPolicy.metricsFrom", [{"namespace": "monitoring"}]),
            ("networkPolicy.probesFrom", ["node"]),
            ("networkPolicy.extraEgress", [{"from": []}]),
            ("metrics.serviceMonitor.enabled", 1),
            ("metrics.serviceMonitor.interval", "often"),
            ("metrics.serviceMonitor.labels", {"a": 1}),
            ("metrics.prometheusRule.enabled", 1),
            ("metrics.prometheusRule.labels", []),
            ("metrics.prometheusRule.alertLabels", {"a": 1}),
            ("metrics.prometheusRule.disabled", ["NoLeader"]),
            ("metrics.prometheusRule.runbookUrl", "docs"),
            ("metrics.dashboard.enabled", 1),
            ("metrics.dashboard.labels", {"a": 1}),
            ("metrics.dashboard.annotations", []),
        ]:
            with self.subTest(path, wrong=wrong):
                words = self.refusal(at(path, wrong) if wrong is not None else at(path, "null"))
                self.assertIn("/" + path.replace(".", "/"), words)

    def test_the_schema_knows_every_value_and_no_other(self):
        schema = json.loads((CHART / "values.schema.json").read_text())

        def tree(part, path=""):
            for key, value in part["properties"].items():
                here = f"{path}.{key}" if path else key
                if value.get("type") == "object" and here not in WHOLE and here not in ("global", "resources.claims"):
                    self.assertIs(value["additionalProperties"], False, here)
                    yield from tree(value, here)
                else:
                    yield here

        self.assertIs(schema["additionalProperties"], False)
        self.assertEqual(set(tree(schema)) - {"global", "resources.claims"}, set(leaves(defaults(), WHOLE)))
        for path in ("surprise", "image.surprise", "cluster.surprise", "operator.surprise", "metrics.dashboard.surprise"):
            with self.subTest(path):
                self.assertIn("'surprise' not allowed", self.refusal(at(path, 1)))

    def test_it_may_be_part_of_another_chart(self):
        render(merged(EKS, {"global": {"anything": 1}}))

    def test_an_older_kubernetes_is_refused(self):
        with self.assertRaises(Refused) as caught:
            render(EKS, more=["--kube-version", "1.32.9"])
        self.assertIn("1.33", str(caught.exception))
        render(EKS, more=["--kube-version", "v1.33.1-eks-12345"])

    def test_lint_finds_nothing(self):
        for values in (EKS, merged(EKS, MONITOR, CLASS), merged(EKS, {"cluster": {"name": "", "cidrs": []}})):
            helm("lint", "--strict", str(CHART), values=values)


class Documented(unittest.TestCase):
    def test_the_values_that_the_installation_shows_are_taken(self):
        (shown,) = re.findall(r"^```yaml\n(image:.*?)^```$", (TOP / "docs" / "install.md").read_text(), re.M | re.S)
        (values,) = documents_of(shown)
        objects = render(values)
        self.assertEqual(container(objects)["image"], f"{values['image']['repository']}@{values['image']['digest']}")
        self.assertEqual(objects["PrometheusRule", NAME]["metadata"]["labels"]["release"], "kube-prometheus-stack")

    def test_the_example_class_is_one_for_the_chart(self):
        (example,) = [item for item in documents(TOP / "deploy" / "examples" / "class-eks.yaml") if item["kind"] == "TenantClass"]
        objects = render(merged(EKS, {"defaultClass": {"create": True, "spec": example["spec"]}}))
        self.assertEqual(objects["TenantClass", "default"]["spec"], example["spec"])
