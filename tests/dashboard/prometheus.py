"""A real Prometheus that reads the operator's processes, and what it answers."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

# Seconds between two readings, and what Grafana would put in the place of $__rate_interval then.
INTERVAL = 5
RATE_INTERVAL = 4 * INTERVAL


class Refused(Exception):
    """Prometheus' own words."""


class Prometheus:
    """It reads each of {pod: address}, and ends with close()."""

    def __init__(self, program, directory, processes):
        config = {
            "global": {"scrape_interval": f"{INTERVAL}s", "scrape_timeout": f"{INTERVAL}s"},
            "scrape_configs": [
                {
                    "job_name": "openclaw-tenant-operator",
                    "static_configs": [{"targets": [address], "labels": {"pod": pod}} for pod, address in processes.items()],
                }
            ],
        }
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.log = directory / "prometheus.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={directory / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={directory / 'prometheus'}",
                    f"--web.listen-address={self.address}",
                ],
                stdout=log,
                stderr=log,
            )
        self.began = time.time()

    def close(self):
        self.process.terminate()
        self.process.wait(30)

    def ask(self, path, **parameters):
        if self.process.poll() is not None:
            raise Refused(self.log.read_text()[-3000:])
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Refused(f"{parameters}: {error.read().decode()}") from error

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            if self.process.poll() is not None:
                raise Refused(self.log.read_text()[-3000:]) from None
            return False

    def now(self, expression):
        """Each series: its labels and its value."""
        found = self.ask("query", query=concrete(expression))["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def over_time(self, expression):
        """Each series since this one began: its labels and its points."""
        span = {"start": self.began, "end": time.time(), "step": INTERVAL}
        found = self.ask("query_range", query=concrete(expression), **span)["result"]
        return [(one["metric"], [(at, float(value)) for at, value in one["values"]]) for one in found]


def concrete(expression):
    """As Grafana asks it."""
    return expression.replace("$__rate_interval", f"{RATE_INTERVAL}s")
