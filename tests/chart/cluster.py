"""A local platform of a test's own, and the operator beside it with what the chart gives it."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import boto3

from chart import HELM, NAME, TOP

PLATFORM = TOP / "deploy" / "local" / "platform.sh"
PATIENCE = 120
# What a tenant's namespace holds, events aside.
KINDS = (
    "resourcequotas,limitranges,networkpolicies,poddisruptionbudgets,serviceaccounts,configmaps,services,persistentvolumeclaims,"
    "statefulsets,pods,httproutes"
)


class Failed(Exception):
    """A program's own words."""


def run(arguments, env, stdin=None):
    done = subprocess.run([str(one) for one in arguments], capture_output=True, text=True, env=env, input=stdin)
    if done.returncode != 0:
        raise Failed(done.stderr)
    return done.stdout


class Platform:
    """It ends with this value: it runs until its standard input ends."""

    def __init__(self, directory):
        words = Path(directory) / "platform.log"
        with words.open("w") as log:
            self.process = subprocess.Popen(
                ["bash", str(PLATFORM), "run", "--until-stdin-eof"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline()
        if not line:
            raise Failed(words.read_text())
        self.facts = json.loads(Path(json.loads(line)["platform"]).read_text())
        endpoints = self.facts["aws"]["endpoints"]
        self.env = {
            **os.environ,
            "KUBECONFIG": self.facts["kubeconfig"],
            "AWS_REGION": self.facts["aws"]["region"],
            "AWS_DEFAULT_REGION": self.facts["aws"]["region"],
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL_EKS": endpoints["eks"],
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoints["secretsManager"],
            "AWS_ENDPOINT_URL_IAM": endpoints["iam"],
            "AWS_ENDPOINT_URL_STS": endpoints["sts"],
        }
        for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            self.env.pop(variable, None)

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def kubectl(self, *arguments, stdin=None):
        return run([self.facts["kubectl"], *arguments], self.env, stdin)

    def helm(self, *arguments):
        return run([HELM, *arguments], self.env)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))

    def exists(self, *arguments):
        return bool(self.kubectl("get", *arguments, "--ignore-not-found", "--output", "name").strip())

    def until(self, what, ready):
        """Asks again and again; says at last how things stood."""
        end = time.monotonic() + PATIENCE
        while not (found := ready()):
            if time.monotonic() > end:
                raise Failed(f"waited {PATIENCE} s for {what}\n{self.look()}")
            time.sleep(0.2)
        return found

    def look(self):
        seen = [self.kubectl("get", "tenants,tenantclasses,tenantrecords,deployments,pods", "--all-namespaces", "--output", "yaml")]
        return "\n".join(seen)[-6000:]

    def ready(self, tenant):
        """The Tenant, where it is Ready for the spec as it is."""
        found = self.get("tenant", tenant)
        status = found.get("status", {})
        ready = [one for one in status.get("conditions", []) if one["type"] == "Ready"]
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return found if current and ready and ready[0]["status"] == "True" else None

    def everything_of(self, tenant):
        """All that a tenant is, here and in AWS, to the last revision of each object."""

        def key(item):
            return item["kind"], item["metadata"]["name"]

        listings = [
            self.get("tenants,tenantrecords,tenantclasses,persistentvolumes"),
            self.get("namespaces", "--selector", f"openclaw.io/tenant={tenant}"),
            self.get(KINDS, "--namespace", f"openclaw-{tenant}"),
        ]
        objects = {key(item): item for listing in listings for item in listing["items"]}
        return {"objects": objects, "aws": self.account()}

    def account(self):
        def client(service, endpoint):
            return boto3.client(
                service,
                region_name=self.facts["aws"]["region"],
                endpoint_url=self.facts["aws"]["endpoints"][endpoint],
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )

        cluster = self.facts["aws"]["clusterName"]
        associations = client("eks", "eks").list_pod_identity_associations(clusterName=cluster)["associations"]
        secrets = client("secretsmanager", "secretsManager").list_secrets()["SecretList"]
        tags = {
            one["Name"]: (sorted((tag["Key"], tag["Value"]) for tag in one["Tags"]), one["SecretVersionsToStages"])
            for one in secrets
        }
        return [(one["namespace"], one["serviceAccount"], one["associationId"]) for one in associations], tags


class Operator:
    """The process as the chart's Deployment starts it, with its ServiceAccount's rights, but beside the cluster."""

    def __init__(self, platform, directory, namespace):
        self.log = Path(directory) / "operator.log"
        config = Path(directory) / "kubeconfig"
        run(
            [
                "bash",
                PLATFORM,
                "kubeconfig",
                "--dir",
                platform.facts["dir"],
                "--service-account",
                f"{namespace}/{NAME}",
                "--out",
                config,
            ],
            platform.env,
        )
        deployment = platform.get("deployment", NAME, "--namespace", namespace)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        # What differs is where it runs: not in the cluster, and AWS is an emulator.
        arguments = [one for one in container["args"] if not one.startswith("--health-address=")]
        arguments += [
            f"--health-address={self.address}",
            f"--cluster-arn={platform.facts['aws']['clusterArn']}",
            f"--emulator-endpoint={platform.facts['aws']['endpoints']['secretsManager']}",
        ]
        env = {**platform.env, "KUBECONFIG": str(config)}
        for variable in container["env"]:
            env[variable["name"]] = (
                variable.get("value")
                or {"metadata.namespace": namespace, "metadata.name": "beside"}[variable["valueFrom"]["fieldRef"]["fieldPath"]]
            )
        with self.log.open("a") as log:
            # Guarded, so that it ends with this process whatever happens to that.
            self.process = subprocess.Popen(
                ["bash", str(PLATFORM), "guard", "--", os.environ["OPENCLAW_OPERATOR"], *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=env,
            )
        platform.until("the operator's /readyz", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failed(f"the operator ended:\n{self.log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
