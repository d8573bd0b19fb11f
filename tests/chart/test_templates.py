"""What the chart renders, object by object. Nothing here needs a cluster."""

import json
import re
import unittest

from chart import (
    CHART,
    CLASS,
    EKS,
    MONITOR,
    NAME,
    TOP,
    at,
    container,
    defaults,
    documents,
    documents_of,
    helm,
    merged,
    render,
    text,
)

KEEP = {"helm.sh/resource-policy": "keep"}
LABELS = {
    "app.kubernetes.io/instance": "openclaw",
    "app.kubernetes.io/managed-by": "Helm",
    "app.kubernetes.io/name": NAME,
    "app.kubernetes.io/part-of": "openclaw",
    "app.kubernetes.io/version": "0.1.0",
    "helm.sh/chart": f"{NAME}-0.1.0",
}
SELECTOR = {"app.kubernetes.io/name": NAME}


class Single(unittest.TestCase):
    """What the chart has from elsewhere is what is there, in this release's namespace."""

    def rendered(self, objects, item):
        found = objects[item["kind"], item["metadata"]["name"]]
        self.assertLessEqual(LABELS.items(), found["metadata"]["labels"].items())
        return found

    def test_definitions_are_those_of_crds_and_kept(self):
        objects = render(EKS, namespace="elsewhere")
        for path in sorted((TOP / "crds").glob("*.yaml")):
            (item,) = documents(path)
            found = self.rendered(objects, item)
            self.assertEqual(
                {key: value for key, value in found.items() if key != "metadata"},
                {key: value for key, value in item.items() if key != "metadata"},
            )
            self.assertEqual(found["metadata"], {"name": item["metadata"]["name"], "labels": LABELS, "annotations": KEEP})

    def test_policies_are_those_of_deploy_in_the_release_s_namespace(self):
        for keep in (True, False):
            objects = render(merged(EKS, at("policies.keep", keep)), namespace="elsewhere")
            for path in sorted((TOP / "deploy" / "policies").glob("*.yaml")):
                if path.name == "kustomization.yaml":
                    continue
                text = path.read_text().replace("openclaw-system", "elsewhere")
                for item in documents_of(text):
                    found = self.rendered(objects, item)
                    self.assertEqual(without_metadata(found), without_metadata(item))
                    self.assertEqual(found["metadata"].get("annotations"), KEEP if keep else None)

    def test_rights_are_those_of_deploy_in_the_release_s_namespace(self):
        objects = render(EKS, namespace="elsewhere")
        text = (TOP / "deploy" / "operator" / "rbac.yaml").read_text().replace("openclaw-system", "elsewhere")
        for item in documents_of(text):
            found = self.rendered(objects, item)
            self.assertEqual(without_metadata(found), without_metadata(item))
            self.assertEqual(found["metadata"].get("namespace"), item["metadata"].get("namespace"))

    def test_nothing_names_another_namespace(self):
        objects = render(merged(EKS, MONITOR), namespace="elsewhere")
        self.assertNotIn(
            "openclaw-system", text({key: item for key, item in objects.items() if key[0] != "CustomResourceDefinition"})
        )
        places = {key: item["metadata"].get("namespace") for key, item in objects.items()}
        self.assertEqual(set(places.values()), {None, "elsewhere", "kube-system", "default"})

    def test_the_group_that_breaks_glass_is_one_everywhere(self):
        said = text(render(merged(EKS, at("policies.breakGlassGroup", "security:oncall"))))
        self.assertNotIn("openclaw:break-glass", said)
        self.assertEqual(said.count("'security:oncall'"), 4)
        self.assertIn('"kind": "Group", "name": "security:oncall"', said)


def without_metadata(item):
    return {key: value for key, value in item.items() if key != "metadata"}


class Process(unittest.TestCase):
    def test_it_runs_confined(self):
        objects = render(EKS)
        pod = objects["Deployment", NAME]["spec"]["template"]["spec"]
        self.assertEqual(
            pod["securityContext"],
            {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        )
        self.assertEqual(
            container(objects)["securityContext"],
            {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            },
        )
        self.assertEqual(len(pod["containers"]), 1)
        for left_out in ("volumes", "initContainers", "hostNetwork", "hostPID"):
            self.assertNotIn(left_out, pod)

    def test_two_of_them_are_kept_apart(self):
        preferred, required = (
            render(merged(EKS, at("spread", how)))["Deployment", NAME]["spec"] for how in ("Preferred", "Required")
        )
        self.assertEqual(preferred["replicas"], 2)
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": SELECTOR}}
        zone = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": SELECTOR}}
        pod = preferred["template"]["spec"]
        self.assertEqual(
            pod["affinity"],
            {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}},
        )
        self.assertEqual(pod["topologySpreadConstraints"], [zone | {"whenUnsatisfiable": "ScheduleAnyway"}])
        pod = required["template"]["spec"]
        self.assertEqual(pod["affinity"], {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
        self.assertEqual(pod["topologySpreadConstraints"], [zone | {"whenUnsatisfiable": "DoNotSchedule"}])
        self.assertEqual(
            render(EKS)["PodDisruptionBudget", NAME]["spec"],
            {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": SELECTOR}},
        )

    def test_what_it_is_told(self):
        self.assertEqual(
            container(render(EKS))["args"],
            [
                "run",
                "--cluster-name=production",
                "--cluster-cidrs=10.0.0.0/16,172.20.0.0/16",
                "--dns-addresses=169.254.20.10",
                "--secrets-prefix=openclaw",
                "--health-address=0.0.0.0:8080",
                "--concurrency=32",
                "--sweep-interval=10m",
                "--audit-period=24h",
                "--audit-rate=1",
                "--log-format=json",
            ],
        )
        without = container(render(merged(EKS, {"cluster": {"name": "", "region": "", "cidrs": []}})))
        self.assertNotIn("cluster", " ".join(without["args"]))
        self.assertEqual([item["name"] for item in without["env"]], ["OPENCLAW_OPERATOR_NAMESPACE", "POD_NAME"])

    def test_selectors_hold_over_releases(self):
        """A Deployment's selector can never be changed, so no version and no value may be in it."""
        objects = render(merged(EKS, MONITOR, at("podLabels", {"app.kubernetes.io/name": "mine", "team": "a"})))
        spec = objects["Deployment", NAME]["spec"]
        self.assertEqual(spec["selector"], {"matchLabels": SELECTOR})
        self.assertEqual(spec["template"]["metadata"]["labels"], LABELS | {"team": "a"})
        self.assertEqual(objects["Service", NAME]["spec"]["selector"], SELECTOR)
        self.assertEqual(objects["NetworkPolicy", NAME]["spec"]["podSelector"], {"matchLabels": SELECTOR})
        self.assertLessEqual(SELECTOR.items(), objects["Service", NAME]["metadata"]["labels"].items())
        self.assertEqual(objects["ServiceMonitor", NAME]["spec"]["selector"], {"matchLabels": SELECTOR})

    def test_metrics_lead_from_the_monitor_to_the_container(self):
        objects = render(merged(EKS, MONITOR))
        (endpoint,) = objects["ServiceMonitor", NAME]["spec"]["endpoints"]
        self.assertEqual(endpoint, {"port": "metrics", "path": "/metrics", "interval": "30s"})
        (port,) = objects["Service", NAME]["spec"]["ports"]
        self.assertEqual((port["name"], port["targetPort"]), ("metrics", "health"))
        (listening,) = container(objects)["ports"]
        self.assertEqual((listening["name"], listening["containerPort"]), ("health", 8080))
        self.assertIn("--health-address=0.0.0.0:8080", container(objects)["args"])


class Network(unittest.TestCase):
    DNS = {
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            },
            {"ipBlock": {"cidr": "169.254.20.10/32"}},
        ],
    }
    API = {"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]}
    AWS = {"ports": [{"protocol": "TCP", "port": 443}]}
    AGENT = {
        "ports": [{"protocol": "TCP", "port": 80}],
        "to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}, {"ipBlock": {"cidr": "fd00:ec2::23/128"}}],
    }
    MONITORING = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]

    def spec(self, values):
        return render(merged(EKS, values))["NetworkPolicy", NAME]["spec"]

    def test_by_default(self):
        self.assertEqual(
            self.spec({}),
            {
                "podSelector": {"matchLabels": SELECTOR},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": self.MONITORING, "ports": [{"protocol": "TCP", "port": "health"}]}],
                "egress": [self.API, self.DNS, self.AWS, self.AGENT],
            },
        )

    def test_with_irsa_the_agent_is_not_asked(self):
        values = at("serviceAccount.roleArn", "arn:aws:iam::123456789012:role/op")
        self.assertEqual(self.spec(values)["egress"], [self.API, self.DNS, self.AWS])

    def test_without_aws_nothing_leads_there(self):
        self.assertEqual(self.spec({"cluster": {"name": "", "cidrs": []}})["egress"], [self.API, self.DNS])

    def test_as_narrow_as_can_be(self):
        spec = self.spec(
            {
                "cluster": {"dnsAddresses": ["fd00::a"]},
                "networkPolicy": {
                    "apiServerCidrs": ["10.0.1.0/24"],
                    "apiServerPorts": [443],
                    "awsCidrs": ["10.0.2.0/24", "fd00:2::/64"],
                    "probesFrom": ["10.0.3.0/24"],
                    "extraEgress": [{"ports": [{"port": 3128, "protocol": "TCP"}]}],
                },
            }
        )
        block = lambda cidr: {"ipBlock": {"cidr": cidr}}  # noqa: E731
        self.assertEqual(
            spec["ingress"], [{"from": [*self.MONITORING, block("10.0.3.0/24")], "ports": [{"protocol": "TCP", "port": "health"}]}]
        )
        self.assertEqual(
            spec["egress"],
            [
                {"ports": [{"protocol": "TCP", "port": 443}], "to": [block("10.0.1.0/24")]},
                {"ports": self.DNS["ports"], "to": [self.DNS["to"][0], block("fd00::a/128")]},
                {"ports": [{"protocol": "TCP", "port": 443}], "to": [block("10.0.2.0/24"), block("fd00:2::/64")]},
                self.AGENT,
                {"ports": [{"port": 3128, "protocol": "TCP"}]},
            ],
        )

    def test_nobody_is_not_everybody(self):
        """An empty list of peers in a rule would let everybody in."""
        self.assertEqual(self.spec(at("networkPolicy.metricsFrom", []))["ingress"], [])
        only = self.spec({"networkPolicy": {"metricsFrom": [], "probesFrom": ["10.0.3.0/24"]}})["ingress"]
        self.assertEqual(only, [{"from": [{"ipBlock": {"cidr": "10.0.3.0/24"}}], "ports": [{"protocol": "TCP", "port": "health"}]}])


class DefaultClass(unittest.TestCase):
    KNOWN = ["--api-versions", "openclaw.io/v1alpha1/TenantClass"]

    def test_it_is_kept_and_comes_after_its_definition(self):
        """As a hook only where its kind is not known yet, and with the marks by which the next release takes it for its own."""
        marks = {"meta.helm.sh/release-name": "openclaw", "meta.helm.sh/release-namespace": "openclaw-system"}
        hook = {"helm.sh/hook": "post-install", "helm.sh/hook-delete-policy": "hook-failed"}
        values = merged(EKS, CLASS)
        expected = {"apiVersion": "openclaw.io/v1alpha1", "kind": "TenantClass", "spec": CLASS["defaultClass"]["spec"]}
        for more, annotations in [([], KEEP | marks | hook), (self.KNOWN, KEEP)]:
            found = render(values, more=more)["TenantClass", "default"]
            self.assertEqual(found, expected | {"metadata": {"name": "default", "labels": LABELS, "annotations": annotations}})


class Monitoring(unittest.TestCase):
    def rules(self, values=None):
        objects = render(merged(EKS, MONITOR, values or {}))
        return {rule["alert"]: rule for group in objects["PrometheusRule", NAME]["spec"]["groups"] for rule in group["rules"]}

    def test_every_alert_has_what_a_person_needs(self):
        for name, rule in self.rules().items():
            with self.subTest(name):
                self.assertEqual(set(rule) - {"for"}, {"alert", "expr", "labels", "annotations"})
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                self.assertEqual(set(rule["annotations"]), {"summary", "description", "runbook_url"})
                self.assertNotRegex(json.dumps(rule), "SWEEP_AGE|AUDIT_AGE|REPLICAS")
                base = defaults()["metrics"]["prometheusRule"]["runbookUrl"]
                self.assertEqual(rule["annotations"]["runbook_url"], f"{base}#{name.lower()}")

    def test_every_alert_has_its_section(self):
        page = (TOP / "docs" / "operations.md").read_text()
        headings = re.findall(r"^#+ (OpenClaw\w+)$", page, re.M)
        rules = self.rules()
        self.assertEqual(sorted(headings), sorted(rules))
        rows = dict(re.findall(r"^\| \[(OpenClaw\w+)\]\(#openclaw\w+\) \| (\w+) \|", page, re.M))
        self.assertEqual(rows, {name: rule["labels"]["severity"] for name, rule in rules.items()})

    def test_thresholds_follow_the_values(self):
        rules = self.rules()
        self.assertTrue(rules["OpenClawSweepOverdue"]["expr"].endswith("> 3600"))
        self.assertTrue(rules["OpenClawAuditOverdue"]["expr"].endswith("> 172800"))
        rules = self.rules({"operator": {"sweepInterval": "90m", "auditPeriod": "90s"}, "replicas": 3})
        self.assertTrue(rules["OpenClawSweepOverdue"]["expr"].endswith("> 32400"))
        self.assertTrue(rules["OpenClawAuditOverdue"]["expr"].endswith("> 180"))
        self.assertEqual(rules["OpenClawNoStandby"]["expr"], "count(openclaw_build_info) < 3")

    def test_without_aws_nothing_is_said_of_it(self):
        everything, without = self.rules(), self.rules({"cluster": {"name": "", "cidrs": []}})
        gone = set(everything) - set(without)
        self.assertTrue(gone)
        for name in everything:
            of_aws = re.search("aws_requests|sweep|audit|orphans", everything[name]["expr"]) is not None
            self.assertEqual(name in gone, of_aws, name)

    def test_an_alert_can_be_left_out(self):
        everything = self.rules()
        less = self.rules(at("metrics.prometheusRule.disabled", ["OpenClawNoStandby", "OpenClawOrphans"]))
        self.assertEqual(set(everything) - set(less), {"OpenClawNoStandby", "OpenClawOrphans"})

    def test_the_dashboard_is_whole(self):
        objects = render(merged(EKS, MONITOR))
        data = objects["ConfigMap", f"{NAME}-dashboard"]["data"]
        dashboard = json.loads(data[f"{NAME}.json"])
        self.assertEqual(dashboard, json.loads((CHART / "files" / "dashboard.json").read_text()))
        panels = dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        cells = set()
        for panel in panels:
            place = panel["gridPos"]
            covered = {
                (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertFalse(covered & cells, f"{panel['title']} lies on another")
            self.assertLessEqual(place["x"] + place["w"], 24)
            cells |= covered
            if panel["type"] != "row":
                self.assertTrue(panel["targets"] and all(target["expr"] for target in panel["targets"]), panel["title"])


class Notes(unittest.TestCase):
    def notes(self, values, namespace="openclaw-system"):
        text = helm(
            "install",
            "openclaw",
            str(CHART),
            "--namespace",
            namespace,
            "--dry-run=client",
            "--hide-secret",
            values=merged(EKS, values),
        )
        return text.partition("NOTES:")[2]

    def test_they_say_what_to_do_next(self):
        said = self.notes({})
        for words in (
            "rollout status deployment/openclaw-tenant-operator",
            "a Pod Identity association for namespace openclaw-system",
            "deploy/examples/class-eks.yaml",
            "kubectl wait --for=condition=Ready tenant/alice",
        ):
            self.assertIn(words, said)
        self.assertNotIn("OperatorNamespace=", said)
        self.assertIn("OperatorNamespace=elsewhere", self.notes({}, "elsewhere"))

    def test_they_follow_the_values(self):
        for values, words in [
            (
                {"serviceAccount": {"roleArn": "arn:aws:iam::123456789012:role/op"}},
                "role/op, which has to trust this ServiceAccount",
            ),
            ({"cluster": {"name": "", "cidrs": []}}, "It does not speak to AWS"),
            (CLASS, "kubectl describe tenantclass default"),
            ({"policies": {"install": False}}, "Policies are not installed"),
            ({"replicas": 1}, "no second process"),
            ({"operator": {"dryRun": True}}, "nothing is written for any tenant"),
        ]:
            with self.subTest(words):
                self.assertIn(words, self.notes(values))
                self.assertNotIn(words, self.notes({}))
