"""The dashboard over what two real processes of the operator say while they work on tenants that do well and badly."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import boto3
import yaml

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "chart"))
from chart import CHART, documents  # noqa: E402
from cluster import Failed, Operator, Platform  # noqa: E402

import conventions  # noqa: E402
from prometheus import Prometheus  # noqa: E402

NAMESPACE = "openclaw-system"
PATIENCE = 300
TENANTS = int(os.environ.get("OPENCLAW_DASHBOARD_TENANTS", "12"))
# Between two events, for who wants to look at it; a test does not wait for anything but conditions.
PAUSE = float(os.environ.get("OPENCLAW_DASHBOARD_PAUSE", "0"))
DATA = os.environ.get("OPENCLAW_DASHBOARD_DATA")


def panels():
    return json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]


def tenant(name, **spec):
    spec = {"owner": {"email": f"{name}@example.com"}, **spec}
    return {"apiVersion": "openclaw.io/v1alpha1", "kind": "Tenant", "metadata": {"name": name}, "spec": spec}


class World:
    """A platform, the chart on it, two processes, and Prometheus."""

    def __init__(self, directory, closing):
        self.platform = Platform(directory)
        closing.callback(self.platform.close)
        (example,) = documents(TOP / "deploy" / "examples" / "class-local.yaml")
        values = directory / "values.yaml"
        cluster = {
            "name": self.platform.facts["aws"]["clusterName"],
            "region": self.platform.facts["aws"]["region"],
            "cidrs": ["10.96.0.0/16", "10.244.0.0/16"],
        }
        values.write_text(
            yaml.safe_dump(
                {
                    "image": {"repository": "registry.example.com/operator"},
                    "cluster": cluster,
                    "operator": {"sweepInterval": "10s", "auditPeriod": "1m", "auditRate": 2},
                    "defaultClass": {"create": True, "spec": example["spec"]},
                }
            )
        )
        self.platform.helm("install", "openclaw", CHART, "--namespace", NAMESPACE, "--values", values)
        self.operators = {}
        for pod in ("openclaw-tenant-operator-a", "openclaw-tenant-operator-b"):
            place = directory / pod
            place.mkdir()
            self.operators[pod] = Operator(self.platform, place, NAMESPACE)
            closing.callback(self.operators[pod].stop)
        addresses = {pod: operator.address for pod, operator in self.operators.items()}
        self.prometheus = Prometheus(os.environ["OPENCLAW_PROMETHEUS"], directory, addresses)
        closing.callback(self.prometheus.close)
        self.until("Prometheus", self.prometheus.is_ready)

    def until(self, what, ready):
        """Asks again and again; says at last how the tenants stood."""
        end = time.monotonic() + PATIENCE
        while not (found := ready()):
            if time.monotonic() > end:
                stand = self.platform.kubectl("get", "tenants", "--output", "wide")
                ends = [operator.log.read_text()[-2000:] for operator in self.operators.values()]
                raise Failed("\n".join([f"waited {PATIENCE} s for {what}", stand, *ends]))
            time.sleep(0.5)
        return found

    def apply(self, *objects):
        self.platform.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
        time.sleep(PAUSE)

    def ready(self):
        listed = self.platform.get("tenants")["items"]
        is_true = [any(one["type"] == "Ready" and one["status"] == "True" for one in item.get("status", {}).get("conditions", [])) for item in listed]
        return sum(is_true)

    def eks(self):
        endpoint = self.platform.facts["aws"]["endpoints"]["eks"]
        account = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        return boto3.client("eks", region_name=self.platform.facts["aws"]["region"], endpoint_url=endpoint, **account)

    def fault(self, rule):
        request = urllib.request.Request(
            f"{self.platform.facts['controlURL']}/faults", json.dumps(rule).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status < 300, answer.status

    def as_admin_in_an_emergency(self, *arguments):
        self.platform.kubectl("--as=somebody", "--as-group=openclaw:break-glass", "--as-group=system:masters", *arguments)
        time.sleep(PAUSE)


def live(world):
    """What happens on a day on which not everything goes well."""
    names = [f"tenant-{number}" for number in range(TENANTS)]
    world.apply(*[tenant(name) for name in names[:6]])
    world.until("the first tenants to be Ready", lambda: world.ready() == 6)
    made = 'openclaw_aws_requests_total{operation="CreateSecret",result="throttled"}'
    world.until("Prometheus to have read that nothing was throttled", lambda: world.prometheus.now(made))
    throttled = {"status": 400, "code": "ThrottlingException", "message": "Rate exceeded"}
    world.fault({"service": "secretsmanager", "operation": "CreateSecret", "when": "before", "action": throttled, "times": 5})
    for begin in range(6, TENANTS, 6):
        world.apply(*[tenant(name) for name in names[begin : begin + 6]])
    world.until("the tenants to be Ready", lambda: world.ready() == TENANTS)
    time.sleep(PAUSE)
    # One that only a person can help, one at rest, and two whose network policies somebody opens.
    world.apply(tenant("lost", className="nobody-made-it"), tenant(names[0], suspend=True))
    for name in names[1:3]:
        opened = {"spec": {"ingress": [{}]}}
        world.as_admin_in_an_emergency("patch", "networkpolicy", name, "-n", f"openclaw-{name}", "--type=merge", "-p", json.dumps(opened))
    # One association goes behind the operator's back; a sweep finds it.
    associations, _ = world.platform.account()
    (gone,) = [one[2] for one in associations if one[0] == f"openclaw-{names[3]}"]
    world.eks().delete_pod_identity_association(clusterName=world.platform.facts["aws"]["clusterName"], associationId=gone)
    time.sleep(PAUSE)
    # A changed pod template passes the gate, and one person leaves.
    template = {"spec": {"workload": {"requests": {"cpu": "300m"}}}}
    world.platform.kubectl("patch", "tenantclass", "default", "--type=merge", "-p", json.dumps(template))
    time.sleep(PAUSE)
    world.platform.kubectl("delete", "tenant", names[4], "--wait=false")
    world.until("all but three to be as they shall be", lambda: world.ready() == TENANTS - 1)
    return names


# Nothing of the first happens in the scene above; the second may be, and depends on who is quicker.
NOTHING_TO_SHOW = {"Stored otherwise than sent", "Kubernetes that failed"}
# What is to be seen, however long one looks: figure of a stat panel.
FIGURES = {
    "Ready": TENANTS - 2,
    "In work": 0,
    "Need a person": 1,
    "Removals held": 0,
    "Unattended": 0,
    "Orphans in AWS": 0,
    "Leader": 1,
    "Processes": 2,
    "Version": 2,
    "Under way": 0,
    "Waiting": 0,
}


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        closing = contextlib.ExitStack()
        cls.addClassCleanup(closing.close)
        cls.directory = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        cls.world = World(cls.directory, closing)
        live(cls.world)

    def answers(self, panel):
        ask = self.world.prometheus.now if panel["type"] == "stat" else self.world.prometheus.over_time
        return {target["refId"]: ask(target["expr"]) for target in panel["targets"]}

    def until(self, what, ready):
        return self.world.until(what, ready)

    def test_1_every_panel_answers(self):
        asked = [panel for panel in panels() if panel["type"] != "row"]
        self.assertGreater(len(asked), 25)
        for panel in asked:
            with self.subTest(panel["title"]):
                if panel["title"] in NOTHING_TO_SHOW:
                    self.answers(panel)
                else:
                    self.until(f"each query of {panel['title']}", lambda panel=panel: all(self.answers(panel).values()))

    def test_2_the_figures_are_true(self):
        by_title = {panel["title"]: panel for panel in panels()}
        for title, expected in FIGURES.items():
            with self.subTest(title):

                def shown(title=title):
                    (series,) = self.answers(by_title[title]).values()
                    return sum(value for _, value in series)

                try:
                    self.until(f"{title} to show {expected}", lambda: shown() == expected)
                except Failed as failed:
                    self.fail(f"it shows {shown()}: {failed}")

    def test_3_what_happened_is_seen_over_time(self):
        def peaks(title):
            (panel,) = [panel for panel in panels() if panel["title"] == title]
            found = {}
            for series in self.answers(panel).values():
                for labels, points in series:
                    key = " ".join(value for _, value in sorted(labels.items()))
                    found[key] = max(value for _, value in points)
            return found

        self.until("two replaced policies", lambda: peaks("Objects replaced").get("NetworkPolicy", 0) > 0)
        self.until("what a sweep found", lambda: peaks("What sweeps found").get("vanished association", 0) > 0)
        self.until("throttled requests", lambda: peaks("AWS that failed").get("throttled secretsmanager", 0) > 0)
        self.assertEqual(set(peaks("Tenants by phase")), {"pending", "provisioning", "ready", "suspended", "deleting", "error"})
        self.assertEqual(list(peaks("Leader over time").values()), [1.0])

    def test_4_prometheus_reads_all_of_it(self):
        targets = self.world.prometheus.ask("targets")["activeTargets"]
        self.assertEqual([(one["health"], one["lastError"]) for one in targets], [("up", "")] * 2)
        metadata = self.world.prometheus.ask("metadata")
        said = {name for name in metadata if name.startswith("openclaw_")}
        self.assertGreater(len(said), 15)
        for name in said:
            with self.subTest(name):
                self.assertNotEqual((metadata[name][0]["help"], metadata[name][0]["type"]), ("", "unknown"))

    def test_5_names_and_units_follow_prometheus_conventions(self):
        for pod, operator in self.world.operators.items():
            text = conventions.older(operator.metrics())
            done = subprocess.run([os.environ["OPENCLAW_PROMTOOL"], "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), pod)
        worse = text.replace("openclaw_sweep_duration_seconds", "openclaw_sweep_duration_milliseconds")
        done = subprocess.run([os.environ["OPENCLAW_PROMTOOL"], "check", "metrics"], input=worse, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0, "it finds nothing in a worse one either")

    def test_6_what_is_drawn_is_kept(self):
        if DATA is None:
            self.skipTest("OPENCLAW_DASHBOARD_DATA says where")
        answers = [
            {
                "panel": panel,
                "series": {
                    target["refId"]: (
                        self.world.prometheus.over_time(target["expr"])
                        if panel["type"] == "timeseries"
                        else self.world.prometheus.now(target["expr"])
                    )
                    for target in panel.get("targets", [])
                },
            }
            for panel in panels()
        ]
        Path(DATA).write_text(json.dumps({"began": self.world.prometheus.began, "ended": time.time(), "panels": answers}))


if __name__ == "__main__":
    unittest.main()
