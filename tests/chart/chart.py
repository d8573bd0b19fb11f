"""The chart as tests see it: rendered by the real helm, and beside it what it is made from."""

import copy
import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path

import yaml

TOP = Path(__file__).resolve().parent.parent.parent
CHART = TOP / "charts" / "openclaw-tenant-operator"
HELM = os.environ["OPENCLAW_HELM"]
NAME = "openclaw-tenant-operator"
# libyaml's where PyYAML has it: a rendering has its half a megabyte.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The least that an installation on EKS says.
EKS = {
    "image": {"repository": "registry.example.com/operator"},
    "cluster": {"name": "production", "region": "us-west-2", "cidrs": ["10.0.0.0/16", "172.20.0.0/16"]},
}

MONITOR = {"metrics": {one: {"enabled": True} for one in ("serviceMonitor", "prometheusRule", "dashboard")}}
CLASS = {"defaultClass": {"create": True, "spec": {"quota": {"cpu": "4"}}}}


class Refused(Exception):
    """helm's own words."""


def merged(*layers):
    """Later layers count, key by key."""
    result = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = merged(result[key], value)
            else:
                result[key] = copy.deepcopy(value)
    return result


def at(path, value):
    """{"a": {"b": value}} for "a.b"."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def helm(*arguments, values=None, check=True):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        arguments = list(arguments)
        if values is not None:
            json.dump(values, file)
            file.flush()
            arguments += ["--values", file.name]
        done = subprocess.run([HELM, *arguments], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Refused(done.stderr)
    return done.stdout


@functools.cache
def rendered(values, namespace, more):
    return helm("template", "openclaw", str(CHART), "--namespace", namespace, *more, values=json.loads(values))


def render(values, namespace="openclaw-system", more=()):
    """Everything that would be installed: (kind, name) -> object."""
    text = rendered(json.dumps(values, sort_keys=True), namespace, tuple(more))
    objects = {}
    for item in documents_of(text):
        key = (item["kind"], item["metadata"]["name"])
        assert key not in objects, f"{key} is rendered twice"
        objects[key] = item
    return objects


def documents_of(text):
    return [item for item in yaml.load_all(text, Loader=LOADER) if item is not None]


def documents(path):
    return documents_of(path.read_text())


def defaults():
    return yaml.safe_load((CHART / "values.yaml").read_text())


def leaves(values, ends, path=""):
    """What values.yaml documents: paths to everything that is no map, and to the maps at ends."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and here not in ends:
            yield from leaves(value, ends, here)
        else:
            yield here


def container(objects):
    return objects["Deployment", NAME]["spec"]["template"]["spec"]["containers"][0]


def text(objects):
    return json.dumps(list(objects.values()))
