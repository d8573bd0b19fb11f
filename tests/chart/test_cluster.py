"""The life of a release on a real API server: installed, upgraded, doubled, uninstalled, installed again. In this order."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

import yaml

from chart import CHART, NAME, TOP, documents
from cluster import Failed, Operator, Platform

NAMESPACE = "openclaw-system"
DEFINITIONS = ("tenants.openclaw.io", "tenantclasses.openclaw.io", "tenantrecords.openclaw.io")
OLD_WORDS = "What an earlier release said here."
TENANT = yaml.safe_dump(
    {
        "apiVersion": "openclaw.io/v1alpha1",
        "kind": "Tenant",
        "metadata": {"name": "alice"},
        "spec": {"owner": {"email": "alice@example.com"}},
    }
)


def tenant_s_description(definition):
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"]


class Release(unittest.TestCase):
    maxDiff = None
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.platform = Platform(cls.directory)
        cls.addClassCleanup(cls.platform.close)
        cls.operator = None
        cls.addClassCleanup(lambda: cls.operator and cls.operator.stop())
        (example,) = documents(TOP / "deploy" / "examples" / "class-local.yaml")
        cls.values = Path(cls.directory) / "values.yaml"
        cls.values.write_text(
            yaml.safe_dump(
                {
                    "image": {"repository": "registry.example.com/operator"},
                    "cluster": {
                        "name": cls.platform.facts["aws"]["clusterName"],
                        "region": cls.platform.facts["aws"]["region"],
                        "cidrs": ["10.96.0.0/16", "10.244.0.0/16"],
                    },
                    "defaultClass": {"create": True, "spec": example["spec"]},
                }
            )
        )
        cls.previous = cls.earlier_release()

    @classmethod
    def earlier_release(cls):
        """None is published yet: this one with a lower version and another description in a definition."""
        place = Path(cls.directory) / "previous"
        shutil.copytree(CHART, place)
        meta = place / "Chart.yaml"
        meta.write_text(
            meta.read_text().replace("\nversion: ", "\nversion: 0.0.1-").replace('appVersion: "', 'appVersion: "0.0.1-')
        )
        path = place / "files" / "crds" / "openclaw.io_tenants.yaml"
        (definition,) = documents(path)
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = OLD_WORDS
        path.write_text(yaml.safe_dump(definition))
        return place

    def helm(self, *arguments, chart=CHART, release="openclaw", namespace=NAMESPACE):
        verb, *more = arguments
        return self.platform.helm(verb, release, chart, "--namespace", namespace, "--values", self.values, *more)

    def refused(self, *arguments, **more):
        with self.assertRaises(Failed) as caught:
            self.helm(*arguments, **more)
        return str(caught.exception)

    def definition(self, name="tenants.openclaw.io"):
        return self.platform.get("crd", name)

    def established(self, name):
        conditions = self.platform.get(name).get("status", {}).get("conditions", [])
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    def assert_all_of_us_there(self):
        for name in DEFINITIONS:
            self.assertTrue(self.platform.exists("crd", name), name)
        self.assertTrue(self.platform.exists("tenantclass", "default"))
        with self.assertRaises(Failed) as caught:
            self.platform.kubectl("delete", "namespace", "openclaw-alice")
        self.assertIn("holds the data of tenant alice", str(caught.exception), "policies hold")

    def test_1_the_first_install_brings_definitions_and_the_class(self):
        said = self.helm("upgrade", "--install", chart=self.previous)
        self.assertIn("kubectl wait --for=condition=Ready tenant/alice", said)
        self.assertEqual(tenant_s_description(self.definition()), OLD_WORDS)
        self.assertTrue(self.platform.exists("tenantclass", "default"))
        # The namespace enforces Pod Security restricted, so pods are there only where they keep to it.
        self.platform.until(
            "two pods", lambda: self.platform.get("deployment", NAME, "-n", NAMESPACE)["status"].get("readyReplicas") == 2
        )

    def test_2_with_the_chart_s_rights_and_arguments_the_operator_makes_a_tenant(self):
        type(self).operator = Operator(self.platform, self.directory, NAMESPACE)
        self.platform.kubectl("apply", "-f", "-", stdin=TENANT)
        self.platform.until("alice to be Ready", lambda: self.platform.ready("alice"))
        self.platform.until("the metrics to say so", lambda: 'openclaw_tenants{phase="ready"} 1\n' in self.operator.metrics())
        self.assertIn('{service="secretsmanager",operation="CreateSecret",result="ok"} 1\n', self.operator.metrics())
        # Classes count their tenants every few seconds, and say so; what follows compares to the last revision.
        self.platform.until("the class to have counted alice", lambda: self.counted() == 1)

    def counted(self):
        return self.platform.get("tenantclass", "default").get("status", {}).get("rollout", {}).get("updated")

    def test_3_an_upgrade_upgrades_definitions_and_touches_no_tenant(self):
        # The Prometheus operator's own definitions, so that the API server judges what is for it.
        self.platform.kubectl("apply", "--server-side", "-f", os.environ["OPENCLAW_MONITORING_CRDS"])
        definitions = ["crd/prometheusrules.monitoring.coreos.com", "crd/servicemonitors.monitoring.coreos.com"]
        self.platform.until("these", lambda: all(self.established(name) for name in definitions))
        before = self.platform.everything_of("alice")
        monitoring = [f"--set=metrics.{one}.enabled=true" for one in ("serviceMonitor", "prometheusRule", "dashboard")]
        self.helm("upgrade", *monitoring, "--set=replicas=3")

        (wanted,) = documents(TOP / "crds" / "openclaw.io_tenants.yaml")
        self.assertEqual(tenant_s_description(self.definition()), tenant_s_description(wanted))
        for kind in ("servicemonitor", "prometheusrule", "configmap"):
            name = f"{NAME}-dashboard" if kind == "configmap" else NAME
            self.assertTrue(self.platform.exists(kind, name, "-n", NAMESPACE), kind)
        self.assertEqual(self.platform.get("deployment", NAME, "-n", NAMESPACE)["spec"]["replicas"], 3)
        self.platform.until("alice to be Ready still", lambda: self.platform.ready("alice"))

        after = self.platform.everything_of("alice")
        # The class was made by a hook; now it is the release's, and says which version wrote it.
        earlier, later = (one["objects"].pop(("TenantClass", "default")) for one in (before, after))
        self.assertEqual((earlier["spec"], earlier["metadata"]["uid"]), (later["spec"], later["metadata"]["uid"]))
        self.assertEqual(before, after)
        self.assertIn("kind: TenantClass", self.platform.helm("get", "manifest", "openclaw", "--namespace", NAMESPACE))

    def test_4_a_second_release_is_refused_and_says_why(self):
        why = f"this cluster has its operator already: release openclaw in namespace {NAMESPACE}"
        for release, namespace in (("other", "elsewhere"), ("openclaw", "elsewhere"), ("other", NAMESPACE)):
            with self.subTest(release=release, namespace=namespace):
                self.assertIn(why, self.refused("install", "--create-namespace", release=release, namespace=namespace))
        self.assertFalse(self.platform.exists("namespace", "elsewhere"))
        # Where the template may not look, helm itself finds what belongs to another.
        unchecked = Path(self.directory) / "unchecked"
        shutil.copytree(CHART, unchecked)
        (unchecked / "templates" / "checks.yaml").unlink()
        message = self.refused("install", "--create-namespace", chart=unchecked, release="other", namespace="elsewhere")
        self.assertIn("cannot be imported into the current release", message)
        self.assertFalse(self.platform.exists("serviceaccount", NAME, "-n", "elsewhere"))
        self.assertEqual(len(self.platform.helm("list", "--all-namespaces", "--short").split()), 1)

    def assert_unchanged(self, before):
        """Everything of alice is as it was; what is not is shown, and nothing else."""
        after = self.platform.everything_of("alice")
        self.assertEqual(after["objects"].keys(), before["objects"].keys())
        for key, object in after["objects"].items():
            with self.subTest(object=key):
                self.assertEqual(object, before["objects"][key])
        self.assertEqual(after["aws"], before["aws"])

    def test_5_switching_parts_off_takes_none_of_what_is_kept(self):
        before = self.platform.everything_of("alice")
        self.helm("upgrade", "--set=crds.install=false", "--set=defaultClass.create=false", "--set=policies.install=false")
        self.assert_all_of_us_there()
        self.assert_unchanged(before)
        self.helm("upgrade")

    def test_6_an_uninstall_leaves_every_tenant_as_it_is(self):
        before = self.platform.everything_of("alice")
        definitions = [self.definition(name) for name in DEFINITIONS]
        kinds = {kind for kind, _ in before["objects"]}
        self.assertLessEqual(
            {
                "Tenant",
                "TenantRecord",
                "TenantClass",
                "Namespace",
                "PersistentVolumeClaim",
                "PersistentVolume",
                "StatefulSet",
                "Pod",
                "HTTPRoute",
            },
            kinds,
        )
        associations, secrets = before["aws"]
        self.assertEqual((len(associations), list(secrets)), (1, ["openclaw/alice/gateway-token"]))

        self.platform.helm("uninstall", "openclaw", "--namespace", NAMESPACE)
        for kind in ("deployment", "serviceaccount", "networkpolicy", "poddisruptionbudget"):
            self.assertFalse(self.platform.exists(kind, NAME, "-n", NAMESPACE), kind)
        self.assertFalse(self.platform.exists("clusterrole", NAME))
        self.assertTrue(self.platform.ready("alice"))
        self.assert_all_of_us_there()
        self.assert_unchanged(before)
        self.assertEqual([self.definition(name) for name in DEFINITIONS], definitions)
        self.operator.stop()
        type(self).operator = None
        self.assert_unchanged(before)

    def test_7_installed_again_it_takes_everything_up(self):
        uids = self.uids()
        self.helm("install")
        type(self).operator = Operator(self.platform, self.directory, NAMESPACE)
        # A new generation, which only a working operator answers for.
        self.platform.kubectl("patch", "tenant", "alice", "--type=merge", "--patch", '{"spec": {"displayName": "Alice"}}')
        self.platform.until("alice to be Ready again", lambda: self.platform.ready("alice"))
        self.assertEqual(self.uids(), uids)
        self.operator.stop()
        type(self).operator = None

    def test_8_under_another_name_helm_has_to_be_told(self):
        uids = self.uids()
        self.platform.helm("uninstall", "openclaw", "--namespace", NAMESPACE)
        elsewhere = {"release": "other", "namespace": "elsewhere"}
        self.assertIn("cannot be imported into the current release", self.refused("install", "--create-namespace", **elsewhere))
        self.helm("install", "--create-namespace", "--take-ownership", **elsewhere)
        self.assertEqual(self.uids(), uids)
        # Policies know the operator by its place.
        policy = self.platform.kubectl("get", "validatingadmissionpolicy", "openclaw-tenant-records", "--output", "yaml")
        self.assertIn(f"system:serviceaccount:elsewhere:{NAME}", policy)
        self.assertNotIn(f"system:serviceaccount:{NAMESPACE}:{NAME}", policy)

    def test_9_a_rollback_puts_the_former_definitions_back_and_touches_no_tenant(self):
        elsewhere = {"release": "other", "namespace": "elsewhere"}
        words = tenant_s_description(self.definition())
        self.helm("upgrade", chart=self.previous, **elsewhere)
        self.assertEqual(tenant_s_description(self.definition()), OLD_WORDS)
        before = self.platform.everything_of("alice")
        self.platform.helm("rollback", "other", "--namespace", "elsewhere")
        self.assertEqual(tenant_s_description(self.definition()), words)
        self.assertTrue(self.platform.exists("tenantclass", "default"))
        after = self.platform.everything_of("alice")
        for one in (before, after):
            # It says which version wrote it.
            one["objects"].pop(("TenantClass", "default"))
        self.assertEqual(before, after)

    def uids(self):
        objects = self.platform.everything_of("alice")["objects"]
        return {key: item["metadata"]["uid"] for key, item in objects.items() if key[0] != "Pod"}


if __name__ == "__main__":
    unittest.main(failfast=True, verbosity=2)
