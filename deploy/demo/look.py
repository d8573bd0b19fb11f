"""What deploy/demo.sh shows: how the tenants come to be, and what exists then on the side of AWS. And the one thing in AWS
that a platform engineer does.

  look.py port                            a free port on loopback
  look.py ready URL PID SECONDS           waits until URL answers 200, or the process PID is gone
  look.py tenants FILE PID SECONDS NAME…  applies FILE, and follows its Tenants until all are Ready
  look.py role DIRECTORY                  gives the role that tenants share the documents of `iam --output DIRECTORY` (needs
                                          boto3)
  look.py account                         what the emulated account holds (needs boto3); never a secret's value
  look.py page NAME                       where the tenant's owner gets in, with the token: for a browser (needs boto3)

The others need no more than the standard library. Ends with 0 where what it waited for came true.
"""

import json
import os
import pathlib
import queue
import select
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request

PARTS = ["Namespace", "Network", "Identity", "Secrets", "Storage", "Workload", "Route", "Ready"]

# How long a Tenant may say that only a person can help before it is believed: a part may stall for a moment while another
# comes.
STALLED_SECONDS = 20


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1])
    return 0


def ready(url, pid, seconds):
    deadline, said = time.monotonic() + float(seconds), "nothing answers"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return 0
        except urllib.error.HTTPError as answer:
            said = answer.read(2000).decode(errors="replace").strip()
        except OSError:
            pass
        if not alive(int(pid)):
            print("the operator ended", file=sys.stderr)
            return 1
        select.select([], [], [], 0.1)
    print(f"not ready after {seconds} s: {said}", file=sys.stderr)
    return 1


class Watch:
    """The Tenants as `kubectl get --watch` tells of them; begun again where it ends."""

    def __init__(self):
        self.changes = queue.Queue()
        self.child = None
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        while True:
            command = ["kubectl", "get", "tenants", "--watch", "--output", "json"]
            self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            decoder, text = json.JSONDecoder(), ""
            for line in self.child.stdout:
                text += line
                if line.rstrip() == "}":  # the end of one object, as kubectl prints them
                    self.changes.put(decoder.decode(text))
                    text = ""
            time.sleep(1)

    def next(self, seconds):
        try:
            return self.changes.get(timeout=seconds)
        except queue.Empty:
            return None

    def end(self):
        if self.child is not None:
            self.child.terminate()


class Progress:
    """When each part of each Tenant stood, and what it waits for until then."""

    def __init__(self, names):
        self.start = time.monotonic()
        self.names = names
        self.stood = {name: {} for name in names}
        self.waits = {name: {} for name in names}
        self.stalled = {}
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.drawn = 0

    def elapsed(self):
        return time.monotonic() - self.start

    def take(self, tenant):
        name, generation = tenant["metadata"]["name"], tenant["metadata"]["generation"]
        if name not in self.stood:
            return
        status = tenant.get("status", {})
        if status.get("observedGeneration") != generation:
            self.stood[name] = {}
            return
        conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
        if "Stalled" in conditions:
            self.stalled.setdefault(name, self.elapsed())
        else:
            self.stalled.pop(name, None)
        if not self.stood[name] and conditions.get("Ready", {}).get("status") == "True":
            self.stood[name] = dict.fromkeys(PARTS, self.elapsed())
            self.say(f"{name}: Ready, with all of its parts")
            return
        for part in PARTS:
            condition = conditions.get(part if part == "Ready" else part + "Ready")
            if condition is None:
                continue
            before = (part in self.stood[name], self.waits[name].get(part))
            if condition["status"] == "True":
                self.stood[name].setdefault(part, self.elapsed())
                self.waits[name].pop(part, None)
            else:
                self.stood[name].pop(part, None)
                self.waits[name][part] = f"{condition['reason']}: {condition['message']}"
            if before != (part in self.stood[name], self.waits[name].get(part)):
                self.tell(name, part)

    def tell(self, name, part):
        if part in self.stood[name]:
            self.say(f"{name}: Ready" if part == "Ready" else f"{name}: {part} stands")
        elif part == "Ready":
            self.say(f"{name}: {self.waits[name][part]}")

    def say(self, line):
        if not self.terminal:
            print(f"  {self.elapsed():5.1f}s  {line}", flush=True)

    def draw(self):
        if not self.terminal:
            return
        width = os.get_terminal_size().columns
        lines = ["  " + "tenant".ljust(10) + "".join(part.ljust(11) for part in PARTS)]
        for name in self.names:
            cells = [f"{self.stood[name][part]:.1f}s" if part in self.stood[name] else "…" for part in PARTS]
            lines.append("  " + name.ljust(10) + "".join(cell.ljust(11) for cell in cells))
        waiting = next((self.waits[name].get("Ready") for name in self.names if "Ready" in self.waits[name]), "")
        lines.append("  " + f"{self.elapsed():.0f}s  {waiting}".strip())
        if self.drawn:
            sys.stdout.write(f"\x1b[{self.drawn}A")
        for line in lines:
            sys.stdout.write("\x1b[2K" + line[: width - 1] + "\n")
        sys.stdout.flush()
        self.drawn = len(lines)

    def done(self):
        return all("Ready" in parts for parts in self.stood.values())

    def is_stuck(self):
        return any(self.elapsed() - since > STALLED_SECONDS for since in self.stalled.values())

    def left(self):
        for name in self.names:
            if "Ready" not in self.stood[name]:
                yield f"{name}: {self.waits[name].get('Ready', 'the operator has said nothing about it yet')}"


def tenants(file, pid, seconds, *names):
    progress, watch = Progress(list(names)), Watch()
    # Beside the watch: much of it happens before kubectl has ended.
    apply = subprocess.Popen(["kubectl", "apply", "-f", file], stdout=subprocess.DEVNULL)
    try:
        while apply.poll() is None or not progress.done():
            change = watch.next(0.5)
            if change is not None:
                progress.take(change)
            progress.draw()
            problem = None
            if apply.poll():
                problem = "the API server did not take the tenants, as said above"
            elif not alive(int(pid)):
                problem = "the operator ended"
            elif progress.is_stuck():
                problem = "waiting longer does not help"
            elif progress.elapsed() > float(seconds):
                problem = f"not all Ready after {seconds} s"
            if problem:
                print(problem + ":", file=sys.stderr)
                for line in progress.left():
                    print(f"  {line}", file=sys.stderr)
                return 1
    finally:
        watch.end()
    return 0


def role(directory):
    """Without CloudFormation, which emulators lack: what deploy/aws/shared-role.yaml makes."""
    import boto3

    iam, name = boto3.client("iam"), os.environ["OPENCLAW_TENANT_ROLE"].rpartition("/")[2]
    trust, permissions = (pathlib.Path(directory, "policies", f"shared-role-{part}.json").read_text() for part in ("trust", "permissions"))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    iam.put_role_policy(RoleName=name, PolicyName="openclaw-workspace", PolicyDocument=permissions)
    return 0


def account():
    import boto3

    cluster = os.environ["OPENCLAW_CLUSTER_NAME"]
    eks, secrets = boto3.client("eks"), boto3.client("secretsmanager")
    print("Pod Identity associations")
    for page in eks.get_paginator("list_pod_identity_associations").paginate(clusterName=cluster):
        for found in page["associations"]:
            told = eks.describe_pod_identity_association(clusterName=cluster, associationId=found["associationId"])
            told = told["association"]
            print(f"  {told['associationId']}  {told['namespace']}/{told['serviceAccount']}  {told['roleArn']}")
            show(told.get("tags", {}))
    print("Secrets (names, versions and tags; nobody here reads a value)")
    pages = secrets.get_paginator("list_secrets").paginate()
    for found in sorted((found for page in pages for found in page["SecretList"]), key=lambda found: found["Name"]):
        versions = found.get("SecretVersionsToStages") or {}
        current = next((version for version, stages in versions.items() if "AWSCURRENT" in stages), None)
        print(f"  {found['Name']}  {f'version {current[:10]}…' if current else 'no value yet'}")
        show({tag["Key"]: tag["Value"] for tag in found.get("Tags", [])})
    return 0


def page(name):
    import boto3

    def kubectl(kind, path):
        command = ["kubectl", "get", kind, name, f"--output=jsonpath={path}"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    url = kubectl("tenant", "{.status.url}")
    secret = kubectl("tenantrecord", '{.spec.secrets.items[?(@.name=="gateway-token")].arn}')
    token = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    print(f"{url}#token={token}")
    return 0


def show(tags):
    pairs = " ".join(f"{key}={shortened(tags[key])}" for key in sorted(tags))
    print(textwrap.fill(pairs, 120, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False))


def shortened(value):
    return value if len(value) <= 48 or value.startswith("arn:") else value[:10] + "…"


COMMANDS = {"port": port, "ready": ready, "tenants": tenants, "role": role, "account": account, "page": page}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    try:
        sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
